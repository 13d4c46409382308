"""Requests whose tokens are read on the way: what is sent is never taken back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from tests.engines.runs import CLOSE, EOS, OPENED
from tests.engines.test_collect import Words, gather, requests
from tests.engines.test_think_budget import BUDGET, GAP, LINE, Scripted, thought

from deimos.engines.base import Capabilities, Done, Job, Key, Token
from deimos.engines.collect import Request
from deimos.engines.echo import EchoEngine
from deimos.engines.multiplex import Shared
from deimos.engines.stream import stream
from deimos.thinking import Shape


def follow(engine: Any, wanted: list[Request]) -> list[Token | Done]:
    async def main() -> list[Token | Done]:
        return [event async for event in stream(engine, Words(), {EOS}, wanted)]

    return asyncio.run(main())


def wanted(n: int = 1, budget: Any = None, **changes: Any) -> list[Request]:
    return [replace(r, think_budget=budget, stream=True, **changes) for r in requests(n)]


def sent(events: list[Token | Done], key: Key) -> list[tuple[int, ...]]:
    return [e.token_ids for e in events if isinstance(e, Token) and e.key == key]


@pytest.mark.parametrize("budget", [None, BUDGET])
@pytest.mark.parametrize("think", [0, 1, 3, 4, 5, 9])
def test_the_tokens_in_a_row_are_the_completion(think, budget):
    asked = wanted(2, budget)
    events = follow(Scripted(think), asked)
    for request in asked:
        (done,) = [e for e in events if isinstance(e, Done) and e.key == request.key]
        assert sum(sent(events, request.key), ()) == done.completion_ids
        assert events.index(done) == max(i for i, e in enumerate(events) if e.key == request.key)
    ends = {e.key: e.completion_ids for e in events if isinstance(e, Done)}
    alone = gather(Scripted(think), [replace(r, think_budget=budget) for r in requests(2)])
    assert {(c.prompt_id, c.index): c.completion_ids for c in alone} == ends


def test_without_a_budget_tokens_come_one_by_one():
    (request,) = wanted()
    events = follow(Scripted(3), [request])
    assert sent(events, request.key) == [(i,) for i in (*thought(3), CLOSE, 50, 51, EOS)]


def test_only_what_stays_is_sent_before_a_thought_has_closed():
    (request,) = wanted(budget=BUDGET)
    events = follow(Scripted(9), [request])
    closing = (LINE, CLOSE, GAP)
    assert sent(events, request.key) == [(10,), (11,), (12,), closing, (50,), (51,), (EOS,)]
    events = follow(Scripted(4), [request])  # within the budget: its last token waits for the tag
    assert sent(events, request.key)[:4] == [(10,), (11,), (12,), (13, CLOSE)]


def test_a_tag_that_may_come_late_is_waited_for():
    free = replace(OPENED, shape=Shape.FREE, open_ids=(1,))

    def script(job: Job) -> tuple[int, ...]:
        if job.think.shape is Shape.SHUT:
            return (50, EOS)
        return (1, *thought(9), CLOSE, 50, EOS)

    (request,) = wanted(budget=BUDGET)
    request = replace(request, rendered=replace(request.rendered, think=free))
    events = follow(EchoEngine(script), [request])
    assert sum(sent(events, request.key), ()) == (1, *thought(3), LINE, CLOSE, GAP, 50, EOS)


def test_an_engine_that_does_not_stream_sends_all_at_the_end():
    class Silent(Scripted):
        capabilities = Capabilities(seeds=True, token_ids=True, resumes=True)

        async def sample(self, jobs):
            async for event in super().sample(jobs):
                if not isinstance(event, Token):
                    yield event

    for budget, parts in ((None, 1), (BUDGET, 2)):
        (request,) = wanted(budget=budget)
        events = follow(Silent(9), [request])
        assert len(sent(events, request.key)) == parts
        assert sum(sent(events, request.key), ()) == events[-1].completion_ids


class TextOnly(Scripted):
    """A server that sends text and no ids."""

    capabilities = Capabilities(seeds=True, token_ids=False, resumes=False, streams=True)

    def spoken(self, ids):
        return "".join(f" {Words().decode([i], False)}" for i in ids if i != EOS)

    async def sample(self, jobs):
        async for event in super().sample(jobs):
            if isinstance(event, Token):
                text = self.spoken(event.token_ids)
                event = replace(event, token_ids=(), text=text)
            elif isinstance(event, Done):
                event = replace(event, text=self.spoken(event.completion_ids))
            if not isinstance(event, Token) or event.text:
                yield event


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("budget", [None, BUDGET])
def test_an_engine_without_ids_sends_text(budget, streams):
    (request,) = wanted(budget=budget)
    engine = TextOnly(9)
    if not streams:
        (request,) = [replace(request, stream=False)]
    events = follow(engine, [request])
    assert events[-1].text and "w50 w51" in events[-1].text
    if not streams:
        assert len(events) == 1
        return
    assert "".join(e.text or "" for e in events if isinstance(e, Token)) == events[-1].text


def test_a_request_that_wants_no_tokens_has_its_end_alone():
    (request,) = [replace(r, think_budget=BUDGET) for r in requests(1)]
    (done,) = follow(Scripted(9), [request])
    assert isinstance(done, Done) and done.completion_ids[:3] == thought(3)


def test_who_leaves_gives_its_row_back():
    engine = Scripted(400, max_batch=4)

    async def main() -> list[int]:
        shared = Shared(engine)
        (request,) = wanted()
        long = replace(request.sampling, max_tokens=500)
        events = stream(shared, Words(), {EOS}, [replace(request, sampling=long)])
        await anext(events)
        running = [len(engine._rows)]
        await events.aclose()
        for _ in range(10):
            await asyncio.sleep(0)
        return [*running, len(engine._rows)]

    assert asyncio.run(main()) == [1, 0]
