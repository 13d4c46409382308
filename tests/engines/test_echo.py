"""The scripted engine: the protocol in full, on tokens known beforehand."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from tests.engines.runs import CLOSE, EOS, OPENED, check_streams, make_jobs, run

from deimos.engines.base import Done, Engine, Event, Job, Key, Progress
from deimos.engines.echo import EchoEngine, echo
from deimos.models.ref import ModelRef
from deimos.recipe.runtime import Runtime
from deimos.registry import resolve
from deimos.types import Sampling

LONG = Sampling(max_tokens=100)


def scripted(job: Job) -> tuple[int, ...]:
    """Candidate i thinks for 5 + i tokens and answers with two."""
    return (*range(10, 15 + job.key.index), CLOSE, 70, 71, EOS)


def jobs(n: int = 6) -> list[Job]:
    return make_jobs(n, LONG, per_prompt=n, think=OPENED)


def test_it_is_an_engine_and_is_registered() -> None:
    assert isinstance(EchoEngine(scripted), Engine)
    assert resolve("engine", "echo") is echo


def test_scripts_are_played_to_their_ends() -> None:
    events: list[Event] = []
    ends = run(EchoEngine(scripted, max_batch=2), jobs(), events.append)
    for job in jobs():
        assert ends[job.key].completion_ids == scripted(job)
        assert ends[job.key].finish == "stop"
    closed = [e for e in events if isinstance(e, Progress)]
    assert [(e.key.index, e.tokens) for e in closed] == [(i, 6 + i) for i in range(6)]


def test_budgets_caps_and_resuming() -> None:
    short, capped, resumed = jobs(3)
    ends = run(
        EchoEngine(scripted),
        [
            replace(short, sampling=replace(LONG, max_tokens=4)),
            replace(capped, think_cap=3),
            replace(resumed, done_ids=scripted(resumed)[:4]),
        ],
    )
    assert (ends[short.key].finish, len(ends[short.key].completion_ids)) == ("length", 4)
    assert (ends[capped.key].finish, len(ends[capped.key].completion_ids)) == ("stopped", 4)
    assert ends[resumed.key].completion_ids == scripted(resumed)


def test_a_cap_equal_to_the_thought_stops_nothing() -> None:
    job = jobs(1)[0]
    assert run(EchoEngine(scripted), [replace(job, think_cap=5)])[job.key].finish == "stop"


def test_stop_and_cap_while_it_runs() -> None:
    engine = EchoEngine(scripted, max_batch=6)

    def on_event(event: Progress | Done) -> None:
        if isinstance(event, Progress) and event.key.index == 0:
            engine.stop(Key(event.key.prompt_id, 1))
            engine.cap(Key(event.key.prompt_id, 2), 5)
            engine.cap(Key(event.key.prompt_id, 2), 50)

    ends = run(engine, jobs(), on_event)
    finishes = {key.index: end.finish for key, end in ends.items()}
    assert finishes == {0: "stop", 1: "stopped", 2: "stopped", 3: "stop", 4: "stop", 5: "stop"}


def test_jobs_are_pulled_only_into_places() -> None:
    pulled = finished = 0

    async def lazily() -> Any:
        nonlocal pulled
        for job in jobs(9):
            pulled += 1
            yield job

    async def main() -> None:
        nonlocal finished
        async for event in EchoEngine(scripted, max_batch=3).sample(lazily()):
            assert pulled - finished <= 3
            finished += isinstance(event, Done)

    asyncio.run(main())
    assert (pulled, finished) == (9, 9)


def test_the_registered_one_repeats_the_prompt() -> None:
    engine = echo(ModelRef("nothing/here"), Runtime(max_batch=4), length=8)
    for job, end in zip(jobs(), run(engine, jobs()).values(), strict=True):
        assert 8 <= len(end.completion_ids) <= 16
        assert {*end.completion_ids} <= {*job.prompt_ids}


def test_tokens_are_streamed_to_jobs_that_ask() -> None:
    events: list[Event] = []
    wanted = [replace(job, stream=job.key.index % 2 == 0) for job in jobs(8)]
    wanted[2] = replace(wanted[2], done_ids=scripted(wanted[2])[:4])
    wanted[4] = replace(wanted[4], think_cap=3)
    run(EchoEngine(scripted, max_batch=3), wanted, events.append)
    tokens = check_streams(wanted, events)
    assert [len(tokens[job.key]) for job in wanted[:6]] == [9, 0, 7, 0, 4, 0]
    assert EchoEngine.capabilities.streams
