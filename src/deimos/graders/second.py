r"""A second opinion on math answers: what two simpler checks say of them.

Kept beside a verdict and never part of it: where a check that anybody can repeat says otherwise, a
reader should know how often. ``plain`` compares normalised texts and numbers; ``math_verify`` is the
package alone, with its own defaults, on the whole answer. Neither is right more often than the math
grader, and neither is asked in the race. Not covered: kinds other than math, and graders of a recipe's
own, whose references have forms of their own.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from deimos.types import SecondOpinion, Verdict

SECONDS = 2.0
"""Of processor time that math-verify has for one answer; then it could not say."""
MAKER = "deimos.graders.second:make_math_verify"

_STATED = re.compile(r"(?:####|\banswer\s*(?:is|:))[ \t:*]*([^\n]+)", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:/\d+)?")
_DRESS = re.compile(
    r"\\[!,;: ]|\\left|\\right|\\(?:text|mathrm|mbox|textbf|mathbf)\s*(?=\{)|\^\{?\\circ\}?|\\?%|\\?\$|\s"
)
_BRACED = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"^[a-zA-Z]=")
_FRACTION = re.compile(r"^(-?)\\[dt]?frac\{?(-?\d{1,30})\}?\{?(\d{1,30})\}?$")
_EXACT = re.compile(r"^-?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:/\d{1,30})?$")


def match_plainly(answer: str, reference: Any) -> bool:
    """Whether an answer's final text is the reference, as normalised text or as a number.

    Final is the last box, else what follows the last ``####`` or "answer is", else the last number.
    """
    expected, found = _normalise(str(reference)), _normalise(_final(answer))
    if not found:
        return False
    a, b = _number(expected), _number(found)
    return found == expected or (a is not None and a == b)


def ask_math_verify(answer: str, reference: Any) -> bool | None:
    """What math-verify says alone, with its own defaults; None: it cannot read the reference.

    May run long, and raises what sympy raises: called in a worker process only.
    """
    from math_verify import parse, verify

    expected = _parse_reference(str(reference))
    if not expected:
        return None
    # Without its alarms, which count time by the clock: the worker process is killed instead.
    return bool(verify(expected, parse(answer, parsing_timeout=0), timeout_seconds=0))


def make_math_verify() -> Callable[[str, Any], Verdict]:
    """What a worker process judges with; loads math-verify."""
    ask_math_verify("$x$", "x")
    return lambda answer, reference: Verdict.of(ask_math_verify(answer, reference))


@dataclass
class Differences:
    """How often second opinions differ from the verdicts that they stand beside."""

    judged: int = 0
    plain: int = 0
    asked: int = 0
    """Those on which math-verify said something."""
    math_verify: int = 0

    def add(self, ok: bool | None, second: SecondOpinion | None) -> None:
        """Count a verdict; one that is null, or has no second opinion, does not count."""
        if ok is None or second is None:
            return
        self.judged += 1
        self.plain += ok != second.plain
        if second.math_verify is not None:
            self.asked += 1
            self.math_verify += ok != second.math_verify

    def shares(self) -> dict[str, Any] | None:
        """``n`` verdicts, and the fraction of them on which ``plain`` and ``math_verify`` differ.

        A fraction is null if that check never said anything; None: nothing was counted.
        """
        if not self.judged:
            return None
        return {
            "n": self.judged,
            "plain": self.plain / self.judged,
            "math_verify": self.math_verify / self.asked if self.asked else None,
        }


def count_differences(
    verdicts: Iterable[tuple[bool | None, SecondOpinion | None]],
) -> dict[str, Any] | None:
    """``Differences.shares`` of verdicts: each one's ``ok`` and its second opinion."""
    counted = Differences()
    for ok, second in verdicts:
        counted.add(ok, second)
    return counted.shares()


@functools.lru_cache(maxsize=1024)
def _parse_reference(reference: str) -> list[Any]:
    from math_verify import parse

    return parse(reference if "$" in reference else f"${reference}$", parsing_timeout=0)


def _final(answer: str) -> str:
    start = answer.rfind("\\boxed{")
    if start >= 0:
        return _inside(answer[start + len("\\boxed{") :])
    stated = _STATED.findall(answer)
    if stated:
        return stated[-1]
    numbers = _NUMBER.findall(answer)
    return numbers[-1] if numbers else ""


def _inside(text: str) -> str:
    """Up to the brace that closes the one before; "" if none does."""
    depth = 1
    for brace in re.finditer(r"[{}]", text):
        depth += 1 if brace.group() == "{" else -1
        if depth == 0:
            return text[: brace.start()]
    return ""


def _normalise(text: str) -> str:
    bare = (
        _DRESS.sub("", text).strip(".*:").replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac")
    )
    bare = bare.replace("{,}", "").replace("\u2212", "-")
    bare = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", _NAME.sub("", bare))
    whole = _BRACED.fullmatch(bare)
    return whole[1] if whole else bare


def _number(text: str) -> Fraction | None:
    """An integer, decimal or fraction; None: another text."""
    if ratio := _FRACTION.match(text):
        text = f"{ratio[1]}{ratio[2]}/{ratio[3]}"
    if not _EXACT.match(text):
        return None
    above, _, below = text.partition("/")
    try:
        return Fraction(above) / (Fraction(below) if below else 1)
    except (ValueError, ZeroDivisionError):
        return None
