r"""How the parts of an expression belong together: one, a list, a set, a tuple; ``\\pm`` is two parts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from deimos.graders.math.exact import is_number
from deimos.graders.math.names import names_of, split_names
from deimos.graders.math.reading import Element, Reading, read, without_degrees
from deimos.graders.math.relations import is_name
from deimos.graders.math.tokens import Node, small
from deimos.graders.math.units import DEGREE


def regroup(reference: Reading, answer: Reading) -> tuple[Reading, Reading]:
    """``1,200`` is a list of two if the other side is one; letters are labels if the other has words."""
    reference, answer = _unfold_quantities(reference, answer)
    for one, other in ((reference, answer), (answer, reference)):
        labels = [as_words(part) for part in one.parts]
        if one.joined == "or" and " or " not in other.text:
            continue
        if len(labels) > 1 and other.parts[0].words is not None and None not in labels:
            words = Element(one.text, words=tuple(word for label in labels for word in label or ()))
            one = Reading(one.text, (words,))
            return (one, other) if other is answer else (other, one)
    for one, other in ((reference, answer), (answer, reference)):
        groups = one.text.split(",")
        if (
            len(one.parts) == 1
            and len(groups) > 1
            and len(other.parts) == len(groups)
            and re.fullmatch(r"[1-9]\d*(?:,[1-9]\d*)+", one.text)
        ):
            listed = read(", ".join(groups))
            return (listed, other) if one is reference else (other, listed)
    return reference, answer


def _unfold_quantities(reference: Reading, answer: Reading) -> tuple[Reading, Reading]:
    """``5 boys and 7 girls`` as two parts if the other side has numbers alone.

    They may stand in any order if the reference says no names; those of an answer must be in its order.
    """
    ours, theirs = reference.parts[0].quantities, answer.parts[0].quantities
    unnamed = [all(part.unit is None for part in each.parts) for each in (reference, answer)]
    unnamed[0] = unnamed[0] and not names_of(reference.parts)
    if theirs and not ours and unnamed[0] and len(reference.parts) == len(theirs):
        return reference, Reading(answer.text, theirs, "and")
    counts = all(part.unit and not part.unit.known for part in ours)
    if ours and not theirs and counts and unnamed[1] and len(answer.parts) == len(ours):
        named = tuple(replace(part, unit=mine.unit) for part, mine in zip(answer.parts, ours))
        return reference, Reading(answer.text, (replace(reference.parts[0], quantities=named),))
    return reference, answer


def shape_of(reading: Reading) -> tuple[str, list[Element]]:
    """How a reading's parts belong together: one, list, set, or tuple with its brackets."""
    parts = [expanded for part in reading.parts for expanded in _expand(part)]
    if len(parts) > 1 or len(reading.parts) > 1:
        return "list", parts
    part = parts[0]
    node = part.node
    if node is not None and (named := split_names(node)):
        brackets = node.parts[1].data
        return "tuple" + "".join(brackets), [_inner_part(part, equation) for equation in named]
    if (
        node is not None
        and node.kind == "relation"
        and node.data in (("=",), ("in",))
        and node.parts[1].kind in ("set", "tuple")
        and is_name(node.parts[0])
    ):
        node = node.parts[1]
    if node is None or node.kind not in ("set", "tuple", "matrix"):
        return "one", parts
    inner = [_inner_part(part, inner) for inner in node.parts]
    if node.kind == "set":
        inner = [expanded for each in inner for expanded in _expand(each)]
    if node.kind == "matrix":
        return ("tuple|", inner) if node.data[1] == 1 and node.data[0] > 1 else ("one", parts)
    return ("set" if node.kind == "set" else "tuple" + "".join(node.data)), inner


def _inner_part(part: Element, node: Node) -> Element:
    """One element of a set or tuple as a part of its own."""
    node, degrees = without_degrees(node)
    return replace(part, node=node, text="", unit=DEGREE if degrees else part.unit)


def _expand(part: Element) -> list[Element]:
    r"""``\pm 2`` is two parts, also as ``x = \pm 2``; ``x = y = 8`` says both."""
    node = part.node
    if node is None or "set" in (node.kind, *(side.kind for side in node.parts)):
        return [part]  # the elements of a set are taken apart in it
    if names := _leading_names(node):
        rest = node.parts[len(names) :]
        equals = ("=",) * len(rest)
        return [replace(part, node=Node("relation", (name, *rest), equals)) for name in names]
    if node.kind == "relation" and node.data == ("=",):
        return [
            replace(part, node=replace(node, parts=(node.parts[0], value)))
            for value in expand_signs(node.parts[1])
        ]
    return [replace(part, node=value) for value in expand_signs(node)]


def _leading_names(node: Node) -> Sequence[Node]:
    """The letters that a chain of equations gives one number to; () if they are less than two."""
    if node.kind != "relation" or set(node.data) != {"="} or not is_number(node.parts[-1]):
        return ()
    letters = list(takewhile(lambda side: side.kind == "symbol", node.parts))
    return letters if len(set(letters)) == len(letters) > 1 else ()


def expand_signs(node: Node) -> list[Node]:
    r"""The formulas that ``\pm`` and ``\mp`` stand for; itself if it has none.

    Signs that all are ``\pm`` are free of each other unless a ``\mp`` ties them together.
    """
    kinds = _sign_kinds(node)
    if not kinds or len(kinds) > 4:
        return [node]
    if "-+" in kinds:
        return [_choose(node, [up] * len(kinds)) for up in (True, False)]
    choices: list[list[bool]] = [[]]
    for _ in kinds:
        choices = [[*chosen, up] for chosen in choices for up in (True, False)]
    return [_choose(node, list(chosen)) for chosen in choices]


def has_signs(node: Node) -> bool:
    r"""Whether a ``\pm`` or ``\mp`` stands anywhere in a formula."""
    return node.kind == "plus_minus" or any(map(has_signs, node.parts))


def _sign_kinds(node: Node) -> list[str]:
    own = [node.data] if node.kind == "plus_minus" else []
    return own + [kind for part in node.parts for kind in _sign_kinds(part)]


def _choose(node: Node, chosen: list[bool]) -> Node:
    """The formula with its signs set, the first sign by the first choice."""
    if node.kind != "plus_minus":
        return (
            replace(node, parts=tuple(_choose(part, chosen) for part in node.parts))
            if node.parts
            else node
        )
    up = chosen.pop(0)
    left, right = (_choose(part, chosen) for part in node.parts)
    plus = up if node.data == "+-" else not up
    right = right if plus else Node("negative", (right,))
    if left.kind == "number" and not left.data:
        return right
    return Node("sum", (*left.parts, right) if left.kind == "sum" else (left, right))


_NUMBERED = re.compile(r"(Node\(kind='symbol', parts=\(\), data='\\*[A-Za-z]+)_(\d{1,2})('\))")


def are_numbered_alike(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether one list numbers the values of a letter (``x_1``, ``x_2``) and the other gives that letter, or none."""
    letters = [_numbered_letter(names) for names in (one, other)]
    if all(letters) or not any(letters):
        return False
    plain, letter = (other, letters[0]) if letters[0] else (one, letters[1])
    return set(plain) <= {letter}


def _numbered_letter(names: Sequence[str]) -> str:
    """The letter of which the names are numbered copies, as a name; "" if they are not."""
    matches = [_NUMBERED.fullmatch(name) for name in names]
    if len(set(names)) < 2 or not all(matches):
        return ""
    letters = {match[1] + match[3] for match in matches if match}
    return letters.pop() if len(letters) == 1 else ""


def as_words(part: Element) -> tuple[str, ...] | None:
    """The words that a part says; a letter is a word too. None if it says none."""
    if part.words is not None:
        return part.words
    text = re.sub(r"[\\{}()]|\\?text", "", part.text).strip()
    return (small(text),) if text.isalnum() and not text.isdigit() else None
