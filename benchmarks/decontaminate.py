"""Decontamination at size: 100,000 training prompts against 30,000 test problems, copies planted.

usage: python benchmarks/decontaminate.py [--prompts 100000] [--tests 30000] [--planted 200]
                                          [--out docs/results/decontamination.md]

The texts are drawn: 20 to 100 words each of a vocabulary of 30,000 whose frequencies fall as in
English (Zipf), every fourth text with one of 40 template sentences before it. Planted among the
prompts, so many of each sort, are copies of test problems: as they are; in other case and spacing
and without punctuation; with one word in twelve replaced; as a part of a longer prompt; and short
ones of five words. Real texts share more with each other than drawn ones, so false alarms here say
nothing of a run's. Seconds are of the whole work (words, index, every prompt asked), memory is the
process's peak with all texts in it. The last line is one JSON object {"seconds", "cpu_seconds",
"index_seconds", "peak_gib", "planted", "found", "false_alarms", "prompts", "tests"}.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.metadata import version
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from deimos.prompts.decontaminate import Index, TestText
from deimos.recipe import Decontaminate

VOCABULARY = 30_000
TEMPLATES = 40
CHANGED = 12
"""One word in so many is replaced."""


class Told(NamedTuple):
    """What one run showed."""

    seconds: float
    cpu_seconds: float
    index_seconds: float
    peak_gib: float
    sorts: Counter[str]
    """Planted copies, by sort."""
    found: Counter[str]
    """Prompts that were found to overlap, by sort; "" is what was not planted."""
    rules: Counter[tuple[str, str]]
    prompts: int
    tests: int


class Writer:
    """Draws texts."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        letters = "etaoinshrdlcumwfgypbvk"
        names = {
            "".join(self.rng.choices(letters, k=self.rng.randint(2, 9))) for _ in range(60_000)
        }
        self.names = sorted(names)[:VOCABULARY]
        self.rng.shuffle(self.names)
        self.weights = list(accumulate(1 / (rank + 2.7) for rank in range(len(self.names))))
        self.templates = [self.sentence(14) for _ in range(TEMPLATES)]

    def some(self, count: int) -> list[str]:
        """So many words."""
        return self.rng.choices(self.names, cum_weights=self.weights, k=count)

    def sentence(self, count: int) -> str:
        """So many words with a capital, a comma and a full stop."""
        said = self.some(count)
        said[count // 2] += ","
        return " ".join(said).capitalize() + "."

    def text(self) -> str:
        """A problem."""
        sentences = [self.sentence(self.rng.randint(10, 20)) for _ in range(self.rng.randint(2, 5))]
        lead = [self.rng.choice(self.templates)] if self.rng.random() < 0.25 else []
        return " ".join([*lead, *sentences])

    def reset(self, text: str) -> str:
        """The same words in other case and spacing, without punctuation."""
        said = text.replace(",", " ").replace(".", "  ").split()
        return "\n ".join(word.upper() if self.rng.random() < 0.5 else word for word in said)

    def changed(self, text: str) -> str:
        """One word in twelve replaced."""
        said = text.split()
        for at in range(self.rng.randrange(CHANGED), len(said), CHANGED):
            said[at] = self.some(1)[0]
        return " ".join(said)

    def within(self, text: str) -> str:
        """A part of something longer."""
        return f"{self.text()} {text} {self.text()}"


def planted(writer: Writer, tests: Sequence[str], each: int) -> list[tuple[str, str]]:
    """(sort, text) of copies, so many of each sort, every one of another test problem."""
    sorts: dict[str, Callable[[str], str]] = {
        "as it is": str,
        "other case, spacing, punctuation": writer.reset,
        "one word in twelve replaced": writer.changed,
        "within a longer prompt": writer.within,
    }
    chosen = iter(writer.rng.sample(tests, each * len(sorts)))
    return [(sort, form(next(chosen))) for sort, form in sorts.items() for _ in range(each)]


def measure(prompts: int, tests: int, each: int) -> Told:
    """One run; what it found, how long it took and how much memory."""
    writer = Writer(0)
    problems = [writer.text() for _ in range(tests - each)]
    short = [writer.sentence(5) for _ in range(each)]
    copies = [*planted(writer, problems, each), *(("five words", text.upper()) for text in short)]
    texts = [*copies, *(("", writer.text()) for _ in range(prompts - len(copies)))]
    writer.rng.shuffle(texts)
    start, cpu = time.perf_counter(), time.process_time()
    index = Index((TestText("drawn", text) for text in [*problems, *short]), Decontaminate())
    indexed = time.perf_counter() - start
    found: Counter[str] = Counter()
    rules: Counter[tuple[str, str]] = Counter()
    for sort, text in texts:
        if overlap := index.find(text):
            found[sort] += 1
            rules[sort, overlap.rule] += 1
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
    sorts = Counter(sort for sort, _ in copies)
    return Told(seconds, cpu, indexed, peak, sorts, found, rules, len(texts), len(index))


def table(told: Told, command: str) -> str:
    """The page for docs/results."""
    sorts, found, rules = told.sorts, told.found, told.rules
    rows = [
        f"| {sort} | {count} | {found[sort]} | "
        + ", ".join(f"{n} {rule}" for (s, rule), n in sorted(rules.items()) if s == sort)
        + " |"
        for sort, count in sorts.items()
    ]
    others = told.prompts - sum(sorts.values())
    return "\n".join(
        [
            "# Decontamination at size",
            "",
            f"`{command}`; deimos-llm {version('deimos-llm')}, datasketch {version('datasketch')}, Python "
            f"{sys.version.split()[0]}, one process.",
            "",
            f"| {told.prompts:,} prompts against {told.tests:,} test problems | |",
            "|---|---|",
            f"| seconds | {told.seconds:.0f} (of which the index {told.index_seconds:.0f}); of a processor "
            f"{told.cpu_seconds:.0f} |",
            f"| peak memory, all texts included | {told.peak_gib:.2f} GiB |",
            f"| false alarms among {others:,} drawn prompts | {found['']} |",
            "",
            "| planted | copies | found | by which rule |",
            "|---|---|---|---|",
            *rows,
            "",
            "The texts are drawn, not written: real ones share more words, so the false alarms of a run "
            "are another number. Real splits against each other are in the log.",
            "",
        ]
    )


def main(argv: Sequence[str] = sys.argv[1:]) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prompts", type=int, default=100_000)
    parser.add_argument("--tests", type=int, default=30_000)
    parser.add_argument("--planted", type=int, default=200, help="copies of each sort")
    parser.add_argument("--out", type=Path, default=Path("docs/results/decontamination.md"))
    args = parser.parse_args(argv)
    told = measure(args.prompts, args.tests, args.planted)
    command = (
        f"python benchmarks/decontaminate.py --prompts {args.prompts} --tests {args.tests} "
        f"--planted {args.planted}"
    )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(table(told, command), encoding="utf-8")
    last = {
        "seconds": round(told.seconds, 1),
        "cpu_seconds": round(told.cpu_seconds, 1),
        "index_seconds": round(told.index_seconds, 1),
        "peak_gib": round(told.peak_gib, 2),
        "planted": told.sorts.total(),
        "found": sum(told.found[sort] for sort in told.sorts),
        "false_alarms": told.found[""],
        "prompts": told.prompts,
        "tests": told.tests,
    }
    print(json.dumps(last))


if __name__ == "__main__":
    main()
