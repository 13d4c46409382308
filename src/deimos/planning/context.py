"""Does everything fit the model's context? A prompt and all that may be decoded behind it.

Looked at for engines that load the model themselves; a server says what it holds when it is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deimos.models.context import context_length
from deimos.recipe import Recipe, RecipeError
from deimos.recipe.runtime import Runtime

_ENGINES = ("local", "vllm")


def refuse_beyond_context(
    recipe: Recipe, runtime: Runtime, config: Mapping[str, Any], *, prompt: int, test: int
) -> None:
    """Refuse prompts that the model cannot hold, and budgets that no prompt leaves room for.

    Args:
        recipe: with the budgets.
        runtime: names the engine.
        config: of the text model, as ``config.json`` has it.
        prompt: tokens of the longest train or dev prompt; 0: not known.
        test: the same of the test problems.

    Raises:
        RecipeError: names the key, the context and what fits.
    """
    context = context_length(config)
    if context is None or runtime.engine not in _ENGINES:
        return
    for what, longest in (("prompts", prompt), ("bench.tasks", test)):
        if longest >= context:
            raise RecipeError(
                f"{what}: the longest prompt has {longest:,} tokens, and the context of model "
                f"{recipe.model.name!r} is {context:,}, prompt and completion together: leave such "
                "prompts out, or take a model with a longer context"
            )
    for key, most, longest in _budgets(recipe, prompt, test):
        if longest + most > context:
            behind = f", and the longest prompt has {longest:,}" if longest else ""
            raise RecipeError(
                f"{key} = {most}: the context of model {recipe.model.name!r} is {context:,} tokens, "
                f"prompt and completion together{behind}: set it to at most {context - max(longest, 1)}"
            )


def _budgets(recipe: Recipe, prompt: int, test: int) -> Iterator[tuple[str, int, int]]:
    """Key, tokens that may be decoded, and tokens of the longest prompt before them."""
    yield "sample.sampling.max_tokens", recipe.sample.sampling.max_tokens, prompt
    if recipe.bench.has_tests:
        yield "bench.budget", recipe.bench.budget, test
    if recipe.sweep and recipe.sweep.parameters.max_tokens:
        yield "sweep.parameters.max_tokens", max(recipe.sweep.parameters.max_tokens), prompt
