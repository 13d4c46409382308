r"""Whether an answer says the same as a reference.

Lists have no order, tuples have; a set is no tuple; a variable's name, or a unit, may be missing on one
side, but two different ones differ. Numbers are equal if their values are, to every digit; with
``settled`` an answer to a plain number must also be written as a result (``settled.py``).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from fractions import Fraction

from deimos.graders.math.exact import Point, Undefined, bounds, is_number
from deimos.graders.math.forms import (
    lacks,
    same_digits,
    same_place,
    same_time,
    same_words,
    with_letter_unit,
)
from deimos.graders.math.names import (
    are_of_others,
    drop_names,
    group_names,
    has_stray_name,
    names_of,
    split_names,
    with_one_parameter,
    with_sorted_letters,
)
from deimos.graders.math.reading import Element, Reading, read
from deimos.graders.math.regions import INFINITY, RealInterval, Region, region_of
from deimos.graders.math.relations import assignment, is_name, one_case, results, same_relations
from deimos.graders.math.settled import has_like_terms, is_settled
from deimos.graders.math.shapes import (
    are_numbered_alike,
    as_words,
    expand_signs,
    has_signs,
    regroup,
    shape_of,
)
from deimos.graders.math.tokens import Node, Unreadable, word_set
from deimos.graders.math.units import DEGREE
from deimos.graders.math.values import agree, approximate

_RUN = re.compile(r"[A-Za-z]{2,}")
MOST_PARTS = 60
"""Longer lists are compared in order."""
_LOOSE_SPACE = re.compile(r"(?<![A-Za-z0-9])\s+|\s+(?![A-Za-z0-9])")


def spelling(expression: str) -> str:
    """A cleaned expression without blanks that mean nothing."""
    return _LOOSE_SPACE.sub("", read(expression).text)


def same(expected: str, other: str, settled: bool = True) -> bool:
    """Whether the second expression says what the first says.

    Args:
        expected: the reference.
        other: the answer's final expression.
        settled: an answer to a plain number must be a number in a settled form.

    Raises:
        Unreadable: the reference cannot be read, and the answer is not spelled like it.
    """
    if (text := spelling(expected)) and text == spelling(other):
        return True
    reference, answer = read(expected), read(other)
    if reference.trouble:
        raise Unreadable(reference.trouble)
    if answer.trouble:
        return False
    try:
        return _Comparison(settled).readings(reference, answer)
    except Unreadable:
        for element in reference.parts:
            _work_out(element.node)
        return False  # the answer is what cannot be worked out


def _work_out(node: Node | None) -> None:
    """Work out all values of a formula; Unreadable if that is not possible."""
    if node is None:
        return
    if node.kind == "relation" or node.kind == "plus_minus" or node.kind in _COLLECTIONS:
        for part in node.parts:
            _work_out(part)
    elif has_signs(node):
        for chosen in expand_signs(node)[1:]:
            _work_out(chosen)
    elif not _infinite(node):
        with contextlib.suppress(Undefined):
            approximate(node, Point(0, bounds(node)))


class _Comparison:
    """One comparison; the reference always comes first."""

    def __init__(self, settled: bool) -> None:
        self.settled = settled

    def readings(self, reference: Reading, answer: Reading) -> bool:
        reference, answer = with_one_parameter(*regroup(reference, answer))
        regions = region_of(reference), region_of(answer)
        if regions[0] is not None and regions[1] is not None and _are_regions(reference, answer):
            if any(map(_differ_in_kind, reference.parts, answer.parts)):
                return False
            return self.regions(regions[0], regions[1])
        if reference.joints or answer.joints:
            alike = reference.joints == answer.joints and len(reference.parts) == len(answer.parts)
            return alike and self.in_order(reference.parts, answer.parts)
        if _joined_otherwise(reference, answer):
            return False
        if regions[0] is not None and regions[0].from_inequality and _has_inequality(answer):
            return False  # the reference is solved, the answer is not
        inequalities = _has_inequality(reference) and _has_inequality(answer)
        if (
            inequalities
            and reference.joined != answer.joined
            and "or" in (reference.joined, answer.joined)
        ):
            return False
        forms = answer.joined == "or" and len(reference.parts) == 1  # "3/4 or 0.75"
        if forms and all(self.parts(reference.parts[0], part) for part in answer.parts):
            return True
        if are_of_others(reference, answer):
            return False
        shapes = shape_of(group_names(reference)), shape_of(group_names(answer))
        return self.shapes(shapes[0], shapes[1])

    def shapes(
        self, reference: tuple[str, list[Element]], answer: tuple[str, list[Element]]
    ) -> bool:
        kinds = reference[0], answer[0]
        ours, theirs = reference[1], answer[1]
        if kinds == ("one", "one"):
            return self.parts(ours[0], theirs[0])
        if "one" in kinds:
            return (
                set(kinds) == {"one", "set"}
                and len(ours) == len(theirs)
                and self.parts(ours[0], theirs[0])
                and "empty" not in (ours[0].node and ours[0].node.kind, ours[0].words)
            )
        if len(ours) != len(theirs):
            return False
        names = [names_of(parts) for parts in (ours, theirs)]
        if any(kind.startswith("tuple") for kind in kinds):
            if all(len(set(each)) > 1 for each in names):
                return self.in_any_order(ours, theirs)
            if has_stray_name(theirs):
                return False
            round_or_same = (
                kinds[0] == kinds[1]
                or set(kinds) == {"list", "tuple()"}
                or set(kinds) == {"tuple()", "tuple|"}
            )
            return round_or_same and self.in_order(*drop_names(ours, theirs))
        if are_numbered_alike(*names) and (names[0] or reference[0] == "set"):
            return self.in_any_order(*drop_names(ours, theirs))
        if all(names) and len(ours) <= MOST_PARTS:
            return self.in_any_order(ours, theirs)
        mixed = [set(name) if name else set[str]() for name in names]
        if kinds[1] == "set" and len(mixed[0]) > 1:
            return False  # which is which?
        if (len(mixed[0]) > 1) is not (len(mixed[1]) > 1):
            return self.in_order(*drop_names(ours, theirs))
        ours, theirs = drop_names(ours, theirs)
        return (self.in_any_order if len(ours) <= MOST_PARTS else self.in_order)(ours, theirs)

    def in_order(self, ours: Sequence[Element], theirs: Sequence[Element]) -> bool:
        return all(self.parts(a, b) for a, b in zip(ours, theirs))

    def in_any_order(self, ours: Sequence[Element], theirs: Sequence[Element]) -> bool:
        rest = list(theirs)
        for part in ours:
            match = next((other for other in rest if self.parts(part, other)), None)
            if match is None:
                return False
            rest.remove(match)
        return True

    def parts(self, reference: Element, answer: Element) -> bool:
        """Two single things."""
        if (missing := lacks(reference)) and missing == lacks(answer):
            return True
        if reference.words is not None or answer.words is not None:
            alike = same_words(as_words(reference), as_words(answer))
            return alike or same_place(reference, answer)
        if reference.quantities or answer.quantities:
            alike = len(reference.quantities) == len(answer.quantities)
            return alike and self.in_any_order(reference.quantities, answer.quantities)
        if reference.clock is not None or answer.clock is not None:
            return same_time(reference, answer)
        if reference.based is not None or answer.based is not None:
            return same_digits(reference, answer)
        if reference.ratio is not None or answer.ratio is not None:
            return self.ratios(reference, answer)
        if reference.unit is not None and reference.unit.differs(answer.unit):
            return False
        if reference.node is None or answer.node is None or _differ_in_kind(reference, answer):
            return False
        if _RUN.fullmatch(reference.text) and _RUN.fullmatch(answer.text):
            return agree(reference.node, answer.node)  # products of letters, each in its own case
        if self.nodes(reference.node, answer.node, reference.percent - answer.percent):
            return True
        pair = with_letter_unit(reference, answer)
        return pair is not None and self.nodes(*pair)

    def ratios(self, reference: Element, answer: Element) -> bool:
        """``6:2`` is ``3:1``; only a reference may be a ratio where the answer is a fraction."""
        if reference.ratio is None:
            return False
        if answer.ratio is None:
            quotient = (
                answer.node is not None
                and answer.node.kind == "quotient"
                and len(reference.ratio) == 2
            )
            return (
                quotient
                and answer.node is not None
                and self.numbers(Node("quotient", reference.ratio), answer.node)
            )
        if len(reference.ratio) != len(answer.ratio):
            return False
        if self.settled and not all(map(is_settled, answer.ratio, reference.ratio)):
            return False
        first = reference.ratio[0], answer.ratio[0]
        return all(
            agree(Node("product", (a, first[1])), Node("product", (b, first[0])))
            for a, b in zip(reference.ratio[1:], answer.ratio[1:])
        )

    def regions(self, reference: Region, answer: Region) -> bool:
        if self.settled and answer.unsolved and not reference.unsolved:
            return False
        names = {reference.name.lower(), answer.name.lower()} - {""}
        if len(names) > 1 or len(reference.intervals) != len(answer.intervals):
            return False
        return all(self.intervals(a, b) for a, b in zip(reference.intervals, answer.intervals))

    def intervals(self, one: RealInterval, other: RealInterval) -> bool:
        ends = (one.holds_low, one.holds_high) == (other.holds_low, other.holds_high)
        return ends and self.nodes(one.low, other.low) and self.nodes(one.high, other.high)

    def nodes(self, reference: Node, answer: Node, percent: int = 0) -> bool:
        """Two formulas; ``percent``: 1 (the first) or -1 is a percentage: 20% is 20 as well as 1/5."""
        if reference == answer:
            return True
        if reference.kind == "relation" or answer.kind == "relation":
            return self.relations(reference, answer, percent)
        if "plus_minus" in (reference.kind, answer.kind):
            return self.signs(reference, answer)
        if reference.kind in _COLLECTIONS or answer.kind in _COLLECTIONS:
            return self.collections(reference, answer)
        if has_signs(reference) or has_signs(answer):
            return self.signs(reference, answer)
        return self.numbers(reference, answer) or (
            percent != 0 and self.percentages(reference, answer, percent)
        )

    def percentages(self, reference: Node, answer: Node, percent: int) -> bool:
        """Whether the side without a sign is a hundredth of the percentage."""
        if self.settled and not is_settled(answer, reference):
            return False
        hundred = Node("number", (), Fraction(100))
        if percent > 0:
            return agree(reference, Node("product", (hundred, answer)))
        return agree(Node("product", (hundred, reference)), answer)

    def numbers(self, reference: Node, answer: Node) -> bool:
        """Two values, with letters or without."""
        if is_number(reference):
            if not is_number(answer) or (self.settled and not is_settled(answer, reference)):
                return False
            if _infinite(reference) or _infinite(answer):
                return False  # equal ones are equal trees
            return agree(reference, answer)
        if self.settled and has_like_terms(answer) and not has_like_terms(reference):
            return False
        reference, answer = one_case(reference, answer)
        return reference == answer or agree(reference, answer)

    def collections(self, reference: Node, answer: Node) -> bool:
        if reference.kind != answer.kind or reference.data != answer.data:
            return _is_column(reference, answer) and self.all_nodes(reference.parts, answer.parts)
        if len(reference.parts) != len(answer.parts) or reference.kind == "builder":
            return False
        if reference.kind in ("set", "union", "intersection"):
            ours, theirs = (
                [Element("", node) for node in node.parts] for node in (reference, answer)
            )
            return self.in_any_order(ours, theirs)
        return self.all_nodes(reference.parts, answer.parts)

    def all_nodes(self, ours: Iterable[Node], theirs: Iterable[Node]) -> bool:
        return all(self.nodes(a, b) for a, b in zip(ours, theirs))

    def signs(self, reference: Node, answer: Node) -> bool:
        r"""Formulas with ``\pm``: the same values for the same signs."""
        ours, theirs = (expand_signs(node) for node in (reference, answer))
        if len(ours) != len(theirs) or len(ours) == 1:
            return False  # not the same, or too many signs to set
        return self.in_any_order(
            [Element("", node) for node in ours], [Element("", node) for node in theirs]
        )

    def relations(self, reference: Node, answer: Node, percent: int) -> bool:
        named = split_names(reference), split_names(answer)
        if all(named):
            ours, theirs = ([Element("", node) for node in equations] for equations in named)
            return len(ours) == len(theirs) and self.in_any_order(ours, theirs)
        reference, answer = with_sorted_letters(reference), with_sorted_letters(answer)
        if reference.kind != "relation":
            return any(self.nodes(reference, value, percent) for value in results(answer))
        if answer.kind != "relation":
            is_named = reference.data == ("=",) and is_name(reference.parts[0])
            values = results(reference) if is_named or "~" in reference.data else []
            return any(self.nodes(value, answer, percent) for value in values)
        ours, theirs = assignment(reference), assignment(answer)
        if ours is not None and theirs is not None:
            folded = one_case(ours[0], theirs[0])
            if folded[0] == folded[1] or agree(*folded):
                return self.nodes(ours[1], theirs[1], percent)
            if is_number(ours[1]):
                return False
        elif ours is not None and is_number(ours[1]):
            return False  # the reference is solved, the answer is not
        return same_relations(reference, answer)


def _joined_otherwise(reference: Reading, answer: Reading) -> bool:
    """Whether one joins statements by "and", the other by "or"; for values of one thing both list them."""
    if {reference.joined, answer.joined} != {"and", "or"}:
        return False
    parts = [part.node for part in (*reference.parts, *answer.parts) if part.node is not None]
    names = [
        repr(node.parts[0]) for node in parts if node.kind == "relation" and node.data == ("=",)
    ]
    others = any(
        node.kind == "symbol" or (node.kind == "relation" and node.data != ("=",)) for node in parts
    )
    return others or len(set(names)) > 1


def _differ_in_kind(reference: Element, answer: Element) -> bool:
    r"""Whether a percentage meets a quantity with a unit, or radians (``\pi/6``) meet degrees or percent."""
    if reference.percent is not answer.percent and (reference.unit or answer.unit):
        return True
    plain = reference.unit is None and not reference.percent
    return plain and (answer.percent or answer.unit == DEGREE) and _has_pi(reference.node)


def _has_pi(node: Node | None) -> bool:
    return node is not None and (
        (node.kind == "constant" and node.data == "pi") or any(map(_has_pi, node.parts))
    )


_COLLECTIONS = word_set("tuple set builder union intersection difference matrix numbers empty dots")


def _are_regions(reference: Reading, answer: Reading) -> bool:
    """Whether to compare as sets of numbers: not where both are written as pairs."""
    pairs = [
        len(r.parts) == 1 and (n := r.parts[0].node) is not None and n.kind in ("tuple", "set")
        for r in (reference, answer)
    ]
    return not all(pairs)


def _has_inequality(reading: Reading) -> bool:
    return any(
        part.node is not None
        and part.node.kind == "relation"
        and not set(part.node.data) <= {"=", "~", "in"}
        for part in reading.parts
    )


def _infinite(node: Node) -> bool:
    return node == INFINITY or any(map(_infinite, node.parts))


def _is_column(one: Node, other: Node) -> bool:
    """Whether a tuple meets a column of a matrix of as many numbers."""
    if {one.kind, other.kind} != {"tuple", "matrix"} or len(one.parts) != len(other.parts):
        return False
    matrix, brackets = (one, other.data) if one.kind == "matrix" else (other, one.data)
    return matrix.data[1] == 1 and brackets == ("(", ")")
