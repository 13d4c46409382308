r"""What a formula is worth at a point: exactly where it is rational, else to many digits.

Letters take values that depend on their name alone, so that both sides of a comparison see the same
ones. Two formulas that agree at all points, to ninety digits, relative to their size, are equal; one
point at which they differ settles that they are not. No algebra is done, so nothing here runs long:
powers, factorials and sums beyond the limits are ``Unreadable``.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from deimos.graders.math.exact import (
    KNOWN_FUNCTIONS,
    Inexact,
    Point,
    Undefined,
    bounds,
    exact,
    free_symbols,
    series_value,
)  # fmt: skip
from deimos.graders.math.tokens import Node, Unreadable

DIGITS_LOW, DIGITS_HIGH = 30, 120
"""To which values are worked out: first roughly, then to decide."""
DIGITS_AGREE = 90
"""Relative to their size; the digits in between may get lost in differences of large numbers."""
POINTS = 30
"""Points tried; those at which the reference has no real value don't count."""
ENOUGH = 6
"""Points at which both must agree."""


def approximate(node: Node, point: Point) -> Any:
    """The value to mpmath's precision, an ``mpf`` or ``mpc``.

    Raises:
        Undefined, Unreadable: there is none; see each.
    """
    import mpmath as mp

    try:
        value = _approximate(node, point)
    except (ZeroDivisionError, ValueError, OverflowError, TypeError) as e:
        raise Undefined from e
    if not mp.isfinite(value):
        raise Undefined
    return value


def _approximate(node: Node, point: Point) -> Any:
    import mpmath as mp

    kind = node.kind
    if kind in ("number", "symbol"):
        value = node.data if kind == "number" else point.rational(node.data)
        return mp.mpf(value.numerator) / value.denominator
    if kind == "constant":
        if node.data == "i" and "i" in point.bound:
            return mp.mpf(int(point.bound["i"]))
        return {"pi": +mp.pi, "e": +mp.e, "i": mp.mpc(0, 1), "infinity": mp.inf}[node.data]
    if kind == "series":
        return mp.mpmathify(series_value(node, point, _as_number))
    rule = _RULES.get(kind)
    if rule is None:
        raise Unreadable(f"no value of a {kind}")
    values = [_approximate(part, point) for part in node.parts]
    return _call(node.data, values, point) if kind == "function" else rule(mp, *values)


def _as_number(node: Node, point: Point) -> Any:
    return _approximate(node, point)


def _add(mp: Any, *values: Any) -> Any:
    return sum(values, mp.mpf(0))


def _multiply(mp: Any, *values: Any) -> Any:
    return math.prod(values, start=mp.mpf(1))


def _raise(mp: Any, base: Any, exponent: Any) -> Any:
    if abs(exponent) > 10**6:
        raise Unreadable("a power too large to work out")
    return mp.power(base, exponent)


def _gamma(mp: Any, value: Any) -> Any:
    if abs(value) > 10**5:
        raise Unreadable("a factorial too large to work out")
    return mp.gamma(value + 1)


def _take_root(mp: Any, value: Any, order: Any) -> Any:
    real = mp.im(value) == 0 and mp.im(order) == 0
    if real and value < 0 and order == int(mp.re(order)) and int(mp.re(order)) % 2:
        return -mp.power(-value, 1 / order)  # the real cube root of a negative number
    return mp.power(value, 1 / order)


_RULES: Mapping[str, Callable[..., Any]] = {
    "sum": _add,
    "negative": lambda mp, v: -v,
    "product": _multiply,
    "quotient": lambda mp, a, b: a / b,
    "power": _raise,
    "root": _take_root,
    "factorial": _gamma,
    "percent": lambda mp, v: v / 100,
    "degrees": lambda mp, v: v * mp.pi / 180,
    "function": lambda mp, *v: v[0],
}
_MP_NAMES = {
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh",
    "arcsec": "asec", "arccsc": "acsc", "arccot": "acot", "abs": "fabs", "floor": "floor", "ceil": "ceil", "sgn": "sign",
    "arg": "arg",
}  # fmt: skip


def _call(name: str, values: list[Any], point: Point) -> Any:
    import mpmath as mp

    if name in ("log", "ln", "lg"):
        base = values[1] if len(values) > 1 else (mp.e if name == "ln" else mp.mpf(10))
        return mp.log(values[0]) / mp.log(base)
    if name in ("max", "min"):
        return (max if name == "max" else min)(values)
    if name == "mod":
        return mp.fmod(*values)
    if name == "binom":
        n, k = values
        return _gamma(mp, n) / _gamma(mp, k) / _gamma(mp, n - k)
    if name in KNOWN_FUNCTIONS and len(values) == 1 and name not in ("det", "deg", "gcd", "lcm"):
        if name == "exp" and abs(values[0]) > 10**6:
            raise Unreadable("a power too large to work out")
        return getattr(mp, _MP_NAMES.get(name, name))(values[0])
    if name in KNOWN_FUNCTIONS:
        raise Unreadable(f"the function {name} of {len(values)} values")
    # A function that the formula doesn't define: some number that its name, arguments and the point decide.
    draw = random.Random(
        f"{name}|{point.index}|" + "|".join(str(mp.nstr(value, 15)) for value in values)
    )
    return mp.mpf(draw.randrange(10**9, 10**11)) / (31 * 10**9)


def agree(left: Node, right: Node) -> bool:
    """Whether two formulas have the same value wherever the first, the reference, has one.

    Points at which the reference has no real value count only if an imaginary unit is in sight.
    """
    if (decided := _agree_exactly(left, right)) is not None:
        return decided
    checked = 0
    for point, pair in _pairs(left, right):
        if pair is None or not _same(left, right, pair, point):
            return False
        checked += 1
        if checked >= ENOUGH:
            return True
    return checked > 0 and (checked >= ENOUGH or not (free_symbols(left) | free_symbols(right)))


def multiple(left: Node, right: Node) -> Any:
    """The constant number by which the first formula is a multiple of the second; None if it is none."""
    ratio, checked = None, 0
    for _, pair in _pairs(left, right):
        if pair is not None and max(map(abs, pair)) < 1e-15:
            continue  # a point on both curves
        quotient = _quotient(*pair) if pair is not None else None
        if quotient is None or (ratio is not None and not _close(quotient, ratio)):
            return None
        ratio = quotient
        checked += 1
    return ratio if checked >= ENOUGH else None


def _pairs(left: Node, right: Node) -> Iterator[tuple[Point, tuple[Any, Any] | None]]:
    """Points that count, with both values there; None: only the first has a value."""
    whole = bounds(left) | bounds(right)
    letters = bool(free_symbols(left) | free_symbols(right))
    complex_too = _has_i(left) or _has_i(right) or not letters
    for index in range(POINTS if letters else 1):
        point = Point(index, whole)
        pair = _pair(left, right, point, complex_too)
        if pair != ():
            yield point, pair or None


def _agree_exactly(left: Node, right: Node) -> bool | None:
    """Both rational at a few points: whether they are the same; None: not both are.

    Points at which one has no value are passed over: a factorial of a negative number, as a rule.
    """
    whole = bounds(left) | bounds(right)
    letters = bool(free_symbols(left) | free_symbols(right))
    checked = 0
    for index in range(POINTS if letters else 1):
        values: list[Fraction | None] = []
        for node in (left, right):
            try:
                values.append(exact(node, Point(index, whole)))
            except Inexact:
                return None
            except Undefined:
                values.append(None)
        if None in values:
            continue
        if values[0] != values[1]:
            return False
        checked += 1
        if checked >= ENOUGH:
            break
    return True if checked >= (ENOUGH if letters else 1) else None


def _pair(left: Node, right: Node, point: Point, complex_too: bool) -> tuple[Any, ...] | None:
    """Both values at a point; (): it doesn't count; None: only the first has a value."""
    import mpmath as mp

    with mp.workdps(DIGITS_LOW):
        try:
            a = approximate(left, point)
        except Undefined:
            return ()
        if not complex_too and abs(mp.im(a)) > abs(a) * mp.mpf(10) ** -20:
            return ()
        try:
            return a, approximate(right, Point(point.index, point.whole))
        except Undefined:
            return () if point.whole else None


def _same(left: Node, right: Node, pair: tuple[Any, Any], point: Point) -> bool:
    """Whether the values agree to many digits, or both turn out to be zero as digits are added."""
    import mpmath as mp

    rough = abs(pair[0] - pair[1])
    if rough > max(map(abs, pair)) * mp.mpf(10) ** -10 and rough > mp.mpf(10) ** -10:
        return False
    with mp.workdps(DIGITS_HIGH):
        try:
            fine = [approximate(node, Point(point.index, point.whole)) for node in (left, right)]
        except Undefined:
            return False
        if abs(fine[0] - fine[1]) <= max(map(abs, fine)) * mp.mpf(10) ** -DIGITS_AGREE:
            return True
        vanishing = mp.mpf(10) ** (DIGITS_LOW - DIGITS_AGREE)
        noise = mp.mpf(10) ** -DIGITS_LOW
        return all(abs(new) <= (abs(old) or noise) * vanishing for old, new in zip(pair, fine))


def _quotient(a: Any, b: Any) -> Any:
    import mpmath as mp

    tiny = mp.mpf(10) ** -15
    if abs(a) < tiny or abs(b) < tiny or abs(mp.im(a / b)) > tiny:
        return None
    return mp.re(a / b)


def _close(one: Any, other: Any) -> bool:
    return abs(one - other) <= abs(one) * 10**-18


def _has_i(node: Node) -> bool:
    return (node.kind == "constant" and node.data == "i") or any(map(_has_i, node.parts))
