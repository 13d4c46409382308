"""Thoughts closed at a budget: on scripted completions, on every real template that thinks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.engines.runs import CLOSE, EOS, OPENED
from tests.engines.test_collect import Words, gather, requests

from deimos.engines.base import Done, Job
from deimos.engines.echo import EchoEngine
from deimos.engines.think_budget import ThinkBudget
from deimos.thinking import Shape
from deimos.types import Completion

LINE, GAP = 90, 91
BUDGET = ThinkBudget(4, (LINE,), (CLOSE, GAP))


def thought(n: int) -> tuple[int, ...]:
    return tuple(range(10, 10 + n))


class Scripted(EchoEngine):
    """Thinks for as many tokens as it is told; says which jobs it got."""

    def __init__(self, think: int, answer: int = 2, **kwargs: Any) -> None:
        self.jobs: list[Job] = []

        def script(job: Job) -> tuple[int, ...]:
            self.jobs.append(job)
            said = (*range(50, 50 + answer), EOS)
            closed = job.think.shape is Shape.SHUT
            return said if closed else (*thought(think), CLOSE, *said)

        super().__init__(script, **kwargs)


def decode(engine: Any, budget: ThinkBudget | None, n: int = 1, **kwargs: Any) -> list[Completion]:
    return gather(engine, [replace(r, think_budget=budget) for r in requests(n)], **kwargs)


def test_a_longer_thought_is_closed_at_the_budget_and_the_answer_follows():
    engine = Scripted(think=9)
    (c,) = decode(engine, BUDGET)
    assert c.completion_ids == (*thought(3), LINE, CLOSE, GAP, 50, 51, EOS)
    assert (c.think_tokens, c.finish, c.prompt_ids) == (4, "stop", (5, 1))
    first, second = engine.jobs
    assert first.think_cap == 4 and first.prompt_ids == (5, 1)
    assert second.prompt_ids == (5, 1, *thought(3), LINE, CLOSE, GAP)
    assert second.sampling.max_tokens == 20 - 6 and second.seed != first.seed
    assert c.seed == 3  # the request's own, whatever the second job drew with


@pytest.mark.parametrize("think", [0, 1, 4])
def test_a_thought_within_the_budget_is_left_as_it_is(think):
    engine = Scripted(think)
    (c,) = decode(engine, BUDGET)
    assert c.completion_ids == (*thought(think), CLOSE, 50, 51, EOS)
    assert len(engine.jobs) == 1
    assert [c] == [replace(p, seconds=c.seconds) for p in decode(Scripted(think), None)]


@pytest.mark.parametrize(("tokens", "kept"), [(0, ()), (1, (LINE,)), (2, (10, LINE))])
def test_a_budget_counts_what_is_put_into_the_thought(tokens, kept):
    (c,) = decode(Scripted(think=9), replace(BUDGET, tokens=tokens))
    assert c.completion_ids[: len(kept) + 1] == (*kept, CLOSE)
    assert c.think_tokens == tokens


def test_no_token_left_for_an_answer_is_a_completion_that_was_cut():
    budget = replace(BUDGET, tokens=18)
    (c,) = decode(Scripted(think=19), budget)
    assert (c.finish, len(c.completion_ids)) == ("length", 20)
    assert c.completion_ids[17:] == (LINE, CLOSE, GAP)


def test_a_thought_that_is_there_already_is_not_decoded_again():
    engine = Scripted(think=9)
    begun = BUDGET.close_thought(thought(9), OPENED, {EOS})
    assert begun == (*thought(3), LINE, CLOSE, GAP)
    (request,) = requests(1)
    (c,) = gather(engine, [replace(request, think_budget=BUDGET, begun=begun)])
    assert len(engine.jobs) == 1 and engine.jobs[0].think.shape is Shape.SHUT
    (whole,) = decode(Scripted(think=9), BUDGET)
    assert replace(c, seconds=0) == replace(whole, seconds=0)


@pytest.mark.parametrize("concurrency", [None, 1, 3])
def test_answers_take_the_places_of_their_thoughts(concurrency):
    engine = Scripted(think=9, max_batch=2)
    found = decode(engine, BUDGET, 7, concurrency=concurrency)
    assert len(found) == 7 and all(c.think_tokens == 4 and c.finish == "stop" for c in found)
    assert len(engine.jobs) == 14


def test_no_thought_no_closing():
    shut = replace(OPENED, shape=Shape.SHUT)
    assert BUDGET.close_thought(thought(9), shut, {EOS}) is None
    assert BUDGET.close_thought(thought(9), replace(OPENED, shape=Shape.PLAIN), {EOS}) is None
    assert BUDGET.close_thought((*thought(9)[:4], EOS), OPENED, {EOS}) is None


class Failing(Scripted):
    """Ends every second job of a candidate in an error."""

    async def sample(self, jobs):
        async for event in super().sample(jobs):
            second = isinstance(event, Done) and self.jobs[-1].think.shape is Shape.SHUT
            yield replace(event, finish="error", completion_ids=()) if second else event


def test_an_error_behind_a_closed_thought_is_the_completions():
    (c,) = decode(Failing(think=9), BUDGET)
    assert c.finish == "error"


class TextOnly(Scripted):
    """A server that sends no ids: they are its text tokenised again, and caps come late."""

    async def sample(self, jobs):
        async for event in super().sample(jobs):
            if isinstance(event, Done):
                text = Words().decode([i for i in event.completion_ids if i != EOS], False)
                event = replace(event, text=f" {text}")
            yield event


def test_text_of_a_server_follows_the_closed_thought():
    (c,) = decode(TextOnly(think=9), BUDGET)
    assert c.text == "w10 w11 w12 w90 </think> w91 w50 w51"
    assert (c.think, c.answer) == ("w10 w11 w12 w90", " w91 w50 w51")


def test_requests_with_and_without_a_budget_go_together():
    engine = Scripted(think=9)
    mixed = [replace(r, think_budget=BUDGET if i % 2 else None) for i, r in enumerate(requests(6))]
    found = {c.prompt_id: c.think_tokens for c in gather(engine, mixed, concurrency=2)}
    assert [found[r.prompt.id] for r in mixed] == [9, 4] * 3


def test_real_templates_close_a_thought_as_they_shut_it(tmp_path):
    from tests.models.test_effort import real

    from deimos.engines.think_budget import find_closing
    from deimos.lab import tokenizer as lab_tokenizer
    from deimos.models.loading import load_tokenizer
    from deimos.models.ref import ModelRef
    from deimos.thinking import Tags, count, render, split

    lab_tokenizer.build(["What is 1 plus 2? let me see \\boxed{3}."] * 3, tmp_path)
    tokenizer = load_tokenizer(ModelRef(str(tmp_path)))
    ask, tags = [{"role": "user", "content": "What is 1 plus 2?"}], Tags()
    own = tokenizer.chat_template
    lone = "{{ messages[0].content }}{{ '</think>' if enable_thinking is false else '<think>' }}"
    for template, before, behind in (
        (own, "\n", "\n\n"),
        (real("qwen3"), "\n", "\n\n"),
        (real("qwen3_8"), "\n", "\n\n"),
        (real("deepseek_r1_distill"), "\n", "\n\n"),  # cannot turn thinking off
        (lone, "", ""),
    ):
        tokenizer.chat_template = template
        budget = ThinkBudget(5, *find_closing(tokenizer, tags))
        put_in = tokenizer.decode((*budget.before, *budget.close), skip_special_tokens=False)
        assert put_in == f"{before}</think>{behind}"
        rendered = render(tokenizer, ask, tags=tags, thinking=None)
        opened = "<think>\n" if rendered.shape is Shape.FREE else ""
        ids = tokenizer(f"{opened}let me see let me see let me see", add_special_tokens=False)
        begun = budget.close_thought(ids["input_ids"], rendered.think, {EOS})
        assert begun is not None
        answer = tuple(tokenizer("It is 3.", add_special_tokens=False)["input_ids"])
        assert count((*begun, *answer), rendered.think, ()).think_tokens == 5
        text = tokenizer.decode((*begun, *answer), skip_special_tokens=False)
        parts = split(text, rendered.shape, tags)
        assert (parts.closed, parts.malformed, parts.answer) == (True, "", "It is 3.")
