"""Which wrong answers are the same: values, options, nothing; and expressions that take too long."""

import asyncio
import contextlib

import pytest

from deimos.graders.same_answer import AnswerComparer
from deimos.types import Prompt

GRADERS = {"math": "math", "choice": "choice", "code": "code"}
OPTIONS = {"letter": "B", "options": ["a cat", "a dog", "a fox"]}


def prompt(kind: str, reference: object) -> Prompt:
    return Prompt.of(
        task="t", kind=kind, messages=[{"role": "user", "content": "?"}], reference=reference
    )


MATH, CHOICE = prompt("math", "12"), prompt("choice", OPTIONS)


@pytest.fixture(scope="module")
def compare():
    with contextlib.closing(AnswerComparer(GRADERS)) as made:
        yield made


def are_same(compare: AnswerComparer, asked: Prompt, one: str, other: str) -> bool:
    said = [compare.name_answer(asked, answer) for answer in (one, other)]
    assert all(said), said
    return asyncio.run(compare.is_same(asked, *said))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("The answer is \\boxed{7}.", "So it is 7.0\n#### 7", True),
        ("\\boxed{\\frac{1}{2}}", "\\boxed{0.5}", True),
        ("\\boxed{7}", "\\boxed{8}", False),
        ("\\boxed{17\\cdot 23}", "\\boxed{391}", True),  # not worked out, but the same wrong value
        ("\\boxed{\\sqrt{8}}", "\\boxed{2\\sqrt{2}}", True),  # for a worker
        ("\\boxed{\\sqrt{8}}", "\\boxed{2\\sqrt{3}}", False),
        ("\\boxed{(1,2)}", "\\boxed{(2,1)}", False),
    ],
)
def test_math_answers_vote_for_values(compare, one, other, same):
    assert are_same(compare, MATH, one, other) is same


def test_choices_vote_for_options(compare):
    assert compare.name_answer(CHOICE, "The answer is (A).") == "A"
    assert are_same(compare, CHOICE, "The answer is (A).", "A")
    assert not are_same(compare, CHOICE, "The answer is (A).", "The answer is C.")


def test_what_names_nothing_or_several_votes_for_nothing(compare):
    assert compare.name_answer(CHOICE, "I cannot tell.") == ""
    assert compare.name_answer(CHOICE, "The answer is (A). The answer is (C).") == ""
    assert compare.name_answer(MATH, "I cannot tell what that would be, at all.") == ""


def test_kinds_and_graders_whose_answers_are_not_known(compare):
    assert compare.name_answer(prompt("code", {}), "def f(): pass") is None
    with contextlib.closing(AnswerComparer({"math": "./mine.py:grade"})) as other:
        assert other.name_answer(MATH, "\\boxed{7}") is None


def test_an_endless_answer_is_like_no_other(compare):
    endless = "7 " * 20_000
    said = compare.name_answer(MATH, endless)
    assert said and not asyncio.run(compare.is_same(MATH, said, "7"))
