"""The environment with vLLM, and ways to run what needs it from this one."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).parents[2]
VLLM = ROOT / ".venv-vllm/bin/python"
LAB = str(ROOT / "src/deimos/lab/reasoner")
SMALL = {"enforce_eager": True, "kv_cache_memory_bytes": 1 << 29}
"""Engine options that start in seconds; the lab needs no more."""
needs_vllm = pytest.mark.skipif(
    not (VLLM.parent.parent / ".deimos-installed").is_file(),
    reason="there is no environment with vLLM: make .venv-vllm/.deimos-installed builds one",
)


def neighbour(name: str) -> ModuleType:
    """A module of the benchmarks, which may import its neighbours."""
    if name not in sys.modules:
        sys.path.append(str(ROOT / "benchmarks"))
        spec = importlib.util.spec_from_file_location(name, ROOT / f"benchmarks/{name}.py")
        assert spec and spec.loader
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.path.remove(str(ROOT / "benchmarks"))
    return sys.modules[name]


def request(engine: str, **more: Any) -> dict[str, Any]:
    """Lab prompts, greedy and float32; what ``benchmarks/_decode.py`` reads."""
    options = SMALL if engine.endswith(":vllm") else {}
    asked = {
        "engine": engine, "model": LAB, "thinking": True,
        "runtime": {"max_batch": 64, "device": "cpu", "engine_options": options},
        "source": {"name": "lab", "take": 40, "options": {"split": "test", "steps": [4]}},
        "sampling": {"temperature": 0.0, "max_tokens": 512},
    }  # fmt: skip
    return {**asked, **more}


def decode(python: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Run a request to its end, in a session of its own; nothing of it may be left."""
    return decode_all(python, [asked])[0]


def decode_all(python: Path, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Run requests with one engine, one after another: each start of vLLM takes half a minute."""
    process = begin(python, *asked)
    out, err = process.communicate()
    assert process.returncode == 0, err[-3000:]
    assert left_of(process.pid) == []
    # vLLM's processes may write of their end behind the answers.
    answers = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    assert len(answers) == len(asked)
    return answers


def begin(python: Path, *asked: dict[str, Any]) -> subprocess.Popen[str]:
    """Start what answers requests."""
    process = subprocess.Popen(
        [str(python), "benchmarks/_decode.py"], cwd=ROOT, start_new_session=True, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.writelines(json.dumps(one) + "\n" for one in asked)
    process.stdin.close()
    process.stdin = None
    return process


def of_session(session: int) -> list[psutil.Process]:
    """Living processes of a session."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            pass
    return found


def left_of(session: int, seconds: float = 120) -> list[str]:
    """What of a session is still alive after so long."""
    end = time.monotonic() + seconds
    while (left := of_session(session)) and time.monotonic() < end:
        time.sleep(0.1)
    return [" ".join(process.cmdline()) for process in left]


def deimos(out: Path, *sets: str, until: str = "select") -> list[str]:
    """The command that runs a small lab recipe."""
    words = [
        word
        for item in (
            "prompts.sources.0.take=60", "prompts.dev_min_per_kind=4", "runtime.max_batch=64", *sets,
        )
        for word in ("--set", item)
    ]  # fmt: skip
    return [
        sys.executable, "-m", "deimos.cli.main", "run", str(ROOT / "recipes/lab.yaml"),
        "--out", str(out), "--until", until, *words,
    ]  # fmt: skip


def check_complete(out: Path) -> dict[str, Any]:
    """Every candidate of a run is there, ended once, and some were outpaced; its sample record."""
    from deimos.store.journal import read

    (sample,) = out.glob("sample-*")
    record = json.loads((sample / "record.json").read_text())
    (prompts,) = out.glob("prompts-*")
    ids = [json.loads(line)["id"] for line in (prompts / "train.jsonl").open(encoding="utf-8")]
    rows = [row for row in read(sample / "completions") if row["finish"] != "error"]
    names = [(row["prompt_id"], row["index"]) for row in rows]
    assert len(names) == len({*names}), "a candidate was decoded to its end twice"
    assert {*names} == {(prompt, index) for prompt in ids for index in range(8)}
    assert record["counts"]["completions"] == len(names)
    assert record["counts"]["outpaced"] > 0
    golds = (next(out.glob("select-*")) / "gold.jsonl").read_text().splitlines()
    assert len(golds) > len(ids) / 2
    return record
