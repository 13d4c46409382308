"""Charts are well-formed, inside their frame, and say in words what they show."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deimos.report import figures

TOKENS = st.lists(st.integers(0, 100_000), min_size=1, max_size=60)


def drawn(markup, width):
    root = ElementTree.fromstring(str(markup))
    assert "nan" not in str(markup).lower()
    height = float(root.attrib["viewBox"].split()[3])
    for line in root.iter("line"):
        assert all(-1 <= float(line.attrib[x]) <= width + 1 for x in ("x1", "x2"))
        assert all(-1 <= float(line.attrib[y]) <= height + 1 for y in ("y1", "y2"))
    return root


@pytest.mark.parametrize("width", [figures.WIDE, figures.NARROW])
@settings(max_examples=60)
@given(base=TOKENS, tuned=TOKENS)
def test_lengths_draw_whatever_they_are_given(width, base, tuned):
    values = {"base": base, "tuned": tuned}
    root = drawn(figures.lengths("tokens", values, {"base": 0.1, "tuned": 0}, width), width)
    assert "median" in root.attrib["aria-label"]
    ticks = [float(t.attrib["x"]) for t in root.iter("text") if t.attrib.get("class") == "tick"]
    assert all(b - a >= 20 for a, b in pairwise(ticks))


@given(TOKENS)
def test_every_value_is_in_one_bin(values):
    edges, log = figures._edges(sorted(values), 30)
    shares = figures._shares(values, edges, log)
    widths = [figures.math.log(b / a) if log else b - a for a, b in pairwise(edges)]
    assert sum(s * w for s, w in zip(shares, widths, strict=True)) == pytest.approx(1)


def curve(model, accuracies):
    return [
        {"model": model, "budget": 16 * 2**i, "accuracy": a, "accuracy_ci": [a / 2, (1 + a) / 2]}
        for i, a in enumerate(accuracies)
    ]


@pytest.mark.parametrize("width", [figures.WIDE, figures.NARROW])
def test_budget_curve_names_both_lines_and_the_tight_budget(width):
    rows = curve("base", [0, 0.1, 0.5, 0.8]) + curve("tuned", [0.1, 0.7, 0.8, 0.8])
    root = drawn(figures.budget_curve(rows, 40, "locked", width), width)
    texts = [t.text for t in root.iter("text")]
    assert {"base", "tuned", "tight: 40"} <= set(texts)
    assert "tuned from 10.0% at 16 tokens to 80.0% at 128" in root.attrib["aria-label"]


def test_budget_curve_of_one_model_and_one_budget():
    drawn(figures.budget_curve(curve("base", [0.5]), None, "locked", figures.WIDE), figures.WIDE)


def test_closed_thoughts_are_dots_at_the_tokens_they_took():
    dot = {"accuracy": 0.5, "accuracy_ci": [0.4, 0.6], "budget": 128, "total_tokens_mean": 9.6}
    closed = [
        {**dot, "model": "base", "think_budget": 5},
        {
            **dot,
            "model": "tuned",
            "think_budget": 40,
            "total_tokens_mean": 70.2,
            "accuracy_ci": None,
        },
    ]
    rows = curve("base", [0, 0.1, 0.5, 0.8]) + curve("tuned", [0.1, 0.7, 0.8, 0.8])
    root = drawn(figures.budget_curve(rows, 40, "locked", figures.WIDE, closed), figures.WIDE)
    circles = [c for c in root.iter("circle") if c.attrib["class"].startswith("front")]
    assert [c.attrib["class"] for c in circles] == ["front base", "front tuned"]
    assert float(circles[0].attrib["cx"]) < float(circles[1].attrib["cx"])
    words = root.attrib["aria-label"]
    assert "base 50.0% at a think budget of 5, 10 tokens on average" in words


def test_a_config_name_cannot_break_out():
    markup = figures.budget_curve(curve("base", [0.5, 0.6]), None, '"><script>', figures.WIDE)
    assert "<script" not in markup
    ElementTree.fromstring(str(markup))


def test_an_interval_mark_is_where_its_numbers_are():
    mark = str(figures.interval_mark(0.0, [-0.1, 0.1], 0.1))
    assert re.search(r'cx="60\.0"', mark)
    assert 'x1="4.0"' in mark and 'x2="116.0"' in mark
    assert figures.interval_mark(0.1, None, 0.1) == ""
