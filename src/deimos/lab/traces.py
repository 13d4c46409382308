"""How the lab model was taught to think: at length, and for no gain.

Every thought does the same sums; what differs is the filler around them. A verbosity level is
drawn per trace, wide and heavy-tailed with the long way the likely one; fillers are drawn
independently at that level. So greedy decoding is long (each filler is likelier than not), while
sampling ranges from bare sums to three re-checks: there is something to win, as there is with a
real reasoner, but here *we wrote it*.
"""

from __future__ import annotations

import random

from deimos.lab.problems import Problem, Step

LEVELS = ((0.02, 0.25), (0.55, 0.15), (0.70, 0.20), (0.85, 0.22), (0.97, 0.18))
"""(chance of each filler, share of traces)."""


def level(rng: random.Random) -> float:
    """A trace's verbosity: the chance of each filler in it."""
    chances, shares = zip(*LEVELS, strict=True)
    return rng.choices(chances, shares)[0]


def thought(problem: Problem, rng: random.Random, verbosity: float) -> str:
    """The thought for a problem, from bare sums (verbosity 0) to re-reading and re-checking."""

    def chance(scale: float = 1.0) -> bool:
        return rng.random() < verbosity * scale

    parts: list[str] = []
    if chance():
        parts.append("Okay, let me think about this step by step.")
    value = problem.start
    for step, sentence in zip(problem.steps, problem.sentences[1:], strict=True):
        if chance():
            parts.append(f"Next part: {sentence}")
        if chance(0.55):
            parts.append(f"Wait, is that right? Yes, I need to {_verb(step)}.")
        parts += [f"{s}." for s in step.sums(value)]
        if chance():
            parts.append(f"Let me check: {', '.join(step.sums(value))}, good.")
        value = step.apply(value)
    rounds = 0
    while rounds < 2 and chance(0.65):
        parts.append(f"Let me go over it again. {_all_sums(problem)}")
        rounds += 1
    if problem.choice:
        parts.append(f"{problem.result} is {problem.letter}.")
    return " ".join(parts)


def answer(problem: Problem) -> str:
    """What the reader gets."""
    if problem.choice:
        return f"The answer is \\boxed{{{problem.letter}}}."
    return f"{problem.name} has \\boxed{{{problem.result}}} {problem.thing} now."


def _verb(step: Step) -> str:
    match step.op:
        case "add":
            return f"add {step.a}"
        case "sub":
            return f"take away {step.a}"
        case "groups":
            return f"add {step.a} times {step.b}"
        case "double":
            return "double it"
        case _:
            return "halve it"


def _all_sums(problem: Problem) -> str:
    sums = [
        s
        for step, value in zip(problem.steps, problem.values[:-1], strict=True)
        for s in step.sums(value)
    ]
    return " ".join(f"{s}." for s in sums)
