"""Our math grader beside the verdicts that came with 1,300 real model outputs.

usage: python benchmarks/reference_verdicts.py [--data ../shared/data] [--workers 2]
                                               [--out docs/results/graders.md]

The outputs (shared/data/graded_outputs) carry verdicts of the Qwen2.5-Math harness, which takes its
answer from the whole text, an unfinished thought included, and from the text's last number where nothing is
stated. Ours grades what stands behind the closing thought tag, the model's own solution tags
(`<|begin_of_solution|>`) stripped; a text without any thought tag is graded whole. Every disagreement
is listed with its reason; one without a reason ends the script with exit code 1, and so does a reason
that no disagreement needs any more. The last line is one JSON object {"n", "agree", "ours_right_only",
"theirs_right_only", "null", "unexplained", "stale"}.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from _pages import PAGE, ROOT, write_section

from deimos.graders import Judge
from deimos.thinking import Shape, Tags, split
from deimos.types import Verdict

SETS = {
    "qwen25math_math_cot_100x8": "Qwen2.5-Math, 100 MATH problems × 8",
    "skythought_reasoning_math500": "Sky-T1, MATH-500",
}
TAGS = Tags("<|begin_of_thought|>", "<|end_of_thought|>")
SOLUTION = ("<|begin_of_solution|>", "<|end_of_solution|>")
UNFINISHED = "the thought never ends, so there is no answer; theirs is out of the thought"
UNSTATED = "nothing is stated as the answer; theirs is a number of the text, the last one as a rule"
DAMAGED = "the file's gold lost letters, row breaks or brackets, so no right answer equals it"
READ = {
    "4:30p..": "the answer is 4:30 p.m., which the file's gold lost a letter of: right; theirs took the 4:30",
    "10{,}000": "the gold is 10,000 and the answer 10000: right",
    "-2+7i": "the answer is -2 + 7i: right; theirs took the 7",
    "9": "the answer is 9, with what is counted behind it: right; theirs took the word with it",
    "255": "the answer is 255: right; theirs took the sentence behind it",
    "\\frac{3\\sqrt{3}}{4}": "the last formula is the reference: right; theirs took the 4",
    "5x-7y+11z+4=0": "the last formula is the reference: right; theirs took the 0",
    "28": "the answer is 28: right; theirs took the sentence with it",
    "(C)": "the only correct option is (C): right; theirs took a number",
    "4": "the answer is 4: right; theirs took a number of the check behind it",
    "12\\pi": "the last formula is the reference: right; theirs took the 12",
    "(8,-2)": "the last formula is the reference: right; theirs took the -2",
    "\\frac{1}{8}": "the last formula is the reference: right; theirs took the 8",
    "6": "the answer is indeed 6: right; theirs took a word with it",
    "(-1,6)": "the last sentence is that the midpoint is (-1,6): right; theirs took -16",
    "\\frac{7}{4}": "it says that 7/4 is correct, and at its end that this is the answer: right; theirs took the 4",
    "3": "the answer is stated as three: right; what follows is a check that breaks off, of which theirs took a number",
}
"""By gold, where we alone say right: each read by hand."""
DAMAGED_GOLDS = ("pmatrix", "(+5)")


class Disagreement(NamedTuple):
    """One row that the two see differently."""

    name: str
    row: dict[str, Any]
    answer: str
    finished: bool
    verdict: Verdict

    @property
    def reason(self) -> str:
        """Why; empty where nobody has said."""
        gold = self.row["gold"]
        if self.verdict.ok:
            return READ.get(gold, "")
        if not gold or any(mark in gold for mark in DAMAGED_GOLDS):
            return DAMAGED
        if not self.finished:
            return UNFINISHED
        if self.verdict.because == "no final answer found":
            return UNSTATED
        return ""


def answer_of(response: str) -> tuple[str, bool]:
    """What a reader sees, and whether the thought ended."""
    if not response.lstrip().startswith(TAGS.open):
        return response, True
    parts = split(response, Shape.FREE, TAGS)
    answer = parts.answer
    for tag in SOLUTION:
        answer = answer.replace(tag, "")
    return answer.strip(), parts.closed


def compare(data: Path, workers: int) -> tuple[dict[str, Counter[Any]], list[Disagreement]]:
    """Per set how often (ours, theirs), and the disagreements."""
    counts: dict[str, Counter[Any]] = {}
    found: list[Disagreement] = []
    with Judge({"math": "math"}, workers=workers, timeout=30.0) as judge:
        for name in SETS:
            with (data / f"graded_outputs/{name}.jsonl").open(encoding="utf-8") as file:
                rows = [json.loads(line) for line in file]
            seen = [answer_of(row["response"]) for row in rows]
            asked = [
                judge.submit("math", answer, row["gold"])
                for (answer, _), row in zip(seen, rows, strict=True)
            ]
            verdicts = [future.result() for future in asked]
            counts[name] = Counter((v.ok, row["ref_correct"]) for v, row in zip(verdicts, rows))
            found += [
                Disagreement(name, row, answer, finished, verdict)
                for row, (answer, finished), verdict in zip(rows, seen, verdicts)
                if verdict.ok is not row["ref_correct"]
            ]
    return counts, found


def section(counts: dict[str, Counter[Any]], found: Sequence[Disagreement], command: str) -> str:
    """The page's section."""
    lines = [
        "## Beside reference verdicts",
        "",
        f"`{command}`; math-verify {version('math-verify')}, sympy {version('sympy')}, Python {sys.version.split()[0]}.",
        "",
        "| outputs | n | both right | both wrong | we alone say right | they alone say right | null |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, c in counts.items():
        null = c[None, True] + c[None, False]
        lines.append(
            f"| {SETS[name]} | {c.total():,} | {c[True, True]} | {c[False, False]} | {c[True, False]} "
            f"| {c[False, True]} | {null} |"
        )
    reasons = Counter(d.reason or "NOT EXPLAINED" for d in found if not d.verdict.ok)
    lines += ["", "Where they alone say right, or we say neither:", ""]
    lines += [f"- {n} × {reason}" for reason, n in reasons.most_common()]
    lines += [
        "",
        "Every one:",
        "",
        "| outputs | row | gold | theirs | ours | why |",
        "|---|---|---|---|---|---|",
    ]
    for d in found:
        ours = {True: "right", False: "wrong", None: "null"}[d.verdict.ok]
        theirs = f"{'right' if d.row['ref_correct'] else 'wrong'}: `{d.row['ref_pred'][:40]}`"
        where = f"{d.row['idx']}" + (f", sample {d.row['sample']}" if "sample" in d.row else "")
        cells = (
            d.name.partition("_")[0],
            where,
            f"`{d.row['gold']}`",
            theirs,
            f"{ours}: {d.verdict.because}",
            d.reason or "?",
        )
        lines.append(
            "| " + " | ".join(" ".join(c.split()).replace("|", "\\|") for c in cells) + " |"
        )
    return "\n".join([*lines, ""])  # fmt: skip


def main(argv: Sequence[str] = sys.argv[1:]) -> None:
    """Compare, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=PAGE)
    args = parser.parse_args(argv)
    counts, found = compare(args.data, args.workers)
    text = section(counts, found, "python benchmarks/reference_verdicts.py")
    print(text)
    write_section("reference verdicts", text, args.out)
    n = sum(c.total() for c in counts.values())
    unexplained = sum(not d.reason for d in found)
    stale = set(READ) - {d.row["gold"] for d in found if d.verdict.ok}
    said = {
        "n": n, "agree": n - len(found), "ours_right_only": sum(d.verdict.ok is True for d in found),
        "theirs_right_only": sum(d.verdict.ok is False for d in found),
        "null": sum(d.verdict.ok is None for d in found), "unexplained": unexplained,
        "stale": sorted(stale),
    }  # fmt: skip
    print(json.dumps(said))
    sys.exit(1 if unexplained or stale else 0)


if __name__ == "__main__":
    main()
