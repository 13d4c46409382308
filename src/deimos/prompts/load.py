"""Calling a source by its recipe block.

A source is a callable ``(*, take, seed, **options) -> Iterable[Prompt]``; it owns its seeded order.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from deimos import registry
from deimos.recipe import RecipeError, Source
from deimos.types import Prompt


def load_source(source: Source, seed: int) -> list[Prompt]:
    """The prompts that a recipe's source block names.

    Raises:
        RecipeError: no such source, an option it doesn't have, or whatever it refuses itself.
    """
    try:
        function = registry.resolve("source", source.source)
    except registry.UnknownName as e:
        raise RecipeError(str(e)) from e
    _check_options(function, source)
    prompts = list(function(take=source.take, seed=seed, **source.options))
    odd = next((p for p in prompts if not isinstance(p, Prompt)), None)
    if odd is not None:
        raise RecipeError(f"source {source.source!r} gave a {type(odd).__name__}, not a Prompt")
    return prompts


def _check_options(function: Callable[..., Any], source: Source) -> None:
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    accepted = sorted(p.name for p in parameters if p.name not in ("take", "seed"))
    for name in source.options:
        if name not in accepted:
            known = ", ".join(accepted) or "none"
            raise RecipeError(f"source {source.source!r} has no option {name!r}: accepted: {known}")
    for p in parameters:
        if p.default is p.empty and p.name not in ("take", "seed", *source.options):
            raise RecipeError(f"source {source.source!r} needs the option {p.name!r}")
