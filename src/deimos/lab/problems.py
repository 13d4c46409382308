"""The lab's problems of all four kinds, drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence

from deimos.lab import functions, notes, sums
from deimos.lab.problem import LENGTHS, Problem, Split, split_of
from deimos.types import Kind


def draw(rng: random.Random, split: Split, kind: Kind, lengths: Sequence[int] = LENGTHS) -> Problem:
    """One problem of a split, by rejection; its number of clauses is one of ``lengths``."""
    while True:
        match kind:
            case "math" | "choice":
                problem = sums.draw(rng, lengths).problem(kind)
            case "instruction":
                problem = notes.draw(rng, lengths)
            case _:
                problem = functions.draw(rng, lengths)
        if split_of(problem.skeleton) == split:
            return problem
