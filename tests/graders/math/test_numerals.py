"""Numbers and places in words."""

import pytest

from deimos.graders.math import math

RIGHT = [
    ("**Final answer:** $\\mbox{four}$", "\\mbox{four}"),
    ("The answer is $\\text{four}$.", "4"),
    # words
    ("The answer is twelve.", "12"),
    ("The answer is twelve apples.", "12"),
    ("The answer is forty-two.", "42"),
    ("The answer is forty two.", "42"),
    ("The answer is one hundred.", "100"),
    ("The answer is a hundred.", "100"),
    ("The answer is one half.", "\\frac12"),
    ("The answer is two thirds.", "\\frac23"),
    ("The answer is three quarters.", "0.75"),
    ("The answer is minus seven.", "-7"),
    ("The answer is negative seven.", "-7"),
    ("The answer is zero.", "0"),
    ("The answer is one hundred and five.", "105"),
    ("The answer is two thousand.", "2000"),
    ("twelve", "12"),
    ("Twelve.", "12"),
    ("The answer is Twelve", "12"),
    ("The answer is twelve percent.", "12\\%"),
    ("The answer is one-half.", "0.5"),
    ("The answer is ninety-nine.", "99"),
    ("The answer is one.", "1"),
    ("The answer is 12, i.e. twelve.", "12"),
    # words
    ("The answer is twelve (12).", "12"),
    ("The answer is two and a half.", "2.5"),
    ("So she has twelve apples.", "12"),
    ("Therefore there are twelve.", "12"),
    ("The answer is ten and twelve.", "10,12"),
    ("The answers are two and five.", "2,5"),
    ("The answer is one twelfth.", "\\frac1{12}"),
    ("The answer is six, not seven.", "6"),
    ("The answer is 6. The answer is six.", "6"),
    ("Answer: twelve", "12"),
    ("**Answer:** twelve", "12"),
    ("<answer>twelve</answer>", "12"),
    ("#### twelve", "12"),
    ("Final answer: Twelve minutes.", "12"),
    # wordsbox
    ("\\boxed{\\text{twelve}}", "12"),
    ("\\boxed{12}", "\\text{twelve}"),
    ("\\boxed{\\text{two}}", "\\text{two}"),
    ("\\boxed{\\text{one-to-one}}", "\\text{one-to-one}"),
    ("\\boxed{2}", "\\text{two}"),
    # ordinal
    ("\\boxed{3^{\\text{rd}}}", "3"),
    ("\\boxed{\\text{third}}", "3^{\\text{rd}}"),
    ("\\boxed{3rd}", "3^{\\text{rd}}"),
    ("\\boxed{3}", "3^{\\text{rd}}"),
    ("\\boxed{3^{\\text{rd}}}", "\\text{third}"),
    ("\\boxed{\\text{twenty-first}}", "21st"),
    ("\\boxed{\\text{second}}", "2nd"),
    ("\\boxed{\\text{3rd}}", "\\text{third}"),
    ("\\boxed{\\text{fifth}}", "5^{th}"),
    # ordtext
    ("The answer is third.", "3^{\\text{rd}}"),
    ("The answer is the third.", "3^{\\text{rd}}"),
    ("The answer is the 3rd.", "3^{\\text{rd}}"),
    ("The answer is 3rd.", "\\text{third}"),
]
WRONG = [
    # words
    ("The answer is thirteen.", "12"),
    ("The answer is not twelve.", "12"),
    ("The answer is twelve or thirteen.", "12"),
    ("The answer is one of the two.", "1"),
    ("The answer is twenty.", "12"),
    ("The answer is seventeen.", "7"),
    ("The answer is twelve?", "12"),
    ("The answer is about twelve.", "12"),
    ("Is the answer twelve?", "12"),
    ("The answer is two to the fifth.", "2"),
    ("The answer is two times six.", "12"),
    ("The answer is one less than 13", "12"),
    ("The answer is one more than twelve", "12"),
    ("The answer is six plus six.", "12"),
    # words
    ("The answer is ten-ish.", "10"),
    ("The answer is twenty something.", "20"),
    ("The answer is ten to twelve.", "10"),
    ("The answer is twelve (13).", "12"),
    ("So there are twelve or thirteen.", "12"),
    ("So there might be twelve.", "12"),
    ("There are about twelve.", "12"),
    ("So x is not twelve.", "12"),
    ("Is it twelve?", "12"),
    ("The answer is less than twelve.", "12"),
    ("The answer is at least twelve.", "12"),
    ("The answer is between ten and twelve.", "12"),
    ("The answer is twelve dozen.", "12"),
    ("The answer is twelve thousand.", "12"),
    ("The answer is twelve fifths.", "12"),
    ("The answer is twelve squared.", "12"),
    ("The answer is one twelfth.", "12"),
    ("The answer is seven, not six.", "6"),
    ("The answer is six. Wait, it is seven.", "6"),
    ("The answer is six. Wait, no, 7.", "6"),
    ("The answer is six or maybe seven.", "6"),
    ("The answer is six. The answer is seven.", "6"),
    ("My guess is twelve.", "12"),
    # wordsbox
    ("\\boxed{\\text{three}}", "\\text{two}"),
    ("\\boxed{\\text{one to one}}", "1"),
    ("\\boxed{\\text{twelve}}", "13"),
    ("\\boxed{\\text{six or seven}}", "6"),
    # ordinal
    ("\\boxed{\\text{fourth}}", "3^{\\text{rd}}"),
    ("\\boxed{\\text{third}}", "3"),
    ("\\boxed{\\text{one third}}", "3rd"),
    # ordtext
    ("The answer is not third.", "3^{\\text{rd}}"),
]
"""(answer, reference)"""


@pytest.mark.parametrize(("answer", "reference"), RIGHT)
def test_it_says_the_same(answer, reference):
    verdict = math(answer, reference)
    assert verdict.ok is True, verdict.because


@pytest.mark.parametrize(("answer", "reference"), WRONG)
def test_it_says_something_else_or_nothing(answer, reference):
    assert math(answer, reference).ok is False
