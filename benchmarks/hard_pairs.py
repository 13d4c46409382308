"""How often does an answer to another problem pass: golds against their neighbours, either way round.

usage: python benchmarks/hard_pairs.py [--data ../shared/data] [--count 2000] [--out docs/results/graders.md]

The n-th reference of MATH's test split, GSM8K's and AIME24 is put into a box and held to the reference of
the problem behind it, and the reverse. Pairs that are spelled alike are left out. What passes is listed with
the reason why it is right; a pass that nobody has read ends the script with exit code 1. The verdicts
are made in this process, one after the other, so that the processor time is theirs alone. The last
line is one JSON object {"pairs", "passed", "false", "null", "ms"}; ms is the mean processor time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from _pages import PAGE, ROOT, write_section

from deimos.graders.extract import boxes
from deimos.graders.math import math, prepare
from deimos.types import Verdict

SHARES = {"math/test.jsonl": 0.7, "gsm8k/test.jsonl": 0.27, "aime/aime24.jsonl": 0.03}
"""Which part of the pairs comes from which file, at most."""
READ: dict[tuple[str, str], str] = {}
"""(reference, answer) of what passes, each read by hand, to the reason why it is right."""


class Passed(NamedTuple):
    """A pair that was called right."""

    reference: str
    answer: str
    verdict: Verdict


def references(path: Path) -> Iterator[str]:
    """The references of one file, in its order."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            if "expected_answer" in row:
                yield row["expected_answer"]
            elif "solution" in row:
                yield boxes(row["solution"])[-1]
            else:
                yield row["answer"].rpartition("#### ")[2].strip()


def pairs(data: Path, count: int = 2000) -> list[tuple[str, str]]:
    """(reference, answer): each reference with its neighbour in a box, either way round."""
    found: list[tuple[str, str]] = []
    for name, share in reversed(SHARES.items()):
        most = count - len(found) if name == next(iter(SHARES)) else round(count * share)
        own: list[tuple[str, str]] = []
        for one, other in pairwise(references(data / name)):
            if "".join(one.split()) != "".join(other.split()) and len(own) < most:
                own += [(one, f"\\boxed{{{other}}}"), (other, f"\\boxed{{{one}}}")]
        found += own[:most]
    return found


def judge(asked: Sequence[tuple[str, str]]) -> tuple[list[Passed], int, float]:
    """What passes, how many verdicts are null, and the mean processor time in milliseconds."""
    prepare()
    started = time.process_time()
    verdicts = [math(answer, reference) for reference, answer in asked]
    spent = time.process_time() - started
    passed = [Passed(r, a, v) for (r, a), v in zip(asked, verdicts) if v.ok]
    return passed, sum(v.ok is None for v in verdicts), 1000 * spent / max(1, len(asked))


def section(n: int, passed: Sequence[Passed], nulls: int, milliseconds: float, command: str) -> str:
    """The page's section."""
    lines = [
        "## Golds against their neighbours",
        "",
        f"`{command}`: {n:,} pairs, {len(passed)} called right, {nulls} null, "
        f"{milliseconds:.2f} ms of processor time each.",
        "",
    ]
    if passed:
        lines += ["| reference | answer | why it is right |", "|---|---|---|"]
    for row in passed:
        cells = (
            f"`{row.reference}`",
            f"`{row.answer}`",
            READ.get((row.reference, row.answer), "?"),
        )
        lines.append(
            "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"
        )
    return "\n".join([*lines, ""])


def main(argv: Sequence[str] = sys.argv[1:]) -> None:
    """Judge, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=PAGE)
    args = parser.parse_args(argv)
    asked = pairs(args.data, args.count)
    passed, nulls, milliseconds = judge(asked)
    text = section(len(asked), passed, nulls, milliseconds, "python benchmarks/hard_pairs.py")
    print(text)
    write_section("hard pairs", text, args.out)
    false = sum((row.reference, row.answer) not in READ for row in passed)
    said = {"pairs": len(asked), "passed": len(passed), "false": false, "null": nulls}
    print(json.dumps(said | {"ms": round(milliseconds, 3)}))
    sys.exit(1 if false else 0)


if __name__ == "__main__":
    main()
