"""Do verdicts depend on what else the machine has to do: the same pairs, idle and beside busy loops.

usage: python benchmarks/under_load.py [--pairs 2000] [--loops 2] [--workers 1]
                                       [--data ../shared/data] [--out docs/results/graders.md]

The pairs are those of ``hard_pairs.py``, references held to their neighbours'; every third answer is
its own reference instead, with a name before it, so that both verdicts occur. Every pair goes to a
worker process, under the recipe's deadline of 5 s. Busy loops are processes that do nothing but
count. Any verdict that differs ends the script with exit code 1. The last line is one JSON object {"pairs", "loops", "differ", "null_idle", "null_busy", "seconds_idle",
"seconds_busy"}.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from _pages import PAGE, ROOT, write_section
from hard_pairs import pairs

from deimos.graders.worker.pool import Judge, MadeGrader
from deimos.types import Verdict, null_reason

LOOP = "while True: pass"
DEADLINE = 5.0


class Judged(NamedTuple):
    """One run over all pairs."""

    verdicts: list[Verdict]
    seconds: float


def make_math() -> Any:
    """The math grader as a worker makes it: without the part that decides in the caller's process."""
    from deimos.graders.math import math, prepare

    prepare()
    return math


@contextlib.contextmanager
def busy(loops: int) -> Iterator[None]:
    """So many processes that count, for as long as the block runs."""
    running = [subprocess.Popen([sys.executable, "-c", LOOP]) for _ in range(loops)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def judge(asked: Sequence[tuple[str, str]], loops: int, workers: int) -> Judged:
    """All verdicts in order, beside so many busy loops, and how long it took."""
    spec = MadeGrader("under_load:make_math", {}, DEADLINE, 300.0)
    here = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    with busy(loops), Judge({"m": spec}, workers=workers,
                            environment={**os.environ, "PYTHONPATH": here}) as judges:  # fmt: skip
        judges.submit("m", "\\boxed{1+x}", "x+1").result()
        start = time.monotonic()
        futures = [judges.submit("m", answer, reference) for answer, reference in asked]
        return Judged([future.result() for future in futures], time.monotonic() - start)


def section(idle: Judged, loaded: Judged, differ: Sequence[str], command: str, loops: int) -> str:
    """The page's section."""
    rows = [
        f"| {name} | {run.seconds:.1f} | {said[True]:,} | {said[False]:,} | {said[None]:,} | {why} |"
        for name, run in (("idle", idle), (f"beside {loops} busy loops", loaded))
        for said in [Counter(v.ok for v in run.verdicts)]
        for why in [_nulls(run.verdicts)]
    ]
    return "\n".join([
        "## Beside a busy machine", "",
        f"`{command}`; {os.cpu_count()} processor cores, a deadline of {DEADLINE:g} s of processor time.",
        "", f"| {len(idle.verdicts):,} pairs | seconds | right | wrong | null | of which timed out |",
        "|---|---|---|---|---|---|", *rows, "",
        f"Verdicts that differ: {len(differ)}.", *(f"- {line}" for line in differ), "",
    ])  # fmt: skip


def _nulls(verdicts: Sequence[Verdict]) -> int:
    return sum(v.ok is None and null_reason(v.because) == "timeout" for v in verdicts)


def main(argv: Sequence[str] = sys.argv[1:]) -> None:
    """Judge twice, compare, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--loops", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    parser.add_argument("--out", type=Path, default=PAGE)
    args = parser.parse_args(argv)
    asked = [
        (f"\\boxed{{x={reference}}}" if n % 3 == 0 else answer, reference)
        for n, (reference, answer) in enumerate(pairs(args.data, args.pairs))
    ]
    idle, loaded = (judge(asked, loops, args.workers) for loops in (0, args.loops))
    differ = [
        f"`{reference}` and `{answer}`: {a.ok} idle, {b.ok} busy ({b.because or a.because})"
        for (answer, reference), a, b in zip(asked, idle.verdicts, loaded.verdicts, strict=True)
        if a.ok is not b.ok
    ]
    command = f"python benchmarks/under_load.py --pairs {args.pairs} --loops {args.loops}"
    write_section("under load", section(idle, loaded, differ, command, args.loops), args.out)
    last = {
        "pairs": len(asked), "loops": args.loops, "differ": len(differ),
        "null_idle": sum(v.ok is None for v in idle.verdicts),
        "null_busy": sum(v.ok is None for v in loaded.verdicts),
        "seconds_idle": round(idle.seconds, 1), "seconds_busy": round(loaded.seconds, 1),
    }  # fmt: skip
    print(json.dumps(last))
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
