"""Names that an answer or a reference gives to the values of a pair, a list or a point."""

import pytest

from deimos.graders.math import math

T, F = True, False
ROWS = [
    ("x=1,2", "(1,2)", F), ("x_2=1, x_1=2", "(1,2)", F), ("v=(2,3)", "P=(2,3)", F), (r"x\in\{2,3\}", "x=2, y=3", F),
    (r"4\text{ pounds }9\text{ ounces}", "m=4, n=9", F), ("x_2=2, x_1=1", "(1,2)", T), ("x_1=2, x_2=3", r"\{2,3\}", T),
    ("(y,x)=(1,2)", "(x,y)=(1,2)", F), ("(x,z,y)=(1,2,3)", "x=1,y=2,z=3", F), ("(p,q)=(1,2)", "(x,y)=(1,2)", F),
    ("n=4,m=9", "(m,n)=(4,9)", F), ("(n,m)=(4,9)", "m=4, n=9", F), ("Q=(2,3)", "P=(2,3)", F), ("B=(0,5)", "A=(0,5)", F),
    ("(y,x)=(1,2)", "(1,2)", F), ("(y,x)=(1,2),(y,x)=(3,4)", "(1,2),(3,4)", F), ("(c,b,a)=(1,2,3)", "(a,b,c)=(1,2,3)", F),
    (r"y=\{2,3\}", r"x=\{2,3\}", F), ("x=1,y=4 or x=3,y=2", "(1,2),(3,4)", F), ("x=2,y=1 or x=3,y=4", "(1,2),(3,4)", F),
    ("x_2=1,x_1=2", "(x_1,x_2)=(1,2)", F), ("(a,b)=(1,2)", "(a,c)=(1,2)", F),
    ("(y,x)=(2,1)", "(x,y)=(1,2)", T), ("n=9, m=4", "(m,n)=(4,9)", T), ("(z,x,y)=(3,1,2)", "x=1, y=2, z=3", T),
    ("(c,b,a)=(3,2,1)", "(a,b,c)=(1,2,3)", T), ("(x,y)=(1,2)", "(1,2)", T), ("(4,9)", "(m,n)=(4,9)", T), ("P=(2,3)", "(2,3)", T),
    (r"\vec{v}=(2,3)", "v=(2,3)", T), (r"x\in\{2,3\}", r"S=\{2,3\}", T), ("x=1,y=2 or x=3,y=4", "(1,2),(3,4)", T),
    ("y=2,x=1 or x=3,y=4", "(1,2),(3,4)", T), ("(y,x)=(2,1),(y,x)=(4,3)", "(x,y)=(1,2),(x,y)=(3,4)", T), ("(X,Y)=(1,2)", "(x,y)=(1,2)", T),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "reference", "right"), ROWS)
def test_values_are_compared_by_name(answer, reference, right):
    assert math(rf"\boxed{{{answer}}}", reference).ok is right


@pytest.mark.parametrize(
    ("text", "reference", "right"),
    [
        (r"$y=\boxed{2}$ and $x=\boxed{7}$", "(2,7)", F),
        (r"$y=\boxed{7}$ and $x=\boxed{2}$", "(2,7)", T),
        (r"$x=\boxed{2}$ and $y=\boxed{7}$", "(2,7)", T),
        (r"$n = \boxed{2}$, $m = \boxed{7}$", "(m,n)=(2,7)", F),
        (r"$n = \boxed{7}$, $m = \boxed{2}$", "m=2, n=7", T),
    ],
)
def test_names_before_boxes_count(text, reference, right):
    assert math(text, reference).ok is right
