r"""Sets of real numbers: intervals, their unions, and the inequalities that describe them.

``x > 5``, ``(5, \infty)`` and ``\{x : x > 5\}`` are one region. Only inequalities that are solved for one
letter are read, or for its absolute value; ``x^2 < 4`` is none. ``|x-3| < 2`` is a region with something
left to solve: as an answer it repeats the task.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deimos.graders.math.exact import Point, Undefined, is_number
from deimos.graders.math.reading import Reading, read
from deimos.graders.math.tokens import Node, Unreadable
from deimos.graders.math.values import approximate

_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}
_UPRIGHT = re.compile(r"\\text\{([^{}]*)\}")
_EXCEPT = re.compile(
    r"(?:[a-z] (?:is|can be|may be) )?(?:(?:(?:all|any|every|the) )?(?:set of )?(?:all )?reals?(?: numbers?| values?)?(?: of)?(?: [a-z])?|\\mathbb ?\{R\})"
    r",? (?:except|excluding|other than|but not|besides|apart from)(?: for| when| at)? (?P<numbers>(?:[^A-Za-z]|(?<![A-Za-z])and(?![A-Za-z])){1,60}|[a-z] ?= ?.{1,60})",
    re.IGNORECASE,
)
"""All real numbers except 1 and 2."""
_ALL_REALS = frozenset(
    [
        "set of all real numbers",
        "the set of all real numbers",
        "set of real numbers",
        "the set of real numbers",
        "any real number",
        "every real number",
        "all real numbers",
        "all reals",
        "real numbers",
        "the real numbers",
        "all real x",
        "reals",
    ]
)
INFINITY = Node("constant", (), "infinity")
MINUS_INFINITY = Node("negative", (INFINITY,))


@dataclass(frozen=True, slots=True)
class RealInterval:
    """From ``low`` to ``high``, with their values; an end is in it if ``holds`` says so."""

    low: Node
    high: Node
    low_value: Any
    high_value: Any
    holds_low: bool
    holds_high: bool


@dataclass(frozen=True, slots=True)
class Region:
    """Disjoint intervals in order, and the letter that they were given for ("" if none)."""

    intervals: tuple[RealInterval, ...]
    name: str = ""
    from_inequality: bool = False
    """Whether it was written with inequality signs, or with brackets."""
    unsolved: bool = False
    """Whether its ends have still to be worked out."""


class _NoRegion(Exception):
    pass


def region_of(reading: Reading) -> Region | None:
    """The region that an expression describes; None if it is no such expression."""
    if len(reading.parts) == 1 and reading.parts[0].words is not None:
        words = " ".join(reading.parts[0].words)
        if words in _ALL_REALS:
            return _everything()
    if excepted := _EXCEPT.fullmatch(" ".join(_UPRIGHT.sub(r" \1 ", reading.text).split())):
        nodes = [part.node for part in read(excepted["numbers"]).parts]
        return _without(nodes)
    nodes = [part.node for part in reading.parts if part.node is not None]
    if len(nodes) < len(reading.parts):
        return None
    nodes = _spread(nodes) if reading.joined != "or" else nodes
    nodes = [node for node in nodes if not _says_real(node)] or nodes
    try:
        if len(nodes) == 1:
            return _region(nodes[0])
        regions = [_listed_region(node) for node in nodes]
        if not any(region.from_inequality for region in regions):
            return None
        return _joined(regions, reading.joined)
    except (_NoRegion, Undefined, Unreadable):
        return None


def _without(nodes: Sequence[Node | None]) -> Region | None:
    """All numbers besides these."""
    try:
        points = [_single(_value_named(node)) for node in nodes if node is not None]
        return _complement(_fold(points, _unite)) if len(points) == len(nodes) else None
    except (_NoRegion, Undefined, Unreadable):
        return None


def _value_named(node: Node) -> Node:
    """The 2 of ``x = 2``; a number itself."""
    named = node.kind == "relation" and node.data == ("=",) and node.parts[0].kind == "symbol"
    return node.parts[1] if named else node


def _spread(nodes: Sequence[Node]) -> list[Node]:
    r"""What ``x \ne 1, 2`` says of both numbers, as a relation each."""
    spread: list[Node] = []
    for node in nodes:
        last = spread[-1] if spread else node
        unequal = (
            last.kind == "relation" and last.data == ("!=",) and last.parts[0].kind == "symbol"
        )
        if unequal and is_number(node):
            node = replace(last, parts=(last.parts[0], node))
        spread.append(node)
    return spread


def _says_real(node: Node) -> bool:
    """Whether it only says that a letter is a real number."""
    return node.kind == "relation" and node.data == ("in",) and _is_reals(node.parts[1])


def _is_reals(node: Node) -> bool:
    return node.kind in ("numbers", "symbol") and node.data == "R"


def _listed_region(node: Node) -> Region:
    """One of several inequalities; an equation beside them is a single point."""
    named = node.kind == "relation" and node.data == ("=",) and node.parts[0].kind == "symbol"
    if named:
        return Region(_single(node.parts[1]).intervals, node.parts[0].data)
    region = _region(node)
    if not region.from_inequality:
        raise _NoRegion
    return region


def _joined(regions: Sequence[Region], joined: str) -> Region:
    """Inequalities side by side: "or" is a union; "and" and a comma mean both, where both can be."""
    both = _fold(regions, _intersect)
    if joined == "or" or (joined == "," and not both.intervals):
        return _fold(regions, _unite)
    return both


def _fold(regions: Sequence[Region], combine: Callable[[Region, Region], Region]) -> Region:
    result = regions[0]
    for region in regions[1:]:
        result = combine(result, region)
    return result


def _region(node: Node) -> Region:
    if node.kind == "relation":
        return _from_relation(node)
    if node.kind == "tuple" and len(node.parts) == 2:
        opening, closing = node.data
        return Region((_interval(*node.parts, opening == "[", closing == "]"),))
    if node.kind == "numbers" and node.data == "R":
        return _everything()
    if node.kind == "empty":
        return Region(())
    if node.kind == "set":
        return _fold([_single(part) for part in node.parts], _unite)
    if node.kind in ("union", "intersection", "difference"):
        first, second = map(_region, node.parts)
        if node.kind == "difference":
            second = _complement(second)
        return (_unite if node.kind == "union" else _intersect)(first, second)
    if node.kind == "builder":
        return _from_builder(node)
    raise _NoRegion


def _from_builder(node: Node) -> Region:
    head, *conditions = node.parts
    conditions = [each for each in _spread(conditions) if not _says_real(each)] or conditions
    regions = [_region(condition) for condition in conditions]
    if head.kind == "relation" and not _says_real(head):
        regions.append(_region(head))
    letter = head.parts[0] if head.kind == "relation" else head
    region = _fold(regions, _intersect)
    if letter.kind != "symbol" or region.name not in ("", letter.data):
        raise _NoRegion
    return Region(region.intervals, "", region.from_inequality)


def _from_relation(node: Node) -> Region:
    if (around := _around(node)) is not None:
        return around
    if node.data == ("in",) and node.parts[0].kind == "symbol":
        region = _region(node.parts[1])
        return Region(region.intervals, node.parts[0].data)
    if node.data == ("notin",) and node.parts[0].kind == "symbol":
        region = _complement(_region(node.parts[1]))
        return Region(region.intervals, node.parts[0].data)
    letters = [i for i, part in enumerate(node.parts) if part.kind == "symbol"]
    if len(letters) != 1 or len(node.parts) > 3 or not set(node.data) <= set(_FLIPPED) - {"="}:
        raise _NoRegion
    at = letters[0]
    name = node.parts[at].data
    regions = []
    for i, other in enumerate(node.parts):
        if i < at and i == at - 1:
            regions.append(_half(_FLIPPED[node.data[i]], other))
        elif i == at + 1:
            regions.append(_half(node.data[at], other))
        elif i != at:
            raise _NoRegion
    region = _fold(regions, _intersect)
    return Region(region.intervals, name, True)


def _around(node: Node) -> Region | None:
    """The region of ``|x| < 2``, or of ``|x - 3| < 2``; None for what is no such inequality."""
    if len(node.parts) != 2 or node.data[0] not in ("<", "<=", ">", ">="):
        return None
    inner, bound, sign = *node.parts, node.data[0]
    if is_number(inner):
        inner, bound, sign = bound, inner, _FLIPPED[sign]
    if (inner.kind, inner.data) != ("function", "abs") or not is_number(bound):
        return None
    name, centre = _name_and_centre(inner.parts[0])
    if _value(bound) < 0 or not name:
        raise _NoRegion
    below, above = _moved(centre, Node("negative", (bound,))), _moved(centre, bound)
    if sign[0] == "<":
        region = _intersect(_half(_FLIPPED[sign], below), _half(sign, above))
    else:
        region = _unite(_half(_FLIPPED[sign], below), _half(sign, above))
    return Region(region.intervals, name, True, centre is not None)


def _name_and_centre(node: Node) -> tuple[str, Node | None]:
    """Letter and centre of ``x - 3`` (3) or ``x`` (None); no letter for other formulas."""
    if node.kind == "symbol":
        return node.data, None
    letters = [part for part in node.parts if part.kind == "symbol"]
    rest = [part for part in node.parts if part.kind != "symbol"]
    if node.kind != "sum" or len(letters) != 1 or not all(map(is_number, rest)):
        return "", None
    return letters[0].data, Node("negative", (Node("sum", tuple(rest)),))


def _moved(centre: Node | None, by: Node) -> Node:
    return by if centre is None else Node("sum", (centre, by))


def _half(sign: str, bound: Node) -> Region:
    if sign in (">", ">="):
        return Region((_interval(bound, INFINITY, sign == ">=", False),), "", True)
    if sign in ("<", "<="):
        return Region((_interval(MINUS_INFINITY, bound, False, sign == "<="),), "", True)
    point = _complement(_single(bound))
    return Region(point.intervals, "", True)


def _everything() -> Region:
    return Region((_interval(MINUS_INFINITY, INFINITY, False, False),))


def _single(node: Node) -> Region:
    return Region((_interval(node, node, True, True),))


def _interval(low: Node, high: Node, holds_low: bool, holds_high: bool) -> RealInterval:
    values = _value(low), _value(high)
    if values[0] > values[1]:
        raise _NoRegion
    return RealInterval(
        low, high, *values, holds_low and low != MINUS_INFINITY, holds_high and high != INFINITY
    )


def _value(node: Node) -> Any:
    import mpmath as mp

    if node in (INFINITY, MINUS_INFINITY):
        return mp.inf if node == INFINITY else -mp.inf
    if not is_number(node):
        raise _NoRegion
    value = approximate(node, Point(0))
    if mp.im(value):
        raise _NoRegion
    return mp.re(value)


def _unite(one: Region, other: Region) -> Region:
    _same_name(one, other)
    ordered = sorted(
        [*one.intervals, *other.intervals], key=lambda i: (i.low_value, not i.holds_low)
    )
    merged: list[RealInterval] = []
    for interval in ordered:
        if merged and _touches(merged[-1], interval):
            merged[-1] = _hull(merged[-1], interval)
        else:
            merged.append(interval)
    return Region(
        tuple(merged), one.name or other.name, one.from_inequality or other.from_inequality
    )


def _touches(left: RealInterval, right: RealInterval) -> bool:
    meets = left.high_value == right.low_value and (left.holds_high or right.holds_low)
    return left.high_value > right.low_value or meets


def _hull(left: RealInterval, right: RealInterval) -> RealInterval:
    if right.high_value > left.high_value:
        high, value, holds = right.high, right.high_value, right.holds_high
    else:
        high, value, holds = left.high, left.high_value, left.holds_high
        holds = holds or (right.high_value == value and right.holds_high)
    low_holds = left.holds_low or (right.low_value == left.low_value and right.holds_low)
    return RealInterval(left.low, high, left.low_value, value, low_holds, holds)


def _intersect(one: Region, other: Region) -> Region:
    _same_name(one, other)
    found = []
    for a in one.intervals:
        for b in other.intervals:
            low = max(a, b, key=lambda i: (i.low_value, not i.holds_low))
            high = min(a, b, key=lambda i: (i.high_value, i.holds_high))
            point = low.low_value == high.high_value and low.holds_low and high.holds_high
            if low.low_value < high.high_value or point:
                found.append(RealInterval(low.low, high.high, low.low_value, high.high_value, low.holds_low, high.holds_high))  # fmt: skip
    return Region(
        tuple(found), one.name or other.name, one.from_inequality or other.from_inequality
    )


def _complement(region: Region) -> Region:
    gaps, low, holds = [], MINUS_INFINITY, False
    for interval in region.intervals:
        if _value(low) < interval.low_value or (holds and not interval.holds_low):
            gaps.append(_interval(low, interval.low, holds, not interval.holds_low))
        low, holds = interval.high, not interval.holds_high
    if low != INFINITY:
        gaps.append(_interval(low, INFINITY, holds, False))
    return Region(tuple(gaps), region.name, region.from_inequality)


def _same_name(one: Region, other: Region) -> None:
    if one.name and other.name and one.name != other.name:
        raise _NoRegion
