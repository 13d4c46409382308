"""The lab's problems of all four kinds, drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence

from deimos.lab import arithmetic, code_problems, instructions
from deimos.lab.problem import LENGTHS, Problem, SplitName, split_of
from deimos.types import Kind


def draw(
    rng: random.Random, split: SplitName, kind: Kind, lengths: Sequence[int] = LENGTHS
) -> Problem:
    """One problem of a split, by rejection; its number of clauses is one of ``lengths``."""
    while True:
        match kind:
            case "math" | "choice":
                problem = arithmetic.draw(rng, lengths).problem(kind)
            case "instruction":
                problem = instructions.draw(rng, lengths)
            case _:
                problem = code_problems.draw(rng, lengths)
        if split_of(problem.skeleton) == split:
            return problem
