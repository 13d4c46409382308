"""``deimos grade``: no row is lost, none changes its place, and the counts add up."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deimos.cli.grading import AT_ONCE, GradeCounts, grade_rows, row_line

SAME = """
from deimos import Verdict, grader

def compare(answer, reference):
    return Verdict.of(None if reference is None else answer == reference)

same = grader("same", fast=compare)(compare)
"""


@pytest.fixture
def graded(tmp_path):
    """Grades rows with a grader brought as a file; gives exit code, output and what was said."""
    (tmp_path / "own.py").write_text(SAME)

    def run(data, **env):
        command = [
            sys.executable,
            "-m",
            "deimos.cli.main",
            "grade",
            "-",
            "--kind",
            "math",
            "--plain",
        ]
        return subprocess.run(
            [*command, "--grader", f"{tmp_path}/own.py:same"], input=data, capture_output=True,
            env={**os.environ, **env}, timeout=280, check=False,
        )  # fmt: skip

    return run


@pytest.mark.parametrize("count", [0, 1, AT_ONCE, AT_ONCE + 1, 2 * AT_ONCE + 1, 10_000])
def test_every_row_comes_back_once_in_its_place(graded, count):
    references = [None if n % 10 == 9 else str(n % 3) for n in range(count)]
    rows = [{"n": n, "text": "1", "reference": r, "mine": [n]} for n, r in enumerate(references)]
    done = graded("".join(json.dumps(row) + "\n" for row in rows).encode())
    found = [json.loads(line) for line in done.stdout.splitlines()]
    verdicts = [row.pop("verdict")["ok"] for row in found]
    assert done.returncode == 0 and found == rows
    assert verdicts == [None if r is None else r == "1" for r in references]
    judged, right = count - verdicts.count(None), verdicts.count(True)
    nulls = f"; null: {count - judged:,} unreadable" if count - judged else ""
    said = f"{count:,} row{'s' * (count != 1)} in, {judged:,} judged, {count - judged:,} null, {right:,} right{nulls}\n"
    assert done.stderr.decode() == said


def test_the_counts_tell_time_outs_from_references_and_how_second_opinions_differ():
    counts = GradeCounts()
    one = {"stage": "correctness", "because": "", "second": {"plain": False, "math_verify": True}}
    counts.add({"verdict": {**one, "ok": True}})
    for because in ("timeout: no verdict in 5 s of processor time", "the reference is no text",
                    "infrastructure: the judge was closed", "unsupported: the tests assert nothing"):  # fmt: skip
        counts.add({"verdict": {**one, "ok": None, "because": because}})
    assert str(counts) == (
        "5 rows in, 1 judged, 4 null, 1 right; null: 1 timed out, 1 failed while judging, "
        "1 unsupported, 1 unreadable; second opinions on 1 math verdict differ: plain match on 100.0%, "
        "math-verify alone on 0.0%"
    )


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b'{"text": "1", "reference": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested more than"),
        (b"[" * 300 + b"]" * 300, "nested more than 200 levels deep"),
        (b"\xff", "not UTF-8 text: byte 1 is 0xff"),
        (b'{"text": "1", "reference": 1e999}', "the number 1e999 is too large"),
        (b'{"text": "1", "reference": Infinity}', "not valid JSON: it has no Infinity"),
        (b'{"text": "1", "reference": ' + b"9" * 5000 + b"}", "line 2"),
    ],
)  # fmt: skip
def test_a_line_that_is_no_row_is_one_sentence(graded, line, sentence):
    done = graded(b'{"text": "1", "reference": "1"}\n' + line)
    counts, said = done.stderr.decode().splitlines()
    assert counts == "1 row in, 1 judged, 0 null, 1 right"
    assert done.returncode == 2 and said.startswith("error: standard input line 2: ")
    assert sentence in said


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_rows_are_the_same_data_in_every_encoding(graded, encoding):
    row = {"text": "3 × 4 − 你", "reference": "\ud800"}
    done = graded(json.dumps(row).encode(), PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.decode(encoding)).items() >= row.items()


def test_a_row_is_readable_where_it_can_be():
    assert row_line({"a": "×"}) == '{"a": "×"}'
    assert row_line({"a": "×"}, "ascii") == row_line({"a": "×"}, "ascii") == '{"a": "\\u00d7"}'
    assert row_line({"a": "\ud800"}) == '{"a": "\\ud800"}'


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_what_a_terminal_cannot_show_is_printed_plainly(tmp_path, encoding):
    code = (
        "import sys, typer, deimos.cli.printing as p; p.degrade_output()\n"
        "sys.stdout.write('a × b − c → 你 \\ud800\\n'); sys.stdout.flush()\n"
        "typer.echo('− \\ud800 你'); typer.echo('− \\ud800', err=True)"
    )
    env = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=env, check=False)
    assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr
    first = done.stdout.splitlines()[0].decode(encoding)
    assert first in ("a x b - c -> ? ?", "a × b - c -> ? ?")


def test_a_reference_that_no_answer_could_meet_is_null_and_says_its_line():
    rows = [
        b'{"text": "2", "reference": "2"}',
        b'{"text": "2", "reference": "NaN"}',
        b'{"text": "2", "reference": "2"}',
    ]
    verdicts = [row["verdict"] for row in grade_rows(rows, kind="math", tags=None)]
    assert [verdict["ok"] for verdict in verdicts] == [True, None, True]
    assert verdicts[1]["because"] == "line 2: the reference 'NaN' stands for a missing value"


def test_code_that_cannot_be_judged_has_a_word_of_its_own():
    rows = [{"text": "def f(x): return 2", "reference": {"tests": t}} for t in ("assert f(1) == 2", "assert repr(f(1))")]  # fmt: skip
    counts = GradeCounts()
    for row in grade_rows([json.dumps(row).encode() for row in rows], kind="code", tags=None):
        counts.add(row)
    assert str(counts) == "2 rows in, 1 judged, 1 null, 1 right; null: 1 unsupported"


def test_rows_before_a_bad_line_are_judged_and_written(tmp_path):
    rows = [json.dumps({"text": f"\\boxed{{{n}}}", "reference": str(n), "n": n}) for n in range(70)]
    (tmp_path / "rows.jsonl").write_text("\n".join([*rows, "{bad"]))
    command = [sys.executable, "-m", "deimos.cli.main", "grade", "rows.jsonl", "--plain"]
    done = subprocess.run(
        [*command, "--kind", "math"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "error: rows.jsonl line 71: not valid JSON" in done.stderr
    assert done.stderr.startswith("70 rows in, 70 judged, 0 null, 70 right")
    assert [json.loads(line)["n"] for line in done.stdout.splitlines()] == list(range(70))


def grade_file(folder, *arguments, **options):
    command = [sys.executable, "-m", "deimos.cli.main", "grade", *arguments, "--kind", "math"]
    return subprocess.run(
        command, cwd=folder, stderr=subprocess.PIPE, text=True, check=False, **options
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_output_that_takes_nothing_is_one_sentence(tmp_path, unbuffered):
    (tmp_path / "rows.jsonl").write_text('{"text": "2", "reference": "2"}\n' * 3)
    env = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("w") as full:
        done = grade_file(tmp_path, "rows.jsonl", "--plain", stdout=full, env=env)
        command = [sys.executable, "-m", "deimos.cli.main", "init", "--schema"]
        other = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, env=env, check=False
        )
    for ended in (done, other):
        said = ended.stderr.splitlines()[-1]
        assert said == "error: the output cannot be written: No space left on device"
        assert ended.returncode == 1 and "Traceback" not in ended.stderr


def test_what_is_no_file_of_rows_is_called_what_it_is(tmp_path):
    (tmp_path / "folder").mkdir()
    for file, sentence in (
        ("folder", "error: 'folder' is a folder: a file of rows is needed"),
        ("gone.jsonl", "error: file 'gone.jsonl' does not exist"),
    ):
        done = grade_file(tmp_path, file, stdout=subprocess.PIPE)
        assert (done.returncode, done.stderr) == (2, f"{sentence}\n")


def test_texts_that_have_no_thought_at_all_are_told_of_plain(tmp_path):
    row = {"text": "\\boxed{2}", "reference": "2"}
    thought = {"text": "<think>2</think>\\boxed{2}", "reference": "2"}
    for rows, told in (([row, row], True), ([row, thought], False), ([], False)):
        (tmp_path / "rows.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
        done = grade_file(tmp_path, "rows.jsonl", stdout=subprocess.PIPE)
        assert done.returncode == 0
        assert ("no text has a closed thought (<think> … </think>): --plain" in done.stderr) is told


def test_help_says_where_the_rows_go_and_what_a_verdict_holds(tmp_path):
    done = grade_file(tmp_path, "--help", stdout=subprocess.PIPE)
    said = " ".join(done.stdout.split())
    for piece in ("standard output", "`ok` (true: right, false: wrong, null:", "`because`", "neither as right nor as wrong"):  # fmt: skip
        assert piece in said
