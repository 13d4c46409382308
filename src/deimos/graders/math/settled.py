r"""Whether a number is written as a result, not as the sum that leads to it.

Where the reference is a plain number, ``17\cdot 23`` or ``\binom{10}{3}`` only repeats the task. Settled
are: integers, decimals, percentages, one fraction, powers, roots, multiples of them, of \pi, of e, of
i, and sums of such terms that can't be added up any further (``1+\sqrt{2}``, ``3-4i``). Functions
are settled if the reference has one of the same family (``\ln 2`` for ``\log_e 2``). Where the reference is an integer, a fraction that
can be divided out (``\frac{240}{2}``) and a root that can be taken (``\sqrt{14400}``) are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import isqrt
from typing import Any

from deimos.graders.math.exact import exact_number
from deimos.graders.math.tokens import Node, word_set

TRIED_FACTORS = 1000
"""Squares of numbers up to here are taken out of a root to see which roots can be added."""

_FAMILIES = (
    word_set("ln log lg"),
    word_set("sin cos tan cot sec csc"),
)
"""Each of one is as good as the others: ``\\frac{\\ln 3}{\\ln 2}`` for ``\\log_2 3``."""
_ONE = Node("number", (), Fraction(1))
Sort = tuple[Any, ...]
"""What a term is a multiple of: () of one, ``("root", 2, 3)`` of the square root of three…"""


def is_settled(answer: Node, reference: Node) -> bool:
    """Whether the answer is a result; any form is if the reference itself is none."""
    allowed = _functions(reference)
    if not _is_result(reference, allowed):
        return True
    if exact_number(reference) is not None:
        if not _is_rational_result(_unsigned(reference)):
            return True  # 50!/48! is itself to be worked out
        whole = is_integer(reference) and _divides_out(_unsigned(answer))
        return not whole and _is_rational_result(_unsigned(answer))
    return _is_result(answer, allowed)


def is_integer(node: Node) -> bool:
    """Whether it is written as an integer: digits, or a decimal without a fraction, maybe with a sign."""
    node = _unsigned(node)
    return node.kind == "number" and node.data.denominator == 1


def _divides_out(node: Node) -> bool:
    """Whether a fraction's, or a root's, value is an integer; ``120/1`` has nothing to divide."""
    rooted = node.kind == "power" and not is_integer(node.parts[1])
    divided = node.kind == "quotient" and node.parts[1] != _ONE
    if not (rooted or divided or node.kind == "root"):
        return False
    value = exact_number(node)
    return value is None or value.denominator == 1


def has_like_terms(node: Node) -> bool:
    """Whether two terms of a sum are multiples of each other, so that it can be added up: ``3x+2+4x``."""
    if node.kind != "sum":
        return False
    heads = [repr(_head(part)) for part in node.parts]
    return len(set(heads)) < len(heads)


def _head(term: Node) -> list[Node]:
    """A term's factors that are no numbers, in an order of their own."""
    term = _unsigned(term)
    if term.kind == "quotient" and exact_number(term.parts[1]) is not None:
        return _head(term.parts[0])
    factors = term.parts if term.kind == "product" else (term,)
    return sorted((f for f in factors if exact_number(f) is None), key=repr)


def _functions(node: Node) -> frozenset[str]:
    """Functions by name; "below" if a sum stands below a fraction, "nested" if one stands in a root."""
    own = {node.data} if node.kind == "function" else set[str]()
    own = own.union(*(family for family in _FAMILIES if family & own))
    if node.kind in ("factorial", "series", "degrees"):
        own.add(node.kind)
    if node.kind == "quotient" and node.parts[1].kind == "sum":
        own.add("below")
    if _is_plain_power(node):
        own.add("power")
    if node.kind == "root" and exact_number(node.parts[0]) is None:
        own.add("nested")
    return frozenset(own).union(*(_functions(part) for part in node.parts))


def _unsigned(node: Node) -> Node:
    if node.kind == "negative":
        node = node.parts[0]
    return node.parts[0] if node.kind in ("percent", "degrees") else node


def _is_rational_result(node: Node) -> bool:
    r"""One number, fraction, power or root; ``6.5 \times 10^3`` too."""
    if node.kind == "product":
        first, *powers = node.parts
        tens = len(powers) == 1 and powers[0].kind == "power" and powers[0].parts[0].data == 10
        return _unsigned(first).kind == "number" and tens and _is_plain_power(powers[0])
    if node.kind == "quotient":
        return all(_unsigned(part).kind == "number" or _is_plain_power(part) for part in node.parts)
    if node.kind == "root":
        return _is_fraction(node.parts[0]) or _is_plain_power(node.parts[0])
    return node.kind == "number" or _is_plain_power(node)


def _is_fraction(node: Node) -> bool:
    node = _unsigned(node)
    whole = node.kind == "quotient" and all(part.kind == "number" for part in node.parts)
    return node.kind == "number" or whole


def _is_plain_power(node: Node) -> bool:
    return node.kind == "power" and all(map(_is_fraction, node.parts))


def _is_result(node: Node, allowed: frozenset[str]) -> bool:
    node = _unsigned(node)
    if node.kind == "quotient":
        above, below = (_unsigned(part) for part in node.parts)
        fine = _sort(below, allowed) is not None
        fine = fine or ("below" in allowed and _is_sum(below, allowed))
        if above.kind in ("sum", "product") and fine and above.kind == "sum":
            return _is_sum(above, allowed)
        if "below" in allowed and below.kind == "sum":
            return fine and _sort(above, allowed) is not None
    if node.kind == "product" and len(node.parts) == 2:
        factors = sorted(node.parts, key=lambda part: part.kind == "sum")
        if factors[1].kind == "sum":
            return _sort(factors[0], allowed) is not None and _is_sum(factors[1], allowed)
    return _is_sum(node, allowed) if node.kind == "sum" else _sort(node, allowed) is not None


def _is_sum(node: Node, allowed: frozenset[str]) -> bool:
    """Whether all terms are settled and no two can be added."""
    if node.kind != "sum":
        return _sort(node, allowed) is not None
    if any(exact_number(part) == 0 for part in node.parts):
        return False
    sorts = [_sort(part, allowed) for part in node.parts]
    return None not in sorts and len(set(sorts)) == len(sorts)


def _sort(node: Node, allowed: frozenset[str]) -> Sort | None:
    """What a settled term is a multiple of; None if it is not settled."""
    node = _unsigned(node)
    kind = node.kind
    if kind == "number":
        return ()
    if kind == "constant":
        return ((node.data,),)
    if kind == "power":
        return _power_sort(node, allowed)
    if kind == "root":
        return _root_sort(node, allowed)
    if kind == "product":
        return _product_sort(node, allowed)
    if kind == "quotient":
        return _quotient_sort(node, allowed)
    if kind == "function" and node.data in allowed:
        return ((node.data, repr(node.parts)),)
    return ((kind, repr(node.parts)),) if kind in allowed else None


def _power_sort(node: Node, allowed: frozenset[str]) -> Sort | None:
    base, exponent = node.parts
    if _is_plain_power(node):
        return () if exact_number(node) is not None else (("power", repr(node.parts)),)
    if base.kind == "constant" and base.data in ("pi", "e") and _is_result(exponent, allowed):
        return ((base.data, repr(exponent)),)
    if base.kind in ("root", "function") and _is_fraction(exponent) and _sort(base, allowed):
        return (("power", repr(node.parts)),) if base.kind == "function" else None
    return None


def _root_sort(node: Node, allowed: frozenset[str]) -> Sort | None:
    radicand, order = node.parts
    if order.kind != "number":
        return None
    value = exact_number(radicand)
    if value is None:
        nested = "nested" in allowed and _is_result(radicand, allowed)
        return (("nested", repr(node.parts)),) if nested else None
    if not (_is_fraction(radicand) or _is_plain_power(radicand)):
        return None
    if order.data != 2:
        return (("root", order.data, value),)
    rest = _square_free(abs(value.numerator * value.denominator))
    if rest == 1 and abs(value) != 1:
        return None  # a root that can be taken is still to be taken
    imaginary = (("i",),) if value < 0 else ()
    return imaginary if rest == 1 else (("root", 2, rest), *imaginary)


def _square_free(value: int) -> int:
    if isqrt(value) ** 2 == value:
        return 1
    for factor in range(2, TRIED_FACTORS):
        while value % (factor * factor) == 0:
            value //= factor * factor
    return value


def _multiplies_out(factors: Sequence[Node]) -> bool:
    r"""Whether numbers among factors have still to be multiplied: ``1 \cdot \pi``, ``2 \cdot \frac{\pi}{3}``."""
    values = [value for part in factors if (value := exact_number(part)) is not None]
    below = [
        part
        for part in factors
        if part.kind == "quotient" and exact_number(part) is None
        and exact_number(part.parts[1]) is not None
    ]  # fmt: skip
    if any(abs(value) in (0, 1) for value in values):
        return True
    return bool(values and below)


def _product_sort(node: Node, allowed: frozenset[str]) -> Sort | None:
    if _multiplies_out(node.parts):
        return None
    sorts: list[Any] = []
    numbers = 0
    for part in node.parts:
        sort = _sort(part, allowed)
        if sort is None:
            return None
        tens = part.kind == "power" and part.parts[0].data == Fraction(10)
        powers = part.kind == "power" or (
            part.kind == "quotient" and any(map(_is_plain_power, part.parts))
        )
        if powers and sort == () and not tens and "power" not in allowed:
            return None
        numbers += sort == () and not tens
        sorts += sort
    # Two numbers, or two roots of one order, have still to be multiplied.
    heads = [sort[:2] if sort[0] == "root" else sort[:1] for sort in sorts]
    return (
        tuple(sorted(sorts, key=repr)) if numbers <= 1 and len(set(heads)) == len(heads) else None
    )


def _quotient_sort(node: Node, allowed: frozenset[str]) -> Sort | None:
    above, below = (_unsigned(part) for part in node.parts)
    sorts = _sort(above, allowed), _sort(below, allowed)
    if None in sorts or "quotient" in (above.kind, below.kind):
        return None
    # One over a root is a multiple of that root.
    down = [s if s[0] == "root" else ("over", *s) for s in sorts[1] or ()]
    return tuple(sorted([*(sorts[0] or ()), *down], key=repr))
