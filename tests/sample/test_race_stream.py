"""Prompts that come one by one, judges that can't keep up, and what is kept when."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator

import pytest
from tests.sample.worlds import Keys, Track, World

from deimos.engines.base import Done, Job, Progress
from deimos.engines.echo import EchoEngine
from deimos.sample.prompt_race import Contest
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
        under_way.append(sum(type(thing) is Contest for thing in gc.get_objects()))

    world.race(streamed=True, keep=keep)
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
