r"""Equations and inequalities: what they name, what they come to, and when two say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from deimos.graders.math.exact import Point, Undefined, exact_number, is_number, symbols
from deimos.graders.math.tokens import Node, Unreadable, is_word, word_set
from deimos.graders.math.values import agree, approximate, multiple

NEARLY = Fraction(1, 100)
"""Relative; the parts of "10/3 = 3.33" may differ by this much, those of "5 = 6" contradict each other."""


_ORDER = {"<": "<", "<=": "<=", ">": "<", ">=": "<=", "!=": "!=", "=": "="}


def same_relations(reference: Node, answer: Node) -> bool:
    """Equations and inequalities: each of one is a multiple of one of the other."""
    ours, theirs = _steps(reference), _steps(answer)
    if ours is None or theirs is None or len(ours) != len(theirs):
        return False
    rest = list(theirs)
    for step in ours:
        match = next((other for other in rest if _same_step(step, other)), None)
        if match is None:
            return False
        rest.remove(match)
    return True


def _steps(node: Node) -> list[tuple[str, Node, Node]] | None:
    """A chain's relations as (sign, smaller side, larger side)."""
    steps = []
    for sign, left, right in zip(node.data, node.parts, node.parts[1:]):
        if sign not in _ORDER:
            return None
        steps.append((_ORDER[sign], right, left) if sign in (">", ">=") else (sign, left, right))
    return steps


def _same_step(one: tuple[str, Node, Node], other: tuple[str, Node, Node]) -> bool:
    if one[0] != other[0]:
        return False
    pairs = [one_case(a, b) for a, b in ((one[1], other[1]), (one[2], other[2]))]
    if not (symbols(one[1]) | symbols(one[2])):
        # Without letters any two true equations would be multiples of each other.
        turned = one[0] in ("=", "!=") and (one[1], one[2]) == (other[2], other[1])
        return turned or all(a == b for a, b in pairs)
    left = Node("sum", (one[1], Node("negative", (one[2],))))
    right = Node("sum", (other[1], Node("negative", (other[2],))))
    left, right = one_case(left, right)
    if symbols(left) != symbols(right):
        return False
    ratio = multiple(left, right)
    if ratio is None and one[0] == "=":
        return _is_same_identity(one[1:], other[1:])
    return ratio is not None and (one[0] in ("=", "!=") or ratio > 0)


def _is_same_identity(one: tuple[Node, Node], other: tuple[Node, Node]) -> bool:
    """Whether two equations have the same sides, in either order, up to the order of terms and factors.

    An identity is a multiple of every other, so that their values say nothing.
    """
    if one == other or one == other[::-1]:
        return True
    ours, theirs = ([_ordered(side) for side in sides] for sides in (one, other))
    return ours[0] != ours[1] and (ours == theirs or ours == theirs[::-1])


def _ordered(node: Node) -> Node:
    """The formula with its terms and factors in an order of their own."""
    parts = tuple(map(_ordered, node.parts))
    if node.kind == "negative" and parts[0].kind == "negative":
        return parts[0].parts[0]
    if node.kind in ("sum", "product"):
        parts = tuple(sorted(parts, key=repr))
        return Node(node.kind, parts)
    return replace(node, parts=parts)


def assignment(node: Node) -> tuple[Node, Node] | None:
    """Name and value of ``x = 5``, ``5 = x`` or ``x = 2 + 3 = 5``."""
    if set(node.data) - {"=", "~"}:
        return None
    first, last = node.parts[0], node.parts[-1]
    if is_name(first):
        return first, last
    if (
        len(node.parts) == 2
        and first.kind not in ("symbol",)
        and last.kind == "symbol"
        and is_number(first)
    ):
        return last, first
    return None


def results(relation: Node) -> list[Node]:
    r"""What a chain of equations comes to: its last part, and what stands before ``\approx``.

    A number in it that is the last one in another form counts too: ``391 = 17 \cdot 23``. What is only called
    about equal is not the result of a product: ``17 \cdot 23 \approx 391`` is still to be worked out.
    """
    if relation.data == ("in",) and relation.parts[0].kind == "symbol":
        return [relation.parts[1]]
    if set(relation.data) - {"=", "~"}:
        return []
    first, last = relation.parts[0], relation.parts[-1]
    numbers = [part for part in relation.parts if is_number(part)]
    if not _near(numbers, rounded="~" in relation.data):
        return []
    if len(relation.parts) == 2 and is_number(first) and last.kind == "symbol":
        return [first]
    if (is_number(first) and symbols(last)) or (is_name(first) and _defines_itself(first, last)):
        return []  # "7 = a + b", "x = x + 1"
    if not (is_name(first) or is_number(first)):
        return [last] if _is_identity(relation) else []
    if first.kind == last.kind == "number" and not first.data and not last.data:
        return []  # "0 = 0" is true of every task
    if first.kind in ("sum", "product", "power") and is_number(last) and exact_number(last) == 0:
        return []  # an equation that is still to be solved
    ends = [last, *(number for number in numbers if number is not last and agree(last, number))]
    if "~" in relation.data:
        at = relation.data.index("~")
        before = relation.parts[at]
        rounded = at == len(relation.data) - 1 and _is_rounding(before, last)
        rounded = rounded and exact_number(before) != exact_number(last)
        ends = [before, last] if rounded else [before]
    return ends


def _defines_itself(name: Node, value: Node) -> bool:
    """Whether a letter stands for an expression in which it occurs again."""
    return name.kind == "symbol" and value.kind != "symbol" and name.data in symbols(value)


def _is_identity(relation: Node) -> bool:
    """Whether an equation holds for all letters, so that its right side is what the left comes to."""
    first, last = relation.parts[0], relation.parts[-1]
    whole = len(relation.parts) == 2 and relation.data == ("=",)
    if not whole or not symbols(first) or symbols(first) != symbols(last):
        return False
    try:
        return agree(first, last)
    except (Undefined, Unreadable):
        return False


def _is_rounding(exact: Node, rounded: Node) -> bool:
    """Whether a decimal is the other number, which is none, cut to its places."""
    if exact.kind == "number" or rounded.kind != "number" or not is_number(exact):
        return False
    places = next((n for n in range(20) if (rounded.data * 10**n).denominator == 1), 0)
    try:
        value = approximate(exact, Point(0))
    except (Undefined, Unreadable):
        return False
    return abs(value - float(rounded.data)) <= 10.0**-places


def _near(numbers: Sequence[Node], *, rounded: bool) -> bool:
    """Whether the numbers of a chain are about the same; whole ones must be the same, unless some are rounded."""
    exact, others = [], []
    for number in numbers:
        try:
            value = exact_number(number)
            (exact if value is not None else others).append(
                approximate(number, Point(0)) if value is None else value
            )
        except (Unreadable, Undefined):
            return False
    if exact and others and not all(_close(float(exact[0]), other) for other in others):
        return False
    whole = {value for value in exact if value.denominator == 1}
    percent = {value * 100 for value in exact} & whole
    return (rounded or len(whole) <= 1 or bool(percent)) and all(
        _close(exact[0], value) or exact[0] in (value * 100, value / 100) for value in exact
    )


def _close(one: Any, other: Any) -> bool:
    return abs(other - one) <= abs(one) * NEARLY


def is_name(node: Node) -> bool:
    """Whether the left side of an equation is a bare name, of which the right side is the value.

    A variable, points (AB), a word, a function of something (h(x), P(X = 3)), or several in brackets.
    """
    if node.kind in ("symbol", "empty") or _is_points(node):
        return True
    if node.kind == "constant":
        return node.data in ("e", "i")
    if node.kind == "function":
        return node.data.rstrip("'") in ("f", "g") or _is_asked_function(node)  # f(2), |AB|
    if node.kind == "degrees":
        return is_name(node.parts[0])
    if node.kind == "power":
        return _is_matrix_power(*node.parts)
    if node.kind == "product":
        called = _is_applied(node.parts[0]) or node.data == "applied" or _is_called(node.parts)
        return called or _is_of_values(node)
    if node.kind == "quotient":
        return all(map(_is_points, node.parts))
    if node.kind == "sum":
        return _is_combination(node) or _is_of_values(node)
    return node.kind in _OF_NAMES and all(map(is_name, node.parts))


def _is_combination(node: Node) -> bool:
    """Whether a sum is what a problem asks for: m + n, a + 2b, f(1) + f(2), but not x + y or 2x + 3."""
    named = [_named_in(part) for part in node.parts]
    return all(named) and len(set(named)) == len(named)


def _is_of_values(node: Node) -> bool:
    """Whether numbers are added to values of functions, or multiplied by them: f(2) + 1, 2f(3)."""
    values = [part for part in node.parts if _named_in(part).startswith("Node(kind='function'")]
    return bool(values) and all(part in values or is_number(part) for part in node.parts)


def _named_in(term: Node) -> str:
    """The name, or the function's value, that a term of a sum is a multiple of; "" if it is another term."""
    if term.kind == "negative":
        term = term.parts[0]
    if term.kind == "symbol":
        return "" if term.data in _UNKNOWNS else str(term.data)
    if term.kind == "product" and term.data == "applied":
        return repr(term)
    if term.kind == "product" and len(term.parts) == 2 and term.parts[0].kind == "number":
        return _named_in(term.parts[1])
    return repr(term) if term.kind == "function" and is_name(term) else ""


_OF_NAMES = word_set("tuple union intersection difference")


def _is_points(node: Node) -> bool:
    """Whether it is a product of two capitals or more: a length, or an area."""
    return node.kind == "product" and all(
        part.kind == "symbol" and part.data[:1].isupper() for part in node.parts
    )


def _is_asked_function(node: Node) -> bool:
    r"""Whether it is a size (``|AB|``, ``|A \cap B|``, ``|z|``), or an angle's sine, and no equation in x or y."""
    inner = node.parts[0]
    if node.data == "abs":
        letter = inner.kind == "symbol" and inner.data not in _UNKNOWNS - {"z"}
        return letter or _is_points(inner) or inner.kind in ("union", "intersection", "difference")
    return node.data in _ANGLE_FUNCTIONS and inner.kind == "symbol" and inner.data not in _UNKNOWNS


_UNKNOWNS = word_set("x y z")
_ANGLE_FUNCTIONS = word_set("sin cos tan cot sec csc det")


def _is_matrix_power(base: Node, exponent: Node) -> bool:
    """Whether a power is only a name: the inverse or transpose of a matrix or function."""
    inverse = exponent.kind == "negative" and exponent.parts[0].data == 1
    marked = exponent.kind == "symbol" and exponent.data in ("T", "\\top", "\\star")
    return base.kind == "symbol" and base.data[:1] in "fghABCM" and (inverse or marked)


def _is_called(parts: Sequence[Node]) -> bool:
    """Whether factors are a word with others (the number of apples), or an angle's measure."""
    if any(part.kind not in ("symbol", "constant") for part in parts):
        return False
    names = [str(part.data) for part in parts]
    measure = len(names) == 2 and names[0] == "m" and names[1].startswith(("\\angle", "\\measured"))
    return measure or any(is_word(name) or " " in name.strip("\\") for name in names[:1])


def _is_applied(first: Node) -> bool:
    """Whether brackets behind it hold an argument: P(X = 3), E(2X), the inverse of f at 3."""
    if first.kind == "power" and first.parts[0].kind == "symbol":
        return first.parts[0].data in ("f", "g", "h") and first.parts[1].kind == "negative"
    return first.kind == "symbol" and first.data in ("P", "Pr", "E", "Var")


def one_case(one: Node, other: Node) -> tuple[Node, Node]:
    """Both formulas with one letter in one case, if each has that letter in one case only.

    As with constants of integration, ``C_1`` and ``c_1``. If two letters differ (``a^2 B`` and ``A^2 b``),
    they are other letters. Greek capitals stand for other things than small letters: they stay.
    """
    names = symbols(one), symbols(other)
    change: dict[str, str] = {}
    for key in {name.lower() for name in names[0] | names[1]}:
        forms = [{name for name in side if name.lower() == key} for side in names]
        if (
            len(key.partition("_")[0].rstrip("'")) == 1  # no word, no command
            and len(forms[0]) == len(forms[1]) == 1
            and forms[0] != forms[1]
        ):
            change[forms[1].pop()] = forms[0].pop()
    return one, renamed(other, change) if len({name[0] for name in change}) == 1 else other


def renamed(node: Node, names: dict[str, Any]) -> Node:
    """The formula with other letters."""
    data = names.get(node.data, node.data) if node.kind in ("symbol", "function") else node.data
    return replace(node, data=data, parts=tuple(renamed(part, names) for part in node.parts))
