"""Test problems: from the recipe's sources, and refused where training has seen them.

The check here is for the *same* problem (its id, or the same words after normalisation) among
training and dev prompts. Not covered: paraphrases and shared n-grams; those are decontamination's,
before training.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from deimos.recipe import Bench, Recipe, RecipeError, Task
from deimos.registry import resolve
from deimos.types import Prompt

POOLED = "all"
"""The task name of rows that pool all tasks."""


@dataclass(frozen=True)
class TestTask:
    """One task of the recipe with its problems, each once."""

    __test__ = False  # no test class, whatever pytest makes of the name

    name: str
    thinking: bool | None
    prompts: tuple[Prompt, ...]
    duplicates: int
    """Problems dropped because the source gave them twice."""
    contaminated: int
    """Problems also among the training or dev prompts (0 unless the recipe allows it)."""


def load_tasks(recipe: Recipe, seen: Collection[Prompt]) -> list[TestTask]:
    """All test tasks of a recipe.

    Args:
        recipe: its ``bench`` section is read, and ``allow_contamination``.
        seen: prompts that training and dev decisions used.

    Raises:
        RecipeError: two tasks of one name, a name unfit for files, no problems, a kind without
            grader, or problems that training has seen.
    """
    _check_names(recipe.bench)
    ids, words = {p.id for p in seen}, {normalised(p) for p in seen}
    return [_load(recipe, task, ids, words) for task in recipe.bench.tasks]


def _load(recipe: Recipe, task: Task, ids: set[str], words: set[str]) -> TestTask:
    source = resolve("source", task.source.source)
    given = list(source(take=task.source.take, seed=recipe.bench.seed, **task.source.options))
    prompts = tuple({p.id: p for p in given}.values())
    if not prompts:
        raise RecipeError(f"bench.tasks: {task.name!r} has no problems: its source gave none")
    _check_kinds(recipe, task.name, prompts)
    known = [p for p in prompts if p.id in ids or normalised(p) in words]
    if known and not recipe.allow_contamination:
        raise RecipeError(
            f"bench.tasks: {len(known)} of {len(prompts)} problems of {task.name!r} are among the "
            f"training or dev prompts (such as {_excerpt(known[0])!r}): test on others, or pass "
            "--allow-contamination, and the card will say so"
        )
    thinking = recipe.model.thinking if task.thinking is None else task.thinking
    return TestTask(task.name, thinking, prompts, len(given) - len(prompts), len(known))


def _check_names(bench: Bench) -> None:
    names = [task.name for task in bench.tasks]
    for name in names:
        if name == POOLED or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise RecipeError(
                f"bench.tasks: the name {name!r} must be letters, digits, '.', '_' or '-', and not {POOLED!r}"
            )
        if names.count(name) > 1:
            raise RecipeError(f"bench.tasks: two tasks are called {name!r}: names must differ")


def _check_kinds(recipe: Recipe, name: str, prompts: Iterable[Prompt]) -> None:
    lacking = sorted({p.kind for p in prompts} - set(recipe.select.graders))
    if lacking:
        raise RecipeError(
            f"bench.tasks: {name!r} has {lacking[0]} problems but select.graders has no grader for them"
        )


def normalised(prompt: Prompt) -> str:
    """What the user says, regardless of case, spacing and Unicode compatibility forms."""
    said = "\n".join(m["content"] for m in prompt.messages if m["role"] == "user")
    return " ".join(unicodedata.normalize("NFKC", said).casefold().split())


def _excerpt(prompt: Prompt) -> str:
    return normalised(prompt)[:60]
