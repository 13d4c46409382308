r"""What an answer or a reference says: one thing, or several, each with its unit.

Parts stand between commas, semicolons, "and" and "or" that no bracket holds. A part is a formula, or
one of the forms that a formula's grammar would misread: words, a clock time, a number in another base,
a ratio.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import combinations

from deimos.graders.math.exact import is_number
from deimos.graders.math.limits import find_exceeded_limit
from deimos.graders.math.numerals import with_digits
from deimos.graders.math.syntax import parse
from deimos.graders.math.tex import clean
from deimos.graders.math.tokens import (
    BARE,
    FUNCTIONS,
    SHORT_WORDS,
    Node,
    Unreadable,
    is_word,
    small,
)
from deimos.graders.math.units import DEGREE, Unit, take_apart
from deimos.graders.math.units.compound import find_quantities

_JOINS = re.compile(
    r"[(\[{]|[)\]}]|;|,\s*(?:\\text\{\s*(?:and|or)\s*,?\s*\}|(?:and|or)\b)|\\text\{\s*,?\s*(?P<text>and|or)\s*,?\s*\}"
    r"|(?<![A-Za-z\\])(?P<word>and|or)(?![A-Za-z])|\\(?P<sign>vee|wedge)(?![A-Za-z])|,"
)  # fmt: skip
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?!,?\d)")
_CLOCK = re.compile(
    r"(?:at\s+)?(\d{1,2})(?::([0-5]\d))?(?::([0-5]\d))?\s*(?:([ap])(?:\.?\s?m\b\.?|\b\.{0,2})|(noon|midnight))?",
    re.IGNORECASE,
)
_TEXT_MARKS = re.compile(r"\\text\{|\}")
_BASED = re.compile(
    r"(-?)(?:\\text\{)?(\d[\dA-Z]*(?:\.[\dA-Z]+)?|[A-Z]*\d[\dA-Z]*)\}?\s*_\s*\{?\s*(?:\\text\{\s*)?\(?(\d{1,2}|[a-z]+)\)?\s*\}?\}?"
)
_BASES = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
          "twelve": 12, "sixteen": 16}  # fmt: skip
_LEAD = re.compile(
    r"^\\text\{\s*(?:(?:so|thus|the|final|correct|answer|value|result|total|is|are|equals|exactly|only|just|simply)\b\s*|[:=]\s*){1,8}\}\s*(?=[^\s=])",
    re.IGNORECASE,
)
"""The words of ``\\text{The answer is } 12``."""
_LABEL = re.compile(
    r"^(?:(?:final\s)?(?:answer|result|ans|total|sum|area|volume|perimeter|probability|value|cost|distance)\s*[:=]\s*(?=[^\s=])|(?:\\text\{\s*)?\(?(?-i:[A-E])\)\s*\}?[\s:]*(?=-?[\d$]|-?\\(?:d?frac|sqrt)\b))",
    re.IGNORECASE,
)
"""Before a result: "Answer: 12", or the letter of the option that it is, ``\\textbf{(B)}\\ 12``."""
_NAMED = re.compile(
    r"^(?!(?:\\text\{)?\s*[^:=]{0,30}\b(?:not?|never|wrong|false|incorrect|about|around|approx\w*|roughly|nearly|almost|less|more|fewer|than|least|most|under|over|above|below|between|up|near"
    r"|maybe|perhaps|possibly|probably|bounds?|estimated?|candidates?|rejected|extraneous|invalid|guess\w*|unless|if|either|neither|try|check|problem|question|step|part|case|base|mod\w*)\b)"
    r"(?:\\text\{\s*[A-Za-z][A-Za-z ]{2,30}[:=]\s*\}\s*[:=]?\s*|\\text\{\s*[A-Za-z][A-Za-z ]{2,30}\}\s*[:=]\s*)(?=-?[\\(\[]?\s?[\d$\\])",
    re.IGNORECASE,
)
"""What a result is called in front of it: ``\\text{Area: } 12``."""
_SORT = re.compile(
    r"^(?:\\text\{\s*)?(?:the\s|an?\s)?(?:ordered\s|open\s|closed\s)?(?:points?|pairs?|triples?|intervals?|sets?|coordinates|vectors?|fractions?|numbers?|values?|integers?)"
    r"(?:\s?\})?\s*(?=-?\s?(?:[\d({\[]|\\(?:[dtc]?frac|sqrt|\{|left)))",
    re.IGNORECASE,
)
"""What sort of thing a result is, in front of it: "the point (1, 2)"."""
_UNREAD = re.compile(r"\\(?:int|iint|iiint|oint|lim|limsup|liminf)(?![A-Za-z])")
"""What begins an equation whose left side is not read, only its result."""
_DATE = re.compile(
    r"(?:\\text\{)?\s*(?:on\s)?(?:January|February|March|April|May|June|July|August|September|October|November|December)(?:\s|\s?\}\s?)\d{1,2}"
    r"(?:st|nd|rd|th)?(?:,?\s\d{4})?\s*\}?"
)
_ONE_TEXT = re.compile(r"\(?\\text\{([^{}]*)\}\)?")
_SAID_TWICE = re.compile(r"\s*\(-?[\d,]+\)$")
_BARE_WORDS = re.compile(r"\(?[A-Za-z][A-Za-z'’.\- ]*\)?")


_BEFORE_PLACE = re.compile(r"^the\s+(?=\d+\W*(?:\\text\W*)?(?:st|nd|rd|th)\b)", re.IGNORECASE)
"""The article of "the 3rd"."""
_SPELLED = FUNCTIONS | set(BARE)
"""Functions and constants that are written without a backslash."""


@dataclass(frozen=True, slots=True)
class Element:
    """One thing that is said: a node, words, a clock time, digits in a base or a ratio, or unreadable."""

    text: str
    node: Node | None = None
    unit: Unit | None = None
    percent: bool = False
    words: tuple[str, ...] | None = None
    clock: tuple[int, int, int, str] | None = None
    """Hour, minute, second as written, and "a", "p" or "" (no half of the day is named)."""
    based: tuple[str, int] | None = None
    """Digits and base."""
    ratio: tuple[Node, ...] | None = None
    quantities: tuple[Element, ...] = ()
    """Of ``2 hours 15 minutes``: both, each in its own unit."""
    trouble: str = ""
    """Why it cannot be read."""


@dataclass(frozen=True, slots=True)
class Reading:
    """An expression's parts, and what joins them: "", ",", "and" or "or"."""

    text: str
    parts: tuple[Element, ...]
    joined: str = ""
    joints: tuple[str, ...] = ()
    """All joints in order if "and" and "or" stand side by side, so that it matters which stands where."""

    @property
    def trouble(self) -> str:
        """Why some part cannot be read; "" if all can."""
        return next((part.trouble for part in self.parts if part.trouble), "")


@lru_cache(maxsize=512)
def read(expression: str) -> Reading:
    """Read an expression; parts that cannot be read say so themselves."""
    text = _SORT.sub("", _NAMED.sub("", _LABEL.sub("", _LEAD.sub("", clean(expression)))))
    if limit := find_exceeded_limit(text):
        return Reading(text, (Element(text, trouble=f"it has {limit}"),))
    if quantities := _read_quantities(text):
        return quantities
    pieces, joined = split(text)
    if len(pieces) > 1 and _is_one_phrase(text, pieces):
        pieces, joined = [text], ""
    parts = [_read_part(piece) for piece in pieces]
    if len(parts) > 1 and all(part.words is not None for part in parts):
        words = tuple(word for part in parts for word in part.words or ())
        parts, joined = [Element(text, words=words)], ""
    both = _joints(text) if joined == "or" else ()
    return Reading(
        text, tuple(_share_unit(parts)), joined, both if {"and", "or"} <= {*both} else ()
    )


def _read_quantities(text: str) -> Reading | None:
    """Numbers with a unit each: one thing if the units differ, a list if not; None for another text."""
    pairs, parted = find_quantities(text)
    parts = tuple(_read_formula(f"{number}\\text{{ {words}}}") for number, words in pairs)
    units = [part.unit for part in parts if part.node is not None and is_number(part.node)]
    if not parts or len(units) < len(parts):
        return None
    if not all(unit and (unit.known or unit.things) for unit in units):
        return None
    if all(a and a.differs(b) for a, b in combinations(units, 2)):
        return Reading(text, (Element(text, quantities=parts),))
    return Reading(text, parts, "and") if parted else None


def _is_one_phrase(text: str, pieces: list[str]) -> bool:
    """Whether words belong together, as in "one hundred and five", and are no list of numbers ("two and five")."""
    if _spelled_number(text):
        return True
    return _words_of(text) is not None and not all(map(_spelled_number, pieces))


def _spelled_number(text: str) -> str:
    """A number in words, and what is counted behind it, in digits; "" if the text is something else."""
    whole = _ONE_TEXT.fullmatch(text)
    if whole is None and not _BARE_WORDS.fullmatch(_SAID_TWICE.sub("", text)):
        return ""
    return with_digits((whole[1] if whole else text).strip(" .!"))


def split(text: str) -> tuple[list[str], str]:
    """The pieces between joints outside brackets, and the strongest joint: "or", "and", "," or ""."""
    pieces: list[str] = []
    joined, start = "", 0
    for begin, end, word in _joints_in(text):
        joined = max(joined, word, key=["", ",", "and", "or"].index)
        pieces.append(text[start:begin].strip())
        start = end
    pieces.append(text[start:].strip())
    pieces = [piece for piece in pieces if piece]
    return (pieces, joined) if len(pieces) > 1 else ([text], "")


def _joints(text: str) -> tuple[str, ...]:
    return tuple(word for _, _, word in _joints_in(text))


def _joints_in(text: str) -> Iterator[tuple[int, int, str]]:
    """Where each joint outside brackets begins and ends, and which it is."""
    depth = 0
    grouped = {
        m.start() + i for m in _THOUSANDS.finditer(text) for i, c in enumerate(m[0]) if c == ","
    }
    for match in _JOINS.finditer(text):
        sign = match[0]
        if sign in "([{":
            depth += 1
        elif sign in ")]}":
            depth -= 1
        elif depth == 0 and match.start() not in grouped:
            word = (
                match["text"]
                or match["word"]
                or {"vee": "or", "wedge": "and"}.get(match["sign"] or "", "")
            )
            word = word or ("or" if "or" in sign else "and" if "and" in sign else ",")
            yield match.start(), match.end(), word


def _share_unit(parts: list[Element]) -> list[Element]:
    """``3, 4 cm``: the last unit is everybody's, if the others have none."""
    last = parts[-1].unit
    if last is None or any(part.unit is not None or part.node is None for part in parts[:-1]):
        return parts
    return [replace(part, unit=last) for part in parts]


def _read_part(text: str) -> Element:
    clock = _CLOCK.fullmatch(_TEXT_MARKS.sub(" ", text).strip())
    # "4:30p" is a time, "3a" a product.
    named = clock and (clock[2] or clock[5] or (clock[4] and "m" in clock[0].lower()))
    if clock and named and int(clock[1]) < 25:
        half = "a" if clock[5] == "midnight" else "p" if clock[5] else (clock[4] or "").lower()
        return Element(text, clock=(int(clock[1]), int(clock[2] or 0), int(clock[3] or 0), half))
    if (based := _read_based(text)) is not None:
        return Element(text, based=based)
    if spelled := _spelled_number(text):
        return _read_formula(spelled)
    if (words := _words_of(text)) is not None:
        return Element(text, words=words)
    if ":" in text and (ratio := _read_ratio(text)) is not None:
        return Element(text, ratio=ratio)
    return _read_formula(text)


def _read_based(text: str) -> tuple[str, int] | None:
    match = _BASED.fullmatch(text)
    if match is None:
        return None
    base = _BASES.get(match[3], int(match[3]) if match[3].isdigit() else 0)
    digits = match[2].lstrip("0") or "0"
    highest = max((int(d, 36) for d in digits if d != "."), default=0)
    return (match[1] + digits, base) if highest < base <= 36 else None


def _words_of(text: str) -> tuple[str, ...] | None:
    """The words of an expression that is no formula, each in small letters, without punctuation."""
    if _DATE.fullmatch(text):
        plain = re.sub(r"\\text|(?<=\d)(?:st|nd|rd|th)\b|\bon\b", "", text)
        return (" ".join(re.findall(r"[a-z]+|\d+", plain.casefold())),)
    inner = (
        text.replace("\\text", "").replace("{", "").replace("}", "") if "\\text" in text else text
    )
    whole = _ONE_TEXT.fullmatch(text)
    if whole is None and not (_BARE_WORDS.fullmatch(inner) and _is_wording(inner)):
        return None
    inner = whole[1] if whole else inner
    if "=" in inner or (whole and re.fullmatch(r"\s*[-+$]?[\d.,/]+\s*", inner)):
        return None
    pieces = re.split(r"[,;]|\band\b|&", inner)
    words = tuple(small(w) for p in pieces if (w := " ".join(re.sub(r"[().!?\"]", " ", p).split())))
    return words or None


def _is_wording(text: str) -> bool:
    """Whether bare letters are words: a name in capitals, a word of English, or several words."""
    runs = re.findall(r"[A-Za-z]+", text)
    if len(runs) == 1:
        run = runs[0]
        return (
            (is_word(run) and run.lower() not in _SPELLED)
            or (len(run) > 1 and run.isupper())
            or run.lower() in SHORT_WORDS
        )
    if " " not in text.strip() and not any(map(is_word, runs)):
        return False  # a difference of products
    return any(len(run) > 2 for run in runs) and not _SPELLED & {run.lower() for run in runs}


def _read_ratio(text: str) -> tuple[Node, ...] | None:
    if any(sign in text for sign in "{[|") and "\\frac" not in text and "\\sqrt" not in text:
        return None
    try:
        parts = tuple(parse(piece) for piece in text.split(":"))
    except Unreadable:
        return None
    plain = all(is_number(part) or part.kind == "symbol" for part in parts)
    return parts if len(parts) > 1 and plain else None


def _read_formula(text: str) -> Element:
    text = _BEFORE_PLACE.sub("", re.sub(r"^\\approx\s*(?=-?\d*\.\d)", "", text)).strip()
    quantity = take_apart(text)
    body, unit, percent = quantity.body, quantity.unit, quantity.percent
    try:
        node = parse(body)
    except Unreadable as e:
        _, equals, result = body.rpartition("=")
        if equals and result.strip() and _UNREAD.match(body):
            return _read_formula(result.strip())
        return Element(text, trouble=str(e))
    if node.kind == "percent":
        node, percent = node.parts[0], True
    node, degrees = without_degrees(node)
    unit = unit or (DEGREE if degrees else None)
    if quantity.factor != 1:
        node = _times(node, quantity.factor)
    return Element(text, node, unit, percent)


def without_degrees(node: Node) -> tuple[Node, bool]:
    """The formula without a degree sign at its end, and whether there was one.

    Beside a number the sign is a unit; inside a formula it is a factor of pi/180.
    """
    if node.kind == "degrees":
        return node.parts[0], True
    if _holds_several(node):
        pairs = [without_degrees(part) for part in node.parts]
        found = any(degrees for _, degrees in pairs)
        if found and all(degrees or _needs_none(part) for part, degrees in pairs):
            return replace(node, parts=tuple(part for part, _ in pairs)), True
        return node, False
    if node.kind in ("relation", "product", "negative"):
        last, found = without_degrees(node.parts[-1])
        return replace(node, parts=(*node.parts[:-1], last)), found
    return node, False


def _holds_several(node: Node) -> bool:
    """Whether it is an interval, a union of some, or a chain of inequalities."""
    inequality = node.kind == "relation" and set(node.data) <= {"<", "<=", ">", ">=", "!="}
    return inequality or node.kind in ("tuple", "union")


def _needs_none(node: Node) -> bool:
    """Whether an angle needs no degree sign there: 0, a letter, infinity."""
    if node.kind == "negative":
        node = node.parts[0]
    nothing = node.kind == "number" and not node.data
    return nothing or node.kind == "symbol" or node.data == "infinity"


def _times(node: Node, factor: int) -> Node:
    """The formula, or what it sets its name to, times a scale word's number."""
    if node.kind == "relation":
        return replace(node, parts=(*node.parts[:-1], _times(node.parts[-1], factor)))
    if node.kind == "number":
        return replace(node, data=node.data * factor)
    return Node("product", (node, Node("number", (), Fraction(factor))))
