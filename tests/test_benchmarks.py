"""Every benchmark script says how it is used; the quick one is run."""

import hashlib
import json
import random
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
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


def gpu_minutes(*words, code=0):
    """The last line of a verb's output, or its one sentence if it is to fail."""
    command = [sys.executable, "benchmarks/gpu_minutes.py", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stderr if code else json.loads(done.stdout.splitlines()[-1])


def test_a_file_that_comes_in_loads_of_parts_is_whole_at_the_end(tmp_path):
    file, parts, store = tmp_path / "a.gguf", tmp_path / "parts", tmp_path / "store"
    file.write_bytes(random.Random(1).randbytes(5 * 2**20 + 17))
    assert gpu_minutes("split", file, parts, "--mib", 2)["parts"] == 3
    names = sorted(path.name for path in parts.iterdir())
    assert names == ["a.gguf.000", "a.gguf.001", "a.gguf.002", "a.gguf.parts.json"]
    load = tmp_path / "load"
    load.mkdir()
    for name in ("a.gguf.001", "a.gguf.parts.json"):
        shutil.copyfile(parts / name, load / name)
    missing = gpu_minutes("receive", load, store)["missing"]
    assert missing == {"a.gguf": ["a.gguf.000", "a.gguf.002"]}
    out = ("--out", tmp_path / "out", "--device", "cpu")
    if find_spec("gguf"):
        assert "2 of 3 parts are missing" in gpu_minutes("run", store, *out, code=1)
    (load / "a.gguf.000").write_bytes(b"torn")
    assert "damaged on the way" in gpu_minutes("receive", load, store, code=1)
    assert gpu_minutes("receive", parts, store)["missing"] == {"a.gguf": []}
    script = "import sys; sys.path.insert(0, 'benchmarks'); import gpu_minutes, pathlib; "
    script += (
        f"print(gpu_minutes.digest_of(gpu_minutes.join(pathlib.Path({str(store)!r}), 'a.gguf')))"
    )
    joined = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert joined.stdout.split()[-1] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert sorted(path.name for path in store.iterdir()) == ["a.gguf", "a.gguf.parts.json"]
    assert gpu_minutes("receive", parts, store)["missing"] == {"a.gguf": []}


def test_make_bench_runs_only_what_needs_no_arguments():
    shown = subprocess.run(
        ["make", "-n", "bench"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    run = set(re.findall(r"benchmarks/(\w+)\.py", shown))
    needs = {
        path.stem
        for path in (ROOT / "benchmarks").glob("[a-z]*.py")
        if re.search(r'add_argument\("[a-z]|required=True', path.read_text(encoding="utf-8"))
    }
    assert run and needs and not run & needs
