"""The seeded order of a source's prompts.

An order by hash, not by a shuffled list: a prompt's place doesn't depend on which others are
there, and taking 60 takes a subset of what taking 100 takes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from deimos.recipe import RecipeError
from deimos.types import Prompt


def rank(prompt: Prompt, salt: str) -> str:
    """What a prompt is sorted by: a hash of its id and the salt."""
    return hashlib.sha256(f"{salt}:{prompt.id}".encode()).hexdigest()


def once(prompts: Iterable[Prompt]) -> list[Prompt]:
    """The first prompt of each wording: some data sets ask the same question twice."""
    found: dict[tuple[str, ...], Prompt] = {}
    for prompt in prompts:
        found.setdefault(tuple(" ".join(m["content"].split()) for m in prompt.messages), prompt)
    return list(found.values())


def taken(prompts: Iterable[Prompt], take: int | None, seed: int, name: str) -> list[Prompt]:
    """The first ``take`` prompts in the seed's order; None takes all.

    Raises:
        RecipeError: there are fewer than ``take``, or none.
    """
    ordered = sorted(prompts, key=lambda prompt: rank(prompt, f"take-{seed}"))
    if not ordered:
        raise RecipeError(f"{name} has no prompts")
    if take is not None and take > len(ordered):
        raise RecipeError(f"take = {take}: {name} has only {len(ordered)} prompts")
    return ordered[:take]
