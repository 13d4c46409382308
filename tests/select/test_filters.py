"""Filters 1 to 3, alone and as the gate."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from deimos.recipe import Select
from deimos.select.filters import (
    CandidateFilters,
    correctness_of,
    judge_presentation,
    judge_structure,
)
from deimos.thinking import Shape, Tags
from deimos.types import Completion, Kind, Prompt, Verdict

TAGS = Tags()
GOOD = "<think>\n2 + 2 is 4\n</think>\n\nThe sum of the two numbers is \\boxed{4}."


def prompt(kind: Kind = "math") -> Prompt:
    return Prompt.of(task="t", kind=kind, messages=[], reference="4")


def completion(text: str = GOOD, finish: str = "stop", answer_tokens: int = 10) -> Completion:
    answer = text.rpartition("</think>")[2].strip()
    return Completion(
        "p", 0, 0, "", answer, text, (), (), 5, answer_tokens, finish, None, 0.0, "test",  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "finish", "because"),
    [
        ("<think>\nhm", "stop", "never closed"),
        ("<think>\nhm\n</think>\n\n  ", "stop", "empty"),
        ("<think>a</think>b</think>c", "stop", "closed twice"),
        ("a</think>c", "stop", "does not begin"),
        (GOOD, "length", "budget"),
        (GOOD, "malformed", "stopped"),
    ],
)
def test_structure_rejects_with_a_sentence(text: str, finish: str, because: str) -> None:
    verdict = judge_structure(completion(text, finish), Shape.FREE, TAGS)
    assert (verdict.ok, verdict.stage) == (False, "structure")
    assert because in verdict.because


def test_structure_knows_the_shape() -> None:
    assert judge_structure(completion(), Shape.FREE, TAGS).ok
    assert not judge_structure(completion(), Shape.OPEN, TAGS).ok
    assert judge_structure(completion(GOOD.removeprefix("<think>")), Shape.OPEN, TAGS).ok
    assert not judge_structure(completion(), Shape.SHUT, TAGS).ok
    assert judge_structure(completion("It is 4."), Shape.SHUT, TAGS).ok
    assert judge_structure(completion("It is 4."), Shape.PLAIN, None).ok


def test_a_failed_engine_is_nobodys_fault() -> None:
    assert judge_structure(completion(finish="error"), Shape.FREE, TAGS).ok is None


def shown(
    answer: str,
    *,
    tokens: int = 10,
    kind: Kind = "math",
    least: float | None = 0.3,
    shape: Shape = Shape.FREE,
    **select: object,
) -> Verdict:
    candidate = replace(completion(answer_tokens=tokens), answer=answer)
    settings = Select(**select)  # type: ignore[arg-type]
    return judge_presentation(
        prompt(kind), candidate, settings, shape=shape, least_function_words=least
    )


@pytest.mark.parametrize(
    "answer",
    [
        "Wait, is it 4? It is \\boxed{4}.",
        "It is 4.\nHmm, let me see. It is \\boxed{4}.",
        "It is \\boxed{5}. Wait, that is one too many, so it is \\boxed{4}.",
        "It is the sum of the two, 4. Let me double-check: it is. \\boxed{4}",
        "Hold on... it is \\boxed{4}.",
        "Wait no, it is \\boxed{4}.",
        "<thinking>it is</thinking> \\boxed{4}",
        "It is \\boxed{4}.<|im_start|>user",
    ],
)
def test_thinking_left_in_the_answer_is_rejected(answer: str) -> None:
    assert (shown(answer).ok, shown(answer).stage) == (False, "presentation")
    assert "thinking left" in shown(answer).because


def test_what_only_looks_like_thinking_is_not() -> None:
    assert shown("The cars wait for the bus, so it is \\boxed{4}.").ok
    assert shown("Put it on the fire.\nWait (five minutes) until it boils. Hold on to the pot.").ok
    assert shown("This is how it is written:\n```\n<think>\nwait\n```\n").ok
    assert shown("Wait, it is the sum of the two, so it is 4.", shape=Shape.PLAIN).ok


def test_an_answer_may_be_as_long_as_its_kind_allows() -> None:
    answer = "It is the sum of the two."
    assert shown(answer, tokens=8, answer_max={"math": 8}).ok
    assert not shown(answer, tokens=9, answer_max={"math": 8}).ok
    assert shown(answer, tokens=9, answer_max={"choice": 8}).ok


def test_fragments_are_rejected_below_the_bases_own_rate() -> None:
    fragment = "Sum: 2 apples plus 2 apples. Total 4."
    assert not shown(fragment).ok
    assert shown(fragment, least=None).ok
    assert shown(fragment, function_words=False).ok
    assert shown("Tom has \\boxed{4} apples now.", least=0.25).ok, "not below is enough"
    assert shown("B", kind="choice").ok


class Asked:
    """A judge that notes what it was shown."""

    def __init__(self, ok: bool | None) -> None:
        self.ok, self.answers = ok, []

    async def __call__(self, prompt: Prompt, answer: str) -> Verdict:
        self.answers.append(answer)
        return Verdict(self.ok, "so it said")


def gate(judge: Asked, constants: dict | None) -> CandidateFilters:
    return CandidateFilters(Select(answer_max={"math": 20}), Shape.FREE, TAGS, judge, constants)


CONSTANTS = {"function_word_rate_p5": 0.3}


def test_the_judge_sees_the_answer_and_nothing_else() -> None:
    judge = Asked(True)
    assert asyncio.run(gate(judge, CONSTANTS)(prompt(), completion())).ok
    assert judge.answers == ["The sum of the two numbers is \\boxed{4}."]


def test_the_filters_speak_in_order() -> None:
    def stage_of(ok: bool | None, candidate: Completion) -> tuple:
        verdict = asyncio.run(gate(Asked(ok), CONSTANTS)(prompt(), candidate))
        return verdict.ok, verdict.stage

    long = completion(answer_tokens=21)
    assert stage_of(False, completion(finish="length")) == (False, "structure")
    assert stage_of(False, long) == (False, "correctness")
    assert stage_of(None, long) == (None, "correctness")
    assert stage_of(True, long) == (False, "presentation")
    assert stage_of(True, completion()) == (True, "presentation")


def test_the_dev_pass_judges_without_presentation() -> None:
    assert asyncio.run(gate(Asked(True), None)(prompt(), completion(answer_tokens=999))).ok


@pytest.mark.parametrize(
    ("stored", "known"),
    [
        (None, None),
        (Verdict(None, "timeout"), None),
        (Verdict(False, "cut", "structure"), None),
        (Verdict(False, "4 is not 5", "correctness"), Verdict(False, "4 is not 5", "correctness")),
        (Verdict(False, "too long", "presentation"), Verdict(True)),
        (Verdict(True, "", "presentation"), Verdict(True)),
    ],
)
def test_correctness_is_known_from_a_gates_verdict(
    stored: Verdict | None, known: Verdict | None
) -> None:
    assert correctness_of(stored) == known
