"""Do the math and choice graders accept every reference of the benchmarks, and nothing else?

usage: python benchmarks/references.py [--data ../shared/data] [--take N] [--workers 2]
                              [--out docs/results/graders.md]

Each reference is written as an answer: in a box, and in the other ways that people and models
write it. Each boxed answer is also held to the next prompt's reference whose right answer reads differently
("shuffled"), and an empty answer to every reference. What is not as it should be is listed, with the
reason where there is a known one; without one the script ends with exit code 1. The last line is
one JSON object {"references", "accepted", "shuffled_accepted", "empty_accepted", "unexplained"}.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from _pages import PAGE, ROOT, write_section

from deimos.graders import Judge
from deimos.graders.math import exact_value
from deimos.prompts.load import load_source
from deimos.recipe import SourceSettings
from deimos.types import Prompt, Verdict

SETS = {
    "GSM8K train": ("gsm8k", {"split": "train", "path": "gsm8k/train.jsonl"}),
    "GSM8K test": ("gsm8k", {"split": "test", "path": "gsm8k/test.jsonl"}),
    "MATH train": ("math", {"split": "train", "path": "math/train.jsonl.gz"}),
    "MATH test": ("math", {"split": "test", "path": "math/test.jsonl"}),
    "MATH-500": ("math500", {"split": "test", "path": "math500/test.jsonl"}),
    "AIME24": ("aime", {"split": "test", "path": "aime/aime24.jsonl"}),
    "ARC-Challenge train": ("arc", {"split": "train", "path": "arc/ARC-Challenge-train.jsonl"}),
    "ARC-Challenge dev": ("arc", {"split": "validation", "path": "arc/ARC-Challenge-dev.jsonl"}),
    "ARC-Challenge test": ("arc", {"split": "test", "path": "arc/ARC-Challenge-test.jsonl"}),
    "MMLU-Pro, 504 of test": ("mmlu_pro", {"split": "test", "path": "mmlu_pro/test_504.jsonl"}),
}
"""Name in the table to source and its options; paths are under --data."""
BOX = "in a box"
WAYS = {
    "math": {
        BOX: "Some words. So it is $\\boxed{{{right}}}$.",
        "sentence": "Some words with 3 and 4 in them.\n\nThe answer is ${right}$.",
        "bold": "**Final answer:** ${right}$",
        "hashes": "3 + 4 is something.\n#### {right}",
        "said twice": "The answer is ${right}$, so $\\boxed{{{right}}}$.",
    },
    "choice": {
        BOX: "A look at the options shows it. \\boxed{{{right}}}",
        "sentence": "A look at the options shows it. The answer is ({right}).",
        "bare sentence": "A look at the options shows it. The answer is {right}.",
        "with its text": "A look at the options shows it.\n\n**Answer:** {right}. {text}",
        "bracket and text": "({right}) {text}",
        "alone": "{right}",
        "box with text": "\\boxed{{{right}. {text}}}",
    },
}  # fmt: skip
"""How a right answer is written as an answer, per kind."""
SAME_NUMBER = "the same number: a unit may be left out, and few units are compared"
DAMAGED = "the file's answer lost its pi and stands with an unbalanced brace; the problem's is 2007+pi/2 i"
EXPLAINED: dict[tuple[str, str], str] = {
    ("shuffled", "x=5"): "5 is what x is",
    (BOX, "2007+\\frac{\\}{p}i2"): DAMAGED,
    ("said twice", "2007+\\frac{\\}{p}i2"): DAMAGED,
}
"""(what, right) to the reason why it is not as it should be."""


class Fault(NamedTuple):
    """Something that is not as it should be."""

    name: str
    what: str
    answer: str
    reference: Any
    because: str

    @property
    def reason(self) -> str:
        """Why it is no error of the grader; empty where nobody has said."""
        right = self.reference["letter"] if isinstance(self.reference, dict) else self.reference
        boxed = self.answer.rpartition("\\boxed{")[2].removesuffix("}$.")
        numbers = exact_value(str(right)), exact_value(boxed)
        if self.what == "shuffled" and numbers[0] is not None and numbers[0] == numbers[1]:
            return SAME_NUMBER
        return EXPLAINED.get((self.what, str(right)), "")


class Row(NamedTuple):
    """One set's counts."""

    name: str
    n: int
    accepted: dict[str, int]
    shuffled: int
    empty: int


def written(way: str, reference: Any) -> str:
    """A reference as an answer."""
    if isinstance(
        reference, str
    ):  # a right answer that was broken over two lines is written on one
        return way.format(
            right=reference if way == WAYS["math"][BOX] else " ".join(reference.split())
        )
    labels = "123456789" if reference["letter"].isdigit() else "ABCDEFGHIJ"
    text = reference["options"][labels.index(reference["letter"])]
    return way.format(right=reference["letter"], text=text)


def shuffled(prompts: Sequence[Prompt], way: str) -> Iterator[tuple[str, Any]]:
    """Each right answer with the next reference whose right answer reads differently."""
    answers = [written(way, prompt.reference) for prompt in prompts]
    for i, answer in enumerate(answers):
        later = ((i + step) % len(prompts) for step in range(1, len(prompts)))
        other = next((j for j in later if answers[j] != answer), None)
        if other is not None:
            yield answer, prompts[other].reference


def examine(name: str, prompts: Sequence[Prompt], judge: Judge) -> tuple[Row, list[Fault]]:
    """One set's counts and faults."""
    kind = prompts[0].kind
    faults: list[Fault] = []

    def ask(pairs: Iterable[tuple[str, Any]]) -> list[tuple[str, Any, Future[Verdict]]]:
        return [(answer, ref, judge.submit(kind, answer, ref)) for answer, ref in pairs]

    def count(asked: list[tuple[str, Any, Future[Verdict]]], what: str, wanted: bool) -> int:
        told = [(answer, ref, future.result()) for answer, ref, future in asked]
        faults.extend(
            Fault(name, what, answer, ref, verdict.because)
            for answer, ref, verdict in told
            if (verdict.ok is True) is not wanted
        )
        return sum(verdict.ok is True for _, _, verdict in told)

    ways = WAYS[kind]
    references = {
        key: ask((written(way, p.reference), p.reference) for p in prompts)
        for key, way in ways.items()
    }
    others, nothing = ask(shuffled(prompts, ways[BOX])), ask(("", p.reference) for p in prompts)
    accepted = {key: count(asked, key, True) for key, asked in references.items()}
    row = Row(
        name,
        len(prompts),
        accepted,
        count(others, "shuffled", False),
        count(nothing, "empty", False),
    )
    return row, faults


def page(rows: Sequence[Row], faults: Sequence[Fault], command: str) -> str:
    """The table and what is not as it should be."""
    lines = [
        "## References of the benchmarks",
        "",
        f"`{command}`; deimos-llm {version('deimos-llm')}, math-verify {version('math-verify')}, "
        f"sympy {version('sympy')}, Python {sys.version.split()[0]}.",
        "",
        "| set | n | boxed references accepted | in other words | shuffled accepted | empty accepted |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        others = ", ".join(f"{key} {n:,}" for key, n in row.accepted.items() if key != BOX)
        lines.append(
            f"| {row.name} | {row.n:,} | {row.accepted[BOX]:,} | {others} | {row.shuffled:,} | {row.empty:,} |"
        )
    lines += ["", "Not as it should be:", ""]
    lines += ["| set | what | answer | reference | verdict | why |", "|---|---|---|---|---|---|"]
    for f in faults:
        cells = (f.name, f.what, f"`{f.answer}`", f"`{f.reference}`", f.because, f.reason or "?")
        lines.append(
            "| " + " | ".join(" ".join(str(c).split()).replace("|", "\\|") for c in cells) + " |"
        )
    return "\n".join(lines if faults else [*lines[:-4], "", "Everything is."]) + "\n"


def load(data: Path, take: int | None) -> dict[str, list[Prompt]]:
    """The sets that are there."""
    found = {}
    for name, (source, options) in SETS.items():
        path = data / str(options["path"])
        if path.is_file():
            block = SourceSettings(source=source, take=None, options={**options, "path": str(path)})
            found[name] = list(load_source(block, 0))[:take]
    return found


def main(argv: Sequence[str] = sys.argv[1:]) -> None:
    """Judge, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    parser.add_argument("--take", type=int, help="of each set; all unless given")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds an answer may take")
    parser.add_argument("--out", type=Path, default=PAGE)
    args = parser.parse_args(argv)
    rows, faults = [], []
    with Judge(
        {"math": "math", "choice": "choice"}, workers=args.workers, timeout=args.timeout
    ) as judge:
        for name, prompts in load(args.data, args.take).items():
            row, found = examine(name, prompts, judge)
            rows.append(row)
            faults += found
            print(f"{name}: {row.accepted[BOX]} of {row.n}", file=sys.stderr)
    take = f" --take {args.take}" if args.take else ""
    text = page(rows, faults, f"python benchmarks/references.py{take}")
    print(text)
    write_section("references", text, args.out)
    unexplained = sum(not fault.reason for fault in faults)
    said = {
        "references": sum(row.n for row in rows),
        "accepted": sum(row.accepted[BOX] for row in rows),
        "shuffled_accepted": sum(row.shuffled for row in rows),
        "empty_accepted": sum(row.empty for row in rows),
        "unexplained": unexplained,
    }
    print(json.dumps(said))
    sys.exit(1 if unexplained else 0)


if __name__ == "__main__":
    main()
