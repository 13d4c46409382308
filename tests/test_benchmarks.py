"""Every benchmark script says how it is used; the quick one is run."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(p for p in (ROOT / "benchmarks").glob("*.py") if not p.name.startswith("_"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_says_how_it_is_used(script):
    assert f"usage: python benchmarks/{script.name}" in script.read_text(encoding="utf-8")


def test_the_journals_table_is_written_from_a_small_measurement(tmp_path):
    out = tmp_path / "journal.md"
    command = [sys.executable, "benchmarks/journal.py", "--records", "2000", "--rounds", "2"]
    done = subprocess.run(
        [*command, "--out", str(out)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert '"records": 2000' in done.stdout.splitlines()[-1]
    assert "| journal (JSON, length, CRC) |" in out.read_text(encoding="utf-8")
