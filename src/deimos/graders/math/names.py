r"""Names that are given to values: ``(x,y)=(1,2)``, ``n=4, m=9``, ``P=(2,3)``.

Named values are compared by name, in whatever order they stand. A name that only one side gives says
nothing, except that x comes before y and z in a pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deimos.graders.math.exact import symbols
from deimos.graders.math.reading import Element, Reading
from deimos.graders.math.relations import is_name, renamed
from deimos.graders.math.tokens import Node

_ARROWS = ("\\vec ", "\\overrightarrow ", "\\hat ", "\\bar ", "\\overline ")


def split_names(node: Node) -> tuple[Node, ...]:
    """The equations that ``(x,y)=(1,2)`` says; () if it is no such equation."""
    if node.kind != "relation" or node.data != ("=",):
        return ()
    left, right = node.parts
    if left.kind != "tuple" or right.kind != "tuple" or len(left.parts) != len(right.parts):
        return ()
    if len(set(left.parts)) < len(left.parts) or not all(map(is_name, left.parts)):
        return ()
    return tuple(Node("relation", pair, ("=",)) for pair in zip(left.parts, right.parts))


def with_sorted_letters(node: Node) -> Node:
    """``(y,x)=(2,1)`` as ``(x,y)=(1,2)``, so that its pair can be held against one without names."""
    equations = split_names(node)
    letters = [equation.parts[0].data for equation in equations]
    if not equations or not set(letters) <= {"x", "y", "z"}:
        return node
    pairs = sorted((equation.parts for equation in equations), key=lambda pair: pair[0].data)
    sides = zip(node.parts, zip(*pairs))
    return replace(node, parts=tuple(replace(side, parts=tuple(parts)) for side, parts in sides))


def names_of(parts: Sequence[Element]) -> list[str]:
    """Names that the parts give to their values; [] if some part has none."""
    found = []
    for part in parts:
        node = part.node
        if (
            node is None
            or node.kind != "relation"
            or node.data != ("=",)
            or not is_name(node.parts[0])
        ):
            return []
        found.append(repr(node.parts[0]))
    return found


def are_of_others(reference: Reading, answer: Reading) -> bool:
    r"""Whether two tuples or sets are called by different letters: ``Q=(2,3)``, ``P=(2,3)``.

    ``S=\{1,2\}`` and ``x\in\{1,2\}`` may be about the same: a set, and what is in it.
    """
    names = [_letter_of(reading) for reading in (reference, answer)]
    if not all(names) or names[0].lower() == names[1].lower():
        return False
    node = answer.parts[0].node
    if node is not None and node.parts[1].kind == "tuple":
        return True
    return names[0][0].isupper() is names[1][0].isupper()


def with_one_parameter(reference: Reading, answer: Reading) -> tuple[Reading, Reading]:
    r"""Both with the same letter for the whole numbers of ``x=k\pi, k\in\mathbb{Z}``, and without that clause.

    One side may leave the clause out if it has the other's letter.
    """
    clauses = [_parameter_of(reading) for reading in (reference, answer)]
    letters = [_symbols_of(reading) for reading in (reference, answer)]
    if all(clauses) and clauses[0][1:] == clauses[1][1:]:
        mine, other = clauses[0][0], clauses[1][0]
        if mine == other or mine not in letters[1]:
            return _without_clause(reference, {}), _without_clause(answer, {other: mine})
    if clauses[0] and not clauses[1] and clauses[0][0] in letters[1]:
        return _without_clause(reference, {}), answer
    if clauses[1] and not clauses[0] and clauses[1][0] in letters[0]:
        return reference, _without_clause(answer, {})
    return reference, answer


def _parameter_of(reading: Reading) -> tuple[str, ...]:
    """The letter that a last part calls a whole number, and the set that it names; () if none does."""
    node = reading.parts[-1].node
    if len(reading.parts) != 2 or node is None or node.kind != "relation" or node.data != ("in",):
        return ()
    letter, numbers = node.parts
    first = reading.parts[0].node
    if first is None or (
        first.kind == "relation" and (first.data != ("=",) or letter in first.parts)
    ):
        return ()  # what is bounded, or named, is the letter itself
    whole = numbers.kind == "numbers" and numbers.data in ("Z", "N")
    return (letter.data, numbers.data) if whole and letter.kind == "symbol" else ()


def _symbols_of(reading: Reading) -> set[str]:
    """The letters of all parts."""
    return set[str]().union(*(symbols(part.node) for part in reading.parts if part.node))


def _without_clause(reading: Reading, names: dict[str, str]) -> Reading:
    part = reading.parts[0]
    node = part.node and renamed(part.node, names)
    return Reading(reading.text, (replace(part, node=node, text=""),))


def _letter_of(reading: Reading) -> str:
    """The letter that a tuple or set is called by, without its arrow; "" if there is none."""
    node = reading.parts[0].node
    if len(reading.parts) > 1 or node is None or node.kind != "relation" or len(node.parts) != 2:
        return ""
    name, value = node.parts
    if (
        name.kind != "symbol"
        or value.kind not in ("tuple", "set")
        or node.data[0] not in ("=", "in")
    ):
        return ""
    letter = str(name.data)
    for arrow in _ARROWS:
        letter = letter.removeprefix(arrow)
    return letter


def group_names(reading: Reading) -> Reading:
    """``x=1, y=2 or x=3, y=4`` as two pairs: where the same names come again, another solution begins."""
    names = names_of(reading.parts)
    size = len(set(names))
    if size < 2 or len(names) == size or len(names) % size:
        return reading
    parts = []
    for at in range(0, len(names), size):
        group = sorted(reading.parts[at : at + size], key=lambda part: names.index(_name(part)))
        if len({_name(part) for part in group}) < size:
            return reading
        sides = [[part.node.parts[i] for part in group if part.node is not None] for i in (0, 1)]
        pair = [Node("tuple", tuple(side), ("(", ")")) for side in sides]
        parts.append(replace(group[0], node=Node("relation", tuple(pair), ("=",)), text=""))
    return Reading(reading.text, tuple(parts), reading.joined)


def _name(part: Element) -> str:
    return repr(part.node.parts[0]) if part.node is not None else ""


def drop_names(
    ours: Sequence[Element], theirs: Sequence[Element]
) -> tuple[list[Element], list[Element]]:
    """Both lists without names; ``y=1, x=2`` in the order of its letters if these are x, y, z, or x_1, x_2."""
    results = []
    for parts in (ours, theirs):
        named = [
            (n.parts[0].data, replace(p, node=n.parts[1]))
            if (n := p.node and with_sorted_letters(p.node)) is not None
            and n.kind == "relation"
            and n.data == ("=",)
            and is_name(n.parts[0])
            else ("", p)
            for p in parts
        ]
        letters = [name for name, _ in named]
        if _have_an_order(letters):
            named.sort(key=lambda pair: pair[0])
        results.append([part for _, part in named])
    return results[0], results[1]


def _have_an_order(letters: Sequence[object]) -> bool:
    """Whether names that all differ are x, y, z, or one letter with a digit each."""
    if len(set(letters)) < len(letters):
        return False
    heads, tails = zip(*(str(letter).partition("_")[::2] for letter in letters))
    numbered = len(set(heads)) == 1 and all(tail.isdigit() and len(tail) == 1 for tail in tails)
    return numbered or set(letters) <= {"x", "y", "z"}


def has_stray_name(parts: Sequence[Element]) -> bool:
    """Whether only the first of several values has a name, and it a letter: ``x=1, 2`` is no pair."""
    return (
        len(parts) > 1 and bool(names_of(parts[:1])) and not any(names_of([p]) for p in parts[1:])
    )
