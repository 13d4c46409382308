"""The lab's problems as a source of prompts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal

from deimos.lab.problem import LENGTHS, STORY_KINDS, Problem, story_kind_of
from deimos.lab.problems import draw
from deimos.recipe import RecipeError
from deimos.registry import source
from deimos.types import Kind, Prompt

DEFAULT_TAKE = 1000
KINDS: tuple[Kind, ...] = ("math", "choice", "instruction", "code")


@source("lab", paths=())
def lab(
    *,
    take: int | None,
    seed: int,
    split: Literal["train", "test"] = "train",
    kinds: Sequence[Kind] = KINDS,
    steps: Sequence[int] = LENGTHS,
) -> list[Prompt]:
    """Distinct problems of a split, the kinds taking turns.

    Args:
        take: how many in all; None takes 1,000 (the generator has no end).
        seed: another seed draws other problems of the same split.
        split: ``train`` or ``test``; disjoint, and neither overlaps with what the lab model was trained on.
            In ``test`` math and choice share no story either, so that tests of both are of as many
            questions as problems.
        kinds: among ``math``, ``choice``, ``instruction`` and ``code``.
        steps: how many steps (rules, changes) a problem may have, drawn evenly; the more, the harder.

    Raises:
        RecipeError: unknown split, kind or number of steps.
    """
    if split not in ("train", "test"):
        raise RecipeError(f"lab split {split!r} must be train or test")
    if not kinds or not set(kinds) <= set(KINDS):
        raise RecipeError(f"lab kinds {list(kinds)!r} must be among {', '.join(KINDS)}")
    if not steps or not set(steps) <= set(range(1, 9)):
        raise RecipeError(f"lab steps {list(steps)!r} must be numbers from 1 to 8")
    rng = random.Random(f"{split}/{seed}")
    prompts: dict[str, Prompt] = {}
    wanted = DEFAULT_TAKE if take is None else take
    while len(prompts) < wanted:
        kind = kinds[len(prompts) % len(kinds)]
        problem = draw(rng, split, kind, steps)
        if split == "test" and kind in STORY_KINDS and story_kind_of(problem.skeleton) != kind:
            continue
        prompt = _prompt(problem)
        prompts.setdefault(prompt.id, prompt)
    return list(prompts.values())


def _prompt(problem: Problem) -> Prompt:
    return Prompt.of(
        task=f"lab_{problem.kind}",
        kind=problem.kind,
        messages=[{"role": "user", "content": problem.text}],
        reference=problem.reference,
        source="lab",
        licence="Apache-2.0",
        level=str(len(problem.clauses)),
    )
