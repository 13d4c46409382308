"""Math pairs, one in a hundred of them hostile: all finish, nothing runs, no wrong "correct".

usage: python benchmarks/hostile.py [--pairs 5000] [--share 0.01] [--workers 2] [--timeout 5]
                                    [--data ../shared/data] [--out docs/results/graders.md]

The pairs are golds of MATH's test split and GSM8K's, half of them as another would spell them (right),
half with the reference of another problem (wrong; never the same number). Hostile ones are power
towers, factorials, sums and products without end, a megabyte of braces, code in expressions, null
bytes. The code would make a canary file. The last line is one JSON object {"finished", "pairs",
"hostile", "wrong_correct", "rejected_right", "null", "canary", "slowest", "seconds"}.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from _pages import PAGE, ROOT, write_section

from deimos.graders import Judge
from deimos.graders.extract import boxes
from deimos.graders.math import exact_value
from deimos.types import Verdict

MEGABYTE = 1_000_000


class Pair(NamedTuple):
    """An answer, a reference, and what the verdict must be."""

    sort: str
    answer: str
    gold: str
    right: bool | None
    """None: hostile, so anything but right."""


def hostile(canary: Path) -> Iterator[Pair]:
    """One of each; an answer to a reference that it never equals."""
    towers = ["9^{9^{9^{9}}}", "9**9**9**9", "10^{10^{10}}", "(9^9)^{(9^9)^9}", "2^{2^{2^{2^{2^{2}}}}}",
              "x^{99999999}", "((10^9)^9)^9", "\\sqrt[10^9]{2^{10^9}}", "1.5^{10^{9}}",
              "\\left(1+10^{-9}\\right)^{10^{9}}"]  # fmt: skip
    factorials = ["99999999!", "((9!)!)!", "(10^9)!", "\\binom{10^9}{5\\cdot10^8}", "170!!!!", "999!!^{999}",
                  "\\frac{(10^7)!}{(10^7-1)!}"]  # fmt: skip
    endless = ["\\sum_{n=1}^{10^9}\\frac{\\sin n}{n!+1}", "\\prod_{n=1}^{10^9}(n^n+1)",
               "\\int_0^{100}\\sin(x^x)e^{\\cos x^x}dx", "\\lim_{n\\to\\infty}\\sum_{k=1}^{n}\\frac{1}{k^k}",
               "\\sum_{a=1}^{9999}\\sum_{b=1}^{9999}\\frac{\\sin(a^b)}{b!+\\cos a}",
               "\\sin(\\cos(\\tan(\\sin(\\cos(\\tan(x+y+z))))))^{77}+(x+y+z)^{77}"]  # fmt: skip
    code = [c.format(path=canary) for c in (
        "__import__('os').system('touch {path}')", "open('{path}','w').write('x')", "eval(\"open('{path}','w')\")",
        "exec('open(\\'{path}\\',\\'w\\')')", "().__class__.__bases__[0].__subclasses__()",
        "[x for x in (1).__class__.__mro__]", "(lambda: open('{path}','w'))()", "sympify(\"open('{path}','w')\")",
        "\\text{{open('{path}','w')}}", "1 if open('{path}','w') else 2", "print(1) or open('{path}','w')",
        "\\operatorname{{open}}('{path}','w')", "\\write18{{touch {path}}}", "\\input{{|touch {path}}}",
        "getattr(__builtins__,'op'+'en')('{path}','w')", "Function('open')('{path}','w')",
    )]  # fmt: skip
    signs = [
        "1\x002",
        "\x00" * 1000,
        "\x004",
        "4\x00",
        "\ud800",
        "4\u202e",
        "\x1b[2J",
        "\u0664\u0662",
    ]
    sorts = {
        "tower": towers,
        "factorial": factorials,
        "without end": endless,
        "code": code,
        "signs": signs,
    }
    for sort, texts in sorts.items():
        for i, text in enumerate(texts):
            way = "So it is $\\boxed{{{}}}$." if i % 3 else "The answer is {}"
            yield Pair(sort, way.format(text), "4x" if i % 2 else "4", None)
    for text in (
        "{",
        "}",
        "\\boxed{",
        "(",
        "\\frac{",
        "$",
        "\\boxed{1}",
        "answer is ",
        "#### \n",
        "\\",
    ):
        yield Pair("megabyte", text * (MEGABYTE // len(text)), "4", None)
    for text in (
        "{" * 1900,
        "(" * 49 + "x" + ")" * 49,
        "\\sqrt{" * 300 + "x" + "}" * 300,
        "9" * 1999,
        "-" * 1999 + "1",
    ):
        yield Pair("depth", f"\\boxed{{{text}}}", "4x", None)


def golds(data: Path) -> list[str]:
    """References of both test sets."""
    found = []
    for line in (data / "math/test.jsonl").open(encoding="utf-8"):
        found.append(boxes(json.loads(line)["solution"])[-1])
    for line in (data / "gsm8k/test.jsonl").open(encoding="utf-8"):
        found.append(json.loads(line)["answer"].rpartition("#### ")[2].strip().replace(",", ""))
    return found


def respelled(gold: str) -> str:
    """The same, as another would write it."""
    swaps = (("\\frac", "\\dfrac"), ("\\left(", "("), ("\\right)", ")"), (",", ", "), ("+", " + "))
    for old, new in swaps:
        gold = gold.replace(old, new) if exact_value(gold) is None else gold
    return gold


def pairs_of(
    count: int, share: float, known: Sequence[str], canary: Path, seed: int = 0
) -> list[Pair]:
    """Pairs in a seeded order; in a large set every hostile one is there at least once."""
    draw = random.Random(seed)
    bad = list(hostile(canary))
    draw.shuffle(bad)
    wanted = max(len(bad), round(count * share)) if count > 10 * len(bad) else round(count * share)
    chosen = [bad[i % len(bad)] for i in range(wanted)]
    while len(chosen) < count:
        gold, other = draw.sample(list(known), 2)
        if len(chosen) % 2:
            chosen.append(Pair("right", f"So it is $\\boxed{{{respelled(gold)}}}$.", gold, True))
        elif differ(gold, other):
            chosen.append(Pair("wrong", f"So it is $\\boxed{{{other}}}$.", gold, False))
    draw.shuffle(chosen)
    return chosen


def differ(gold: str, other: str) -> bool:
    """Whether two golds are clearly not the same (one number may have two spellings)."""
    a, b = exact_value(gold), exact_value(other)
    if a is not None and b is not None:
        return a not in (b, b * 100, b / 100)  # one may be a percentage
    return "".join(gold.split()) != "".join(other.split())


class Result(NamedTuple):
    """What the verdicts say."""

    verdicts: list[tuple[Pair, Verdict]]
    seconds: float

    @property
    def wrong_correct(self) -> list[Pair]:
        """Called right, and not."""
        return [pair for pair, verdict in self.verdicts if verdict.ok and pair.right is not True]

    @property
    def rejected_right(self) -> list[tuple[Pair, Verdict]]:
        """Right, and called wrong or left unjudged."""
        return [(pair, verdict) for pair, verdict in self.verdicts if not verdict.ok and pair.right]


def judge_all(pairs: Sequence[Pair], *, workers: int, timeout: float) -> Result:
    """Every pair's verdict."""
    started = time.perf_counter()
    with Judge({"math": "math"}, workers=workers, timeout=timeout) as judge:
        asked = [(pair, judge.submit("math", pair.answer, pair.gold)) for pair in pairs]
        told = [(pair, future.result()) for pair, future in asked]
    return Result(told, time.perf_counter() - started)


def alone(pair: Pair, timeout: float) -> float:
    """Seconds that one pair takes in a worker that is up."""
    with Judge({"math": "math"}, timeout=timeout) as judge:
        judge.submit("math", "\\boxed{x+1}", "1+x").result()
        started = time.perf_counter()
        judge.submit("math", pair.answer, pair.gold).result()
        return time.perf_counter() - started


def section(result: Result, slowest: float, canary: bool, command: str, timeout: float) -> str:
    """The page's section."""
    sorts = Counter(pair.sort for pair, _ in result.verdicts)
    told = Counter((pair.sort, v.ok) for pair, v in result.verdicts)
    rows = [
        f"| {sort} | {n:,} | {told[sort, True]:,} | {told[sort, False]:,} | {told[sort, None]:,} |"
        for sort, n in sorted(sorts.items())
    ]
    rejected = [
        f"- right, and called {v.ok}: `{' '.join(pair.answer.split())}` for `{pair.gold}`: {v.because}"
        for pair, v in result.rejected_right
    ]
    return "\n".join(
        [
            "## Hostile math pairs",
            "",
            f"`{command}`; math-verify {version('math-verify')}, sympy {version('sympy')}, Python {sys.version.split()[0]}.",
            "",
            f"{len(result.verdicts):,} pairs, all finished in {result.seconds:.0f} s at a deadline of {timeout:g} s each; the slowest "
            f"hostile one alone took {slowest:.1f} s. Called right and not: {len(result.wrong_correct)}. "
            f"The canary file that the code in them would make {'WAS MADE' if canary else 'was never made'}.",
            "",
            "| pairs | n | right | wrong | null (deadline, memory, unreadable reference) |",
            "|---|---|---|---|---|",
            *rows,
            "",
            *rejected,
            "",
        ]
    )


def main(argv: Sequence[str] = sys.argv[1:]) -> None:
    """Judge, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=5000)
    parser.add_argument("--share", type=float, default=0.01, help="hostile ones among them")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=5.0)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    parser.add_argument("--out", type=Path, default=PAGE)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        canary = Path(folder) / "canary"
        pairs = pairs_of(args.pairs, args.share, golds(args.data), canary)
        result = judge_all(pairs, workers=args.workers, timeout=args.timeout)
        bad = [pair for pair in pairs if pair.right is None]
        slowest = max(alone(pair, args.timeout) for pair in dict.fromkeys(bad))
        made = canary.exists()
    command = f"python benchmarks/hostile.py --pairs {args.pairs} --workers {args.workers} --timeout {args.timeout:g}"
    text = section(result, slowest, made, command, args.timeout)
    print(text)
    write_section("hostile", text, args.out)
    said = {
        "finished": len(result.verdicts), "pairs": len(pairs), "hostile": len(bad),
        "wrong_correct": len(result.wrong_correct), "rejected_right": len(result.rejected_right),
        "null": sum(v.ok is None for _, v in result.verdicts), "canary": made,
        "slowest": round(slowest, 2), "seconds": round(result.seconds, 1),
    }  # fmt: skip
    print(json.dumps(said))
    sys.exit(1 if made or result.wrong_correct else 0)


if __name__ == "__main__":
    main()
