"""What a user would pick instead of training, and whether the tuned model beats it.

A baseline is the base model, untrained, asked or decoded in another way: ``base+instruction`` (a
terse instruction behind what the user says), ``base+few_shot`` (worked examples before it),
``base+low_effort`` (the chat template's lowest ``reasoning_effort``), ``base+budget`` (the thought
closed at the tuned model's median length). It answers the same problems at the same decodings with the same seeds and budget as the base.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Literal

from deimos.prompts.decontaminate import Index, TestText
from deimos.prompts.examples import WorkedExample, read_examples
from deimos.recipe import Bench, Recipe, RecipeError
from deimos.store.schema import AnyRow
from deimos.types import Completion

INSTRUCTION, FEW_SHOT = "base+instruction", "base+few_shot"
LOW_EFFORT, BUDGET = "base+low_effort", "base+budget"
"""Baselines as rows call them."""
ACCURACY_MARGIN = 0.02
"""A loss of accuracy that is smaller counts as none."""
TOKENS_MARGIN = 0.02
"""Tokens that are more by a smaller share count as no more."""
BaselineResult = Literal["beats", "does not beat", "undecided"]


def list_baselines(bench: Bench) -> list[str]:
    """The baselines that a recipe asks for, in its order, as rows call them."""
    return [f"base+{name}" for name in bench.baselines]


def require_effort(effort: str | None) -> str:
    """The lowest effort of a chat template, for the baseline that needs one.

    Raises:
        RecipeError: it has none.
    """
    if effort is None:
        raise RecipeError(
            "bench.baselines: low_effort needs a chat template with a reasoning_effort below high, and "
            "the model's has none: leave low_effort out"
        )
    return effort


def choose_examples(recipe: Recipe, asked: Iterable[str]) -> tuple[WorkedExample, ...]:
    """The worked examples of the baseline ``few_shot``: the file's first that no test problem overlaps.

    Args:
        recipe: its ``bench`` section names the file, ``prompts.decontaminate`` the rules.
        asked: what the test problems ask.

    Returns:
        At most ``bench.shots``; empty if the recipe has no such baseline.

    Raises:
        RecipeError: the file cannot be read or has a bad row, or every example overlaps.
    """
    bench = recipe.bench
    if bench.exemplars is None:
        return ()
    key = f"bench.exemplars = {bench.exemplars!r}"
    rules = recipe.prompts.decontaminate
    rules = rules if rules.enabled else rules.model_copy(update={"near_duplicates": None})
    index = Index([TestText("", text) for text in asked], rules)
    read = read_examples(Path(bench.exemplars), key)
    free = [one for one in read if index.find(one.question) is None]
    if not free:
        raise RecipeError(f"{key}: every example overlaps with a test problem: bring others")
    return tuple(free[: bench.shots])


def find_think_budget(tuned: Sequence[Completion]) -> int:
    """The median of the tuned model's think tokens, half a token rounded up."""
    return math.ceil(median(c.think_tokens for c in tuned)) if tuned else 0


def judge_baseline(row: AnyRow) -> BaselineResult:
    """Whether the tuned model beats the baseline that a compare row is against.

    It beats the baseline if its accuracy is higher or no more than ``ACCURACY_MARGIN`` lower, and its
    total tokens (median, thought and answer) are fewer; or if its accuracy is higher and its tokens
    are no more than ``TOKENS_MARGIN`` more. Decided by the row's two 95% intervals: *beats* if that
    holds even at their ends that are worst for the tuned model, *does not beat* if it does not hold
    even at the ends that are best for it, else it is *undecided* at this n. So a model that is less
    accurate but shorter does not beat the baseline, nor does one that is longer but more accurate.

    Args:
        row: tuned against the baseline; a number without an interval tells nothing.
    """
    accuracy, tokens = row.get("accuracy_delta_ci"), row.get("total_tokens_reduction_ci")
    if accuracy is None or tokens is None:
        return "undecided"
    if _is_better(accuracy[0], tokens[0]):
        return "beats"
    return "undecided" if _is_better(accuracy[1], tokens[1]) else "does not beat"


def _is_better(delta: float, reduction: float) -> bool:
    """Whether a model with these true differences would beat the other."""
    return (delta > -ACCURACY_MARGIN and reduction > 0) or (
        delta > 0 and reduction > -TOKENS_MARGIN
    )
