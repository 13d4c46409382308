"""Multi-step arithmetic word problems and multiple choice, drawn from a seed.

A problem's *skeleton* (start value, operations, operands) alone decides which split it belongs
to, so the splits are disjoint by construction, whatever names and things are put around it:
``base`` teaches the lab model, ``train`` is for recipes, ``test`` for benchmarks.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Split = Literal["base", "train", "test"]
SHARES: dict[Split, range] = {"test": range(10), "train": range(10, 20), "base": range(20, 100)}
"""Percent of all skeletons, by hash."""

NAMES = (
    "Tom", "Mia", "Ben", "Ana", "Sam", "Eva", "Max", "Zoe", "Leo", "Ivy",
    "Dan", "Amy", "Jon", "Kim", "Ray", "Sue", "Tim", "Una", "Vic", "Nora",
)  # fmt: skip
THINGS = (
    "apples", "pens", "coins", "books", "cards", "shells", "stamps", "eggs", "beads", "nuts",
    "cups", "plums", "rings", "bricks", "seeds", "tickets",
)  # fmt: skip
HOLDERS = ("bags", "boxes", "packs", "jars")
LARGEST = 99
LENGTHS = (2, 3, 3, 4)
"""Steps of the problems that the lab model is taught; a number twice is twice as likely."""
RANGES = (("less than 20", 20), ("20 to 39", 40), ("40 to 59", 60), ("60 or more", LARGEST + 1))
"""The options of a multiple choice and where each ends. Ranges, because finding a computed number
among listed ones is more than a model of this size learned from problems."""


@dataclass(frozen=True)
class Step:
    """One change of the running value."""

    op: Literal["add", "sub", "groups", "double", "half"]
    a: int = 0
    b: int = 0

    def apply(self, value: int) -> int:
        """The value after this step."""
        match self.op:
            case "add":
                return value + self.a
            case "sub":
                return value - self.a
            case "groups":
                return value + self.a * self.b
            case "double":
                return value * 2
            case _:
                return value // 2

    def sums(self, value: int) -> list[str]:
        """The arithmetic that the step needs, one equation each."""
        after = self.apply(value)
        match self.op:
            case "add":
                return [f"{value}+{self.a}={after}"]
            case "sub":
                return [f"{value}-{self.a}={after}"]
            case "groups":
                return [
                    f"{self.a}*{self.b}={self.a * self.b}",
                    f"{value}+{self.a * self.b}={after}",
                ]
            case "double":
                return [f"{value}*2={after}"]
            case _:
                return [f"{value}/2={after}"]


@dataclass(frozen=True)
class Problem:
    """A skeleton dressed as a story."""

    start: int
    steps: tuple[Step, ...]
    name: str
    thing: str
    sentences: tuple[str, ...]
    """The opening, then one sentence a step."""
    choice: bool = False
    """Asked as a choice among ``RANGES`` instead of for the number."""

    @property
    def values(self) -> list[int]:
        """Running value before and after each step."""
        values = [self.start]
        for step in self.steps:
            values.append(step.apply(values[-1]))
        return values

    @property
    def result(self) -> int:
        """The right number."""
        return self.values[-1]

    @property
    def letter(self) -> str:
        """The letter of the range that holds the result."""
        return "ABCD"[next(i for i, (_, end) in enumerate(RANGES) if self.result < end)]

    @property
    def text(self) -> str:
        """What the user asks."""
        question = f"{' '.join(self.sentences)} How many {self.thing} does {self.name} have now?"
        if not self.choice:
            return question
        return "\n".join(
            [question, *(f"{'ABCD'[i]}) {name}" for i, (name, _) in enumerate(RANGES))]
        )


def split_of(start: int, steps: tuple[Step, ...]) -> Split:
    """The split that owns a skeleton."""
    skeleton = f"{start}|" + "|".join(f"{s.op},{s.a},{s.b}" for s in steps)
    bucket = int.from_bytes(hashlib.sha256(skeleton.encode()).digest()[:8], "big") % 100
    return next(split for split, share in SHARES.items() if bucket in share)


def draw(
    rng: random.Random,
    split: Split,
    kind: Literal["math", "choice"],
    lengths: Sequence[int] = LENGTHS,
) -> Problem:
    """One problem of a split, by rejection; its number of steps is one of ``lengths``."""
    while True:
        start = rng.randint(3, 40)
        steps = _steps(rng, start, lengths)
        if split_of(start, steps) == split:
            return _dress(rng, start, steps, kind)


def _steps(rng: random.Random, start: int, lengths: Sequence[int]) -> tuple[Step, ...]:
    steps: list[Step] = []
    value = start
    for _ in range(rng.choice(lengths)):
        step = _step(rng, value)
        steps.append(step)
        value = step.apply(value)
    return tuple(steps)


def _step(rng: random.Random, value: int) -> Step:
    while True:
        match rng.choice(("add", "add", "sub", "sub", "groups", "groups", "double", "half")):
            case "add":
                step = Step("add", rng.randint(2, 19))
            case "sub" if value > 3:
                step = Step("sub", rng.randint(2, min(value - 1, 19)))
            case "groups":
                step = Step("groups", rng.randint(2, 5), rng.randint(2, 6))
            case "double":
                step = Step("double")
            case "half" if value % 2 == 0 and value > 3:
                step = Step("half")
            case _:
                continue
        if step.apply(value) <= LARGEST:
            return step


def _dress(
    rng: random.Random, start: int, steps: tuple[Step, ...], kind: Literal["math", "choice"]
) -> Problem:
    name, other = rng.sample(NAMES, 2)
    thing = rng.choice(THINGS)
    sentences = [f"{name} has {start} {thing}."]
    sentences += [_sentence(rng, step, name, other, thing) for step in steps]
    return Problem(start, steps, name, thing, tuple(sentences), choice=kind == "choice")


def _sentence(rng: random.Random, step: Step, name: str, other: str, thing: str) -> str:
    match step.op:
        case "add":
            return rng.choice(
                (
                    f"{name} buys {step.a} more {thing}.",
                    f"{other} gives {name} {step.a} {thing}.",
                    f"Then {name} finds {step.a} {thing}.",
                )
            )
        case "sub":
            return rng.choice(
                (
                    f"{name} gives {step.a} {thing} to {other}.",
                    f"{name} sells {step.a} {thing}.",
                    f"Then {name} loses {step.a} {thing}.",
                )
            )
        case "groups":
            holder = rng.choice(HOLDERS)
            return rng.choice(
                (
                    f"{name} buys {step.a} {holder} with {step.b} {thing} each.",
                    f"{other} brings {name} {step.a} {holder} of {step.b} {thing}.",
                )
            )
        case "double":
            return f"Then {name} doubles the number of {thing}."
        case _:
            return rng.choice(
                (
                    f"{name} gives half of the {thing} to {other}.",
                    f"Then {name} sells half of the {thing}.",
                )
            )
