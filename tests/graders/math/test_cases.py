"""Inputs that were once judged wrong, read from beside the repository."""

import json
from pathlib import Path

import pytest

from deimos.graders.math import math

CASES = Path(__file__).parents[3].parent / "shared" / "cases" / "math.jsonl"
pytestmark = pytest.mark.skipif(
    not CASES.is_file(), reason="the cases are not here (../shared/cases)"
)


def test_every_case_is_judged_as_it_should_be():
    rows = [json.loads(line) for line in CASES.open(encoding="utf-8")]
    verdicts = [(row, math(row["text"], row["reference"])) for row in rows]
    assert len(rows) > 100
    assert [(row, v.because) for row, v in verdicts if v.ok is not row["ok"]] == []
