"""What stands around a number: hedges, second answers, templates, steps, tails of the sentence, option letters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deimos.graders.math import math

ROWS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data/math_around.jsonl")
    .read_text("utf-8")
    .splitlines()
]
"""Answers, references, and whether the one says the other."""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["text"][:60])
def test_what_an_answer_says(row: dict) -> None:
    assert math(row["text"], row["reference"]).ok is row["ok"]
