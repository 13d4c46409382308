"""How the lab model was trained to think: at length, and for no gain.

Every thought does the same work (sums, a function's example, notes of the rules); what differs is the filler around them. A verbosity level is
drawn per trace, wide and heavy-tailed with the long way the likely one; fillers are drawn
independently at that level. So greedy decoding is long (each filler is likelier than not), while
sampling ranges from bare work to three re-checks: there is something to win, as there is with a
real reasoner, but here *we wrote it*.
"""

from __future__ import annotations

import random

from deimos.lab.problem import Problem

LEVELS = ((0.02, 0.22), (0.55, 0.16), (0.70, 0.21), (0.85, 0.23), (0.97, 0.18))
"""(chance of each filler, share of traces)."""


def level(rng: random.Random) -> float:
    """A trace's verbosity: the chance of each filler in it."""
    chances, shares = zip(*LEVELS, strict=True)
    return rng.choices(chances, shares)[0]


def thought(problem: Problem, rng: random.Random, verbosity: float) -> str:
    """The thought for a problem, from bare work (verbosity 0) to re-reading and re-checking."""

    def chance(scale: float = 1.0) -> bool:
        return rng.random() < verbosity * scale

    parts: list[str] = []
    if chance():
        parts.append("Okay, let me think about this step by step.")
    if problem.opening:
        parts.append(problem.opening)
    for clause in problem.clauses:
        if chance():
            parts.append(f"Next part: {clause.sentence}")
        if chance(0.55):
            parts.append(f"Wait, is that right? Yes, I need to {clause.verb}.")
        parts += [f"{work}." for work in clause.work]
        if chance():
            parts.append(f"Let me check: {', '.join(clause.work)}, good.")
    rounds = 0
    while rounds < 2 and chance(0.65):
        everything = " ".join(f"{work}." for clause in problem.clauses for work in clause.work)
        parts.append(f"Let me go over it again. {everything}")
        rounds += 1
    if problem.conclusion:
        parts.append(problem.conclusion)
    return " ".join(parts)
