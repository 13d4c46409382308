"""Adaptive N beside a fixed number of candidates: tokens saved, prompts lost, thoughts longer.

usage: python benchmarks/adaptive_n.py [--prompts 20] [--sample SAMPLE_FOLDER …] [--lag 64]
       [--max 8] [--min 4] [--out docs/results/adaptive-n.md]

Races tables of candidates over again without a model (_replay.py): drawn ones, mixed from pass rates
0.3, 0.7, 0.95 and spreads 0.3, 0.6, 1.0, and recorded ones (--sample: a sample stage's folder whose
recipe says ``exhaustive: true``). Everything is beside the race of all ``--max`` candidates of the
same table. A fixed, smaller n is the peer: a rule that does not beat it is not worth having.
The last line is one JSON object {"tokens_saved", "coverage_lost", "length_lost", "n"}: of the mixed
table at the default threshold.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import _replay
from _pages import write_section
from _replay import Outcome, Table

from deimos.engines.base import Key
from deimos.recipe import AdaptiveN, Sample, StopWhen
from deimos.store.candidates import read_candidates

PASS_RATES, SPREADS = (0.3, 0.7, 0.95), (0.3, 0.6, 1.0)
THRESHOLDS = (0.02, 0.04, 0.05, 0.06, 0.08, 0.12)
DEFAULT = StopWhen().gain_below
HEAD = (
    "| | candidates a prompt | tokens saved | prompts with a gold | coverage lost | kept thought longer |",
    "|---|---|---|---|---|---|",
)


@dataclass(frozen=True)
class Beside:
    """One way to choose N beside the race of all; fractions."""

    name: str
    started: float
    """Candidates a prompt."""
    saved: float
    """Decoded tokens."""
    golds: int
    coverage_lost: float
    """Of the golds."""
    longer: float
    """Kept thoughts: geometric mean over the prompts that have a gold both ways, less 1."""

    def row(self) -> str:
        """As a line of the table."""
        return (
            f"| {self.name} | {self.started:.2f} | {self.saved:.1%} | {self.golds} | "
            f"{self.coverage_lost:.1%} | {self.longer:.1%} |"
        )


def beside(name: str, table: Table, full: Outcome, this: Outcome) -> Beside:
    both = [p for p in full.golds if p in this.golds]
    logs = [
        math.log(max(1, table[this.golds[p]].think) / max(1, table[full.golds[p]].think))
        for p in both
    ]
    return Beside(
        name,
        this.started / len({key.prompt_id for key in table}),
        1 - this.tokens / full.tokens,
        len(this.golds),
        1 - len(this.golds) / len(full.golds),
        math.exp(sum(logs) / len(logs)) - 1,
    )


def first(table: Table, n: int) -> Table:
    return {key: track for key, track in table.items() if key.index < n}


def rule(most: int, least: int, threshold: float, give_up: int | None = None) -> Sample:
    stop = StopWhen(gain_below=threshold)
    return Sample(n=AdaptiveN(max=most, min=least, stop_when=stop, give_up=give_up))


def curve(table: Table, most: int, least: int, lag: int) -> list[Beside]:
    """Fixed numbers, then the rule by its threshold, then with giving up."""
    full = _replay.raced(table, Sample(n=most), lag=lag)
    found = [beside(f"n: {most}", table, full, full)]
    for n in (n for n in range(most - 1, 1, -1) if n <= 4 or n % 2 == 0):
        fixed = _replay.raced(first(table, n), Sample(n=n), lag=lag)
        found.append(beside(f"n: {n}", table, full, fixed))
    for threshold in THRESHOLDS:
        this = _replay.raced(table, rule(most, least, threshold), lag=lag)
        found.append(beside(f"gain_below: {threshold:g}", table, full, this))
    for give_up in (most // 2,):
        this = _replay.raced(table, rule(most, least, DEFAULT, give_up), lag=lag)
        found.append(beside(f"gain_below: {DEFAULT:g}, give_up: {give_up}", table, full, this))
    return found


def mixed(prompts: int, n: int) -> dict[tuple[float, float], Table]:
    """Drawn tables by pass rate and spread; no prompt is in two of them."""
    tables = {}
    for number, (pass_rate, spread) in enumerate(product(PASS_RATES, SPREADS)):
        drawn = _replay.drawn(prompts, n, pass_rate=pass_rate, spread=spread, seed=number)
        tables[pass_rate, spread] = {
            Key(f"{number}-{key.prompt_id}", key.index): track for key, track in drawn.items()
        }
    return tables


def by_cell(tables: dict[tuple[float, float], Table], args: argparse.Namespace) -> list[str]:
    rows = [
        "| pass rate | spread | candidates a prompt | tokens saved | coverage lost | kept thought longer |",
        "|---|---|---|---|---|---|",
    ]
    for (pass_rate, spread), table in tables.items():
        full = _replay.raced(table, Sample(n=args.max), lag=args.lag)
        this = _replay.raced(table, rule(args.max, args.min, DEFAULT), lag=args.lag)
        b = beside("", table, full, this)
        rows.append(
            f"| {pass_rate} | {spread} | {b.started:.2f} | {b.saved:.1%} | {b.coverage_lost:.1%} | "
            f"{b.longer:.1%} |"
        )
    return rows


def recorded(folder: Path, n: int) -> Table:
    """A sample folder's candidates; complains where it was not sampled exhaustively."""
    pool = [found.completion for found in read_candidates(folder).values()]
    if any(c.finish == "outpaced" for c in pool):
        raise SystemExit(f"{str(folder)!r} was raced: sample it with sample.exhaustive=true")
    return first(_replay.recorded(pool), n)


def parsed(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prompts", type=int, default=20, help="of each drawn table")
    parser.add_argument("--sample", type=Path, action="append", default=[], help="see above")
    parser.add_argument(
        "--name", action="append", default=[], help="what a sample folder is called"
    )
    parser.add_argument("--lag", type=int, default=64, help="tokens until a verdict")
    parser.add_argument("--max", type=int, default=8)
    parser.add_argument("--min", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("docs/results/adaptive-n.md"))
    return parser.parse_args(argv)


def main(argv: Sequence[str] = sys.argv[1:]) -> None:
    args = parsed(argv)
    folders = {str(folder): folder.name for folder in args.sample}
    words = ["python benchmarks/adaptive_n.py", *(folders.get(word, word) for word in argv)]
    command = "`" + " ".join(words) + "`"
    last: dict[str, Any] = {}
    if not args.sample:
        tables = mixed(args.prompts, args.max)
        table = {key: track for one in tables.values() for key, track in one.items()}
        found = curve(table, args.max, args.min, args.lag)
        prompts = len(tables) * args.prompts
        text = [
            f"{command}. {prompts} drawn prompts, {args.prompts} of each pass rate and spread below, "
            f"lag {args.lag}:", "", *HEAD, *(b.row() for b in found), "",
            f"The same rule at `gain_below: {DEFAULT:g}`, by what the prompts are like:", "",
            *by_cell(tables, args),
        ]  # fmt: skip
        write(args.out, "drawn", text)
        last = line(found, prompts)
    for number, folder in enumerate(args.sample):
        table = recorded(folder, args.max)
        prompts = len({key.prompt_id for key in table})
        name = args.name[number] if number < len(args.name) else folder.parent.name
        found = curve(table, args.max, args.min, args.lag)
        passed = sum(track.ok is True for track in table.values()) / len(table)
        text = [
            f"{command}. {name}: {prompts} prompts, {len(table)} candidates, {passed:.0%} of them "
            f"right, lag {args.lag}:", "", *HEAD, *(b.row() for b in found),
        ]  # fmt: skip
        write(args.out, name, text)
        last = line(found, prompts)
    print(json.dumps(last))


def line(found: Sequence[Beside], prompts: int) -> dict[str, Any]:
    chosen = next(b for b in found if b.name == f"gain_below: {DEFAULT:g}")
    return {
        "tokens_saved": round(chosen.saved, 4),
        "coverage_lost": round(chosen.coverage_lost, 4),
        "length_lost": round(chosen.longer, 4),
        "n": prompts,
    }


def write(page: Path, section: str, text: Sequence[str]) -> None:
    print("\n".join(text))
    write_section(section, "\n".join(text), page)


if __name__ == "__main__":
    main()
