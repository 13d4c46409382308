r"""Forms that are no formulas: words, clock times, numbers in a base, units typed like letters."""

from __future__ import annotations

from deimos.graders.math.reading import Element, read
from deimos.graders.math.tokens import Node
from deimos.graders.math.units import letter_unit


def same_words(ours: tuple[str, ...] | None, theirs: tuple[str, ...] | None) -> bool:
    """The same words in the same order; labels of one letter in any order."""
    if ours is None or theirs is None:
        return False
    labels = all(len(word) == 1 for word in ours)
    return sorted(ours) == sorted(theirs) if labels else ours == theirs


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
