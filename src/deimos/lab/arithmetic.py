"""Multi-step arithmetic word problems, asked for the number or as a choice among ranges."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from deimos.lab.problem import HOLDERS, NAMES, THINGS, Clause, Problem

LARGEST = 99
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

    @property
    def verb(self) -> str:
        """What one has to do."""
        match self.op:
            case "add":
                return f"add {self.a}"
            case "sub":
                return f"take away {self.a}"
            case "groups":
                return f"add {self.a} times {self.b}"
            case "double":
                return "double it"
            case _:
                return "halve it"

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
class Story:
    """A start value and steps, as a story about somebody's things."""

    start: int
    steps: tuple[Step, ...]
    name: str
    thing: str
    sentences: tuple[str, ...]
    """The opening, then one sentence a step."""

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

    def problem(self, kind: Literal["math", "choice"]) -> Problem:
        """The story as a problem of either kind; both have one skeleton, so one split."""
        question = f"{' '.join(self.sentences)} How many {self.thing} does {self.name} have now?"
        options = [f"{'ABCD'[i]}) {name}" for i, (name, _) in enumerate(RANGES)]
        choice = kind == "choice"
        return Problem(
            kind=kind,
            skeleton=f"{self.start}|" + "|".join(f"{s.op},{s.a},{s.b}" for s in self.steps),
            text="\n".join([question, *options]) if choice else question,
            clauses=tuple(
                Clause(sentence, step.verb, tuple(step.sums(value)))
                for step, sentence, value in zip(self.steps, self.sentences[1:], self.values)
            ),
            answer=(
                f"The answer is \\boxed{{{self.letter}}}."
                if choice
                else f"{self.name} has \\boxed{{{self.result}}} {self.thing} now."
            ),
            reference=(
                {"letter": self.letter, "options": [name for name, _ in RANGES]}
                if choice
                else str(self.result)
            ),
            conclusion=f"{self.result} is {self.letter}." if choice else "",
        )


def draw(rng: random.Random, lengths: Sequence[int]) -> Story:
    """A story whose number of steps is one of ``lengths``."""
    start = rng.randint(3, 40)
    steps = _steps(rng, start, lengths)
    return _tell(rng, start, steps)


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


def _tell(rng: random.Random, start: int, steps: tuple[Step, ...]) -> Story:
    name, other = rng.sample(NAMES, 2)
    thing = rng.choice(THINGS)
    sentences = [f"{name} has {start} {thing}."]
    sentences += [_sentence(rng, step, name, other, thing) for step in steps]
    return Story(start, steps, name, thing, tuple(sentences))


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
