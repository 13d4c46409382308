"""The seeded order of prompts, the dev slice held out of them, and repeated questions.

Order and dev slice come from hashes of prompt ids, not from a shuffled list: a prompt's place doesn't
depend on which others are there, and taking 60 takes a subset of what taking 100 takes. Only exact
repeats of a question are found here; near ones are left to decontamination.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence

from deimos.recipe import RecipeError
from deimos.types import Prompt


def rank(prompt: Prompt, salt: str) -> str:
    """What a prompt is sorted by: a hash (hex) of the salt and its id."""
    return hashlib.sha256(f"{salt}:{prompt.id}".encode()).hexdigest()


def drop_repeats(prompts: Iterable[Prompt]) -> list[Prompt]:
    """The first prompt of each wording: some data sets ask the same question twice."""
    found: dict[tuple[str, ...], Prompt] = {}
    for prompt in prompts:
        found.setdefault(tuple(" ".join(m["content"].split()) for m in prompt.messages), prompt)
    return list(found.values())


def take_in_order(
    prompts: Iterable[Prompt], take: int | None, seed: int, name: str
) -> list[Prompt]:
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


def split(
    prompts: Sequence[Prompt], fraction: float, min_per_kind: int, seed: int
) -> tuple[list[Prompt], list[Prompt]]:
    """Divide into (train, dev), each in the given order.

    Per kind, dev gets ``fraction``, and at least ``min_per_kind`` if that leaves at least as many to
    train on; at least one if there are two.

    Raises:
        RecipeError: the same question twice.
    """
    refuse_duplicates(prompts)
    dev: set[str] = set()
    for kind in {prompt.kind for prompt in prompts}:
        dev |= _dev_ids([p for p in prompts if p.kind == kind], fraction, min_per_kind, seed)
    return [p for p in prompts if p.id not in dev], [p for p in prompts if p.id in dev]


def refuse_duplicates(prompts: Iterable[Prompt]) -> None:
    """RecipeError if two prompts ask the same, whatever their references."""
    seen: dict[str, Prompt] = {}
    for prompt in prompts:
        first = seen.setdefault(normalise_question(prompt), prompt)
        if first is not prompt:
            where = " and ".join(dict.fromkeys(p.source or p.task for p in (first, prompt)))
            raise RecipeError(f"the same prompt stands twice in {where}: {_shorten(prompt)!r}")


def find_common(prompts: Iterable[Prompt], others: Iterable[Prompt]) -> list[Prompt]:
    """The prompts whose question is also among the others."""
    known = {normalise_question(other) for other in others}
    return [prompt for prompt in prompts if normalise_question(prompt) in known]


def normalise_question(prompt: Prompt) -> str:
    """What is asked, with roles, as one text; each run of white space is one space."""
    return json.dumps([[m["role"], " ".join(m["content"].split())] for m in prompt.messages])


def dev_size(prompts: int, fraction: float, least: int) -> int:
    """How many of a kind's prompts go to dev (see ``split``)."""
    count = round(fraction * prompts)
    if prompts >= 2 * least:
        count = max(count, least)
    return min(max(count, 1), prompts - 1) if prompts >= 2 else count


def _dev_ids(prompts: list[Prompt], fraction: float, least: int, seed: int) -> set[str]:
    count = dev_size(len(prompts), fraction, least)
    ranked = sorted(prompts, key=lambda prompt: rank(prompt, f"dev-{seed}"))
    return {prompt.id for prompt in ranked[:count]}


def _shorten(prompt: Prompt) -> str:
    text = " ".join(prompt.messages[-1]["content"].split())
    return text if len(text) <= 60 else text[:57] + "…"
