r"""Quantities of several units or things, in boxes: each number belongs to the word behind it."""

import pytest

from deimos.graders.math import math

T, F = True, False
ROWS = [
    (r"3\text{ hours }10\text{ minutes}", r"2\text{ hours }15\text{ minutes}", F),
    (r"3\text{ feet } 5 \text{ inches}", r"5\text{ feet } 3\text{ inches}", F),
    (r"6\text{ pounds }6\text{ ounces}", r"4\text{ pounds }9\text{ ounces}", F),
    (r"4\text{ days }6\text{ hours}", r"6\text{ days }4\text{ hours}", F),
    (r"8\text{ kg }3\text{ g}", r"3\text{ kg }8\text{ g}", F),
    (r"2\text{ gallons and }6\text{ pints}", r"3\text{ gallons and }4\text{ pints}", F),
    (r"2\text{ hours }45\text{ seconds}", r"2\text{ hours }45\text{ minutes}", F),
    (r"90", r"3\text{ hours }30\text{ minutes}", F),
    (r"3, 30", r"3\text{ hours }30\text{ minutes}", F),
    (r"3\text{ hours}", r"3\text{ hours }30\text{ minutes}", F),
    (r"7\text{ boys and }5\text{ girls}", r"5\text{ boys and }7\text{ girls}", F),
    (r"12\text{ cats, }9\text{ dogs}", r"9\text{ cats and }12\text{ dogs}", F),
    (r"6\text{ apples and }4\text{ pears}", r"8\text{ apples and }3\text{ pears}", F),
    (r"9, 12", r"12\text{ cats and }9\text{ dogs}", F),
    (r"15\text{ cm}", r"5\text{ cm and }3\text{ cm}", F),
    (r"1\text{ hour and }30\text{ minutes}", r"1\text{ hour } 30\text{ minutes}", T),
    (r"1\text{ hr }30\text{ min}", r"1\text{ hour }30\text{ minutes}", T),
    (r"1\text{ hour, }30\text{ minutes}", r"1\text{ hour }30\text{ minutes}", T),
    (r"1 hour and 30 minutes", r"1\text{ hour }30\text{ minutes}", T),
    (r"\text{4 days and 6 hours}", r"4\text{ days }6\text{ hours}", T),
    (r"\text{Time} = 4\text{ days }6\text{ hours}", r"4\text{ days }6\text{ hours}", T),
    (r"5\text{ ft }3\frac12\text{ in}", r"5\text{ feet and }3.5\text{ inches}", T),
    (r"2\text{ h }5\text{ min }10\text{ s}", r"2\text{ hours, }5\text{ minutes, and }10\text{ seconds}", T),
    ("2h15min", r"2\text{ hours }15\text{ minutes}", T),
    ("15 h 2 min", r"2\text{ hours }15\text{ minutes}", F),
    (r"2~\mathrm{h}~15~\mathrm{min}", r"2\text{ hours }15\text{ minutes}", T),
    ("2 hrs. 15 mins.", r"2\text{ hours }15\text{ minutes}", T),
    ("2x3y", "6xy", T),
    (r"7\text{ girls and }5\text{ boys}", r"5\text{ boys and }7\text{ girls}", T),
    (r"3\text{ red and }5\text{ blue}", r"3\text{ red}, 5\text{ blue}", T),
    (r"9\text{ dogs, }12\text{ cats}", r"12\text{ cats and }9\text{ dogs}", T),
    (r"12, 9", r"12\text{ cats and }9\text{ dogs}", T),
    (r"12\text{ cats and }9\text{ dogs}", r"12, 9", T),
    (r"3\text{ cm and }5\text{ cm}", r"5\text{ cm and }3\text{ cm}", T),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "reference", "right"), ROWS)
def test_each_number_belongs_to_its_unit(answer, reference, right):
    assert math(rf"\boxed{{{answer}}}", reference).ok is right


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("The answer is 2 hours and 15 minutes.", T),
        ("The answer is 15 hours and 2 minutes.", F),
        ("The answer is 3 hours and 10 minutes.", F),
        ("The answer is 2 hours.", F),
        ("Answer: 2 hr 15 min", T),
    ],
)
def test_stated_quantities_are_compared_unit_by_unit(text, right):
    assert math(text, r"2\text{ hours }15\text{ minutes}").ok is right
