"""A small lab run that faults strike: starting, killing, resuming it, and holding it to another.

Not a benchmark: what `faults.py` is made of.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from deimos.runs.folder import RunFolder
from deimos.store.journal import read

ROOT = Path(__file__).resolve().parents[1]
TAKES = {"small": (120, 10, 40), "tiny": (32, 4, 8)}
"""Prompts, dev prompts a kind, test problems a kind."""
SETS = (
    "train.save_steps=2",
    "bench.timing_problems=8",
    "bench.timing_concurrency=2",
    f"runtime.engine={ROOT / 'benchmarks/_counted.py'}:counted",
    "runtime.max_batch=64",
)
STAGES = ("prompts", "sample", "select", "train", "bench", "report")
CHECKPOINT_SECONDS = 1.0


@dataclass
class Case:
    """One run folder that faults strike."""

    out: Path
    log: Path
    """The token counter's file, without the stage."""
    size: str
    sets: tuple[str, ...] = ()
    """Recipe keys of its own, as `--set` takes them."""

    @classmethod
    def at(cls, work: Path, name: str, *sets: str) -> Case:
        """A folder that does not exist yet; ``work``'s name ends in the size."""
        return cls(work / name, work / f"{name}.tokens", work.name, sets)

    def command(self, *more: str, verb: str = "run") -> list[str]:
        """`deimos run` (or another verb) on the small lab."""
        prompts, dev, problems = TAKES[self.size]
        own = (
            f"prompts.sources.0.take={prompts}",
            f"prompts.dev_min_per_kind={dev}",
            *(f"bench.tasks.{i}.source.take={problems}" for i in range(4)),
            f"runtime.engine_options.log={self.log}",
            f"runtime.engine_options.checkpoint_seconds={CHECKPOINT_SECONDS}",
        )
        sets = [word for item in (*SETS, *own, *self.sets) for word in ("--set", item)]
        command = [sys.executable, "-m", "deimos.cli.main", verb, "lab", "--out", str(self.out)]
        return [*command, *sets, *more]

    def run(
        self, *more: str, env: Mapping[str, str] | None = None, verb: str = "run"
    ) -> tuple[int, str]:
        """Run or resume; exit code and standard error."""
        done = subprocess.run(
            self.command(*more, verb=verb), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **(env or {})}, check=False,
        )  # fmt: skip
        return done.returncode, done.stderr

    def start(self) -> subprocess.Popen[bytes]:
        """Run in the background; what it says goes to a file, as a stage may outlive it."""
        with self.said.open("wb") as file:
            return subprocess.Popen(self.command(), stdout=subprocess.DEVNULL, stderr=file)

    @property
    def said(self) -> Path:
        """Standard error of the run that was started last."""
        return self.log.with_suffix(".stderr")

    def wait_for(self, process: subprocess.Popen[bytes], stage: str) -> str:
        """Wait until a stage, or one behind it, has begun; returns which."""
        while True:
            over = process.poll() is not None
            for line in self.said.read_text(encoding="utf-8").splitlines():
                name = line.split(":")[0]
                begun = name in STAGES and "complete" not in line and "done in" not in line
                if begun and STAGES.index(name) >= STAGES.index(stage):
                    return name
            if over:
                return stage
            time.sleep(0.02)

    def wait_for_orphan(self) -> None:
        """Wait until no stage of an ended command writes the run any more."""
        while self.out.exists() and RunFolder(self.out).is_running():
            time.sleep(0.2)

    def finish(self, env: Mapping[str, str] | None = None) -> None:
        """Resume to the end; a stage that outlived its command is waited for."""
        code, said = self.run(env=env)
        if code:
            raise SystemExit(f"resuming {self.out.name} failed ({code}):\n{said[-2000:]}")

    def folder(self, stage: str) -> Path:
        """The stage's folder; raises where there is none."""
        return next(self.out.glob(f"{stage}-*"))

    def journals(self) -> dict[Path, bytes]:
        """Every journal's whole records."""
        return {
            path: data[: data.rfind(b"\n") + 1]
            for path in sorted(self.out.glob("*-*/**/*.jsonl"))
            if b'"crc32":"' in (data := path.read_bytes()) and path.name != "partial.jsonl"
        }

    def decoded(self, stage: str) -> int:
        """Tokens that all attempts decoded."""
        path = self.log.with_name(f"{self.log.name}.{stage}")
        data = path.read_bytes() if path.exists() else b""
        whole = data[: len(data) // 4 * 4]
        return sum(int.from_bytes(whole[i : i + 4], "little") for i in range(0, len(whole), 4))

    def kept_tokens(self) -> int:
        """Tokens of the sample stage that resuming goes on from."""
        tokens: dict[tuple[str, int, bool], int] = {}
        for folder in self.out.glob("sample-*"):
            for name in ("dev.jsonl", "completions", "partial.jsonl"):
                for row in read(folder / name):
                    key = row["prompt_id"], row["index"], name == "dev.jsonl"
                    ids = row.get("completion_ids")
                    end = row["start"] + len(row["ids"]) if ids is None else len(ids)
                    tokens[key] = max(tokens.get(key, 0), end)
        return sum(tokens.values())


class Outcome(NamedTuple):
    """What a finished run holds, timing aside."""

    golds: list[Any]
    adapter: bytes
    bench: list[Any]
    doubled: int
    missing: int


def outcome(case: Case) -> Outcome:
    """Read a finished run."""
    ended: Counter[tuple[Any, ...]] = Counter()
    seen: set[tuple[str, int]] = set()
    for row in read(case.folder("sample") / "completions"):
        seen.add((row["prompt_id"], row["index"]))
        judged = row["finish"] == "malformed" or (row["verdict"] or {}).get("ok") is not None
        ended[row["prompt_id"], row["index"], row["key"]] += judged
    for path in (case.folder("bench") / "samples").glob("*.jsonl"):
        for row in read(path):
            # A row without a verdict is followed by one with it: decoded once, written twice.
            ended[path.name, row["prompt_id"], row["index"], row["key"]] += row["ok"] is not None
    golds = _rows(case.folder("select") / "gold.jsonl")
    train = len(_rows(case.folder("prompts") / "train.jsonl"))
    bench = [
        {k: v for k, v in row.items() if "seconds" not in k and k != "config"}
        for name in ("bench.jsonl", "compare.jsonl")
        for row in _rows(case.folder("bench") / name)
    ]
    return Outcome(
        sorted((g["prompt_id"], g["index"], g["completion_ids"]) for g in golds),
        (case.folder("train") / "adapter/adapter_model.safetensors").read_bytes(),
        bench,
        sum(n - 1 for n in ended.values() if n > 1),
        train * 8 - len(seen),
    )


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@dataclass
class Row:
    """One line of the table."""

    fault: str
    times: int = 0
    lost: int = 0
    doubled: int = 0
    same_gold: bool = True
    same_adapter: bool = True
    same_bench: bool = True
    redone: int = 0
    in_flight: int = 0
    said: str = ""
    where: Counter[str] = field(default_factory=Counter)

    def compare(self, case: Case, reference: Outcome) -> None:
        """Hold a finished run to the undisturbed one."""
        found = outcome(case)
        self.doubled += found.doubled
        self.lost += found.missing
        self.same_gold &= found.golds == reference.golds
        self.same_adapter &= found.adapter == reference.adapter
        self.same_bench &= found.bench == reference.bench

    def hold(self, before: Mapping[Path, bytes]) -> None:
        """Count records that stood there before and do not any more."""
        for path, data in before.items():
            now = path.read_bytes() if path.exists() else b""
            if not now.startswith(data):
                self.lost += len(set(data.splitlines()) - set(now.splitlines()))


class Struck(NamedTuple):
    """A run's processes were killed."""

    stage: str
    """The stage that was running."""
    over: bool
    """The run had ended by itself before."""


def strike(case: Case, stage: str, wait: float, which: str) -> Struck:
    """Start or resume a run, wait for a stage to begin, then so many seconds, then kill -9.

    ``which``: both (the command and its stage), stage, or command (the stage lives on).
    """
    process = case.start()
    running = case.wait_for(process, stage)
    try:
        process.wait(wait)
    except subprocess.TimeoutExpired:
        pass
    over = process.poll() is not None
    tree = [] if over else psutil.Process(process.pid).children(recursive=True)
    stages = [p for p in tree if "deimos.pipeline.process" in _words(p)]
    running = _words(stages[0])[-2] if stages else running
    for victim in (*stages, *([process] if which != "stage" else [])):
        if which != "command" or victim is process:
            victim.kill()
    process.wait()
    if which != "command":
        _, alive = psutil.wait_procs(tree, timeout=20)
        if alive:
            raise SystemExit(f"processes outlived their stage: {[_words(p) for p in alive]}")
    return Struck(running, over)


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
