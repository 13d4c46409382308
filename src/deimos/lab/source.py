"""The lab's problems as a source of prompts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal

from deimos.lab.problems import LENGTHS, RANGES, Problem, draw
from deimos.recipe import RecipeError
from deimos.registry import source
from deimos.types import Kind, Prompt

DEFAULT_TAKE = 1000


@source("lab")
def lab(
    *,
    take: int | None,
    seed: int,
    split: Literal["train", "test"] = "train",
    kinds: Sequence[Kind] = ("math", "choice"),
    steps: Sequence[int] = LENGTHS,
) -> list[Prompt]:
    """Distinct problems of a split, the kinds taking turns.

    Args:
        take: how many in all; None takes 1,000 (the generator has no end).
        seed: another seed draws other problems of the same split.
        split: ``train`` or ``test``; never overlapping, nor with what the lab model was taught.
        kinds: among ``math`` and ``choice``.
        steps: how many steps a problem may have, drawn evenly; the longer, the harder.

    Raises:
        RecipeError: unknown split, kind or number of steps.
    """
    if split not in ("train", "test"):
        raise RecipeError(f"lab split {split!r} must be train or test")
    if not kinds or not set(kinds) <= {"math", "choice"}:
        raise RecipeError(f"lab kinds {list(kinds)!r} must be among math and choice")
    if not steps or not set(steps) <= set(range(1, 9)):
        raise RecipeError(f"lab steps {list(steps)!r} must be numbers from 1 to 8")
    rng = random.Random(f"{split}/{seed}")
    prompts: dict[str, Prompt] = {}
    wanted = DEFAULT_TAKE if take is None else take
    while len(prompts) < wanted:
        kind = "math" if kinds[len(prompts) % len(kinds)] == "math" else "choice"
        prompt = _prompt(draw(rng, split, kind, steps))
        prompts.setdefault(prompt.id, prompt)
    return list(prompts.values())


def _prompt(problem: Problem) -> Prompt:
    kind: Kind = "choice" if problem.choice else "math"
    reference = (
        {"letter": problem.letter, "options": [name for name, _ in RANGES]}
        if problem.choice
        else str(problem.result)
    )
    return Prompt.of(
        task=f"lab_{kind}",
        kind=kind,
        messages=[{"role": "user", "content": problem.text}],
        reference=reference,
        source="lab",
        licence="Apache-2.0",
    )
