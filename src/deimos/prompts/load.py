"""Calling a source by its recipe block.

A source is a callable ``(*, take, seed, **options) -> Iterable[Prompt]``; it owns its seeded order.
"""

from __future__ import annotations

import inspect
import json
import sys
import typing
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError

from deimos import registry
from deimos.recipe import RecipeError, SourceSettings
from deimos.recipe.errors import describe_accepted, show_value
from deimos.types import Prompt


def load_source(source: SourceSettings, seed: int) -> list[Prompt]:
    """The prompts that a recipe's source block names.

    Raises:
        RecipeError: as ``check_source``, no prompts, or whatever the source refuses itself.
    """
    function = check_source(source)
    try:
        prompts = list(function(take=source.take, seed=seed, **source.options))
        "".join(m["content"] for p in prompts if isinstance(p, Prompt) for m in p.messages).encode()
    except UnicodeEncodeError as e:
        half = ascii(e.object[max(0, e.start - 20) : e.end + 20])
        raise RecipeError(
            f"source {source.source!r} gave a text with half a surrogate pair, which is no character: {half}"
        ) from e
    if not prompts:
        raise RecipeError(f"source {source.source!r} gave no prompts")
    odd = next((p for p in prompts if not isinstance(p, Prompt)), None)
    if odd is not None:
        raise RecipeError(f"source {source.source!r} gave a {type(odd).__name__}, not a Prompt")
    return prompts


def golds_of(source: SourceSettings, prompts: Sequence[Prompt]) -> list[tuple[str, Any]]:
    """(answer, reference) of prompts whose right answers stand beside them and not in them.

    A source ``name`` may have beside it a function ``name_golds(**options)`` that yields (answer,
    prompt): code has its own solutions. Empty: the grader's kind says how a gold is written.

    Raises:
        RecipeError: prompts without known answers (IFEval's).
    """
    function = check_source(source)
    module = sys.modules.get(function.__module__)
    golds = getattr(module, f"{getattr(function, '__name__', '')}_golds", None)
    if golds is not None:
        wanted = {prompt.id for prompt in prompts}
        return [(a, p.reference) for a, p in golds(**source.options) if p.id in wanted]
    lacking = next((p for p in prompts if p.kind in ("instruction", "code")), None)
    if lacking is not None:
        raise RecipeError(
            f"source {source.source!r} has no golds to check with: nobody has written right answers "
            f"to its {lacking.kind} prompts"
        )
    return []


def check_source(source: SourceSettings) -> Callable[..., Any]:
    """The function behind a source block, whose options it takes; nothing is loaded.

    Raises:
        RecipeError: no such source, an option that it doesn't have or needs, or of another type.
    """
    try:
        function = registry.resolve("source", source.source)
    except registry.UnknownName as e:
        raise RecipeError(str(e)) from e
    parameters = {
        p.name: p
        for p in inspect.signature(function).parameters.values()
        if p.name not in ("take", "seed")
    }
    _check_names(parameters, source)
    _check_types(function, source)
    return function


def _check_names(parameters: dict[str, inspect.Parameter], source: SourceSettings) -> None:
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    for name in source.options:
        if name not in parameters:
            known = ", ".join(sorted(parameters)) or "none"
            raise RecipeError(f"source {source.source!r} has no option {name!r}: accepted: {known}")
    for name, p in parameters.items():
        if p.default is p.empty and name not in source.options:
            raise RecipeError(f"source {source.source!r} needs the option {name!r}")


def _check_types(function: Callable[..., Any], source: SourceSettings) -> None:
    """Options against the annotations of the function, where it has any that can be read."""
    try:
        hints = typing.get_type_hints(function)
    except (NameError, TypeError):
        return
    for name, value in source.options.items():
        if name not in hints:
            continue
        try:
            # As JSON: a list will do for a tuple, and still no text for a number.
            TypeAdapter(hints[name]).validate_json(json.dumps(value), strict=True)
        except (PydanticSchemaGenerationError, PydanticUserError):
            continue
        except ValidationError as e:
            fault = e.errors()[0]
            where = ".".join([name, *map(str, fault["loc"])])
            raise RecipeError(
                f"source {source.source!r}: option {where} = {show_value(fault['input'])}: {describe_accepted(fault)}"
            ) from e
