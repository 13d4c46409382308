r"""Forms that are no formulas: words, places, clock times, numbers in a base, units typed like letters."""

from __future__ import annotations

import re

from deimos.graders.math.exact import exact_number
from deimos.graders.math.numerals import ORDINAL_FIGURE, ordinal_of
from deimos.graders.math.reading import Element, read
from deimos.graders.math.tokens import Node
from deimos.graders.math.units import letter_unit


def same_words(ours: tuple[str, ...] | None, theirs: tuple[str, ...] | None) -> bool:
    """The same words in the same order; labels of one letter in any order."""
    if ours is None or theirs is None:
        return False
    labels = all(len(word) == 1 for word in ours)
    return sorted(ours) == sorted(theirs) if labels else ours == theirs


_NOTHING = re.compile(
    r"(?:there (?:is|are|exists?) |(?:the |this )?(?:equation|system|inequality|problem) has |it has )?"
    r"(?:no (?:real )?(?:solutions?|roots?|such \w+)(?: exists?)?|none)|(?:it is )?(?:the |an )?(?:empty|null) set|empty"
)
_NO_VALUE = re.compile(
    r"dne|(?:(?:the |this )?(?:limit|value|sum|integral|function|expression|inverse|maximum|minimum|derivative) |it )?"
    r"(?:(?:does not|doesn[’']t) exist|(?:is )?(?:undefined|not defined))"
)


def lacks(element: Element) -> str:
    r"""What an answer says that there is not: "solution" (``\emptyset``, "no real solutions") or "value" ("DNE"); or ""."""
    if element.node is not None and element.node.kind == "empty":
        return "solution"
    said = " ".join(element.words or ()).lower()
    return "solution" if _NOTHING.fullmatch(said) else "value" if _NO_VALUE.fullmatch(said) else ""


def same_place(reference: Element, answer: Element) -> bool:
    """Two places, one of them at least in words: "third" is ``3rd``, and where it is asked for, 3."""
    places = [ordinal_of(" ".join(one.words or ())) for one in (reference, answer)]
    if places[0] is None and places[1] is None:
        return False
    if places[0] is None and not ORDINAL_FIGURE.fullmatch(reference.text):
        return False  # how many: "third" is no answer to that
    figures = [None if one.node is None else exact_number(one.node) for one in (reference, answer)]
    ours, theirs = (place or figure for place, figure in zip(places, figures))
    return ours is not None and ours == theirs


def same_time(reference: Element, answer: Element) -> bool:
    """Two times of day; one in words of twelve hours must say which half, if the reference does."""
    if reference.clock is None or answer.clock is None:
        return False
    times = [reference.clock, answer.clock]
    if times[0] == times[1]:
        return True
    if reference.clock[3] and not answer.clock[3] and answer.clock[0] <= 12:
        return False  # which half of the day is part of the answer
    return _seconds(times[0]) == _seconds(times[1])


def _seconds(clock: tuple[int, int, int, str]) -> int:
    hour, minute, second, half = clock
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    return (hour * 60 + minute) * 60 + second


def same_digits(reference: Element, answer: Element) -> bool:
    """Numbers in a base: the same digits; a reference without a base is in base ten."""
    ours = reference.based or (reference.text.lstrip("0"), 10)
    if answer.based is None:
        return ours[0] == answer.text.replace(" ", "")
    return ours == answer.based


def with_letter_unit(reference: Element, answer: Element) -> tuple[Node, Node] | None:
    """Both numbers, if one side's unit is typed like a variable (``3 m`` for three metres)."""
    for one, other in ((reference, answer), (answer, reference)):
        if one.unit is None or not one.unit.known or other.unit is not None or one.node is None:
            continue
        number = letter_unit(other.text, one.unit)
        node = read(number).parts[0].node if number is not None else None
        if node is not None:
            return (one.node, node) if one is reference else (node, one.node)
    return None
