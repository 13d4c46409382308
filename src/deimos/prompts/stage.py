"""The prompts stage: all sources of a recipe, divided into train.jsonl and dev.jsonl."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from deimos.prompts.files import write_prompts
from deimos.prompts.load import load_source
from deimos.prompts.split import split
from deimos.types import Prompt

if TYPE_CHECKING:
    from deimos.run import StageJob

VERSION = 1
"""Raised when the meaning of what this stage writes changes."""


def run(job: StageJob) -> dict[str, Any]:
    """Load, divide and write; returns how many prompts of which kind and task went where.

    Raises:
        RecipeError: a source refuses, or the same question stands twice.
    """
    recipe = job.recipe.prompts
    prompts: list[Prompt] = []
    for done, source in enumerate(recipe.sources):
        job.progress("prompts", done, len(recipe.sources), source.source)
        prompts += load_source(source, recipe.seed)
    job.progress("prompts", len(recipe.sources), len(recipe.sources))
    train, dev = split(prompts, recipe.dev_fraction, recipe.dev_min_per_kind, recipe.seed)
    write_prompts(job.out / "train.jsonl", train)
    write_prompts(job.out / "dev.jsonl", dev)
    return {
        "train": len(train),
        "dev": len(dev),
        "train_by_kind": dict(sorted(Counter(p.kind for p in train).items())),
        "dev_by_kind": dict(sorted(Counter(p.kind for p in dev).items())),
        "by_task": dict(sorted(Counter(p.task for p in prompts).items())),
    }
