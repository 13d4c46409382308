"""The fault benchmark for real, made short: a few kills of a tiny run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.real
@pytest.mark.timeout(1200)
@pytest.mark.skipif(os.getuid() != 0, reason="mounting a small disk needs root")
def test_nothing_is_lost_doubled_or_different(tmp_path):
    command = [sys.executable, "benchmarks/faults.py", "--kills", "3", "--tiny", "--only", "kills"]
    command += ["--out", str(tmp_path / "faults.md")]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=1100, check=True
    )
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["kills"], told["faults"]) == (3, 1)
    assert (told["lost"], told["doubled"]) == (0, 0)
    assert told["same_gold"] and told["same_bench"] and told["same_adapter"]
    assert told["redone_tokens"] <= told["in_flight_tokens"]
