"""A run folder of the lab, the commands on it, and what it must hold whatever befell it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from deimos.store.journal import read

CANDIDATES = 4
SETS = (
    "prompts.sources.0.take=40", "prompts.dev_min_per_kind=10", f"sample.n={CANDIDATES}",
    "runtime.threads=1", "runtime.max_batch=8", "runtime.engine_options.checkpoint_seconds=0.2",
)  # fmt: skip
ENDED = ("stop", "length", "malformed")
DEIMOS = Path(sys.executable).with_name("deimos")


@dataclass
class Run:
    """A run folder, and the commands on it."""

    out: Path
    sets: list[str] = field(default_factory=list)
    until: str = "select"

    def start(self, *more: str) -> subprocess.Popen[str]:
        sets = [part for item in (*SETS, *self.sets, *more) for part in ("--set", item)]
        return subprocess.Popen(
            [DEIMOS, "run", "lab", "--out", self.out, "--until", self.until, *sets],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0"},
        )  # fmt: skip

    def finish(self, *more: str, code: int = 0) -> str:
        process = self.start(*more)
        said = process.communicate()[0]
        assert process.returncode == code, said[-3000:]
        return said

    def kill(self, process: subprocess.Popen[str]) -> None:
        """-9, with everything that it started."""
        for victim in (*psutil.Process(process.pid).children(recursive=True), process):
            victim.kill()
        process.communicate()

    def report(self) -> str:
        """What the report says, its white space aside."""
        subprocess.run([DEIMOS, "report", self.out], check=True, capture_output=True)
        return " ".join((self.out / "report.html").read_text(encoding="utf-8").split())

    def folder(self, stage: str) -> Path:
        [found] = self.out.glob(f"{stage}-*")
        return found

    def journals(self) -> dict[Path, bytes]:
        """What completions there are, byte for byte; a last record may be half written."""
        files = self.out.glob("sample-*/completions/*.jsonl")
        found = {path: path.read_bytes() for path in files}
        return {path: data[: data.rfind(b"\n") + 1] for path, data in found.items()}

    def rows(self) -> list[dict[str, Any]]:
        return [*read(self.folder("sample") / "completions")]

    def golds(self) -> dict[str, Any]:
        lines = (self.folder("select") / "gold.jsonl").read_text().splitlines()
        return {g["prompt_id"]: (g["index"], g["completion_ids"]) for g in map(json.loads, lines)}

    def counts(self) -> dict[str, Any]:
        return json.loads((self.folder("sample") / "record.json").read_bytes())["counts"]

    def cut_short(self) -> list[dict[str, Any]]:
        return json.loads((self.folder("sample") / "record.json").read_bytes())["cut_short"]

    def wait_for(self, process: subprocess.Popen[str], rows: int) -> None:
        """Until so many completions are written."""
        while sum(data.count(b"\n") for data in self.journals().values()) < rows:
            assert process.poll() is None, process.communicate()[0][-3000:]
            time.sleep(0.02)


def assert_same(run: Run, alone: Run) -> None:
    assert run.golds() == alone.golds() and len(run.golds()) > 10
    assert run.counts()["prompts"] == alone.counts()["prompts"]
    assert_once(run)


def assert_once(run: Run) -> None:
    """Every candidate is there, and decoded to its end once."""
    counts = run.counts()
    assert counts["completions"] == counts["prompts"] * CANDIDATES
    assert counts["unjudged"] == 0
    ended = Counter((r["prompt_id"], r["index"]) for r in run.rows() if r["finish"] in ENDED)
    assert {key: n for key, n in ended.items() if n > 1} == {}, "decoded to its end twice"
    assert not [*run.folder("sample").glob("partial*/*")]


def assert_kept(run: Run, before: dict[Path, bytes]) -> None:
    assert before
    assert [p for p, data in before.items() if not p.read_bytes().startswith(data)] == []
