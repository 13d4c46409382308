"""What is printed of a run, what is said where nothing is measured, and which answers are graded."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from deimos.cli.console import headline
from deimos.cli.main import app, main

ROW = {
    "setting": "equal",
    "task": "all",
    "n": 1500,
    "accuracy_delta": 0.0001,
    "accuracy_delta_ci": [-0.0004, 0.021],
    "think_tokens_reduction": 0.714,
    "think_tokens_reduction_ci": [0.7, 0.72],
    "total_tokens_reduction": -0.001,
    "total_tokens_reduction_ci": None,
    "seconds_reduction": 0.002,
}


def lines(folder, *rows):
    (folder / "summary.json").write_text(json.dumps({"compare": rows}))
    return list(headline(folder))


def test_a_line_per_setting_of_all_tasks(tmp_path):
    shown = lines(tmp_path, ROW, {**ROW, "task": "gsm8k"}, {**ROW, "setting": "tight"})
    assert shown == [
        f"{setting:6} n=1,500: accuracy 0.0 points [0.0, +2.1], think tokens −71% [−72, −70], "
        "total tokens 0%, seconds 0%"
        for setting in ("equal", "tight")
    ]


@pytest.mark.parametrize("field", [name for name in ROW if "_" in name])
def test_what_was_not_measured_says_so(tmp_path, field):
    shown = lines(tmp_path, {**ROW, field: None})[0]
    assert ("not measured" in shown) is (not field.endswith("_ci"))
    assert "not measured points" not in shown and "None" not in shown


def test_no_numbers_no_lines(tmp_path):
    assert lines(tmp_path) == []


def test_printing_needs_nothing_of_the_report_but_its_words():
    code = "import sys, deimos.cli.console; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert sorted(m for m in loaded.split() if m.startswith("deimos.report.")) == [
        "deimos.report.baselines",
        "deimos.report.formatting",
    ]
    assert not {"jinja2", "torch", "numpy"} & set(loaded.split())


def test_a_report_before_any_bench_says_so_and_what_is_next(tmp_path):
    run = tmp_path / "run"
    shown = CliRunner().invoke(app, ["report", "lab", "--out", str(run)])
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.splitlines() == [
        "nothing is measured yet: the benchmark has not run",
        f"next: deimos run {run}",
    ]


def test_grade_offers_the_kinds_that_have_a_grader(monkeypatch, capsys):
    assert "math, choice" in CliRunner().invoke(app, ["grade", "--help"]).output
    monkeypatch.setattr(sys, "argv", ["deimos", "grade", "-", "--kind", "essay"])
    with pytest.raises(SystemExit) as end:
        main()
    error = capsys.readouterr().err
    assert end.value.code == 2 and error.count("\n") == 1
    assert "--kind 'essay' must be one of math, choice, instruction, code" in error
