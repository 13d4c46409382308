"""How numbers are written."""

import pytest

from deimos.report import formatting


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.62, 0, "62%"),
        (0, 1, "0.0%"),
        (1, 0, "100%"),
        (0.996, 0, "99.6%"),  # not all, so not 100%
        (0.99999, 1, "99.9%"),
        (0.0004, 0, "<1%"),  # some, so not none
        (0.0004, 1, "<0.1%"),
        (None, 0, "not measured"),
    ],
)
def test_percent_never_rounds_to_all_or_none(value, digits, text):
    assert formatting.percent(value, digits) == text


def test_a_reduction_is_written_as_the_change_it_is():
    assert formatting.change(0.62) == "−62%"
    assert formatting.change(-0.1) == "+10%"
    assert formatting.change_interval([0.58, 0.66]) == "[−66, −58]"
    assert formatting.change(None) == "not measured"
    assert formatting.change_interval(None) == ""


def test_points_are_signed_and_zero_is_not():
    assert formatting.points(-0.004) == "−0.4"
    assert formatting.points(0.021) == "+2.1"
    assert formatting.points(-0.0001) == "0.0"
    assert formatting.interval([-0.019, 0.011], formatting.points) == "[−1.9, +1.1]"


@pytest.mark.parametrize(
    ("ci", "open_"),
    [([-0.1, 0.1], True), ([0.0, 0.2], True), ([0.01, 0.2], False), ([-0.2, -0.01], False)],
)
def test_includes_zero(ci, open_):
    assert formatting.includes_zero(ci) is open_


def test_no_interval_shows_nothing():
    assert formatting.includes_zero(None)
    assert formatting.includes_zero([None, 0.2])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.423, "0.42 s"), (4.2, "4.2 s"), (75.4, "75 s"), (720, "12 min"), (12600, "3.5 h")],
)
def test_seconds(value, text):
    assert formatting.seconds(value) == text


def test_listed_and_plural():
    assert formatting.join_names(["a", "b", "c"]) == "a, b and c"
    assert formatting.join_names(["a"]) == "a"
    assert formatting.join_names([]) == ""
    assert formatting.plural(1, "problem") == "1 problem"
    assert formatting.plural(1000, "problem") == "1,000 problems"
