"""One engine under several races at once: each as if it were alone, all in one batch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.engines.runs import check_streams, feed, make_jobs
from tests.sample.worlds import EOS, Track, World

from deimos.engines.base import Done, Job, Key, Progress
from deimos.engines.echo import EchoEngine
from deimos.engines.multiplex import Shared
from deimos.recipe import Sample
from deimos.sample.prompt_race import RacePrompt
from deimos.sample.race import race
from deimos.thinking import Rendered
from deimos.types import Completion, Sampling

TABLE = [[Track(9), Track(4), Track(6, verdict=False), Track(2, delay=3)]] * 6


class Watched(EchoEngine):
    """Knows how many rows it had at most."""

    most = 0

    def _step(self):
        self.most = max(self.most, len(self._rows))
        return super()._step()


def raced(world: World, shared: Shared, prompts: range) -> asyncio.Task[list[Completion]]:
    async def run() -> list[Completion]:
        kept: list[Completion] = []
        entrants = [
            RacePrompt(world.prompts[i], Rendered("", (9,), world.think, None)) for i in prompts
        ]
        await race(
            entrants, shared, settings=Sample(n=4, sampling={"max_tokens": 100}), gate=world.gate,
            keep=kept.append, decode=world.decode,
        )  # fmt: skip
        return kept

    return asyncio.create_task(run())


def fates(kept: list[Completion]) -> dict[tuple[str, int], tuple[str, tuple[int, ...]]]:
    return {
        (c.prompt_id, c.index): (c.finish, c.completion_ids) for c in kept if c.finish == "stop"
    }


def test_races_side_by_side_keep_what_each_keeps_alone() -> None:
    world = World(TABLE, max_batch=8)
    engine = world.engine(Watched)

    async def together() -> list[Completion]:
        shared = Shared(engine)
        first, second = raced(world, shared, range(2)), raced(world, shared, range(2, 6))
        return [*await first, *await second]

    kept = asyncio.run(together())
    alone, _ = World(TABLE, max_batch=8).race()
    winners = {i for (_, i) in fates(alone)}
    assert 3 in winners and {(c.prompt_id, c.index) for c in kept} == {
        (p.id, i) for p in world.prompts for i in range(4)
    }
    assert all(c.finish == "stop" for c in kept if c.index == 3)
    assert any(c.finish == "outpaced" for c in kept)
    assert isinstance(engine, Watched) and engine.most == 8, "one batch, filled from both"


def test_a_race_that_comes_late_joins_the_batch() -> None:
    world = World([[Track(30)] * 4] * 2, max_batch=8)
    engine = world.engine()

    async def late() -> None:
        shared = Shared(engine)
        first = raced(world, shared, range(1))
        while engine.steps < 10:
            await asyncio.sleep(0)
        await asyncio.gather(first, raced(world, shared, range(1, 2)))
        assert len(await raced(world, shared, range(1))) == 4, "and again when all was over"

    asyncio.run(late())
    assert engine.steps < 110


def job(world: World, prompt: int, index: int = 0) -> Job:
    return Job(Key(world.prompts[prompt].id, index), (9,), Sampling(max_tokens=99), 0, world.think)


async def stream(*jobs: Job) -> AsyncIterator[Job]:
    for one in jobs:
        yield one


async def ends(events: AsyncIterator[Progress | Done]) -> dict[Key, str]:
    return {e.key: e.finish async for e in events if isinstance(e, Done)}


def test_caps_and_stops_reach_jobs_that_were_pulled_and_have_no_place_yet() -> None:
    """Two feeds have their jobs ready only when a third one's has taken the only place."""
    world = World([[Track(40), Track(5)], [Track(40), Track(40)]], max_batch=1)
    engine = world.engine()
    first, capped, stopped = job(world, 0), job(world, 1, 0), job(world, 1, 1)

    async def run() -> dict[Key, str]:
        shared, taken = Shared(engine), asyncio.Event()

        async def late(one: Job) -> AsyncIterator[Job]:
            await taken.wait()
            yield one

        feeds = late(capped), late(stopped), stream(first)
        calls = [asyncio.create_task(ends(shared.sample(feed))) for feed in feeds]
        while engine.steps < 3:
            await asyncio.sleep(0)
        taken.set()
        for _ in range(5):
            await asyncio.sleep(0)
        shared.cap(capped.key, 7)
        shared.stop(stopped.key)
        shared.stop(Key("nobody", 0))
        return {key: end for call in calls for key, end in (await call).items()}

    found = asyncio.run(run())
    assert found == {first.key: "stop", capped.key: "stopped", stopped.key: "stopped"}
    assert engine.tokens < 60


def test_a_stop_that_comes_after_the_end_does_not_stop_the_next_attempt() -> None:
    world = World([[Track(5)]])

    async def run() -> dict[Key, str]:
        shared = Shared(world.engine())
        await ends(shared.sample(stream(job(world, 0))))
        shared.stop(job(world, 0).key)
        return await ends(shared.sample(stream(job(world, 0))))

    assert asyncio.run(run()) == {job(world, 0).key: "stop"}


class Failing(EchoEngine):
    def _step(self):
        if self.steps > 5:
            raise RuntimeError("out of order")
        return super()._step()


def test_what_the_engine_raises_everybody_gets() -> None:
    world = World(TABLE)

    async def run() -> list[object]:
        shared = Shared(world.engine(Failing))
        races = raced(world, shared, range(2)), raced(world, shared, range(2, 4))
        return await asyncio.gather(*races, return_exceptions=True)

    assert [str(e) for e in asyncio.run(run())] == ["out of order", "out of order"]


def test_what_a_feed_raises_only_its_caller_gets() -> None:
    world = World(TABLE)

    async def broken() -> AsyncIterator[Job]:
        yield job(world, 0)
        raise ValueError("no such prompt")

    async def run() -> dict[Key, str]:
        shared = Shared(world.engine())
        bad = asyncio.create_task(ends(shared.sample(broken())))
        good = asyncio.create_task(ends(shared.sample(stream(job(world, 1)))))
        with pytest.raises(ValueError, match="no such prompt"):
            await bad
        return await good

    assert asyncio.run(run()) == {job(world, 1).key: "stop"}


class Forgetful(EchoEngine):
    """Ends without a word about what it was given."""

    async def sample(self, jobs):
        await anext(jobs)
        return
        yield


def test_jobs_that_the_engine_forgot_are_noticed() -> None:
    world = World(TABLE)

    async def run() -> None:
        await raced(world, Shared(world.engine(Forgetful)), range(1))

    with pytest.raises(RuntimeError, match="left 4 jobs unfinished"):
        asyncio.run(asyncio.wait_for(run(), 60))


def test_who_leaves_gives_the_places_back() -> None:
    world = World([[replace(Track(5000))], [Track(5)]], max_batch=1, max_tokens=10_000)
    engine = world.engine()

    async def run() -> dict[Key, str]:
        shared = Shared(engine)
        leaver = raced(world, shared, range(1))
        while engine.steps < 3:
            await asyncio.sleep(0)
        leaver.cancel()
        return await ends(shared.sample(stream(job(world, 1))))

    assert asyncio.run(run()) == {job(world, 1).key: "stop"}
    assert engine.tokens < 200 and EOS == 0


def test_each_caller_gets_the_tokens_of_its_own_jobs() -> None:
    plain = make_jobs(6, Sampling(max_tokens=9), per_prompt=1)
    jobs = [replace(job, stream=i % 2 == 0) for i, job in enumerate(plain)]

    async def together() -> None:
        shared = Shared(EchoEngine(lambda job: job.prompt_ids[:1] * 5, max_batch=4))

        async def collect(mine: list[Job]) -> None:
            check_streams(mine, [event async for event in shared.sample(feed(mine))])

        await asyncio.gather(collect(jobs[:3]), collect(jobs[3:]))

    asyncio.run(together())
