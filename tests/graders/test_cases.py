"""The small cases in ../shared/cases that the graders once got wrong, each as its row says."""

from pathlib import Path

import pytest

from deimos.cli.grading import grade_rows

CASES = Path(__file__).parents[2].parent / "shared" / "cases"
pytestmark = pytest.mark.skipif(
    not CASES.is_dir(), reason="the cases are not here (../shared/cases)"
)


def verdicts(kind):
    lines = (CASES / f"{kind}.jsonl").read_bytes().splitlines()
    return list(grade_rows(lines, kind=kind, tags=None))


def test_choice():
    wrong = [row for row in verdicts("choice") if row["verdict"]["ok"] is not row["ok"]]
    assert wrong == []


def test_code():
    rows = verdicts("code")
    assert [row for row in rows if row["verdict"]["ok"] is not row["ok"]] == []
