"""Answers that were written to pass without a thought: against twenty references none does."""

import pytest

from deimos.graders.math import math

REFERENCES = [
    "391", "55", "36", "1024", "\\frac{1}{2}", "0.25", "2\\sqrt{3}", "\\frac{\\pi}{4}", "x=3", "-2, 4", "(1,2)", "3+4i",
    "(5,\\infty)", "x \\ge 5", "\\text{even}", "12\\text{ cm}", "50\\%", "6.5e3", "\\{1,2\\}", "y=2x+1",
]  # fmt: skip
RESTATED = [
    r"\boxed{17\cdot 23}", r"\boxed{\sum_{k=1}^{10} k}", r"\boxed{\binom{9}{2}}", r"\boxed{2\cdot 512}", r"\boxed{\frac{1}{3}+\frac{1}{6}}",
    r"\boxed{\cos 60^\circ}", r"\boxed{0.5\cdot 0.5}", r"\boxed{\sqrt{27}-\sqrt{3}}", r"\boxed{\arctan 1}", r"\boxed{x+4=7}",
    r"\boxed{x^2-2x-8=0}", r"\boxed{(1+2i)^2+6}", r"\boxed{x-5>0}", r"\boxed{2x \ge 10}", r"\boxed{\gcd(782, 391)}",
    r"\boxed{3\cdot 4\text{ cm}}", r"\boxed{65\cdot 100}", r"\boxed{\text{odd or even}}", r"\boxed{10+45}", r"\boxed{\max(391, 2)}",
]  # fmt: skip
HEDGES = [
    "The answer is 391 or 392.", "It is about 391.", "The answer is probably 55.", "I guess it is 36, maybe 37.", "Perhaps 1024?",
    r"\boxed{x \ge 5 \text{ or } x < 5}", "The answer is between 0 and 1.", "It could be even, or odd.",
    "If the answer is 391, good.", "The answer is not 55.",
]  # fmt: skip
LISTS = [
    r"\boxed{391, 55, 36}", r"\boxed{-4, -2, 2, 4}", r"\boxed{1}, \boxed{2}, \boxed{3}, \boxed{36}", "1, 2, 3, 36, 55, 391, 1024",
    r"\boxed{\{1,2,3\}}", r"\boxed{(1,2), (2,1)}", "<answer>391 or 55 or 36</answer>", r"\boxed{\pm 36}",
    "The answer is 36. The answer is 55.", r"\boxed{\frac12} \boxed{\frac14}",
]  # fmt: skip
TEMPLATES = [
    "The answer is the value asked for.", r"\boxed{}", r"\boxed{?}", r"\boxed{x}", r"\boxed{\text{answer}}", "#### ",
    "See problem 391.", "We started with 55 and 36.", r"\boxed{\text{see above}}", "The final answer is correct.",
]  # fmt: skip
ANSWERS = RESTATED + HEDGES + LISTS + TEMPLATES


def test_there_are_fifty_answers_and_twenty_references():
    assert len(set(ANSWERS)) == 50 and len(set(REFERENCES)) == 20


@pytest.mark.parametrize("answer", ANSWERS)
def test_no_answer_without_a_thought_passes(answer):
    passed = [reference for reference in REFERENCES if math(answer, reference).ok is not False]
    assert passed == []
