"""The prompts stage: all sources of a recipe, divided into train.jsonl and dev.jsonl."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from deimos.prompts.files import write_prompts
from deimos.prompts.jsonl import checked_reference
from deimos.prompts.load import load_source
from deimos.prompts.split import split
from deimos.recipe import Recipe, RecipeError
from deimos.registry import BUILTIN
from deimos.types import Prompt

if TYPE_CHECKING:
    from deimos.run import StageJob

VERSION = 1
"""Raised when the meaning of what this stage writes changes."""


Progress = Callable[[str, int, int, str], None]


def run(job: StageJob, *, check: Callable[[Collection[Prompt]], object]) -> dict[str, Any]:
    """Load, divide and write; returns how many prompts of which kind and task went where.

    Args:
        job: where to write.
        check: shown all prompts before anything is written; raises where the recipe tests on them.

    Raises:
        RecipeError: as ``gather``, or what ``check`` refuses.
    """
    train, dev = gather(job.recipe, job.progress)
    prompts = [*train, *dev]
    check(prompts)
    write_prompts(job.out / "train.jsonl", train)
    write_prompts(job.out / "dev.jsonl", dev)
    return {
        "train": len(train),
        "dev": len(dev),
        "train_by_kind": dict(sorted(Counter(p.kind for p in train).items())),
        "dev_by_kind": dict(sorted(Counter(p.kind for p in dev).items())),
        "by_task": dict(sorted(Counter(p.task for p in prompts).items())),
    }


def gather(
    recipe: Recipe, progress: Progress = lambda label, done, total, note: None
) -> tuple[list[Prompt], list[Prompt]]:
    """The prompts of all sources, divided into (train, dev).

    Raises:
        RecipeError: a source refuses, no grader for a kind, a reference of another kind, a single
            prompt, or the same twice.
    """
    wanted = recipe.prompts
    prompts: list[Prompt] = []
    for done, source in enumerate(wanted.sources):
        progress("prompts", done, len(wanted.sources), source.source)
        prompts += load_source(source, wanted.seed)
    progress("prompts", len(wanted.sources), len(wanted.sources), "")
    _refuse_unjudged(recipe, prompts)
    _refuse_odd_golds(recipe, prompts)
    if len(prompts) < 2:
        raise RecipeError("prompts.sources give 1 prompt: two are needed, one to hold out as dev")
    return split(prompts, wanted.dev_fraction, wanted.dev_min_per_kind, wanted.seed)


def _refuse_unjudged(recipe: Recipe, prompts: Collection[Prompt]) -> None:
    lacking = sorted({p.kind for p in prompts} - set(recipe.select.graders))
    if lacking:
        raise RecipeError(
            f"prompts.sources give {lacking[0]} prompts but select.graders has no grader for them"
        )


def _refuse_odd_golds(recipe: Recipe, prompts: Collection[Prompt]) -> None:
    """References that our own graders could only shrug at; what other graders take is theirs."""
    graders = recipe.select.graders
    for prompt in prompts:
        if graders[prompt.kind] in BUILTIN["grader"]:
            try:
                checked_reference(prompt.kind, prompt.reference)
            except ValueError as e:
                where = prompt.source or prompt.task
                asked = " ".join(prompt.messages[-1]["content"].split())[:60]
                raise RecipeError(f"prompts.sources: {where}: {asked!r}: {e}") from e
