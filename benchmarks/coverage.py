"""How often each interval of a benchmark holds the truth: simulated pairs with known effects.

usage: python benchmarks/coverage.py [--simulations 2000] [--only accuracy,repeats,…]
                                     [--out docs/results/coverage.md]

Every cell draws that many sets of problems from a population whose truth is known (a formula, or the
value in a million problems), asks the function that the bench itself calls, and counts. Coverage stands
with its own 95% interval (Wilson); an interval that is refused is counted apart. Where another method
is as common it stands beside, on the same draws. Beyond simulated pairs nothing is claimed: real
problems of one benchmark are not drawn at random. No model, numpy and scipy; about four minutes of
processor time. The last line is one JSON object {"cells", "outside", "simulations"}.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from _pages import ROOT, write_section
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from deimos.evaluate import metrics, ratios, stats
from deimos.evaluate.metrics import PerProblem
from deimos.evaluate.stats import Clustered, Estimate, Interval

SIZES = (50, 200, 1000)
DISCORDANCE = (0.01, 0.1, 0.3)
FEW = (8, 12, 16, 24, 48)
RESAMPLES = 400
"""Of the ratio of medians, whose bench uses 2,000: fewer cover no more."""
POPULATION = 1_000_000
LOW, HIGH = 0.93, 0.97

Array = NDArray[np.float64]


@dataclass
class Cell:
    """One row of a table: what was drawn, and how often an interval held."""

    what: str
    n: int
    held: list[bool | None]
    """One a simulation; None: no interval was given."""
    widths: list[float]
    note: str = ""

    @property
    def given(self) -> list[bool]:
        """Of the intervals that were given."""
        return [held for held in self.held if held is not None]

    @property
    def coverage(self) -> float:
        """Share of the given intervals that held the truth."""
        return float(np.mean(self.given))

    def row(self) -> str:
        """The cell as a row of its table."""
        lo, hi = stats.wilson(self.coverage, len(self.given)) or (0.0, 1.0)
        mark = "" if LOW <= self.coverage <= HIGH else " *"
        refused = f"; {self.held.count(None)} refused" if None in self.held else ""
        return (
            f"| {self.what} | {self.n:,} | {100 * self.coverage:.1f}%{mark} "
            f"[{100 * lo:.1f}, {100 * hi:.1f}]{refused} | {np.mean(self.widths):.3g} | {self.note} |"
        )


def cell(what: str, n: int, truth: float, found: list[Interval | None], note: str = "") -> Cell:
    """Count one cell's intervals."""
    held = [None if ci is None else ci[0] <= truth <= ci[1] for ci in found]
    return Cell(what, n, held, [ci[1] - ci[0] for ci in found if ci] or [float("nan")], note)


def covered(lo: Array, hi: Array, truth: float) -> str:
    """Another method's coverage, for the last column."""
    return f"{100 * np.mean((lo <= truth) & (truth <= hi)):.1f}%"


# --- accuracy, one sample a problem --------------------------------------------------------------


@cache
def tango(gained: int, lost: int, n: int) -> Interval:
    """Few pairs of counts differ, so each is computed once."""
    right = np.zeros(n), np.concatenate([np.ones(gained), np.zeros(n - gained)])
    right[0][gained : gained + lost] = 1.0
    ci = stats.accuracy_delta(right[0], right[1]).ci
    assert ci
    return ci


def others(gained: Array, lost: Array, n: int, truth: float) -> str:
    """Bonett and Price's adjusted Wald interval, and the mid-p interval given the discordant pairs."""
    p, q = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = stats.Z * np.sqrt((p + q - (p - q) ** 2) / (n + 2))
    adjusted = covered(p - q - half, p - q + half, truth)
    some = gained + lost
    # Mid-p limits of a binomial share are close to Jeffreys's, which need no search.
    lo, hi = (scipy_stats.beta.ppf(end, gained + 0.5, lost + 0.5) for end in (0.025, 0.975))
    conditional = covered((2 * lo - 1) * some / n, (2 * hi - 1) * some / n, truth)
    return f"{adjusted}; {conditional}"


def accuracy(sims: int, rng: np.random.Generator) -> Iterator[Cell]:
    """Tango's interval of a difference of two accuracies."""
    for discordance in DISCORDANCE:
        for share in (0.5, 0.8):
            gain, loss = discordance * share, discordance * (1 - share)
            for n in SIZES:
                drawn = rng.multinomial(n, [gain, loss, 1 - discordance], size=sims)
                found = [tango(int(g), int(b), n) for g, b, _ in drawn]
                what = f"{100 * discordance:g}% differ, {100 * (gain - loss):+.1f} points"
                note = others(drawn[:, 0].astype(float), drawn[:, 1].astype(float), n, gain - loss)
                yield cell(what, n, gain - loss, list(found), note)


def one_accuracy(sims: int, rng: np.random.Generator) -> Iterator[Cell]:
    """Wilson's interval of one accuracy."""
    for p in (0.3, 0.8, 0.97):
        for n in SIZES:
            found = [stats.wilson(right / n, n) for right in rng.binomial(n, p, sims)]
            yield cell(f"accuracy {100 * p:g}%", n, p, found)


# --- populations of problems ---------------------------------------------------------------------


def problems(
    rng: np.random.Generator, n: int, repeats: int, discordance: float, gained: float = 0.7
) -> tuple[PerProblem, PerProblem]:
    """Base and tuned over ``n`` problems: harder ones take more tokens, some change their verdict.

    With repeats, a problem's samples share its chance of being right, 0.1 or 0.9.
    """
    hard = rng.random(n)
    base = (hard < 0.75).astype(float)
    tuned = np.where(rng.random(n) < discordance, (rng.random(n) < gained).astype(float), base)
    level = 5.2 + hard + rng.normal(0, 0.3, n)
    sides = []
    for chance, shift in ((base, 0.0), (tuned, -0.7)):
        p = chance if repeats == 1 else 0.1 + 0.8 * chance
        tokens = np.exp((level + shift)[:, None] + rng.normal(0, 0.4, (n, repeats)))
        right = rng.random((n, repeats)) < p[:, None]
        unspent = right * np.maximum(metrics.OAA_MOST - 0.8 * tokens, 0) / metrics.OAA_MOST
        sides.append(PerProblem(right.mean(1), tokens.mean(1), unspent.mean(1), repeats))
    return sides[0], sides[1]


def repeats(sims: int, rng: np.random.Generator) -> Iterator[Cell]:
    """A difference of accuracies with four samples a problem."""
    for discordance in DISCORDANCE:
        base, tuned = problems(rng, POPULATION, 4, discordance)
        truth = float(np.mean(tuned.right - base.right))
        for n in (24, *SIZES):
            found, boots = [], []
            for _ in range(sims):
                b, t = problems(rng, n, 4, discordance)
                found.append(stats.accuracy_delta(b.right, t.right, samples_each=4).ci)
                boots.append(t.right - b.right)
            what = f"{100 * discordance:g}% of problems change, {100 * truth:+.1f} points"
            yield cell(what, n, truth, found, percentile_mean(rng, np.array(boots), truth))


def percentile_mean(rng: np.random.Generator, drawn: Array, truth: float) -> str:
    """The percentile bootstrap of a mean, of each row; the bench's interval until it was measured."""
    n = drawn.shape[1]
    counts = rng.multinomial(n, np.full(n, 1 / n), size=500).T.astype(np.float32)
    means = drawn.astype(np.float32) @ counts / n
    lo, hi = np.percentile(means, [2.5, 97.5], axis=1)
    return covered(lo, hi, truth)


# --- lengths and seconds -------------------------------------------------------------------------


def lengths(
    rng: np.random.Generator, n: int, samples: int, whole: bool
) -> tuple[Clustered, Clustered]:
    """Tokens of base and tuned; ``whole``: in tens, with many ties and a budget that cuts 5%."""
    level, change = rng.normal(5.5, 0.6, n), rng.normal(-0.9, 0.3, n)
    sides = []
    for shift in (0.0, change):
        tokens = np.exp((level + shift)[:, None] + rng.normal(0, 0.3, (n, samples))).ravel()
        tokens = np.minimum(np.round(tokens, -1), 700) if whole else tokens
        sides.append(Clustered(tokens, np.repeat(np.arange(n), samples)))
    return sides[0], sides[1]


def medians(sims: int, rng: np.random.Generator) -> Iterator[Cell]:
    """A ratio of medians: the bootstrap that redraws problems."""
    for samples, whole in ((1, False), (1, True), (4, False)):
        big = lengths(rng, POPULATION, samples, whole)
        truth = 1 - float(np.median(big[1].values) / np.median(big[0].values))
        for n in (FEW[0], 24, *SIZES):
            found = []
            for seed in range(sims):
                pair = lengths(rng, n, samples, whole)
                found.append(stats.median_reduction(*pair, n, seed=seed, resamples=RESAMPLES).ci)
            kind = "in tens, 5% at the budget" if whole else "continuous"
            yield cell(f"{samples} a problem, {kind}", n, truth, found)


def one_median(sims: int, rng: np.random.Generator) -> Iterator[Cell]:
    """One model's median."""
    for samples in (1, 4):
        truth = float(np.median(lengths(rng, POPULATION, samples, False)[0].values))
        for n in (FEW[0], 24, *SIZES):
            found = [stats.median(lengths(rng, n, samples, False)[0], n).ci for _ in range(sims)]
            yield cell(f"{samples} a problem", n, truth, found)


def seconds(sims: int, rng: np.random.Generator) -> Iterator[Cell]:
    """A ratio of mean seconds: Fieller's, beside a percentile bootstrap."""
    for spread, noise in ((0.5, 0.3), (0.8, 0.5)):
        truth = 1 - float(np.exp(-1 + noise**2 / 2))
        for n in (*FEW, 200):
            base = rng.lognormal(0, spread, (sims, n))
            tuned = base * rng.lognormal(-1, noise, (sims, n))
            found = [ratios.mean_reduction(*pair).ci for pair in zip(base, tuned, strict=True)]
            counts = rng.multinomial(n, np.full(n, 1 / n), size=1000).T
            drawn = 1 - (tuned @ counts) / (base @ counts)
            lo, hi = np.percentile(drawn, [2.5, 97.5], axis=1)
            what = f"log spread {spread:g}, of the ratio {noise:g}"
            yield cell(what, n, truth, found, covered(lo, hi, truth))


# --- derived metrics -----------------------------------------------------------------------------

DERIVED: dict[str, Callable[[PerProblem, PerProblem], Estimate]] = {
    "tokens per right answer": lambda b, t: metrics.tokens_per_correct(t),
    "tokens per right answer, reduction": metrics.tokens_per_correct_reduction,
    "AUC_OAA": lambda b, t: metrics.auc_oaa(t),
    "AUC_OAA, difference": lambda b, t: stats.mean_difference(t.unspent - b.unspent),
    "OckScore": lambda b, t: metrics.ock_score(t),
    "OckScore, difference": metrics.ock_score_delta,
    "AES 1, 3, 5": lambda b, t: metrics.aes(b, t, metrics.AES[0]),
    "AES 1, 5, 10": lambda b, t: metrics.aes(b, t, metrics.AES[1]),
}


def derived(sims: int, rng: np.random.Generator) -> Iterator[Cell]:
    """Every derived metric on the same draws."""
    for samples in (1, 4):
        for discordance in DISCORDANCE:
            whole = problems(rng, POPULATION, samples, discordance)
            truth = {name: ask(*whole).value for name, ask in DERIVED.items()}
            for n in SIZES:
                found: dict[str, list[Interval | None]] = {name: [] for name in DERIVED}
                for _ in range(sims):
                    pair = problems(rng, n, samples, discordance)
                    for name, ask in DERIVED.items():
                        found[name].append(ask(*pair).ci)
                for name, intervals in found.items():
                    what = f"{name}: {samples} a problem, {100 * discordance:g}% change"
                    yield cell(what, n, truth[name] or 0.0, intervals)


@dataclass(frozen=True)
class Table:
    """A table of the page."""

    title: str
    make: Callable[[int, np.random.Generator], Iterator[Cell]]
    other: str = ""
    """What the last column is."""


TABLES = {
    "accuracy": Table("Difference of two accuracies, one sample a problem: Tango", accuracy,
                      "adjusted Wald; conditional on the discordant pairs"),
    "one_accuracy": Table("One accuracy: Wilson", one_accuracy),
    "repeats": Table("Difference of two accuracies, four samples a problem: Tango at an effective number of pairs",
                     repeats, "percentile bootstrap"),
    "medians": Table("Reduction of a median: problem-clustered bootstrap", medians),
    "one_median": Table("One median: order statistics, Woodruff's with repeats", one_median),
    "seconds": Table("Reduction of mean seconds: Fieller", seconds, "percentile bootstrap"),
    "derived": Table("Derived metrics", derived),
}  # fmt: skip


def main() -> None:
    """Simulate, print and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--simulations", type=int, default=2000)
    parser.add_argument("--only", default=",".join(TABLES), help=f"some of {', '.join(TABLES)}")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/coverage.md")
    args = parser.parse_args()
    every: list[Cell] = []
    for name in args.only.split(","):
        table, began = TABLES[name], time.process_time()
        cells = list(table.make(args.simulations, np.random.default_rng(0)))
        every += cells
        spent = time.process_time() - began
        head = f"| drawn | n | held | mean width | {table.other} |\n|---|---|---|---|---|"
        said = (
            f"`python benchmarks/coverage.py --only {name}`; {args.simulations:,} simulations a cell, "
            f"deimos-llm {version('deimos-llm')}, numpy {version('numpy')}, scipy {version('scipy')}, "
            f"Python {platform.python_version()}; {spent:.0f} s of processor time. * outside 93 to 97%."
        )
        text = "\n".join([f"## {table.title}", "", said, "", head, *(c.row() for c in cells)])
        print(text, flush=True)
        write_section(name, text, args.out)
    outside = [c for c in every if not LOW <= c.coverage <= HIGH]
    print(
        json.dumps({"cells": len(every), "outside": len(outside), "simulations": args.simulations})
    )


if __name__ == "__main__":
    main()
