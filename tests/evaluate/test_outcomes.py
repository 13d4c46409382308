"""Cutting traces at a budget, and the order in which models are timed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace

import pytest

from deimos.evaluate.outcomes import Grammar, cut, reduce_completion, total_tokens
from deimos.evaluate.timing import Timed, mean_seconds, seconds_reduction_ci, time_in_turns
from deimos.thinking import Shape, Tags, ThinkIds, count, split
from deimos.types import Completion, Verdict

TAGS = Tags()
EOS = 0
WORDS = {1: "<think>", 2: "</think>"}


def decode(ids: Sequence[int]) -> str:
    return " ".join(WORDS.get(i, f"w{i}") for i in ids)


def grammar(shape: Shape) -> Grammar:
    return Grammar(
        ThinkIds(shape, (1,), (2,)), None if shape is Shape.PLAIN else TAGS, {EOS}, decode
    )


def completion(ids: tuple[int, ...], shape: Shape, ok: bool | None = True) -> Completion:
    g = grammar(shape)
    parts, counts = split(decode(ids[:-1]), shape, g.tags), count(ids, g.think, g.eos_ids)
    return Completion("p", 0, 7, parts.think, parts.answer, decode(ids[:-1]), (5,), ids, counts.think_tokens,
                      counts.answer_tokens, "stop", None, 2.0, "test", Verdict.of(ok))  # fmt: skip


TRACE = (1, 11, 12, 13, 2, 21, 22, EOS)


def test_a_trace_that_fits_is_left_alone():
    whole = completion(TRACE, Shape.FREE)
    assert cut(whole, 8, grammar(Shape.FREE)) is whole


def test_a_trace_cut_in_its_thought_has_no_answer_and_is_wrong():
    left = cut(completion(TRACE, Shape.FREE), 3, grammar(Shape.FREE))
    assert (left.finish, left.verdict.ok, left.answer, left.think) == (
        "length",
        False,
        "",
        "w11 w12",
    )
    assert (left.think_tokens, left.answer_tokens, total_tokens(left)) == (2, 0, 3)


@pytest.mark.parametrize("budget", [5, 6, 7])
def test_a_trace_cut_in_or_after_its_answer_is_wrong_too(budget: int):
    left = cut(completion(TRACE, Shape.FREE), budget, grammar(Shape.FREE))
    assert (left.finish, left.verdict.ok) == ("length", False)
    assert (left.think_tokens, left.answer_tokens) == (3, budget - 5)


def test_an_unjudged_trace_that_is_cut_is_plainly_wrong():
    assert cut(completion(TRACE, Shape.FREE, ok=None), 3, grammar(Shape.FREE)).verdict.ok is False


def test_plain_traces_are_not_counted_twice():
    plain = completion((11, 12, 13, 14, EOS), Shape.PLAIN)
    whole = reduce_completion(plain, "t", None, Shape.PLAIN)
    assert (whole.think_tokens, whole.answer_tokens, whole.total_tokens, whole.empty_think) == (
        4,
        4,
        5,
        None,
    )
    left = cut(plain, 2, grammar(Shape.PLAIN))
    assert (left.think_tokens, left.answer_tokens, total_tokens(left), left.answer) == (
        2,
        2,
        2,
        "w11 w12",
    )


def test_an_empty_thought_is_seen_and_a_missing_verdict_refused():
    empty = completion((1, 2, 21, EOS), Shape.FREE)
    assert reduce_completion(empty, "t", True, Shape.FREE).empty_think is True
    with pytest.raises(ValueError, match="not judged"):
        reduce_completion(
            Completion(**{f: getattr(empty, f) for f in empty.__slots__ if f != "verdict"}),
            "t",
            True,
            Shape.FREE,
        )


def test_models_take_turns_in_blocks_after_warming_up():
    said: list[tuple[str, tuple[str, ...]]] = []

    def decoder(model: str, seconds: float):
        async def loop(requests: Sequence) -> AsyncIterator[Completion]:
            said.append((model, tuple(r.prompt.id for r in requests)))
            for r in reversed(requests):  # finished in another order than asked
                ids = tuple(range(20, 25))
                yield Completion(
                    r.prompt.id, 0, 0, "", "", "", (), ids, 0, 0, "stop", None, seconds, "e"
                )

        return loop

    requests = [
        (task, SimpleNamespace(prompt=SimpleNamespace(id=f"{task}{i}")))
        for i in range(3)
        for task in "ab"
    ]

    async def all_rows() -> list[Timed]:
        decoders = {"base": decoder("base", 2.0), "tuned": decoder("tuned", 1.0)}
        return [
            row
            async for rows in time_in_turns(decoders, requests, block=2, warmup=1)
            for row in rows
        ]

    rows = asyncio.run(all_rows())
    assert said[:2] == [("base", ("a0",)), ("tuned", ("a0",))]
    assert [m for m, _ in said[2:]] == ["base", "tuned", "tuned", "base", "base", "tuned"]
    assert len(rows) == 12 and {(r.model, r.prompt_id[0] == r.task) for r in rows} == {
        ("base", True),
        ("tuned", True),
    }
    assert mean_seconds(rows, {"a"}) == {"base": 2.0, "tuned": 1.0}
    assert mean_seconds(rows, {"c"}) == {}
    assert seconds_reduction_ci(rows, {"c"}) == (None, 0)
    assert seconds_reduction_ci(rows, {"a"}) == (None, 3)  # too few for an interval
