"""Random texts at the extractors: they never raise, and what they find stands in the text.

usage: python benchmarks/fuzz_extractors.py [--minutes 10] [--seed N] [--out docs/results/graders.md]

With atheris (coverage-guided; `pip install atheris`, in an environment of its own) where it is
installed, else with plain random mutations, and the page says which. What is fuzzed: boxes, hashes,
last_line, the claims, the limits, the formula reader, the whole math grader, the choice reader, each on
texts of up to 4,096 characters. A fault ends the run with exit code 1 and its text. The last line is one JSON
object {"runs", "minutes", "with", "faults"}.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # atheris has its own Python

from _pages import PAGE, write_section

from deimos.graders import (
    choice,
    choice_behind,
    choice_labels,
    choice_sentences,
    choice_text_first,
    choice_words,
    extract,
    statements,
)
from deimos.graders import math as grader
from deimos.graders.math import (
    compare,
    final,
    limits,
    nouns,
    numerals,
    reading,
    syntax,
    tex,
    tokens,
    units,
    values,
)
from deimos.graders.math.said import around, claims, closing, phrases, retractions, sides

LONGEST = 4096
SLOW = 5.0
"""Seconds: a text of this length that takes so long was not scanned in linear time."""
PIECES = (
    "\\boxed{", "\\boxed ", "{", "}", "\\{", "\\}", "$", "$$", "\\(", "\\)", "**", "####", "\n#### ", "answer is ",
    "Answer: ", "the correct option is ", "(B)", "A. ", "A) ", " and ", " or ", ", ", "not ", "wait ", "\\frac{1}{2}", "\\frac12",
    "1,000", "2.5", "50\\%", "3:1", "11_2", "0.\\overline{3}", "\\text{cm}", "^2", "^{9^9}", "!", "_", "\\phantom{0}", "I ",
    "\x00", "\u0301", "Ｂ", "В", "\n", " ", "\\", ".", "?", "=", "x", "-", "\\pm ", "\\left(", "\\right)", "(1,2)", "\\{1,2\\}",
    "twelve ", "one hundred and ", "third", "The roots are ", ", i.e. ", "So it is ", "wait, no: ", "not A but ", "is correct.", " of ", "apples",
    "|x|<", "no solution", "That's the answer.", " would be ",
)  # fmt: skip
OPTIONS = ["dry palms", "wet palms", "a triangle", "\\boxed{C}", ""]


class Fault(Exception):
    """A property that a text breaks."""


def examine(text: str) -> None:
    """Every extractor on one text; Fault, or whatever it raises."""
    started = time.monotonic()
    boxed = extract.boxes(text)
    for found in boxed:
        if not found or found != found.strip():
            raise Fault(f"a box is blank or has space around it: {found!r}")
    whole = f"\\boxed{{{boxed[0]}}}" if boxed and balanced(boxed[0]) else ""
    if whole and extract.boxes(whole) != [boxed[0]]:
        raise Fault(f"a box's content does not come back from a box: {boxed[0]!r}")
    for found in (
        *extract.hashes(text),
        *(claim.expression for claim in claims.find_statements(text)),
    ):
        if not found.strip():
            raise Fault(f"a statement is blank: {found!r}")
    line = extract.last_line(text)
    if extract.last_line(line) != line:
        raise Fault(f"the last line of a last line is another: {line!r}")
    closing.find_closing_result(text, number=True)
    limits.find_exceeded_limit(text)
    half = len(text) // 2
    grader.math(text[:half], text[half:])
    with contextlib.suppress(tokens.Unreadable):
        compare.same(text[:300], text[300:600])
    for digits in (False, True):
        named = choice.find_named_labels(text, OPTIONS, digits=digits)
        if not named <= set("0123456789" if digits else choice.LETTERS):
            raise Fault(f"no label: {named}")
    if time.monotonic() - started > SLOW:
        raise Fault(f"{len(text)} characters took {time.monotonic() - started:.1f} s")


def balanced(text: str) -> bool:
    """Whether a box's content, written into a box again, closes where it should."""
    return "\\" not in text[-1:] and "phantom" not in text and "\\boxed" not in text


def text_of(data: bytes) -> str:
    """Bytes to a text: low ones are pieces that mean something to an extractor, others themselves."""
    parts = (PIECES[b] if b < len(PIECES) else chr(b) for b in data)
    return "".join(parts)[:LONGEST]


def plainly(seconds: float, seed: int, one: Callable[[bytes], None]) -> int:
    """Mutate at random until the time is up; how many texts."""
    draw, runs = random.Random(seed), 0
    ends = time.monotonic() + seconds
    pool = [bytes([i]) for i in range(len(PIECES))]
    while time.monotonic() < ends:
        data = b"".join(draw.choices(pool, k=draw.randrange(1, 12))) + draw.randbytes(
            draw.randrange(0, 6)
        )
        one(data)
        if len(data) < 200 and draw.random() < 0.05:
            pool.append(data)
        runs += 1
    return runs


def guided(seconds: float, seed: int, one: Callable[[bytes], None]) -> None:
    """Atheris for so long; ends the process, which libFuzzer does with code 77 where one raises."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["deimos.graders"]):
        for module in (
            limits,
            numerals,
            nouns,
            phrases,
            tex,
            units,
            values,
            syntax,
            reading,
            compare,
            around,
            retractions,
            sides,
            claims,
            closing,
            final,
            extract,
            choice_words,
            statements,
            choice_labels,
            choice_behind,
            choice_text_first,
            choice_sentences,
            choice,
        ):
            importlib.reload(module)
    runs, ends = 0, time.monotonic() + seconds

    def counted(data: bytes) -> None:
        nonlocal runs
        one(data)
        runs += 1
        if time.monotonic() > ends:
            tell(runs, seconds / 60, f"atheris {version('atheris')}, guided by coverage")
            os._exit(0)

    atheris.Setup([sys.argv[0], f"-seed={seed}", "-max_len=600"], counted)
    atheris.Fuzz()


OUT = [PAGE]


def tell(runs: int, minutes: float, tool: str) -> None:
    """Write the page's line, and the last line of output."""
    text = (
        f"## Fuzzed extractors\n\n`python benchmarks/fuzz_extractors.py --minutes {minutes:g}`, with {tool}: "
        f"{runs:,} texts, 0 faults (nothing raised, no text took {SLOW:g} s, boxes come back from boxes).\n"
    )
    write_section("fuzz", text, OUT[0])
    print(json.dumps({"runs": runs, "minutes": minutes, "with": tool, "faults": 0}), flush=True)


def main(argv: Sequence[str] = sys.argv[1:]) -> None:
    """Fuzz and tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plain", action="store_true", help="without atheris, though it is here")
    parser.add_argument("--out", type=Path, default=PAGE)
    args = parser.parse_args(argv)
    OUT[0] = args.out.resolve()

    def one(data: bytes) -> None:
        examine(text_of(data))

    try:
        tool = f"atheris {version('atheris')}"
    except PackageNotFoundError:
        tool = ""
    if tool and not args.plain:
        guided(args.minutes * 60, args.seed, one)
        return
    runs = plainly(args.minutes * 60, args.seed, one)
    tell(runs, args.minutes, "plain random mutations (atheris is not installed)")


if __name__ == "__main__":
    main()
