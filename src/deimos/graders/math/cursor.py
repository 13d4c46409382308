"""A position in a list of tokens, and what can be read there without knowing the grammar."""

from __future__ import annotations

from fractions import Fraction

from deimos.graders.math.tokens import FUNCTIONS, FormulaToken, Node, Unreadable

MOST_LEVELS = 120
"""Of a tree: what works on one calls itself for each level."""


class Cursor:
    """Steps through tokens; names and their indices are read here, values by the parser."""

    def __init__(self, tokens: list[FormulaToken]) -> None:
        self.tokens = tokens
        self.at = 0
        self.bars = 0
        """How many absolute values are open: a bar then closes one."""

    def look(self) -> str:
        """The next token's text; "" at the end."""
        return self.tokens[self.at].text if self.at < len(self.tokens) else ""

    def take(self, *texts: str) -> bool:
        """Step over the next token if it is one of these."""
        token = self.tokens[self.at] if self.at < len(self.tokens) else None
        if token is None or token.kind in ("text", "letter") or token.text not in texts:
            return False
        self.at += 1
        return True

    def need(self, text: str) -> None:
        """Step over the next token; Unreadable if it is another one."""
        if not self.take(text):
            raise Unreadable(f"{text!r} is missing")

    def at_operator(self) -> bool:
        """Whether the next token is a sign or a command, no letter."""
        return self.tokens[self.at].kind in ("sign", "command")

    def set_operator(self, names: dict[str, str]) -> str | None:
        """What joins two sets here, by the kind of node; None if nothing does."""
        if self.at >= len(self.tokens):
            return None
        token = self.tokens[self.at]
        before = self.tokens[self.at - 1].text
        if token.kind == "letter" and token.text == "U" and before in (")", "]", "\\}"):
            return "union"
        return names.get(token.text) if token.kind == "command" else None

    def at_primes(self) -> bool:
        """Whether primes come next."""
        return self.at < len(self.tokens) and self.tokens[self.at].kind == "primes"

    def name(self, name: str) -> Node:
        """A symbol with its index and its primes."""
        if self.take("_"):
            name += "_" + self.raw()
        if self.at_primes():
            name += self.tokens[self.at].text
            self.at += 1
        return Node("symbol", (), name)

    def raw(self) -> str:
        """The text of one token, or of a group in braces: indices and accents are names only."""
        if self.at >= len(self.tokens):
            raise Unreadable("it ends too early")
        if not self.take("{"):
            self.at += 1
            return self.tokens[self.at - 1].text
        depth, texts = 1, []
        while self.at < len(self.tokens):
            text = self.look()
            if self.tokens[self.at].kind == "command" and text[1:] in FUNCTIONS:
                text = text[1:]  # the index of v_{max} is a word
            self.at += 1
            depth += (text == "{") - (text == "}")
            if not depth:
                return "".join(texts)
            texts.append(text)
        raise Unreadable("a brace is not closed")

    def figure(self, *, turned: bool) -> str:
        """The points of a figure; an angle is the same read from either side."""
        points = ""
        if self.look() == "{":
            points = self.raw()
        while (
            not points.endswith("}")
            and self.at < len(self.tokens)
            and self.tokens[self.at].kind == "letter"
        ):
            points += self.look()
            self.at += 1
        return min(points, points[::-1]) if turned else points

    @staticmethod
    def fraction(above: Node, below: Node) -> Node:
        r"""A fraction; ``\frac{dy}{dx}`` is a name, the same only in the same spelling."""
        if _is_differential(above) and _is_differential(below) and below.kind == "product":
            return Node("symbol", (), f"\\d {above!r} {below!r}")
        return Node("quotient", (above, below))

    def applied(self, start: int, node: Node) -> Node:
        """The product of these tokens, marked if it may be a function of a letter or number: ``h(x)``."""
        two = node.kind == "product" and len(node.parts) == 2 and node.parts[0].kind == "symbol"
        brackets = self.at - start > 3 and self.tokens[self.at - 1].text == ")"
        coordinates = two and {part.data for part in node.parts} <= {"x", "y", "z"}
        if (
            two
            and brackets
            and not coordinates
            and node.parts[1].kind in ("symbol", "number", "tuple")
        ):
            return Node("product", node.parts, "applied")
        return node

    @staticmethod
    def grouped(parts: list[Node]) -> list[Node]:
        """The factors before a slash; ``dy`` as one."""
        return [product_of(parts)] if _is_differential(product_of(parts)) else parts

    def ends(self, name: str) -> bool:
        """Step over the end of this environment; whether it stood here."""
        if self.at >= len(self.tokens):
            raise Unreadable("a matrix does not end")
        token = self.tokens[self.at]
        self.at += token.kind == "end" and token.text == name
        return token.kind == "end" and token.text == name


def product_of(parts: list[Node]) -> Node:
    """One factor itself, several as a product."""
    return parts[0] if len(parts) == 1 else Node("product", tuple(parts))


def _is_differential(node: Node) -> bool:
    """Whether it is a d, or a power of it, alone or in front of one more letter."""
    first, *rest = node.parts if node.kind == "product" else (node,)
    letters = [part.parts[0] if part.kind == "power" else part for part in (first, *rest)]
    return letters[0] == Node("symbol", (), "d") and len(letters) <= 2 and all(
        letter.kind in ("symbol", "function") for letter in letters[1:]
    )  # fmt: skip


def is_whole(node: Node) -> bool:
    """Whether it is a natural number, without a sign."""
    return node.kind == "number" and node.data.denominator == 1 and node.data >= 0


def mixed_number(whole: Node, above: Node, below: Node) -> Node:
    """``1 1/2`` as one number; Unreadable if it divides by zero."""
    if not below.data:
        raise Unreadable("a division by zero")
    return Node("number", (), whole.data + Fraction(above.data, below.data))


def refuse_deep(tree: Node) -> None:
    """Raise Unreadable for a tree of too many levels."""
    level, depth = [tree], 0
    while level := [part for node in level for part in node.parts]:
        depth += 1
        if depth > MOST_LEVELS:
            raise Unreadable("nested too deep")
