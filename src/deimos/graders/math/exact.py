r"""Exact values: fractions, at points that give every letter a fraction.

Powers, factorials and sums beyond the limits are ``Unreadable``.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from deimos.graders.math.tokens import FUNCTIONS, Node, Unreadable, word_set

MAX_BITS = 20_000
"""Of an exact value's numerator or denominator."""


MAX_TERMS = 1000
"""Of all sums and products of a formula together."""


class Inexact(Exception):
    """The value is no rational number, or too long to be written as one."""


class Undefined(Exception):
    """There is no value at this point (a division by zero)."""


class Point:
    """Values of letters: the ``index``-th choice, the same for the same name everywhere."""

    def __init__(self, index: int, whole: frozenset[str] = frozenset()) -> None:
        self.index = index
        self.whole = whole
        """Names that stand for whole numbers (bounds of sums)."""
        self.bound: dict[str, Any] = {}
        """Values of the indices of the sums that are being worked out."""
        self.terms = 0

    def rational(self, name: str) -> Fraction:
        """The letter's value as a fraction."""
        if name in self.bound:
            return self.bound[name]
        draw = random.Random(f"{name}|{self.index}")
        if name in self.whole:
            return Fraction(draw.randrange(1, 9))
        size = (1, 4, 15)[self.index % 3]
        value = Fraction(draw.randrange(7, 97), 97) * size
        return -value if self.index % 2 and draw.random() < 0.5 else value

    def count_terms(self, terms: int) -> None:
        """Note that so many terms will be worked out; Unreadable if it gets too much."""
        self.terms += terms
        if terms < 0 or self.terms > MAX_TERMS:
            raise Unreadable("a sum or product with too many terms")


def symbols(node: Node) -> set[str]:
    """Names of all letters, bound ones too."""
    found = {node.data} if node.kind == "symbol" else set[str]()
    if node.kind == "function" and node.data not in KNOWN_FUNCTIONS:
        found.add(node.data)
    return found.union(*(symbols(part) for part in node.parts)) if node.parts else found


def bounds(node: Node) -> frozenset[str]:
    """Letters that count something: bounds of sums, what factorials and binomials are taken of."""
    counted = node.kind == "factorial" or (node.kind == "function" and node.data == "binom")
    parts = node.parts[1:3] if node.kind == "series" else node.parts if counted else ()
    own = set[str]().union(*map(symbols, parts))
    return frozenset(own).union(*(bounds(part) for part in node.parts))


def is_number(node: Node) -> bool:
    """Whether it has one value that no letter changes."""
    return node.kind not in _NO_VALUE and not free_symbols(node) and all(
        map(is_number, node.parts if node.kind != "series" else node.parts[1:3])
    )  # fmt: skip


_NO_VALUE = word_set(
    "relation tuple set builder union intersection difference matrix numbers empty dots plus_minus"
)


def free_symbols(node: Node) -> set[str]:
    """Letters and unknown functions that the value depends on."""
    if node.kind == "series":
        inner = free_symbols(node.parts[3]) - {node.parts[0].data}
        return inner | free_symbols(node.parts[1]) | free_symbols(node.parts[2])
    if node.kind == "symbol":
        return {node.data}
    own = (
        {node.data} if node.kind == "function" and node.data not in KNOWN_FUNCTIONS else set[str]()
    )
    return own.union(*(free_symbols(part) for part in node.parts)) if node.parts else own


@lru_cache(maxsize=1024)
def exact_number(node: Node) -> Fraction | None:
    """The value of a number if it is rational; None for others, and for what has letters.

    Raises:
        Unreadable: it is beyond the limits, or has no value.
    """
    if not is_number(node):
        return None
    try:
        return exact(node, Point(0))
    except Inexact:
        return None
    except Undefined as e:
        raise Unreadable("a division by zero") from e


def exact(node: Node, point: Point) -> Fraction:
    """The value as a fraction.

    Raises:
        Inexact, Undefined, Unreadable: there is none; see each.
    """
    kind = node.kind
    if kind == "number":
        return node.data
    if kind == "symbol":
        return point.rational(node.data)
    if kind == "series":
        return series_value(node, point, exact)
    rule = _EXACT.get(kind)
    if rule is None or (kind == "function" and node.data not in _EXACT_FUNCTIONS):
        raise Inexact
    values = [exact(part, point) for part in node.parts]
    if kind == "function" and len(values) != _TAKES.get(node.data, len(values)):
        raise Unreadable(f"the function {node.data} of {len(values)} values")
    result = _EXACT_FUNCTIONS[node.data](*values) if kind == "function" else rule(*values)
    _check_size(result)
    return result


def _check_size(value: Fraction) -> None:
    if value.numerator.bit_length() + value.denominator.bit_length() > MAX_BITS:
        raise Inexact


def _divide(above: Fraction, below: Fraction) -> Fraction:
    if not below:
        raise Undefined
    return above / below


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1:
        if base < 0:
            raise Inexact
        root = _exact_root(base, exponent.denominator)
        return _power(root, Fraction(exponent.numerator))
    if not base and exponent <= 0:
        raise Undefined
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(exponent) * size > MAX_BITS and abs(base) != 1:
        raise Inexact
    return base ** int(exponent) if abs(base) != 1 else base ** (int(exponent) % 2)


def _exact_root(value: Fraction, order: Any) -> Fraction:
    order = Fraction(order)
    if order.denominator != 1 or not 1 <= order <= 64 or value < 0:
        raise Inexact
    parts = [_whole_root(part, int(order)) for part in (value.numerator, value.denominator)]
    return Fraction(parts[0], parts[1])


def _whole_root(value: int, order: int) -> int:
    low = round(value ** (1 / order)) if value.bit_length() < 900 else math.isqrt(value)
    for root in (low - 1, low, low + 1):
        if root >= 0 and root**order == value:
            return root
    raise Inexact


def _factorial(value: Fraction) -> Fraction:
    if value.denominator != 1:
        raise Inexact
    if value < 0:
        raise Undefined
    if value > 2000:
        raise Unreadable("a factorial too large to work out")
    return Fraction(math.factorial(int(value)))


def _binomial(n: Fraction, k: Fraction) -> Fraction:
    if n.denominator != 1 or k.denominator != 1:
        raise Inexact
    if not 0 <= k <= n:
        raise Undefined
    if n > 2000:
        raise Unreadable("a binomial too large to work out")
    return Fraction(math.comb(int(n), int(k)))


def _whole_function(function: Callable[..., int]) -> Callable[..., Fraction]:
    def applied(*values: Fraction) -> Fraction:
        if any(value.denominator != 1 for value in values):
            raise Inexact
        return Fraction(function(*map(int, values)))

    return applied


def _modulo(value: Fraction, modulus: Fraction) -> Fraction:
    if not modulus:
        raise Undefined
    return value % modulus


_EXACT: Mapping[str, Callable[..., Fraction]] = {
    "sum": lambda *v: sum(v, Fraction(0)),
    "negative": lambda v: -v,
    "product": lambda *v: math.prod(v, start=Fraction(1)),
    "quotient": _divide,
    "power": _power,
    "root": _exact_root,
    "factorial": _factorial,
    "percent": lambda v: v / 100,
    "function": lambda *v: v[0],
}


_EXACT_FUNCTIONS: Mapping[str, Callable[..., Fraction]] = {
    "abs": lambda v: abs(v), "binom": _binomial, "floor": lambda v: Fraction(math.floor(v)),
    "ceil": lambda v: Fraction(math.ceil(v)), "max": lambda *v: max(v), "min": lambda *v: min(v), "mod": _modulo,
    "gcd": _whole_function(math.gcd), "lcm": _whole_function(math.lcm),
    "sgn": lambda v: Fraction((v > 0) - (v < 0)),
}  # fmt: skip


_TAKES = {"abs": 1, "floor": 1, "ceil": 1, "sgn": 1, "binom": 2, "mod": 2}
"""How many values a function is of; the others are of any number, at least one."""
KNOWN_FUNCTIONS = FUNCTIONS | set(_EXACT_FUNCTIONS)


def series_value(node: Node, point: Point, evaluate: Callable[[Node, Point], Any]) -> Any:
    """A sum or product with whole bounds, term by term."""
    variable, first, last, body = node.parts
    start, end = exact(first, point), exact(last, point)
    if start.denominator != 1 or end.denominator != 1 or end < start - 1:
        raise Undefined
    point.count_terms(int(end - start) + 1)
    name = variable.data
    outer = point.bound.get(name)
    result: Any = Fraction(0 if node.data == "sum" else 1)
    for index in range(int(start), int(end) + 1):
        point.bound[name] = Fraction(index)
        value = evaluate(body, point)
        result = result + value if node.data == "sum" else result * value
        if isinstance(result, Fraction):
            _check_size(result)
    point.bound.pop(name)
    if outer is not None:
        point.bound[name] = outer
    return result
