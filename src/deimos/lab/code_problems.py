"""Small Python functions: a chain of changes to a number or to a list of numbers.

The thought follows one example through the chain; the tests call the function with others, their
expected values computed here and not by the text of the answer.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from deimos.lab.problem import Clause, Problem

FUNCTION = "f"
"""One name for all: a model of this size learns late, or never, to copy a name from the prompt."""
LARGEST = 99
"""No number of an example is larger (or below 0), as in the stories."""
NUMBERS = (0, 1, 4, 7, 12, 25, 60)
"""What a function of a number is tested with."""
LISTS = ([], [3], [9, 2, 5], [4, 4, 8, 1], [12, 7, 3, 10, 6])
"""What a function of a list is tested with."""

Op = Literal[
    "add", "sub", "times", "most", "least",
    "over", "under", "add_each", "times_each", "sort", "reverse", "sum", "count",
]  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One change of a number (the first five operations) or of a list (the others)."""

    op: Op
    a: int = 0

    @property
    def sentence(self) -> str:
        """As the user asks for it."""
        a = self.a
        return {
            "add": f"Add {a}.",
            "sub": f"Take away {a}.",
            "times": f"Multiply by {a}.",
            "most": f"If it is more than {a}, make it {a}.",
            "least": f"If it is less than {a}, make it {a}.",
            "over": f"Keep the numbers over {a}.",
            "under": f"Keep the numbers under {a}.",
            "add_each": f"Add {a} to each.",
            "times_each": f"Multiply each by {a}.",
            "sort": "Sort them.",
            "reverse": "Reverse their order.",
            "sum": "Take their sum.",
            "count": "Count them.",
        }[self.op]

    @property
    def verb(self) -> str:
        """As one says it to oneself."""
        a = self.a
        return {
            "add": f"add {a}",
            "sub": f"take away {a}",
            "times": f"multiply by {a}",
            "most": f"keep it to {a} at most",
            "least": f"keep it to {a} at least",
            "over": f"keep those over {a}",
            "under": f"keep those under {a}",
            "add_each": f"add {a} to each",
            "times_each": f"multiply each by {a}",
            "sort": "sort them",
            "reverse": "reverse them",
            "sum": "sum them",
            "count": "count them",
        }[self.op]

    @property
    def line(self) -> str:
        """The statement that does it, on ``x`` or ``xs``."""
        a = self.a
        return {
            "add": f"x += {a}",
            "sub": f"x -= {a}",
            "times": f"x *= {a}",
            "most": f"x = min(x, {a})",
            "least": f"x = max(x, {a})",
            "over": f"xs = [x for x in xs if x > {a}]",
            "under": f"xs = [x for x in xs if x < {a}]",
            "add_each": f"xs = [x + {a} for x in xs]",
            "times_each": f"xs = [x * {a} for x in xs]",
            "sort": "xs = sorted(xs)",
            "reverse": "xs = xs[::-1]",
            "sum": "return sum(xs)",
            "count": "return len(xs)",
        }[self.op]

    def apply(self, value: int | list[int]) -> int | list[int]:
        """The value after this change."""
        a = self.a
        if isinstance(value, int):
            match self.op:
                case "add":
                    return value + a
                case "sub":
                    return value - a
                case "times":
                    return value * a
                case "most":
                    return min(value, a)
                case _:
                    return max(value, a)
        match self.op:
            case "over":
                return [x for x in value if x > a]
            case "under":
                return [x for x in value if x < a]
            case "add_each":
                return [x + a for x in value]
            case "times_each":
                return [x * a for x in value]
            case "sort":
                return sorted(value)
            case "reverse":
                return value[::-1]
            case "sum":
                return sum(value)
            case _:
                return len(value)

    def work(self, value: int | list[int]) -> str:
        """What the change does to an example."""
        after = _shown(self.apply(value))
        sign = {"add": "+", "sub": "-", "times": "*"}.get(self.op)
        if sign:
            return f"{value}{sign}{self.a}={after}"
        return f"{self.verb}: {after}"


def draw(rng: random.Random, lengths: Sequence[int]) -> Problem:
    """A function whose number of changes is one of ``lengths``."""
    count = rng.choice(lengths)
    if rng.random() < 0.6:
        example = rng.randint(2, 9)
        changes = _of_a_number(rng, example, count)
    else:
        example, changes = rng.sample(range(1, 10), 3), _of_a_list(rng, count)
    return _problem(example, changes)


def _of_a_number(rng: random.Random, example: int, count: int) -> list[Change]:
    changes: list[Change] = []
    value: int | list[int] = example
    while len(changes) < count:
        match rng.choice(("add", "sub", "times", "most", "least")):
            case "times":
                change = Change("times", rng.randint(2, 4))
            case "add":
                change = Change("add", rng.randint(2, 19))
            case "sub":
                change = Change("sub", rng.randint(2, 9))
            case "most":
                change = Change("most", rng.randint(5, 40))
            case _:
                change = Change("least", rng.randint(5, 40))
        after = change.apply(value)
        again = bool(changes) and changes[-1].op == change.op
        if not again and isinstance(after, int) and 0 <= after <= LARGEST:
            changes.append(change)
            value = after
    return changes


def _of_a_list(rng: random.Random, count: int) -> list[Change]:
    changes: list[Change] = []
    while len(changes) < count - 1:
        match rng.choice(("over", "under", "add_each", "times_each", "sort", "reverse")):
            case "over":
                change = Change("over", rng.randint(2, 6))
            case "under":
                change = Change("under", rng.randint(5, 12))
            case "add_each":
                change = Change("add_each", rng.randint(2, 9))
            case "times_each":
                change = Change("times_each", rng.randint(2, 4))
            case "sort":
                change = Change("sort")
            case _:
                change = Change("reverse")
        if not changes or changes[-1].op != change.op:
            changes.append(change)
    return [*changes, Change(rng.choice(("sum", "count")))]


def _problem(example: int | list[int], changes: list[Change]) -> Problem:
    single = isinstance(example, int)
    parameter, what = ("x", "a number x") if single else ("xs", "a list of numbers xs")
    clauses: list[Clause] = []
    value = example
    for change in changes:
        clauses.append(Clause(change.sentence, change.verb, (change.work(value),)))
        value = change.apply(value)
    body = [change.line for change in changes] + ["return x"] * single
    asks = " ".join(change.sentence for change in changes)
    return Problem(
        kind="code",
        skeleton="|".join(f"{change.op},{change.a}" for change in changes),
        text=f"Write a Python function {FUNCTION}({parameter}) for {what}. {asks} Return the result.",
        clauses=tuple(clauses),
        answer="\n    ".join([f"```python\ndef {FUNCTION}({parameter}):", *body]) + "\n```",
        reference={
            "tests": [
                f"assert {FUNCTION}({given}) == {_result(changes, given)}"
                for given in (NUMBERS if single else LISTS)
            ],
            "entry_point": FUNCTION,
        },
        opening=f"Take {_shown(example)}.",
    )


def _result(changes: list[Change], given: int | list[int]) -> int | list[int]:
    value = given
    for change in changes:
        value = change.apply(value)
    return value


def _shown(value: int | list[int]) -> str:
    return str(value) if isinstance(value, int) else " ".join(map(str, value)) or "none"
