"""Engines that fail while candidates are made of others: nothing is lost, and nothing hangs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.sample.proposers.mixed import MixedWorld

from deimos.engines.base import Done, Event, Job, Key
from deimos.engines.collect import RETRIES
from deimos.engines.echo import EchoEngine
from deimos.sample.model import OpenModel
from deimos.sample.proposers.jobs import EngineStopped, JobQueue
from deimos.thinking import Shape, ThinkIds
from deimos.types import Sampling

PLAIN = ThinkIds(Shape.PLAIN)


def job_of(name: str) -> Job:
    return Job(Key(name, 0), (5, 6), Sampling(), 1, PLAIN)


class Flaky(EchoEngine):
    """Ends jobs of some keys in an error, so many times."""

    failures: dict[Key, int]

    async def sample(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Event]:
        async for event in super().sample(jobs):
            if isinstance(event, Done) and self.failures.get(event.key, 0):
                self.failures[event.key] -= 1
                event = replace(event, finish="error", error="lost")
            yield event


def flaky(script: Any, failures: dict[Key, int]) -> Flaky:
    engine = Flaky(script, max_batch=4)
    engine.failures = failures
    return engine


def test_every_caller_gets_the_end_of_its_own_job() -> None:
    async def ask() -> list[Done]:
        engine = flaky(lambda job: (len(job.key.prompt_id), 0), {Key("bbb", 0): 1})
        async with JobQueue(engine) as jobs:
            return await asyncio.gather(*(jobs.decode(job_of("b" * n)) for n in (1, 2, 3, 4, 5, 6)))

    ends = asyncio.run(ask())
    assert [(e.completion_ids[0], e.finish != "error") for e in ends] == [
        (n, True) for n in (1, 2, 3, 4, 5, 6)
    ]


def test_an_error_that_stays_is_handed_on_and_an_engine_that_ends_is_raised() -> None:
    async def ask(engine: EchoEngine) -> Done:
        async with JobQueue(engine) as jobs:
            return await asyncio.wait_for(jobs.decode(job_of("a")), 20)

    failing = flaky(lambda job: (1, 0), {Key("a", 0): 99})
    assert asyncio.run(ask(failing)).finish == "error"
    assert failing.failures[Key("a", 0)] == 99 - RETRIES.decodings

    class Ends(EchoEngine):
        async def sample(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Event]:
            await anext(jobs)
            return
            yield  # a generator

    with pytest.raises(EngineStopped, match="ended before its jobs did"):
        asyncio.run(ask(Ends(lambda job: (1, 0))))


def test_a_search_whose_engine_fails_is_made_again_by_the_next_attempt(
    tokenizer: Any, tmp_path: Path
) -> None:
    proposers = [{"kind": "plain", "n": 2}, {"kind": "prune"}]
    whole = MixedWorld(tmp_path / "whole", tokenizer, 8, share_right=1.0, proposers=proposers)
    whole.sample()
    whole.select()
    world = MixedWorld(tmp_path / "failing", tokenizer, 8, share_right=1.0, proposers=proposers)
    good = world.model

    def failing() -> OpenModel:
        model = good()
        keys = {Key(prompt.id, 2): 99 for prompt in world.train}
        return replace(model, engine=flaky(world.script, keys))

    world.model = failing  # type: ignore[method-assign]
    counts = world.sample()
    rows = [row for row in world.rows() if row["index"] == 2]
    assert {row["finish"] for row in rows} == {"error"}
    assert {row["verdict"]["ok"] for row in rows} == {None}
    assert counts["unjudged"] == 3
    world.model = good  # type: ignore[method-assign]
    assert world.sample()["unjudged"] == 0
    world.select()
    assert {name: gold["completion_ids"] for name, gold in world.golds().items()} == {
        name: gold["completion_ids"] for name, gold in whole.golds().items()
    }
