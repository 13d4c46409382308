"""Prompts that come one by one, judges that can't keep up, and what is kept when."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest
from tests.sample.worlds import Keys, Track, World, golds, latest

from deimos.engines.base import Done, Job, Progress
from deimos.engines.echo import EchoEngine
from deimos.sample.prompt_race import PromptRace
from deimos.types import Completion, Prompt, Verdict


def test_prompts_are_asked_for_only_as_the_engine_has_places() -> None:
    world = World([[Track(3), Track(5)]] * 30, max_batch=4)
    ahead: list[int] = []
    over: dict[str, int] = {}

    def keep(completion: Completion) -> None:
        over[completion.prompt_id] = over.get(completion.prompt_id, 0) + 1
        ahead.append(world.pulled - sum(count == 2 for count in over.values()))

    _, stats = world.race(streamed=True, keep=keep)
    assert (stats.prompts, len(ahead)) == (30, 60)
    assert max(ahead) <= world.max_batch + 1


def test_finished_prompts_are_forgotten() -> None:
    world = World([[Track(3), Track(5, verdict=False)]] * 30, max_batch=4)
    under_way: list[int] = []

    def keep(completion: Completion) -> None:
        under_way.append(sum(type(thing) is PromptRace for thing in gc.get_objects()))

    gc.collect()
    gc.freeze()  # what is there already need not be looked through
    try:
        world.race(streamed=True, keep=keep)
    finally:
        gc.unfreeze()
    assert max(under_way) <= world.max_batch + 1


def test_a_prompt_that_is_over_leaves_the_engine_alone() -> None:
    world = World([[Track(2), Track(5)]])
    done, _ = world.race()

    class Asleep(EchoEngine):
        async def sample(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Progress | Done]:
            raise AssertionError("nothing is to be decoded")
            yield

    world.race(done, engine=world.engine(Asleep))
    world.race(done, engine=world.engine(Asleep), streamed=True)


def test_judges_that_cannot_keep_up_hold_decoding_back() -> None:
    world = World([[Track(1, delay=300, hesitant=True)]] * 40, max_batch=4)
    waiting: set[Keys] = set()
    most = 0
    judged = world.gate

    async def slow(prompt: Prompt, completion: Completion) -> Verdict:
        nonlocal most
        waiting.add((prompt.id, completion.index))
        most = max(most, len(waiting))
        verdict = await judged(prompt, completion)
        if verdict.ok is not None:
            waiting.remove((prompt.id, completion.index))
        return verdict

    world.gate = slow  # type: ignore[method-assign]
    kept, _ = world.race(unjudged=6)
    assert len(kept) == 40
    assert 6 <= most <= 6 + world.max_batch
    world.asked.clear()
    most = 0
    world.race(unjudged=256)
    assert most > 6 + world.max_batch


def test_the_first_that_passes_is_kept_while_its_rivals_still_run() -> None:
    world = World([[Track(30, answer=40), Track(2), Track(30, answer=40)]])
    engine, at = world.engine(), {}

    def keep(completion: Completion) -> None:
        at[completion.index] = completion.verdict and completion.verdict.ok, engine.tokens

    world.race(engine=engine, keep=keep)
    passed, tokens = at[1]
    assert passed
    short = len(world.ids(Track(2)))
    assert tokens <= 3 * (short + 1), "after one short trace, not after the long ones"
    assert list(at) == [1, 0, 2]


def test_answers_without_a_verdict_are_kept_where_the_race_breaks_off() -> None:
    world = World([[Track(2, delay=10**6), Track(9, verdict=False)]])
    judged = world.gate

    async def broken(prompt: Prompt, completion: Completion) -> Verdict:
        if completion.index == 1:
            raise LookupError("no grader for it")
        return await judged(prompt, completion)

    world.gate = broken  # type: ignore[method-assign]
    kept: list[Completion] = []
    with pytest.raises(LookupError):
        world.race(keep=kept.append)
    assert sorted((c.index, c.finish, c.verdict) for c in kept) == [
        (0, "stop", None), (1, "stop", None),
    ]  # fmt: skip
    world.tracks[world.prompts[0].id, 0] = Track(2)
    world.gate = judged  # type: ignore[method-assign]
    again, stats = world.race(kept)
    assert stats.decoded_tokens == 0
    assert {c.index: c.verdict and c.verdict.ok for c in again} == {0: True, 1: False}


class Breaking(EchoEngine):
    """Notes whose end it has told; fails in the same moment as it tells the ``last`` one's."""

    last = 10**6

    async def sample(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Progress | Done]:
        """Note each candidate that was decoded to its end."""
        ended: list[Keys] = self.__dict__.setdefault("ended", [])
        async for event in super().sample(jobs):
            if isinstance(event, Done) and event.finish == "stop":
                ended.append(tuple(event.key))
                yield event
                if len(ended) == self.last:
                    raise ConnectionError("the engine is gone")
            else:
                yield event


TABLE = [[Track(n % 3 + 1, verdict=n % 4 > 0, delay=n % 3 + 2) for n in range(4)]] * 3


def break_off(how: str, at: int) -> tuple[list[Completion], list[Keys]]:
    """A race that is broken off: what it kept, and whose end its engine had told."""
    world = World(TABLE, max_batch=5)
    engine, judged, kept = world.engine(Breaking), world.gate, []

    async def broken(prompt: Prompt, completion: Completion) -> Verdict:
        if sum(world.asked.values()) == at:
            raise LookupError("no grader for it")
        return await judged(prompt, completion)

    async def racing() -> None:
        task = asyncio.create_task(world.racing(engine=engine, keep=kept.append))
        if how == "cancelled":
            for _ in range(at):
                await asyncio.sleep(0)
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    if how == "its judge fails":
        world.gate = broken  # type: ignore[method-assign]
    elif how == "its engine fails":
        engine.last = at + 1  # type: ignore[attr-defined]
    asyncio.run(racing())
    return kept, engine.__dict__.get("ended", [])


@pytest.mark.parametrize(
    ("how", "points"), [("cancelled", 100), ("its judge fails", 12), ("its engine fails", 12)]
)
def test_nothing_decoded_is_lost_wherever_a_race_is_broken_off(how: str, points: int) -> None:
    """At every one of many points, also between a candidate's end and its judge's first step."""
    whole = latest(World(TABLE, max_batch=5).race()[0])
    undecided = 0
    for at in range(points):
        kept, ended = break_off(how, at)
        stopped = [(c.prompt_id, c.index) for c in kept if c.finish == "stop"]
        assert sorted(stopped) == sorted(ended), (how, at)
        undecided += sum(c.finish == "stop" and c.verdict is None for c in kept)
        again, stats = World(TABLE, max_batch=5).race(kept)
        assert golds(latest(kept, again)) == golds(whole)
        assert not {(c.prompt_id, c.index) for c in again if c.verdict is None} & {*ended}
        assert stats.decoded_tokens < sum(len(c.completion_ids) for c in whole.values()) or not kept
    assert undecided > 3, "some were broken off before their verdict"
