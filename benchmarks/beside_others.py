"""Our math grader beside math-verify, lm-eval's two checks and lighteval's, on the same answers.

usage: python benchmarks/beside_others.py [--data ../shared/data] [--environments .venv-peers]
                                          [--out docs/results/graders.md]

Answers: the 1,300 outputs of two models with their reference verdicts (reference_verdicts.py), and
2,000 references in a box, held to the reference of the neighbouring problem (hard_pairs.py). Each peer
runs in an environment of its own, made here with pip if it is not there, one answer after the other;
so does ours, in one process. Milliseconds are the process's own processor time for each answer, the
mean; what is loaded before the first answer is not in it.

False correct: of the outputs, what passes though the reference verdict is wrong, less those that were
read by hand and are right; of the pairs, what passes and was not read as equal. Missed: what has a
box, is right by the reference verdict, and does not pass. The last line is one JSON object
{NAME: {"agree", "false_outputs", "false_pairs", "missed_boxed", "null", "ms"}}.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import hard_pairs
import reference_verdicts
from _pages import PAGE, ROOT, write_section

from deimos.graders.math import math, prepare

PACKAGES = {
    "math-verify": ("math-verify[antlr4_13_2]==0.9.0",),
    "minerva": ("lm_eval[math]==0.4.13", "antlr4-python3-runtime==4.11.0", "torch==2.13.0"),
    "hendrycks": ("lm_eval[math]==0.4.13", "antlr4-python3-runtime==4.11.0", "torch==2.13.0"),
    "lighteval": ("lighteval[math]==0.13.0", "torch==2.13.0"),
}
"""Name of a peer to what its environment holds; two peers that want the same share one."""
LABELS = {
    "deimos": "ours",
    "math-verify": "math-verify 0.9.0",
    "minerva": "lm-eval 0.4.13, minerva_math's exact match",
    "hendrycks": "lm-eval 0.4.13, hendrycks_math",
    "lighteval": "lighteval 0.13.0, its metric for MATH",
}
READ = {
    "(15,-29)": "the text's last point is (15, -29)",
    "4343_6": "the text ends with 4343_6",
    "\\frac{7}{4}": "the text says that b is 7/4",
    "\\frac{3}{4}": "the text says that the ratio is 3/4",
    "326.5": "the text says that 326.5 is the sum",
}
"""By reference, outputs that a peer passes and the reference verdict calls wrong: read by hand, right.
The other two that math-verify and lighteval pass (40 and 26000) are texts that break off."""
Graded = list[tuple[bool | None, float]]


class Item(NamedTuple):
    """One answer to judge."""

    reference: str
    answer: str
    right: bool | None
    """By the reference verdict; None: a pair."""


def load_outputs(data: Path) -> list[Item]:
    """The 1,300 outputs; a verdict that was read by hand stands in place of the file's."""
    items = []
    for name in reference_verdicts.SETS:
        with (data / f"graded_outputs/{name}.jsonl").open(encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                answer, _ = reference_verdicts.answer_of(row["response"])
                items.append(Item(row["gold"], answer, row["ref_correct"]))
    return items


def environment_of(name: str, folder: Path) -> Path:
    """The Python of a peer's environment, which is made if it is not there."""
    home = folder / "-".join(p.partition("==")[0].partition("[")[0] for p in PACKAGES[name][:1])
    python = home / "bin/python"
    if not (home / "installed").is_file():
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *PACKAGES[name]], check=True)
        (home / "installed").touch()
    return python


def grade_by_peer(name: str, python: Path, items: Sequence[Item]) -> Graded:
    """Verdicts and processor seconds of one peer."""
    lines = "".join(json.dumps([item.reference, item.answer]) + "\n" for item in items)
    command = [python, ROOT / "benchmarks/_peer_grader.py", name]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    graded = [tuple(json.loads(line)) for line in done.stdout.splitlines()]
    if len(graded) != len(items):
        raise SystemExit(f"{name} judged {len(graded)} of {len(items)} answers")
    return graded


def grade(items: Sequence[Item]) -> Graded:
    """Verdicts and processor seconds of ours, in this process."""
    prepare()
    math("The answer is $\\boxed{1}$.", "1")
    graded: Graded = []
    for item in items:
        began = time.process_time()
        verdict = math(item.answer, item.reference).ok
        graded.append((verdict, time.process_time() - began))
    return graded


def summarise(items: Sequence[Item], graded: Graded) -> dict[str, Any]:
    """The counts of one grader."""
    outputs = [(i, ok) for i, (ok, _) in zip(items, graded) if i.right is not None]
    pairs = [(i, ok) for i, (ok, _) in zip(items, graded) if i.right is None]
    known = {**reference_verdicts.READ, **READ}
    equal = hard_pairs.READ
    return {
        "agree": sum(ok == i.right for i, ok in outputs),
        "false_outputs": sum(
            bool(ok) and not i.right and i.reference not in known for i, ok in outputs
        ),
        "false_pairs": sum(bool(ok) and (i.reference, i.answer) not in equal for i, ok in pairs),
        "missed_boxed": sum(
            ok is not True and bool(i.right) and "\\boxed" in i.answer for i, ok in outputs
        ),
        "null": sum(ok is None for ok, _ in graded),
        "ms": round(1000 * statistics.fmean(seconds for _, seconds in graded), 2),
    }


def section(items: Sequence[Item], found: Mapping[str, dict[str, Any]]) -> str:
    """The page's section."""
    outputs = sum(item.right is not None for item in items)
    boxed = sum(bool(i.right) and "\\boxed" in i.answer for i in items)
    pairs = len(items) - outputs
    lines = [
        "## Beside other projects' math checks",
        "",
        f"`python benchmarks/beside_others.py`; each in an environment of its own, Python {sys.version.split()[0]}.",
        "",
        f"| check | agrees with the reference verdicts, of {outputs:,} | false correct among them | false "
        f"correct, of {pairs:,} neighbours' references | missed, of {boxed} right answers with a box | no "
        "verdict | processor ms an answer |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in found.items():
        cells = (row["agree"], row["false_outputs"], row["false_pairs"], row["missed_boxed"])
        lines.append(
            f"| {LABELS[name]} | {' | '.join(f'{n:,}' for n in cells)} | {row['null']} | {row['ms']:.2f} |"
        )
    return "\n".join([
        *lines,
        "",
        "minerva_math reads only the sentence of its own few-shot examples, so an answer with a box is "
        "given to it in that sentence; hendrycks_math is given what stands in the box. A reference "
        "verdict is that of the Qwen2.5-Math harness, which takes a number out of an unfinished thought "
        "where nothing is stated, so not every disagreement is an error.",
        "Passes that the reference verdict calls wrong were read by hand, ours and the peers': of seven "
        "that math-verify and lighteval share, five are right answers without a box, which ours missed "
        "then, and two are texts that break off.",
    ])  # fmt: skip


def main(argv: Sequence[str] = sys.argv[1:]) -> None:
    """Judge everything with everybody, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    parser.add_argument("--environments", type=Path, default=ROOT / ".venv-peers")
    parser.add_argument("--out", type=Path, default=PAGE)
    args = parser.parse_args(argv)
    pairs = [Item(reference, answer, None) for reference, answer in hard_pairs.pairs(args.data)]
    items = [*load_outputs(args.data), *pairs]
    found = {"deimos": summarise(items, grade(items))}
    for name in PACKAGES:
        python = environment_of(name, args.environments)
        found[name] = summarise(items, grade_by_peer(name, python, items))
        print(name, found[name], flush=True)
    text = section(items, found)
    print(text)
    write_section("beside others", text, args.out)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
