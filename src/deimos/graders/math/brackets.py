r"""What stands between brackets: lists, sets with their conditions, the rows of a matrix."""

from __future__ import annotations

from deimos.graders.math.commands import MATRICES
from deimos.graders.math.cursor import Cursor
from deimos.graders.math.tokens import FormulaToken, Node, Unreadable

_JOINTS = {"\\vee": "or", "\\wedge": "and"}


class Brackets(Cursor):
    """Reads brackets; what stands in them is for the parser to read."""

    def __init__(self, tokens: list[FormulaToken]) -> None:
        super().__init__(tokens)
        self.in_conditions = False
        """Whether "or" and "and" join what is read, as in ``\\{x : x<1 \\text{ or } x>3\\}``."""

    def relation(self) -> Node:
        """The next formula with its relation signs."""
        raise NotImplementedError

    def comma_list(self, *closings: str) -> tuple[list[Node], str]:
        """Relations between commas up to one of the closing signs, and which one it was."""
        bars, self.bars = self.bars, 0
        inside, self.in_conditions = self.in_conditions, False
        items = [self.relation()]
        while self.take(",", ";"):
            items.append(self.relation())
        self.bars, self.in_conditions = bars, inside
        return items, self._closing(*closings)

    def _closing(self, *closings: str) -> str:
        closing = self.look()
        if not self.take(*closings):
            raise Unreadable("a bracket is not closed")
        return closing

    def set_in_braces(self) -> Node:
        r"""A set behind ``\{``: its elements, or what holds for them."""
        if self.take("\\}"):
            return Node("empty")
        self.bars += 1
        first = self.relation()
        self.bars -= 1
        if self.take("\\mid", "|", ":"):
            return Node("builder", (first, *self._conditions()))
        items = [first]
        if self.take(",", ";"):
            items += self.comma_list("\\}")[0]
        else:
            self.need("\\}")
        return Node("set", tuple(items))

    def _conditions(self) -> list[Node]:
        """What a set's elements must meet: commas join as "and" does, but less closely than "or"."""
        bars, self.bars = self.bars, 0
        inside, self.in_conditions = self.in_conditions, True
        items = [self._joined("or")]
        while self.take(",", ";"):
            items.append(self._joined("or"))
        self.bars, self.in_conditions = bars, inside
        self._closing("\\}")
        return items

    def _joined(self, joint: str) -> Node:
        """Conditions joined by "or", each of which may be several joined by "and"."""
        node = self._joined("and") if joint == "or" else self.relation()
        kind = "union" if joint == "or" else "intersection"
        while self.joint() == joint:
            self.at += 1
            node = Node(kind, (node, self._joined("and") if joint == "or" else self.relation()))
        return node

    def joint(self) -> str:
        """The "or" or "and" that comes next between a set's conditions; "" for anything else."""
        if not self.in_conditions or self.at >= len(self.tokens):
            return ""
        token = self.tokens[self.at]
        if token.kind == "command":
            return _JOINTS.get(token.text, "")
        word = token.text.strip(", ") if token.kind == "text" else ""
        return word if word in ("or", "and") else ""

    def matrix(self, name: str) -> Node:
        r"""The rows behind ``\begin{pmatrix}``; a determinant is a function of them."""
        if name not in MATRICES:
            raise Unreadable(f"the environment {name!r}")
        if name == "array" and self.look() == "{":
            self.raw()
        rows: list[list[Node]] = [[]]
        while not self.ends(name):
            if self.take("\\\\"):
                rows.append([])
            elif not self.take("&", "\\hline"):
                rows[-1].append(self.relation())
        rows = [row for row in rows if row]
        if not rows or len({len(row) for row in rows}) > 1:
            raise Unreadable("a matrix whose rows differ in length")
        matrix = Node("matrix", tuple(n for row in rows for n in row), (len(rows), len(rows[0])))
        return Node("function", (matrix,), "det") if name == "vmatrix" else matrix


def as_difference(node: Node) -> Node:
    r"""``\mathbb{R} - \{0\}`` as the set without these numbers; another sum as it is."""
    if node.kind != "sum" or node.parts[0].kind not in ("numbers", "tuple"):
        return node
    result = node.parts[0]
    for part in node.parts[1:]:
        if part.kind != "negative" or part.parts[0].kind != "set":
            return node
        result = Node("difference", (result, part.parts[0]))
    return result
