"""Every example runs to its end from the repository's root, as its first lines say."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deimos.store.journal import read

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example(path, tmp_path):
    paths = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    env = {**os.environ, "PYTHONPATH": paths, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, path],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert done.stdout.strip(), "an example shows something"
    assert f"examples/{path.name}" in path.read_text(encoding="utf-8"), "names its own command"


def test_there_are_examples():
    assert {"102_own_grader.py", "103_own_engine.py"} <= {path.name for path in EXAMPLES}


def test_a_recipe_takes_the_examples_by_path_and_nothing_else_is_edited(tmp_path):
    command = [
        sys.executable, "-m", "deimos.cli.main", "run", "lab", "--out", str(tmp_path / "run"),
        "--until", "sample",
        "--set", "runtime.engine=./examples/103_own_engine.py:bigram",
        "--set", "select.graders.math=./examples/102_own_grader.py:roman",
        "--set", "prompts.sources.0.take=8",
        "--set", "prompts.dev_min_per_kind=1",
        "--set", "sample.n=2",
    ]  # fmt: skip
    paths = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": paths},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (sample,) = (tmp_path / "run").glob("sample-*")
    rows = [row for file in sample.glob("completions/*.jsonl") for row in read(file)]
    assert len(rows) >= 2 * 4
    assert {row["engine"] for row in rows} == {"bigram/1"}
    record = json.loads((sample / "record.json").read_text())
    assert "./examples/102_own_grader.py:roman" in record["tracks"]["data"], "hashed as data"
