"""Answers in plain sentences: affirmed, named at the end, listed, none at all; and what only looks like it."""

import pytest

from deimos.graders.math import math

RIGHT = [
    # affirm
    ("12. That's the answer.", "12"),
    ("12. This is the final answer.", "12"),
    ("$12$. That is my answer.", "12"),
    ("12 is correct.", "12"),
    ("So 12 is correct.", "12"),
    ("12 is right.", "12"),
    ("The answer would be 30.", "30"),
    ("So the answer would be 30.", "30"),
    ("30, i.e. thirty", "30"),
    ("The answer is 30, i.e. thirty.", "30"),
    ("So it is 30, i.e. thirty.", "30"),
    ("The answer is 30 (thirty).", "30"),
    ("The answer is 30, i.e., thirty.", "30"),
    ("30, that is thirty.", "30"),
    ("12. Good. That's the answer.", "12"),
    # closing
    ("So the vertex is (15, -29). I think that's the final answer", "(15,-29)"),
    ("Thus the point is (15, -29).", "(15,-29)"),
    ("The vertex is (15, -29).", "(15,-29)"),
    ("Therefore the interval is [2, 5).", "[2,5)"),
    ("The roots are 2, 5, and 11.", "2,5,11"),
    ("So the solutions are 2 and 5.", "2,5"),
    ("The solutions are x = 2 and x = 5.", "2,5"),
    ("The values of x are -1 and 1/2.", "-1,\\frac12"),
    ("So the roots of the equation are 2 and 5. That's the final answer.", "2,5"),
    # emptytext
    ("The answer is no solution.", "\\emptyset"),
    ("There is no solution.", "\\emptyset"),
    ("The limit does not exist.", "\\text{DNE}"),
    ("So the equation has no real solutions.", "\\emptyset"),
    ("The answer is DNE.", "\\text{does not exist}"),
    ("The answer is the empty set.", "\\emptyset"),
    ("There are no solutions.", "\\text{no solution}"),
    ("Therefore, there are no real solutions.", "\\text{no real solutions}"),
    ("Step 1: x^2=-1.\nHence there is no real solution.", "\\emptyset"),
    # prose
    ("So the limit does not exist.", "\\text{DNE}"),
    ("It does not exist.", "\\text{DNE}"),
    ("So x = 8.", "8"),
    ("We have x=y=8, so x = 8.", "8"),
    ("The roots are $2$, $5$, and $11$.", "2,5,11"),
    ("So the pair is (3, 4).", "(3,4)"),
    ("So the interval is (2, 3].", "(2,3]"),
    ("Then the answer would be $30$.", "30"),
]
WRONG = [
    # affirm
    ("12. That's not the answer.", "12"),
    ("12. That's the wrong answer.", "12"),
    ("12 is not correct.", "12"),
    ("12 is correct if x is odd.", "12"),
    ("I don't think 12 is correct.", "12"),
    ("Is 12 correct?", "12"),
    ("Option 12 is correct.", "12"),
    ("Neither 11 nor 12 is correct.", "12"),
    ("Either 11 or 12 is correct.", "12"),
    ("12 is correct?", "12"),
    ("If so, the answer would be 30.", "30"),
    ("The answer would be 30 if x was 2.", "30"),
    ("If we forget one, the answer would be 30.", "30"),
    ("The answer would be 30, but it is 31.", "30"),
    ("The answer would be 30. But it isn't.", "30"),
    ("Otherwise the answer would be 30.", "30"),
    ("The answer would not be 30.", "30"),
    ("Without tax the answer would be 30.", "30"),
    ("30, i.e. thirty-one", "30"),
    ("Would the answer be 30?", "30"),
    ("10. First\n11. Second\n12. This is correct.", "12"),
    # closing
    ("The vertex is not (15, -29).", "(15,-29)"),
    ("Is the vertex (15, -29)?", "(15,-29)"),
    ("The points are (15, -29) and (1,2).", "(15,-29)"),
    ("We start at (15, -29).", "(15,-29)"),
    ("The vertex might be (15, -29).", "(15,-29)"),
    ("The roots are 2, 5, and 11.", "2,5"),
    ("The solutions are not 2 and 5.", "2,5"),
    ("The roots are 2, 5, or maybe 11.", "2,5,11"),
    ("The candidates are 2, 5, and 11.", "2,5,11"),
    ("The roots are 2, 5, and 11.", "5"),
    ("The roots are among 2, 5, 11.", "2,5,11"),
    ("The numbers given are 2, 5, and 11.", "2,5,11"),
    ("Check 2, 5, and 11.", "2,5,11"),
    ("If x=1, the roots are 2 and 5.", "2,5"),
    ("Are the roots 2 and 5?", "2,5"),
    # emptytext
    ("I see no solution.", "\\emptyset"),
    ("There might be no solution.", "\\emptyset"),
    ("Is there no solution?", "\\emptyset"),
    ("It is not true that there is no solution.", "\\emptyset"),
    ("If a=0, there is no solution.", "\\emptyset"),
    # prose
    ("Perhaps the limit does not exist.", "\\text{DNE}"),
    ("The claim that it does not exist.", "\\text{DNE}"),
    ("So x = y = 8.", "8"),
    ("Thus a = b = 3.", "3"),
    ("Thus $x = y = 8$.", "8"),
    ("Suppose the roots are 2 and 5.", "2,5"),
    ("It is false that the roots are 2 and 5.", "2,5"),
    ("The roots are $2$ and $5$.", "2"),
    ("So the pair is (3, 4) or (4, 3).", "(3,4)"),
    ("So the pair is close to (3, 4).", "(3,4)"),
    ("See figure (3, 4).", "(3,4)"),
    ("I thought the answer would be 30.", "30"),
    ("The answer would be 30?", "30"),
    ("The answer would be 30 or 31.", "30"),
    ("The answer would be about 30.", "30"),
    ("The answer would probably be 30.", "30"),
    ("The answer would be 30. The answer is 31.", "30"),
    ("1 is correct. 2 is correct.", "2"),
    ("30 is correct. Wait, no, 31.", "30"),
    ("12 is correct, I guess.", "12"),
    ("12 is correct or 13 is.", "12"),
    ("Tom says 12 is correct.", "12"),
    ("The answer is 12, i.e. 13.", "12"),
    ("12, i.e. 13", "12"),
    ("12. Is that the answer?", "12"),
    ("See page 12. That's the answer.", "12"),
    ("Not 12. That's the answer.", "12"),
    ("12 or 13. That's the answer.", "12"),
    ("There are no solutions. Or maybe one.", "\\emptyset"),
    ("There is no solution to problem 3, but x=2 works.", "\\emptyset"),
]
"""(answer, reference)"""


@pytest.mark.parametrize(("answer", "reference"), RIGHT)
def test_it_says_the_same(answer, reference):
    verdict = math(answer, reference)
    assert verdict.ok is True, verdict.because


@pytest.mark.parametrize(("answer", "reference"), WRONG)
def test_it_says_something_else_or_nothing(answer, reference):
    assert math(answer, reference).ok is False
