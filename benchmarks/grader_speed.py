"""How fast answers are judged: ours in killable workers beside math-verify called in a loop.

usage: python benchmarks/grader_speed.py [--pairs 2000] [--rounds 5] [--workers 2] [--many 5000]
                                         [--data ../shared/data] [--out docs/results/graders.md]

Math: real answers of two models with their golds (shared/data/graded_outputs; other answers of the same
problems' models once those run out). The peer is `math_verify.verify(parse(gold), parse(answer))` in
one process, its own limits on (its alarms), gold in a box. In turn within a round, the order
alternating; workers are up and math-verify is loaded on both sides before the clock starts. Each side must give
the same verdicts in every round; where the two differ is counted. Choice and instruction: answers of
many phrasings to real prompts, ours alone. The last line is one JSON object {"math_ratio",
"ours_per_s", "peer_per_s", "agree", "pairs", "choice_s", "instruction_s", "many", "rounds"}.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from _pages import PAGE, ROOT, write_section

from deimos.graders import Judge

OUTPUTS = ("qwen25math_math_cot_100x8", "skythought_reasoning_math500")
CLOSE = "<|end_of_thought|>"
WARM = [("\\boxed{x+1}", "1+x"), ("\\boxed{2x}", "x^2")]
Pairs = Sequence[tuple[str, Any]]


class Round(NamedTuple):
    """Seconds of each side."""

    ours: float
    peer: float


def math_pairs(data: Path, count: int) -> list[tuple[str, Any]]:
    """Real answers with their golds; once all are used, answers with the gold of another problem."""
    own: list[tuple[str, Any]] = []
    for name in OUTPUTS:
        with (data / f"graded_outputs/{name}.jsonl").open(encoding="utf-8") as file:
            for row in map(json.loads, file):
                text = row["response"]
                answer = text.partition(CLOSE)[2] if "<|begin_of_thought|>" in text else text
                own.append((answer, row["gold"]))
    draw = random.Random(0)
    golds = [gold for _, gold in own]
    others = ((answer, draw.choice(golds)) for answer, _ in own)
    return list(itertools.islice(itertools.chain(own, others), count))


def ours(judge: Judge, kind: str, pairs: Pairs) -> tuple[float, list[bool | None]]:
    """Seconds and verdicts of our judge."""
    started = time.perf_counter()
    asked = [judge.submit(kind, answer, reference) for answer, reference in pairs]
    told = [future.result().ok for future in asked]
    return time.perf_counter() - started, told


def peer(pairs: Pairs) -> tuple[float, list[bool | None]]:
    """Seconds and verdicts of math-verify, as its README calls it."""
    from math_verify import parse, verify

    started = time.perf_counter()
    told = [bool(verify(parse(f"\\boxed{{{gold}}}"), parse(answer))) for answer, gold in pairs]
    return time.perf_counter() - started, list(told)


def race(pairs: Pairs, rounds: int, workers: int) -> tuple[list[Round], float]:
    """Both in turn, and the share of pairs on which they agree."""
    found: list[Round] = []
    first: dict[str, list[bool | None]] = {}
    with Judge({"math": "math"}, workers=workers) as judge:
        for _ in range(8):
            ours(judge, "math", WARM)
        peer(WARM)
        sides: dict[str, Callable[[], tuple[float, list[bool | None]]]] = {
            "ours": lambda: ours(judge, "math", pairs),
            "peer": lambda: peer(pairs),
        }
        for n in range(rounds):
            seconds = {}
            for side in list(sides) if n % 2 == 0 else list(reversed(sides)):
                with contextlib.redirect_stderr(io.StringIO()):  # its timeouts' complaints
                    seconds[side], told = sides[side]()
                if told != first.setdefault(side, told):
                    raise SystemExit(f"{side} gave other verdicts in round {n + 1}")
            found.append(Round(**seconds))
            print(f"  round {n + 1}: ours {seconds['ours']:.2f} s, peer {seconds['peer']:.2f} s")
    same = sum((a is True) == (b is True) for a, b in zip(first["ours"], first["peer"]))
    return found, same / len(pairs)


def choice_pairs(data: Path, count: int) -> list[tuple[str, Any]]:
    """Answers to ARC's prompts, in several phrasings, right and wrong."""
    ways = (
        "\\boxed{{{}}}",
        "The answer is ({}).",
        "**Answer:** {}",
        "So it must be warm.\n{}",
        "I am not sure. {}?",
    )
    with (data / "arc/ARC-Challenge-train.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    made = (
        (way.format(label), {"letter": row["answerKey"], "options": row["choices"]["text"]})
        for row in rows
        for way in ways
        for label in row["choices"]["label"][:2]
    )
    return list(itertools.islice(made, count))  # fmt: skip


def instruction_pairs(data: Path, count: int) -> list[tuple[str, Any]]:
    """IFEval's prompts, each with texts of the length and look of a model's answer."""
    with (data / "ifeval/input_data.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    texts = [text for text, _ in math_pairs(data, 800)]
    made: Iterator[tuple[str, Any]] = (
        (text, {key: row[key] for key in ("instruction_id_list", "kwargs")})
        for text, row in zip(itertools.cycle(texts), itertools.cycle(rows))
    )
    return list(itertools.islice(made, count))


def timed(kind: str, pairs: Pairs, workers: int) -> float:
    """Seconds of one kind's gradings, the graders' loading not counted."""
    with Judge({"choice": "choice", "instruction": "instruction"}, workers=workers) as judge:
        for _ in range(8):
            ours(judge, kind, pairs[:2])
        seconds, told = ours(judge, kind, pairs)
    if None in told:
        raise SystemExit(f"{told.count(None)} of {len(told)} {kind} gradings gave no verdict")
    return seconds


def section(
    args: argparse.Namespace, rounds: Sequence[Round], agree: float, many: dict[str, float]
) -> str:
    """The page's section."""
    ratios = [r.peer / r.ours for r in rounds]
    low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    per_s = [args.pairs / statistics.median(seconds) for seconds in zip(*rounds)]
    return "\n".join(
        [
            "## Speed",
            "",
            f"`python benchmarks/grader_speed.py --pairs {args.pairs} --rounds {args.rounds} --workers {args.workers} --many {args.many}`; "
            f"math-verify {version('math-verify')}, sympy {version('sympy')}, lm_eval {version('lm_eval')}, "
            f"langdetect {version('langdetect')}, Python {sys.version.split()[0]}; in turn, {args.rounds} rounds.",
            "",
            "| | n | items/s, median of rounds | ratio to the peer, median (IQR) |",
            "|---|---|---|---|",
            f"| math, ours: {args.workers} killable workers, limits on | {args.pairs:,} | {per_s[0]:,.0f} "
            f"| {statistics.median(ratios):.2f} ({low:.2f} to {high:.2f}) |",
            f"| math, `verify(parse(gold), parse(answer))` in a loop | {args.pairs:,} | {per_s[1]:,.0f} | 1 |",
            *(f"| {kind}, ours | {args.many:,} | {args.many / seconds:,.0f} ({seconds:.1f} s) | |" for kind, seconds in many.items()),
            "",
            f"Each side gave the same verdicts in every round; the two agree on {agree:.1%} of the pairs "
            "(where they differ: see the reference verdicts).",
            "",
        ]
    )  # fmt: skip


def main(argv: Sequence[str] = sys.argv[1:]) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--many", type=int, default=5000, help="choice and instruction gradings")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    parser.add_argument("--out", type=Path, default=PAGE)
    args = parser.parse_args(argv)
    pairs = math_pairs(args.data, args.pairs)
    args.pairs = len(pairs)
    rounds, agree = race(pairs, args.rounds, args.workers)
    made = {
        "choice": choice_pairs(args.data, args.many),
        "instruction": instruction_pairs(args.data, args.many),
    }
    many = {kind: timed(kind, some, args.workers) for kind, some in made.items()}
    text = section(args, rounds, agree, many)
    print(text)
    write_section("speed", text, args.out)
    said = {
        "math_ratio": round(statistics.median(r.peer / r.ours for r in rounds), 3),
        "ours_per_s": round(args.pairs / statistics.median(r.ours for r in rounds), 1),
        "peer_per_s": round(args.pairs / statistics.median(r.peer for r in rounds), 1),
        "agree": round(agree, 4), "pairs": args.pairs, "choice_s": round(many["choice"], 2),
        "instruction_s": round(many["instruction"], 2), "many": args.many, "rounds": args.rounds,
    }  # fmt: skip
    print(json.dumps(said))


if __name__ == "__main__":
    main()
