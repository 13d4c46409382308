"""How often the presentation filter errs: the real filter over answers labelled by hand.

usage: python benchmarks/presentation.py [--least 0.25] [--labels FILE] [--note TEXT] [--out FILE]

The fifty labels were written, and committed, before the filter had seen one of the answers; the
answers were written for this, not sampled, by someone who knew the filter, about half of them
unpresentable on purpose. So this finds where the filter errs; its rate is not that of a run.
``answer_max`` is the recipe's default; tokens are counted as words and signs, so that no model is
needed. The last line is one JSON object {"error_rate", "error_rate_ci", "confusion", "n"}.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from deimos.evaluate.stats import wilson
from deimos.recipe import Select
from deimos.select.filters import judge_presentation
from deimos.store.journal import read_rows
from deimos.thinking import Shape
from deimos.types import Completion, Prompt, Verdict

ROOT = Path(__file__).resolve().parents[1]
LABELS = ROOT / "tests/select/data/presentation_labels.jsonl"
LEAST = 0.25
"""The function-word constant, which a run takes from its own dev answers: chosen before the run."""
OTHERS = (0.15, 0.35)
"""What else the constant could have been: shown beside it."""
OUTCOMES = {
    (True, True): "kept_presentable",
    (True, False): "rejected_presentable",
    (False, True): "kept_unpresentable",
    (False, False): "rejected_unpresentable",
}
"""(label, the filter's verdict) to the name of the cell."""


class Judged(NamedTuple):
    """A labelled answer and what the filter says of it."""

    row: dict[str, Any]
    verdict: Verdict

    @property
    def cell(self) -> str:
        """Which cell of the confusion matrix it falls into."""
        return OUTCOMES[self.row["presentable"], bool(self.verdict.ok)]

    @property
    def wrong(self) -> bool:
        """The filter and the label disagree."""
        return self.verdict.ok is not self.row["presentable"]


def tokens_in(answer: str) -> int:
    """Words and signs, which is near what tokenizers give for English."""
    return len(re.findall(r"\w+|[^\w\s]", answer))


def judge(row: dict[str, Any], least: float) -> Judged:
    """What the filter, at its recipe defaults, says of one labelled answer."""
    answer = row["answer"]
    prompt = Prompt.of(task="labels", kind=row["kind"], messages=[], reference=None)
    completion = Completion(
        prompt.id, row["n"], 0, "", answer, answer, (), (), 0, tokens_in(answer), "stop", None, 0.0,
        "labels",
    )  # fmt: skip
    shape = Shape(row["shape"])
    return Judged(
        row,
        judge_presentation(prompt, completion, Select(), shape=shape, least_function_words=least),
    )


def judge_all(labels: Path, least: float) -> list[Judged]:
    """Every labelled answer of a file, judged."""
    return [judge(row, least) for row in read_rows(labels)]


def confusion(judged: Sequence[Judged]) -> dict[str, int]:
    """How many fall into each cell; every cell is there."""
    counts = Counter(one.cell for one in judged)
    return {cell: counts[cell] for cell in OUTCOMES.values()}


def line(judged: Sequence[Judged]) -> dict[str, Any]:
    """What the last line of output says."""
    n, wrong = len(judged), sum(one.wrong for one in judged)
    ci = wilson(wrong / n, n) if n else None
    return {
        "error_rate": round(wrong / n, 4) if n else None,
        "error_rate_ci": [round(end, 4) for end in ci] if ci else None,
        "confusion": confusion(judged),
        "n": n,
    }


def table(labels: Path, least: float, command: str, note: str = "") -> str:
    """The page for docs/results."""
    judged = judge_all(labels, least)
    said, cells = line(judged), confusion(judged)
    low, high = said["error_rate_ci"]
    return "\n".join(
        [
            "# The presentation filter beside fifty labels",
            "",
            f"`{command}`",
            "",
            f"Filter 3 at a function-word constant of {least:g} and the recipe's default "
            "`answer_max`, over answers that were labelled by hand before it had seen one of them. "
            "They were written for this by someone who knew the filter, not sampled, and half are "
            "unpresentable on purpose: it shows where the filter errs; the rate in a run is another.",
            "",
            "| | filter keeps | filter rejects |",
            "|---|---|---|",
            f"| presentable | {cells['kept_presentable']} | {cells['rejected_presentable']} |",
            f"| not presentable | {cells['kept_unpresentable']} "
            f"| {cells['rejected_unpresentable']} |",
            "",
            f"Error rate: {said['error_rate']:.1%} of n = {said['n']}, 95% interval (Wilson) "
            f"[{100 * low:.1f}, {100 * high:.1f}].",
            "",
            *([note, ""] if note else []),
            _at_other_constants(labels),
            "",
            "## Where they disagree",
            "",
            "| n | kind | label | filter | answer | why so labelled |",
            "|---|---|---|---|---|---|",
            *(_disagreement(one) for one in judged if one.wrong),
            "",
        ]
    )


def _at_other_constants(labels: Path) -> str:
    found = [(least, line(judge_all(labels, least))["error_rate"]) for least in OTHERS]
    said = ", ".join(f"{rate:.1%} at {least:g}" for least, rate in found)
    return f"The error rate at other constants: {said}."


def _disagreement(one: Judged) -> str:
    row = one.row
    label = "presentable" if row["presentable"] else "not presentable"
    filter_said = "keeps" if one.verdict.ok else f"rejects: {one.verdict.because}"
    cells = (row["n"], row["kind"], label, filter_said, _short(row["answer"]), row["why"])
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _short(answer: str, limit: int = 90) -> str:
    shown = " ".join(answer.split())
    shown = shown if len(shown) <= limit else shown[: limit - 1] + "…"
    return f"`{shown}`" if shown else "(empty)"


def main(argv: Sequence[str] = sys.argv[1:]) -> None:
    """Judge, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--least", type=float, default=LEAST, help="the function-word constant")
    parser.add_argument("--labels", type=Path, default=LABELS)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/presentation.md")
    parser.add_argument("--note", default="", help="a sentence for the page")
    args = parser.parse_args(argv)
    command = f"python benchmarks/presentation.py --least {args.least:g}"
    text = table(args.labels, args.least, command, args.note)
    print(text)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(text, encoding="utf-8")
    print(json.dumps(line(judge_all(args.labels, args.least))))


if __name__ == "__main__":
    main()
