r"""What a computer algebra system overlooks: the form in which two answers are written.

math-verify reads ``3:1`` as 3, ``4:30`` as 2/15, ``11011_2`` as 11011, ``(1, 2, 3)`` and ``3, 2, 1`` as
one set, and drops units. Such pairs are recognised here before it is asked.
This module only says that two expressions can't be the same, never that they are.
"""

from __future__ import annotations

import re

from deimos.graders.rational import clean

_UNITS = {
    spelling: line.split()[0]
    for line in (
        "m meter meters metre metres", "cm centimeter centimeters centimetre centimetres",
        "mm millimeter millimeters", "km kilometer kilometers kilometre kilometres",
        "in inch inches", "ft foot feet", "yd yard yards", "mi mile miles",
        "s sec secs second seconds", "min mins minute minutes", "h hr hrs hour hours",
        "d day days", "week weeks", "month months", "y yr yrs year years",
        "g gram grams", "kg kilogram kilograms", "mg milligram milligrams",
        "lb lbs pound pounds", "oz ounce ounces", "l liter liters litre litres",
        "ml milliliter milliliters", "cent cents", "dollar dollars", "degree degrees",
        "radian radians",
    )
    for spelling in line.split()
}  # fmt: skip
"""Spelling to unit, for units that are easily confused; others are not compared."""
_LAST_WORD = re.compile(r"([A-Za-z]+)\.?\s*\}?\s*(?:\^\s*\{?\s*[23]\s*\}?)?$")
_TEXT = re.compile(r"\\(?:text|textbf|textrm|mathrm|mbox)\s*\{([^{}]*)\}")
_CLOCK = re.compile(r"\d{1,2}:[0-5]\d(?!\d)")
_BASED = re.compile(r"[0-9A-Za-z]+_\{?\s*(\d+)\s*\}?")
_DOLLARS = re.compile(r"[-+]?\s*\$\s*[\d.]")
_ASSIGNED = re.compile(r"\s*\\?[A-Za-z]+\s*=(?!=)")
_THOUSANDS = re.compile(r"\d,\d{3}(?!\d)")


def comparable(expected: str, other: str) -> tuple[str, str] | None:
    """Two expressions as they are to be compared; None if their forms show that they differ."""
    expected, other = clean(expected), clean(other)
    if (
        units_differ(expected, other)
        or _ratios_differ(expected, other)
        or _bases_differ(expected, other)
    ):
        return None
    return _listed(expected, other)


def units_differ(expected: str, other: str) -> bool:
    """Whether both name a unit, and not the same one; squares and cubes are not compared."""
    units = _unit(expected), _unit(other)
    return None not in units and units[0] != units[1]


def _unit(text: str) -> str | None:
    if _DOLLARS.match(text):
        return "dollar"
    last = _LAST_WORD.search(text)
    return _UNITS.get(last[1].casefold()) if last else None


def _ratios_differ(expected: str, other: str) -> bool:
    """A ratio equals a ratio, or a fraction if the reference is a ratio; a time only itself."""
    ratios = ":" in _TEXT.sub("", expected), ":" in _TEXT.sub("", other)
    if all(ratios):
        return expected != other and any(_CLOCK.fullmatch(text) for text in (expected, other))
    return ratios[1] or (ratios[0] and "/" not in other and "\\frac" not in other)


def _bases_differ(expected: str, other: str) -> bool:
    """Another base than the reference's; a reference without one is in base ten."""
    bases = [_BASED.fullmatch(_TEXT.sub(r"\1", text)) for text in (expected, other)]
    if bases[1] is None:
        return False
    return bases[1][1] != (bases[0][1] if bases[0] else "10")


def _listed(expected: str, other: str) -> tuple[str, str] | None:
    """Tuples keep their order, against a bare list too; a set is no tuple; nothing counts twice."""
    shapes = _shape(expected), _shape(other)
    if set(shapes) == {"set", "tuple"}:
        return None
    if set(shapes) == {"list"}:
        parts = _parts(expected), _parts(other)
        told = not any(_THOUSANDS.search(text) or "\\pm" in text for text in (expected, other))
        if told and len(parts[0]) != len(parts[1]):
            return None
        named = [all(_ASSIGNED.match(part) for part in some) for some in parts]
        if named[0] != named[1]:
            return _ordered(parts[0]), _ordered(parts[1])
    if set(shapes) == {"list", "tuple"}:
        expected = _ordered(_parts(expected)) if shapes[0] == "list" else expected
        other = _ordered(_parts(other)) if shapes[1] == "list" else other
    return expected, other


def _ordered(parts: list[str]) -> str:
    return "(" + ",".join(_ASSIGNED.sub("", part, count=1) for part in parts) + ")"


def _shape(text: str) -> str:
    if text.startswith("\\{") and text.endswith("\\}"):
        return "set"
    if len(_parts(text)) > 1:
        return "list"
    if text[:1] in ("(", "[") and text[-1:] in (")", "]") and len(_parts(text[1:-1])) > 1:
        return "tuple"
    return "one"


def _parts(text: str) -> list[str]:
    """What stands between the commas that no bracket holds."""
    parts, depth, start = [], 0, 0
    for at, sign in enumerate(text):
        if sign in "{([":
            depth += 1
        elif sign in "})]":
            depth -= 1
        elif sign == "," and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]
