"""Holding a dev slice out of the training prompts, and refusing what would spoil it.

Which prompts go to dev hangs on their ids and the seed, not on their order. Only exact repeats of
a question are found here; near ones are decontamination's business.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from deimos.prompts.order import rank
from deimos.recipe import RecipeError
from deimos.types import Prompt


def split(
    prompts: Sequence[Prompt], fraction: float, min_per_kind: int, seed: int
) -> tuple[list[Prompt], list[Prompt]]:
    """Divide into (train, dev), each in the given order.

    Per kind, dev gets ``fraction``, and at least ``min_per_kind`` where that leaves at least as
    many to train on; at least one where there are two.

    Raises:
        RecipeError: the same question twice.
    """
    refuse_duplicates(prompts)
    dev: set[str] = set()
    for kind in {prompt.kind for prompt in prompts}:
        dev |= _dev_ids([p for p in prompts if p.kind == kind], fraction, min_per_kind, seed)
    return [p for p in prompts if p.id not in dev], [p for p in prompts if p.id in dev]


def refuse_duplicates(prompts: Iterable[Prompt]) -> None:
    """RecipeError where two prompts ask the same, whatever their references."""
    seen: dict[str, Prompt] = {}
    for prompt in prompts:
        first = seen.setdefault(question(prompt), prompt)
        if first is not prompt:
            where = " and ".join(dict.fromkeys(p.source or p.task for p in (first, prompt)))
            raise RecipeError(f"the same prompt stands twice in {where}: {_shown(prompt)!r}")


def common(prompts: Iterable[Prompt], others: Iterable[Prompt]) -> list[Prompt]:
    """Those prompts whose question also stands among the others."""
    known = {question(other) for other in others}
    return [prompt for prompt in prompts if question(prompt) in known]


def question(prompt: Prompt) -> str:
    """What is asked, roles included and white space evened out, as one text."""
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


def _shown(prompt: Prompt) -> str:
    text = " ".join(prompt.messages[-1]["content"].split())
    return text if len(text) <= 60 else text[:57] + "…"
