"""The second opinion: what simpler checks say, beside the verdict and never in it."""

import asyncio
import json

import pytest

from deimos import Prompt
from deimos.cli.grading import grade_rows
from deimos.graders import Judge
from deimos.graders.second import count_differences, match_plainly
from deimos.store.schema import value_of, verdict_row
from deimos.types import SecondOpinion, Verdict


@pytest.mark.parametrize(
    ("answer", "reference", "same"),
    [
        (r"So \boxed{1{,}234}.", "1234", True),
        (r"First \boxed{3}, then \boxed{\dfrac{1}{2}}", r"\frac{1}{2}", True),
        (r"\boxed{0.50}", r"\frac12", True),
        (r"\boxed{\frac{x}{\sqrt{2}}}", r"\frac{x}{\sqrt{2}}", True),
        (r"\boxed{x+1}", "1+x", False),  # plain: no algebra
        (r"\boxed{(1,2)}", "(1, 2)", True),
        (r"\boxed{12\text{ cm}}", "12", False),
        ("The answer is $72.", "72", True),
        ("a\n#### 1,000", "1000", True),
        ("It is 7, or rather 8 apples", "8", True),
        (r"\boxed{3", "3", False),
        ("", "3", False),
        ("no number", "3", False),
        (r"\boxed{1e999999999}", "1", False),
        (r"\boxed{1/0}", "1", False),
        (r"\boxed{−3}", "-3", True),
    ],
)
def test_plain_matches_are_of_texts_and_numbers(answer, reference, same):
    assert match_plainly(answer, reference) is same


def prompt(reference, kind="math"):
    return Prompt.of(task="t", kind=kind, messages=[], reference=reference)


def ask(*pairs, **settings):
    async def run():
        async with Judge({"math": "math", "choice": "choice"}, **settings) as judge:
            return [await judge.with_second(p, answer) for p, answer in pairs]

    return asyncio.run(run())


def test_every_math_verdict_has_one_and_other_kinds_have_none():
    options = prompt({"letter": "B", "options": ["x", "y", "z"]}, "choice")
    hang = r"\boxed{9^{9^{9^{9^{9}}}}}"
    pairs = [
        (prompt("4"), r"\boxed{4}"), (prompt("x+1"), r"\boxed{1+x}"), (prompt("4"), r"\boxed{5}"),
        (prompt("4"), hang), (options, r"\boxed{B}"), (prompt("1/3"), r"\boxed{\frac{1}{3}}"),
    ]  # fmt: skip
    verdicts = ask(*pairs)
    assert [v.ok for v in verdicts] == [True, True, False, False, True, True]
    said = [v.second and (v.second.plain, v.second.math_verify) for v in verdicts]
    assert said[:3] == [(True, True), (False, True), (False, False)]
    assert said[3] in [(False, False), (False, None)] and said[4] is None
    assert said[5] == (True, True)


def test_the_race_asks_for_none_and_starts_no_process():
    with Judge({"math": "math"}) as judge:
        assert asyncio.run(judge(prompt("4"), r"\boxed{4}")).second is None
        assert not judge._children


def test_a_grader_of_ones_own_has_none(tmp_path):
    (tmp_path / "own.py").write_text(
        "from deimos import Verdict\ndef grade(answer, reference): return Verdict.of(True)\n"
    )

    async def run():
        async with Judge({"math": f"{tmp_path}/own.py:grade"}) as judge:
            return await judge.with_second(prompt("4"), "x")

    assert asyncio.run(run()) == Verdict(True)


def test_grade_writes_it_into_the_verdict():
    texts = [(r"\boxed{4}", "4"), (r"\boxed{2+2}", "x")]
    lines = [json.dumps({"text": text, "reference": r}).encode() for text, r in texts]
    first, second = grade_rows(lines, kind="math", tags=None)
    assert first["verdict"]["second"] == {"plain": True, "math_verify": True}
    assert second["verdict"]["second"] == {"plain": False, "math_verify": False}


def test_a_verdict_keeps_it_as_a_row():
    verdict = Verdict(True, "equal", "correctness", SecondOpinion(False, None))
    row = verdict_row(verdict)
    assert json.loads(json.dumps(row))["second"] == {"plain": False, "math_verify": None}
    assert value_of(Verdict, row) == verdict
    assert verdict_row(Verdict(True))["second"] is None
    assert value_of(Verdict, {"ok": True, "because": "", "stage": "length"}).second is None


def test_differences_are_shares_of_what_was_said():
    verdicts = [
        (True, SecondOpinion(True, True)), (True, SecondOpinion(False, True)),
        (False, SecondOpinion(False, None)), (False, SecondOpinion(False, True)),
        (None, SecondOpinion(True, True)), (True, None),
    ]  # fmt: skip
    assert count_differences(verdicts) == {"n": 4, "plain": 0.25, "math_verify": 1 / 3}
    assert count_differences([(True, SecondOpinion(True, None))]) == {
        "n": 1, "plain": 0.0, "math_verify": None,
    }  # fmt: skip
    assert count_differences([(True, None)]) is None
