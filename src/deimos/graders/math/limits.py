"""What is refused before a formula is read.

The limits lie far above every reference of the benchmarks and far below what takes long or fills the memory.
Values that only grow too large while they are worked out are refused there (``exact.py``, ``values.py``).
"""

from __future__ import annotations

import re

LENGTH = 2000
NESTING = 50
DIGITS = 400
EXPONENT_DIGITS = 4
FACTORIAL_DIGITS = 3

_ALLOWED = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f\"`#@?\\]|\\[A-Za-z]+|\\[^\x00-\x1f\x7f\"`]")
_DIGIT_RUN = re.compile(rf"\d{{{DIGITS + 1},}}")
_BIG_POWER = re.compile(rf"(?:\^|\*\*)\s*[{{(]?\s*[-+]?[\d,]{{{EXPONENT_DIGITS + 1},}}")
_BIG_FACTORIAL = re.compile(rf"\d{{{FACTORIAL_DIGITS + 1},}}\s*!")
_FACTORIAL_OF_BIG = re.compile(r"(?:!|\^\s*\{?\s*\d+\s*\}?)\s*[})\]]+\s*!")
_TOWER = re.compile(
    r"(?:\^|\*\*)\s*[{(]?\s*[-+]?\s*\d+\s*(?:(?:\^|\*\*)\s*[{(]?\s*[-+]?\d|[})]?\s*!)"
)
_SIDE_BY_SIDE = re.compile(r"(?<![\d.,])\d(?:[\d.,]*\d)?(?:\s|\\ |~){1,4}\d+(?![\d\s]*/)")
_TAKES_DIGITS = re.compile(r"(?:[_^]|\\[a-z]*(?:frac|binom))\s*$")


def find_exceeded_limit(expression: str) -> str:
    """Which limit the expression breaks, as a short phrase; "" if none."""
    if len(expression) > LENGTH:
        return f"more than {LENGTH:,} characters"
    if _depth(expression) > NESTING:
        return f"brackets nested deeper than {NESTING}"
    if "__" in expression or _ALLOWED.sub("", expression):
        return "characters that no formula has"
    if _DIGIT_RUN.search(expression):
        return f"a number of more than {DIGITS} digits"
    if _TOWER.search(expression) or _BIG_POWER.search(expression):
        return "a power too large to work out"
    if _BIG_FACTORIAL.search(expression) or _FACTORIAL_OF_BIG.search(expression):
        return "a factorial too large to work out"
    if _side_by_side(expression):
        return "two numbers side by side"
    return ""


def _side_by_side(text: str) -> bool:
    r"""Whether two numbers stand together that are no mixed number, ``\frac 1 2`` or ``\log_2 8``."""
    return any(
        not _TAKES_DIGITS.search(text[max(0, pair.start() - 12) : pair.start()])
        for pair in _SIDE_BY_SIDE.finditer(text)
    )


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        if character in "{([":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "})]":
            depth -= 1
    return deepest
