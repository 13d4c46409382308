r"""The math grader: is the answer's final expression the reference?

Final is the last ``\boxed{…}``, else what follows the last ``####``, else the last "answer is …",
else (only where the reference is one number) the only number on the answer's last line, else the
whole answer where it is one line. Boxes, or statements, that contradict each other are wrong.
Exact strings and exact rationals are decided in process (``fast``); the rest goes to math-verify,
in a worker that can be killed, by its LaTeX path alone: its other path evaluates text as Python.
Decimals that only approximate the reference are wrong. An expression beyond the limits is wrong;
a reference that can't be read makes the verdict null. A unit may be left out; two different ones
of a few common ones (cm and m) are wrong, others are not compared.
"""

from __future__ import annotations

import re
from typing import Any

from deimos.graders.extract import boxes, hashes, last_line, stated
from deimos.graders.forms import comparable, units_differ
from deimos.graders.limits import beyond
from deimos.graders.rational import clean, rational
from deimos.registry import grader
from deimos.types import Verdict

IN_PROCESS_LENGTH = 20_000
"""Characters; longer answers are scanned by a worker, so that a caller's event loop isn't held."""
DECIMALS = 12
"""Places to which math-verify compares a decimal with an exact value."""

_TEXT = re.compile(r"\\(?:text|textbf|textrm|textit|mathrm|mbox)\s*\{([^{}\\]*)\}")
_WORDS = re.compile(r"[A-Za-z]{4,}|[A-Za-z]+(?:[ -][A-Za-z]+)+")
_LETTERS = re.compile(r"[a-z]{2,}")
_LOOSE_SPACE = re.compile(r"(?<![A-Za-z0-9])\s+|\s+(?![A-Za-z0-9])")
_NUMBER_IN_LINE = re.compile(
    r"(?<![\w.,/\\^])-?[$€£]?\d[\d,]*(?:\.\d+)?(?:/\d+)?%?(?:\s+(?:hundred|thousand|million|billion|trillion|dozens?)\b)?"
)


def fast(answer: str, reference: Any) -> Verdict | None:
    """A verdict that is exact and needs no computer algebra; None: a worker must decide."""
    if len(answer) > IN_PROCESS_LENGTH:
        return None
    return _decide(final_expressions(answer, reference), str(reference))


def prepare() -> None:
    """Load math-verify before the first deadline starts to count."""
    _equal("x", "x")


@grader("math", fast=fast, prepare=prepare)
def math(answer: str, reference: Any) -> Verdict:
    """Judge an answer against a LaTeX or plain reference; may run long on hostile text."""
    finals = final_expressions(answer, reference)
    decided = _decide(finals, str(reference))
    return decided if decided is not None else _symbolic(finals, str(reference))


def final_expressions(answer: str, reference: Any = "") -> list[str]:
    """What the answer gives as final, the one that counts last; [] if it gives none."""
    for found in (boxes(answer), hashes(answer), stated(answer)):
        if found:
            return found
    line = last_line(answer)
    whole = [line] if line and line == answer.strip() else []
    if rational(str(reference)) is None or (whole and rational(line) is not None):
        return whole
    numbers = _NUMBER_IN_LINE.findall(line)
    return [number.rstrip(",") for number in numbers] if len(numbers) == 1 else []


def _decide(finals: list[str], expected: str) -> Verdict | None:
    if not finals:
        return Verdict.of(False, "no final answer found")
    *earlier, last = finals
    agree = [_same(last, other) for other in earlier]
    if False in agree:
        return Verdict.of(
            False, f"contradicts itself: {_short(earlier[agree.index(False)])} and {_short(last)}"
        )
    right = _same(expected, last)
    if right is False:
        return Verdict.of(False, f"{_short(last)} is not {_short(expected)}")
    return Verdict.of(True, "equal") if right and None not in agree else None


def _same(expected: str, other: str) -> bool | None:
    """Whether two expressions are the same as text or as exact numbers; None: not known this way."""
    if (text := _spelling(expected)) and text == _spelling(other):
        return True
    if units_differ(clean(expected), clean(other)):
        return False
    a, b = rational(expected), rational(other)
    if a is not None and b is not None:
        return a.equals(b)
    # To math-verify a word is a product of letters, and anagrams are equal.
    if (word := _wording(expected)) is not None:
        return word == _plain_words(other)
    words = _plain_words(expected), _plain_words(other)
    return words[0] == words[1] if all(_LETTERS.fullmatch(word) for word in words) else None


def _spelling(expression: str) -> str:
    return _LOOSE_SPACE.sub("", clean(expression))


def _wording(expected: str) -> str | None:
    """The words of a reference that is not a formula."""
    text = clean(expected)
    if _TEXT.fullmatch(text) or _WORDS.fullmatch(text):
        return _plain_words(text)
    return None


def _plain_words(expression: str) -> str:
    text = _TEXT.sub(lambda m: m[1], clean(expression)).strip().strip(".").strip()
    if len(text) > 2 and text[0] == "(" and text[-1] == ")":
        text = text[1:-1]
    return " ".join(text.casefold().split())


def _symbolic(finals: list[str], expected: str) -> Verdict:
    """Ask math-verify, the reference first (its comparison is not symmetric); called only here."""
    if limit := beyond(expected):
        return Verdict.of(None, f"the reference has {limit}")
    for final in finals:
        if limit := beyond(final):
            return Verdict.of(False, f"the answer has {limit}")
    *earlier, last = finals
    for other in earlier:
        if _same(last, other) is None and not _equal(last, other):
            return Verdict.of(False, f"contradicts itself: {_short(other)} and {_short(last)}")
    if _same(expected, last):
        return Verdict.of(True, "equal")
    if not _parse(expected):
        return Verdict.of(None, f"the reference {_short(expected)} cannot be read as mathematics")
    if _equal(expected, last):
        return Verdict.of(True, "equal by math-verify")
    return Verdict.of(False, f"{_short(last)} is not {_short(expected)}")


def _equal(expected: str, other: str) -> bool:
    from math_verify import verify

    pair = comparable(expected, other)
    if pair is None:
        return False
    try:
        return verify(
            _parse(pair[0]), _parse(pair[1]),
            float_rounding=DECIMALS, timeout_seconds=None, raise_on_error=True,
        )  # fmt: skip
    except (MemoryError, RecursionError):
        raise  # the worker's trouble, not the answer's
    except Exception:  # sympy raises nearly anything for things that can't be compared
        return False


def _parse(expression: str) -> list[Any]:
    from math_verify import LatexExtractionConfig, parse

    # A timeout of 0 is none: theirs are alarms, which sympy can outlive; ours is the kill.
    return parse(
        "\\boxed{" + clean(expression) + "}",
        extraction_config=[LatexExtractionConfig(boxed_match_priority=0)],
        fallback_mode="no_fallback", parsing_timeout=0,
    )  # fmt: skip


def _short(expression: str) -> str:
    return expression if len(expression) <= 60 else expression[:57] + "…"
