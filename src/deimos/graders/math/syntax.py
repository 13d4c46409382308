r"""Reading one formula as a tree: sums, powers, functions, relations, intervals, matrices.

Takes cleaned TeX (``tex.clean``) or plain text (``2*sqrt(3)``). Letters are variables of their own case;
``e``, ``i``, ``\pi`` and ``\infty`` are constants. Nothing is simplified, so that the tree still shows how
a number was written. Integrals, limits and derivatives are not read: ``Unreadable``.
"""

from __future__ import annotations

from fractions import Fraction

from deimos.graders.math.brackets import Brackets, as_difference
from deimos.graders.math.commands import ACCENTS, GREEK, INFIX, RELATIONS
from deimos.graders.math.cursor import is_whole, mixed_number, product_of, refuse_deep
from deimos.graders.math.tokens import (
    ALIASES,
    CLOSING,
    FUNCTIONS,
    OPENING,
    FormulaToken,
    Node,
    Unreadable,
    cut,
)  # fmt: skip


def parse(text: str) -> Node:
    """The tree of a formula, a relation or a set.

    Raises:
        Unreadable: it is not of this grammar, or too deep.
    """
    try:
        tree = _Parser(cut(text)).whole()
    except RecursionError as e:
        raise Unreadable("nested too deep") from e
    refuse_deep(tree)
    return tree


class _Parser(Brackets):
    """Recursive descent; each method reads one level of binding and leaves the position behind it."""

    def whole(self) -> Node:
        node = self.relation()
        if self.at < len(self.tokens):
            raise Unreadable(f"{self.tokens[self.at].text!r} where nothing is expected")
        return node

    def relation(self) -> Node:
        parts, signs = [self.sets()], []
        while self.at < len(self.tokens) and self.at_operator() and self.look() in RELATIONS:
            signs.append(RELATIONS[self.look()])
            self.at += 1
            parts.append(self.sets())
        if signs == ["=="] and self.take("\\pmod"):
            parts.append(self.argument())
            signs.append("mod")
        return Node("relation", tuple(parts), tuple(signs)) if signs else parts[0]

    def sets(self) -> Node:
        node = as_difference(self.sum())
        names = {"\\cup": "union", "\\cap": "intersection", "\\setminus": "difference"}
        while (name := self.set_operator(names)) is not None:
            self.at += 1
            node = Node(name, (node, self.sum()))
        return node

    def sum(self) -> Node:
        parts = []
        node = self._signed() if self.look() in ("+", "-", "\\pm", "\\mp") else self.product()
        while self.look() in ("+", "-", "\\pm", "\\mp"):
            if self.look() in ("\\pm", "\\mp"):
                sign = "+-" if self.look() == "\\pm" else "-+"
                self.at += 1
                left = Node("sum", (*parts, node)) if parts else node
                parts, node = [], Node("plus_minus", (left, self.product()), sign)
                continue
            parts.append(node)
            node = self._signed()
        return Node("sum", (*parts, node)) if parts else node

    def _signed(self) -> Node:
        sign = self.look()
        self.at += 1
        if sign in ("\\pm", "\\mp"):
            zero = Node("number", (), Fraction(0))
            return Node("plus_minus", (zero, self.product()), "+-" if sign == "\\pm" else "-+")
        inner = self._signed() if self.look() in ("+", "-", "\\pm", "\\mp") else self.product()
        return Node("negative", (inner,)) if sign == "-" else inner

    def product(self) -> Node:
        start = self.at
        parts = [self.factor()]
        while True:
            if self.take("*", "\\cdot", "\\times"):
                parts.append(self.factor_signed())
            elif self.take("/"):
                parts = self.grouped(parts)
                parts.append(self.fraction(parts.pop(), self._divisor(parts)))
            elif self.take("\\bmod", "\\mod"):
                parts = [Node("function", (product_of(parts), self.factor()), "mod")]
            elif self._starts_factor():
                parts.append(self._beside(parts))
            else:
                return self.applied(start, product_of(parts))

    def factor_signed(self) -> Node:
        """A factor behind a sign of multiplication, which may have a minus of its own."""
        return Node("negative", (self.factor(),)) if self.take("-") else self.factor()

    def _divisor(self, before: list[Node]) -> Node:
        """What a slash divides by: ``1/2x`` is half of x, ``1/xy`` is one over both."""
        divisor = self.factor_signed()
        if divisor.kind in ("number", "tuple") or self.tokens[self.at - 1].text == ")":
            return divisor
        parts = [divisor]
        while self._starts_factor() and not self.tokens[self.at].spaced and self.look() != "(":
            parts.append(self.factor())
        return product_of(parts)

    def _beside(self, parts: list[Node]) -> Node:
        """A factor that stands directly behind another one."""
        token, last = self.tokens[self.at], parts[-1]
        node = self.factor()
        if token.kind == "number" and self.tokens[self.at - 1] is token and last.kind == "number":
            whole = parts.pop() if self.look() == "/" else None
            if whole is None or not is_whole(whole) or not is_whole(node):
                raise Unreadable("two numbers side by side")
            self.at += 1
            below = self.factor()
            if not is_whole(below):
                raise Unreadable("a mixed number without a whole denominator")
            return mixed_number(whole, node, below)
        fraction = node.kind == "quotient" and token.text == "\\frac"
        if fraction and is_whole(last) and all(map(is_whole, node.parts)):
            return mixed_number(parts.pop(), *node.parts)
        return node

    def _starts_factor(self) -> bool:
        if self.at >= len(self.tokens):
            return False
        token = self.tokens[self.at]
        if self.joint():
            return False
        if token.kind == "letter" and token.text == "U" and self.set_operator({}) is not None:
            return False
        if token.kind in ("number", "text", "letter", "begin"):
            return True
        if token.kind == "sign":
            return token.text in "([{" or (token.text == "|" and not self.bars)
        return token.kind == "command" and token.text not in INFIX

    def factor(self) -> Node:
        """A value with what is written behind it: powers, factorials, degrees, percent signs."""
        node = self.value()
        while self.at < len(self.tokens):
            if self.take("^"):
                node = self._raised(node)
            elif self.take("!"):
                node = Node("factorial", (node,))
            elif self.take("%", "\\%"):
                node = Node("percent", (node,))
            elif self.take("\\degree"):
                node = Node("degrees", (node,))
            elif self.take("_") or self.tokens[self.at].kind == "primes":
                raise Unreadable("an index, or a prime, at something that is no name")
            else:
                break
        return node

    def _raised(self, base: Node) -> Node:
        return Node("power", (base, self.script()))

    def script(self) -> Node:
        """An exponent or an index: a group in braces, or one token with its sign."""
        if self.take("-"):
            return Node("negative", (self.script(),))
        self.take("+")
        if self.take("{"):
            node = self.relation()
            self.need("}")
            return node
        return self.value()

    def value(self) -> Node:
        """A number, a name, a group in brackets, or a command with its arguments."""
        if self.at >= len(self.tokens):
            raise Unreadable("it ends too early")
        token = self.tokens[self.at]
        self.at += 1
        if token.kind == "number":
            return Node("number", (), token.value)
        if token.kind == "text":
            return self.name(token.text)
        if token.kind == "letter":
            return self._letter(token.text)
        if token.kind == "begin":
            return self.matrix(token.text)
        if token.kind == "command":
            return self._command(token.text[1:])
        if token.text in OPENING:
            items, closing = self.comma_list(*CLOSING)
            if len(items) == 1 and closing == OPENING[token.text]:
                return items[0]
            return Node("tuple", tuple(items), (token.text, closing))
        if token.text == "{":
            return self._group()
        if token.text == "|":
            return self._between_bars()
        raise Unreadable(f"{token.text!r} where a value is expected")

    def _group(self) -> Node:
        """What braces hold: one formula, or a set where somebody forgot the backslashes."""
        items, closing = self.comma_list("}", "\\choose", "\\over")
        if closing != "}":
            below = self.relation()
            self.need("}")
            kinds = {"\\choose": ("function", "binom"), "\\over": ("quotient", None)}
            kind, name = kinds[closing]
            return Node(kind, (items[0], below), name)
        return items[0] if len(items) == 1 else Node("set", tuple(items))

    def _between_bars(self) -> Node:
        self.bars += 1
        inner = self.sets()
        self.bars -= 1
        self.need("|")
        return Node("function", (inner,), "abs")

    def _letter(self, letter: str) -> Node:
        constant = letter in ("e", "i") and self.look() != "_" and not self.at_primes()
        if constant:
            return Node("constant", (), letter)
        node = self.name(letter)
        applied = self.look() == "(" and not self.tokens[self.at].spaced
        if node.kind == "symbol" and applied and (letter in ("f", "g") or node.data.endswith("'")):
            self.at += 1
            items, _ = self.comma_list(")")
            return Node("function", tuple(items), node.data)
        return node

    def argument(self) -> Node:
        r"""What a command takes: a group, or one token; of a number its first digit (``\frac12``)."""
        token = self.tokens[self.at] if self.at < len(self.tokens) else None
        if (
            token is not None
            and token.kind == "number"
            and token.text.isdigit()
            and len(token.text) > 1
        ):
            rest = token.text[1:]
            self.tokens[self.at] = FormulaToken("number", rest, Fraction(rest))
            return Node("number", (), Fraction(token.text[0]))
        return self.value()

    def _command(self, name: str) -> Node:
        if name in FUNCTIONS or name in ALIASES:
            return self._function(ALIASES.get(name, name))
        if name == "frac":
            return self.fraction(self.argument(), self.argument())
        if name == "binom":
            return Node("function", (self.argument(), self.argument()), "binom")
        if name == "sqrt":
            order = Node("number", (), Fraction(2))
            if self.take("["):
                order = self.sum()
                self.need("]")
            return Node("root", (self.value(), order))
        if name in ("sum", "prod"):
            return self._series(name)
        if name in ("lfloor", "lceil"):
            inner = self.sum()
            self.need("\\r" + name[1:])
            return Node("function", (inner,), name[1:])
        if name == "{":
            return self.set_in_braces()
        return self._named(name)

    def _named(self, name: str) -> Node:
        """A command that stands for a name, a constant or a set."""
        if name in ("pi", "infty"):
            return Node("constant", (), "pi" if name == "pi" else "infinity")
        if name in GREEK:
            return self.name("\\" + name)
        if name == "mathbb":
            letter = self.raw()
            return Node("numbers", (), letter) if letter in "RZQNC" else self.name(letter)
        if name == "Pr":
            return self.name(name)
        if name == "operatorname":
            called = self.raw()
            return (
                self._function(ALIASES.get(called, called))
                if called in FUNCTIONS or called in ALIASES
                else self.name(called)
            )
        if name in ACCENTS:
            inner = self.raw()
            return self.name(f"\\{name} {inner}")
        if name in ("angle", "measuredangle", "triangle", "odot"):
            return self.name(
                f"\\{name} {self.figure(turned=name.endswith('angle') and name != 'triangle')}"
            )
        if name == "emptyset":
            return Node("empty")
        if name == "ldots":
            return Node("dots")
        raise Unreadable(f"the command {name!r}")

    def _function(self, name: str) -> Node:
        base = power = None
        while self.look() in ("_", "^"):
            if self.take("_"):
                base = self.script()
            elif self.take("^"):
                power = self.script()
        args = self._arguments()
        if name == "cis" and len(args) == 1 and power is None:
            turned = Node(
                "product", (Node("constant", (), "i"), Node("function", (args[0],), "sin"))
            )
            return Node("sum", (Node("function", (args[0],), "cos"), turned))
        if name in ("log", "ln", "lg") and base is not None:
            args = [*args, base]
        inverse = power is not None and power.kind == "negative" and power.parts[0].data == 1
        if inverse and name in ("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh"):
            return Node("function", tuple(args), "arc" + name)
        node = Node("function", tuple(args), name)
        if name == "exp" and len(args) == 1:
            node = Node("power", (Node("constant", (), "e"), args[0]))
        return Node("power", (node, power)) if power is not None else node

    def _arguments(self) -> list[Node]:
        r"""In brackets, or the factors that stand behind the name: ``\sin 2x``."""
        for opening, closing in (("(", ")"), ("[", "]"), ("\\{", "\\}")):
            if self.take(opening):
                return self.comma_list(closing)[0]
        negative = self.take("-")
        parts = [self.factor()]
        while (
            self._starts_factor()
            and self.tokens[self.at].kind != "text"
            and self.look() not in "(["
        ):
            name = self.look()[1:]
            if self.tokens[self.at].kind == "command" and (name in FUNCTIONS or name in ALIASES):
                break
            parts.append(self._beside(parts))
        node = product_of(parts)
        return [Node("negative", (node,)) if negative else node]

    def _series(self, name: str) -> Node:
        self.need("_")
        start = self.script()
        self.need("^")
        end = self.script()
        if (
            start.kind != "relation"
            or start.data != ("=",)
            or start.parts[0].kind not in ("symbol", "constant")
        ):
            raise Unreadable("a sum whose index is not set to a first value")
        variable = Node("symbol", (), start.parts[0].data)
        return Node("series", (variable, start.parts[1], end, self.product()), name)
