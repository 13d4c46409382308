r"""The math grader: is the answer's final expression the reference?

What counts as final is said in ``final.py``. It is read as a formula with its unit (``reading.py``)
and compared by value: exactly if it is rational, else to ninety digits at points that are the same for
both sides (``values.py``, ``compare.py``). Decimals that only approximate the reference are wrong, and so are
expressions beyond the limits. A reference that cannot be read makes the verdict null. Where the
reference is a plain number, an answer must be one in a settled form: ``17\cdot 23`` is not 391.
A unit may be left out, a wrong one may not be given. ``math_unevaluated`` judges the same, but takes
unevaluated numbers too.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from deimos.graders.math.compare import same, spelling
from deimos.graders.math.damaged import refuse_damaged
from deimos.graders.math.exact import exact_number
from deimos.graders.math.final import Finals, find_finals
from deimos.graders.math.reading import read
from deimos.graders.math.tokens import Unreadable
from deimos.graders.references import check_math_reference
from deimos.registry import grader
from deimos.types import Verdict

IN_PROCESS_LENGTH = 20_000
"""Characters; longer answers are scanned by a worker, so that a caller's event loop isn't held."""


def fast(answer: str, reference: Any) -> Verdict | None:
    """A verdict that takes no more than reading; None: a worker must decide."""
    return _at_once(answer, str(reference), settled=True)


def fast_unevaluated(answer: str, reference: Any) -> Verdict | None:
    """As ``fast``, for ``math_unevaluated``."""
    return _at_once(answer, str(reference), settled=False)


def prepare() -> None:
    """Load mpmath before the first deadline starts to count."""
    same("\\sqrt{2}+x", "x+\\sqrt{2}")


def check_reference(reference: Any) -> None:
    """Refuse a reference that no answer could meet; ValueError, one sentence."""
    check_math_reference(reference)
    refuse_damaged(str(reference))


@grader("math", fast=fast, prepare=prepare, check_reference=check_reference)
def math(answer: str, reference: Any) -> Verdict:
    """Judge an answer against a LaTeX or plain reference."""
    return _judge(answer, str(reference), settled=True)


@grader(
    "math_unevaluated", fast=fast_unevaluated, prepare=prepare,
    check_reference=check_reference,
)  # fmt: skip
def math_unevaluated(answer: str, reference: Any) -> Verdict:
    """As ``math``, but an expression that is still to be worked out counts as its value."""
    return _judge(answer, str(reference), settled=False)


def final_expressions(answer: str, reference: Any = "") -> list[str]:
    """What the answer gives as final, the one that counts last; [] if it gives none."""
    return list(find_finals(answer, str(reference)).expressions)


def exact_value(expression: str) -> Fraction | None:
    """The number that an expression is, its unit and percent sign left out; None if it isn't rational."""
    first, *more = read(expression).parts
    node = first.node
    if node is not None and node.kind == "relation" and len(node.parts) == 2:
        node = node.parts[1]
    try:
        return None if more or node is None else exact_number(node)
    except Unreadable:
        return None


def _at_once(answer: str, reference: str, *, settled: bool) -> Verdict | None:
    if len(answer) > IN_PROCESS_LENGTH:
        return None
    finals = find_finals(answer, reference)
    if not finals.expressions:
        return Verdict.of(False, finals.trouble)
    same_text = {spelling(expression) for expression in (*finals.expressions, reference)}
    if len(same_text) == 1 or all(map(_is_quick, (*finals.expressions, reference))):
        return _decide(finals, reference, settled)
    return None


def _is_quick(expression: str) -> bool:
    """Whether it is one rational number, or words."""
    return exact_value(expression) is not None or read(expression).parts[0].words is not None


def _judge(answer: str, reference: str, *, settled: bool) -> Verdict:
    return _decide(find_finals(answer, reference), reference, settled)


def _decide(finals: Finals, reference: str, settled: bool) -> Verdict:
    if not finals.expressions:
        return Verdict.of(False, finals.trouble)
    *earlier, last = finals.expressions
    for other in earlier:
        if not _agree(last, other):
            return Verdict.of(False, f"contradicts itself: {_short(other)} and {_short(last)}")
    try:
        if same(reference, last, settled):
            return Verdict.of(True, "equal")
    except Unreadable as e:
        return Verdict.of(None, f"the reference {_short(reference)} cannot be read: {e}")
    return Verdict.of(False, _difference(reference, last))


def _agree(one: str, other: str) -> bool:
    try:
        return same(one, other, settled=False)
    except Unreadable:
        return False


def _difference(reference: str, last: str) -> str:
    if trouble := read(last).trouble:
        return f"{_short(last)} cannot be read: {trouble}"
    try:
        if same(reference, last, settled=False):
            return f"{_short(last)} is not worked out"
    except Unreadable:
        pass
    return f"{_short(last)} is not {_short(reference)}"


def _short(expression: str) -> str:
    return expression if len(expression) <= 60 else expression[:57] + "…"
