"""How numbers are written: the same in the report, in the card, in tables and on the command line.

Takes fractions and gives text; knows no files and no templates, and loads nothing. What is None
says "not measured".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

NOT_MEASURED = "not measured"
MINUS = "\N{MINUS SIGN}"
Bounds = Sequence[float] | None


def number(value: float | None, digits: int = 0) -> str:
    """A plain number with thousands separators: 12,345; a half is rounded up, as medians have many."""
    if value is None:
        return NOT_MEASURED
    if digits == 0 and abs(value) % 1 == 0.5:
        value = math.copysign(math.ceil(abs(value)), value)
    return _signed_zero(f"{value:,.{digits}f}")


def percent(value: float | None, digits: int = 0) -> str:
    """A fraction as a percentage: 0.62 is 62%; only all is 100%, so 0.996 is 99.6%."""
    if value is None:
        return NOT_MEASURED
    shown = f"{100 * value:.{digits}f}"
    if value < 1 and float(shown) == 100:
        shown = f"{min(math.floor(1000 * value) / 10, 99.9):.1f}"
    if value > 0 and float(shown) == 0:
        return f"<{10**-digits:.{digits}f}%"
    return _signed_zero(shown) + "%"


def in_percent(value: float | None) -> str:
    """An accuracy as it is written everywhere: 0.8052 is 80.5%."""
    return percent(value, 1)


def points(value: float | None, digits: int = 1) -> str:
    """A signed difference of fractions in percentage points: -0.004 is −0.4."""
    if value is None:
        return NOT_MEASURED
    return _signed_zero(f"{100 * value:+.{digits}f}")


def change(reduction: float | None, digits: int = 0) -> str:
    """A reduction as the change it is: 0.62 is −62%, -0.1 is +10%."""
    return NOT_MEASURED if reduction is None else points(-reduction, digits) + "%"


def interval(ci: Bounds, form: Callable[[float | None], str]) -> str:
    """A 95% interval in the form of its number, low end first: [−1.9, +1.1]."""
    if ci is None or any(end is None for end in ci):
        return ""
    low, high = (form(end).removesuffix("%") for end in ci)
    return f"[{low}, {high}]"


def change_interval(ci: Bounds, digits: int = 0) -> str:
    """The interval of a reduction as a change, so its ends swap: [.58, .66] is [−66, −58]."""
    if ci is None or any(end is None for end in ci):
        return ""
    return interval([ci[1], ci[0]], lambda end: change(end, digits))


def includes_zero(ci: Bounds) -> bool:
    """Whether an interval includes zero difference; without an interval it counts as including it."""
    return ci is None or any(end is None for end in ci) or ci[0] <= 0 <= ci[1]


def seconds(value: float | None) -> str:
    """A duration: 0.42 s, 4.2 s, 75 s, 12 min, 3.5 h."""
    if value is None:
        return NOT_MEASURED
    if value >= 7200:
        return f"{value / 3600:.1f} h"
    if value >= 120:
        return f"{value / 60:.0f} min"
    return f"{value:.{2 if value < 1 else 1 if value < 10 else 0}f} s"


def plural(count: int, noun: str) -> str:
    """A count with its noun: 1 problem, 1,000 problems."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def join_names(names: Sequence[str]) -> str:
    """Names in a sentence: a, b and c."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def null_reasons(counts: Mapping[str, int]) -> str:
    """Why answers could not be judged: 2 timed out, 1 unreadable."""
    words = {
        "timeout": "timed out", "failure": "failed while judging", "unsupported": "unsupported",
        "unreadable": "unreadable",
    }  # fmt: skip
    return ", ".join(f"{counts[name]:,} {word}" for name, word in words.items() if counts.get(name))


def second_opinions(shares: Mapping[str, Any]) -> str:
    """On how many math answers simpler checks differ from the verdicts."""
    return (
        f"second opinions on {plural(shares['n'], 'math verdict')} differ: plain match on "
        f"{percent(shares['plain'], 1)}, math-verify alone on {percent(shares['math_verify'], 1)}"
    )


def with_unit(text: str, unit: str) -> str:
    """A number's text with its unit behind it; "not measured" has none."""
    return text if text == NOT_MEASURED else text + unit


def _signed_zero(shown: str) -> str:
    """Minus or plus nothing is nothing (-0.0 and +0.0 read 0.0), and a minus is a minus sign."""
    is_zero = not shown.strip("+-0.,")
    return shown.lstrip("+-") if is_zero else shown.replace("-", MINUS)
