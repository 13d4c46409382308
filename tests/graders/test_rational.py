"""One exact number, or nothing."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deimos.graders.rational import Rational, rational


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", 42), ("-7", -7), ("+7", 7), ("073", 73), ("1,234,567", 1234567), ("3.50", Fraction(7, 2)),
        (".5", Fraction(1, 2)), ("18.", 18), ("1/2", Fraction(1, 2)), ("\\frac{1}{2}", Fraction(1, 2)),
        ("\\dfrac12", Fraction(1, 2)), ("-\\tfrac{3}{4}", Fraction(-3, 4)),
        ("2\\frac{1}{2}", Fraction(5, 2)), ("\\$18", 18), ("-$5", -5), ("$18$", 18), ("\\(18\\)", 18),
        ("10{,}000", 10000), ("10\\,000", 10000), ("18 dollars", 18), ("18\\text{ eggs}", 18),
        ("5\\ \\text{cm}^2", 5), ("18 million", 18_000_000), ("two", None), ("x = 5", 5), ("5 miles per hour", 5),
        ("90^\\circ", 90), ("12^{\\text{th}}", 12), ("**7**", 7), ("−3", -3),
        ("5x", None), ("3 pi", None), ("3\\pi", None), ("1, 2", None), ("10110_2", None), ("(1,2)", None),
        ("1/0", None), ("\\frac{1}{0}", None), ("2^3", None), ("5 or 6", None), ("3 tenths", None),
        ("5 squared", None), ("", None), ("1,23", None), ("--5", None), ("2x = 4", None), ("5 \\text{ or } 6", None),
        ("0.\\overline{3}", Fraction(1, 3)), ("-1.1\\overline{6}", Fraction(-7, 6)), ("0.\\overline 9", 1),
        ("5!", None), ("1e5", None), ("٣", None),
    ],
)  # fmt: skip
def test_values(text, value):
    read = rational(text)
    assert (read.value if read else None) == value


def test_percent_is_figure_and_share():
    percent = Rational(Fraction(50), percent=True)
    assert rational("50\\%") == percent == rational("50 percent")
    assert percent.equals(Rational(Fraction(50)))
    assert percent.equals(Rational(Fraction(1, 2)))
    assert not percent.equals(Rational(Fraction(1, 2), percent=True))


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_every_spelling_of_a_fraction_is_that_fraction(above, below):
    value = Fraction(above, below)
    sign = "-" if above < 0 else ""
    spellings = [
        f"{above}/{below}",
        f"{sign}\\frac{{{abs(above)}}}{{{below}}}",
        f"{above:,}/{below:,}",
    ]
    assert all(rational(s) == Rational(value) for s in spellings)
