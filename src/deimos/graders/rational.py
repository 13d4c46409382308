r"""Reading an expression as one exact rational number, or not at all.

Takes integers, decimals, fractions, mixed numbers, thousands groups, currency, percent and a
trailing unit. Whatever is not clearly one number (``5x``, ``3 pi``, ``1, 2``, ``10110_2``) is
left to a computer algebra system. Never a float.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

_NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.?\d*|\.\d+)"
_PART = r"(?:\{\s*-?" + _NUMBER + r"\s*\}|\d)"
_FRACTION = r"\\frac\s*(?P<above>" + _PART + r")\s*(?P<below>" + _PART + r")"
_VALUE = re.compile(
    r"(?P<sign>[-+]?)\s*(?:[$€£]\s*)?(?P<sign2>-?)"
    r"(?:(?P<whole>\d+)?\s*" + _FRACTION + r"|(?P<number>" + _NUMBER + r")"
    r"(?:\s*/\s*(?P<over>" + _NUMBER + r"))?)"
    r"(?P<rest>.*)",
    re.DOTALL | re.ASCII,
)
_MIXED = re.compile(r"(-?)(\d+)\s+(\d+)\s*/\s*(\d+)", re.ASCII)
_REPEATING = re.compile(
    r"(?P<sign>-?)(?P<whole>\d*)\.(?P<once>\d*)\\overline\s*(?:\{\s*(?P<more>\d+)\s*\}|(?P<digit>\d))",
    re.ASCII,
)
_UNIT = re.compile(
    r"(?:\s*\\(?:text|textbf|textrm|mathrm|mbox)\s*\{\s*(?P<boxed>[A-Za-z][A-Za-z .\-/]*)\}"
    r"|\s+(?P<words>[A-Za-z]{2,}(?:[ -][A-Za-z]{2,}){0,3}))"
    r"(?:\s*\^\s*(?:\{\s*[23]\s*\}|[23]))?\.?"
)
_DEGREES = re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ)|°")
_SCALES = {
    "hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "dozen": 12, "dozens": 12,
}  # fmt: skip
_NO_UNITS_TEXT = (
    "pi tau phi sqrt log ln exp sin cos tan mod or and to plus minus times over pm half halves third"
    " thirds fourths quarters fifths sixths sevenths eighths ninths tenths hundredths thousandths"
    " squared cubed factorial hundreds thousands millions billions score couple pair not"
)
_NO_UNITS = frozenset(_NO_UNITS_TEXT.split())
_SPACING = re.compile(r"(?<!\\)\\[,;:!]|\\displaystyle|\\left(?![a-z])|\\right(?![a-z])")
_WIDE_SPACE = re.compile(r"(?<!\\)\\ |~")
_ORDINAL = re.compile(r"\s*\^\s*\{\s*\\text\s*\{\s*(?:st|nd|rd|th)\s*\}\s*\}|(?:st|nd|rd|th)\b")
_LONGEST = 300
"""Characters: no single number of any benchmark is near this."""


@dataclass(frozen=True, slots=True)
class Rational:
    """An exact number and whether it was written as a percentage."""

    value: Fraction
    percent: bool = False

    def equals(self, other: Rational) -> bool:
        """Same number; a percentage equals its figure (``20%`` is 20) and its share (1/5)."""
        if self.value == other.value:
            return True
        if self.percent == other.percent:
            return False
        share, plain = (self, other) if self.percent else (other, self)
        return share.value / 100 == plain.value


def clean(expression: str) -> str:
    r"""One spelling for TeX's many: spacing commands, ``\dfrac``, ``{,}``, outer ``$`` and dots gone."""
    text = expression.strip()
    for opening, closing in (("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("**", "**")):
        if (
            text.startswith(opening)
            and text.endswith(closing)
            and len(text) > len(opening + closing)
        ):
            inner = text[len(opening) : -len(closing)]
            text = inner.strip() if closing not in inner else text
    text = _WIDE_SPACE.sub(" ", text).replace("{,}", ",").replace("−", "-")
    text = text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac")
    text = text.replace("\\$", "$").replace("\\%", "%")
    return _SPACING.sub("", text).strip().removesuffix(".").strip()


def rational(expression: str) -> Rational | None:
    """The number that the expression is; None if it isn't clearly one."""
    if len(expression) > _LONGEST:
        return None
    text = _right_hand_side(clean(expression))
    if repeating := _REPEATING.fullmatch(text):
        return Rational(_repeating(repeating))
    if (mixed := _MIXED.fullmatch(text)) and int(mixed[4]):
        value = int(mixed[2]) + Fraction(int(mixed[3]), int(mixed[4]))
        return Rational(-value if mixed[1] else value)
    match = _VALUE.fullmatch(text)
    if match is None:
        return None
    value = _value(match)
    suffix = _suffix(match["rest"])
    if value is None or suffix is None:
        return None
    factor, percent = suffix
    return Rational(value * factor, percent)


def _right_hand_side(text: str) -> str:
    """What one variable is set to (``x = 5``); the text itself if it is not of this form."""
    name, equals, value = text.partition("=")
    return value.strip() if equals and re.fullmatch(r"\s*[A-Za-z]\s*", name) else text


def _value(match: re.Match[str]) -> Fraction | None:
    if match["above"]:
        above, below = (_plain(match[part].strip("{} ")) for part in ("above", "below"))
        whole = Fraction(match["whole"] or 0)
        if whole and (above < 0 or below < 0):
            return None
    else:
        above, below = _plain(match["number"]), _plain(match["over"] or "1")
        whole = Fraction(0)
    if below == 0 or (match["sign"] and match["sign2"]):
        return None
    value = whole + above / below
    return -value if "-" in (match["sign"], match["sign2"]) else value


def _repeating(match: re.Match[str]) -> Fraction:
    """A decimal whose last digits go on for ever."""
    once, more = match["once"], match["more"] or match["digit"]
    tail = Fraction(int(more), (10 ** len(more) - 1) * 10 ** len(once))
    value = Fraction(int(match["whole"] + once or "0"), 10 ** len(once)) + tail
    return -value if match["sign"] else value


def _plain(number: str) -> Fraction:
    return Fraction(number.replace(",", "").rstrip("."))


def _suffix(rest: str) -> tuple[int, bool] | None:
    """Factor and percent sign of what stands behind the number; None: not just a unit."""
    if ordinal := _ORDINAL.match(rest):
        rest = rest[ordinal.end() :]
    text = _DEGREES.sub("", rest).rstrip()
    percent = text.lstrip().startswith("%")
    if percent:
        text = text.lstrip()[1:]
    if not text:
        return 1, percent
    unit = _UNIT.fullmatch(text)
    if unit is None:
        return None
    words = re.split(r"[ \-/.]+", (unit["boxed"] or unit["words"]).lower().strip())
    factor = 1
    while words and words[0] in _SCALES:
        factor *= _SCALES[words.pop(0)]
    if words[:1] in (["percent"], ["percents"]):
        return factor, True
    if any(word in _NO_UNITS or word in _SCALES for word in words):
        return None
    return factor, percent
