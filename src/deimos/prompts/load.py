"""Calling a source as a recipe's source block says."""

from __future__ import annotations

import inspect
import json
import traceback
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError

from deimos import registry
from deimos.recipe import RecipeError, SourceSettings
from deimos.recipe.errors import describe_accepted, show_value
from deimos.registry import Source
from deimos.types import Prompt


def load_source(block: SourceSettings, seed: int) -> list[Prompt]:
    """The prompts that a recipe's source block asks for, in the source's order for the seed.

    Raises:
        RecipeError: as ``check_source``, no prompts, or whatever the source refuses itself.
    """
    source = check_source(block)
    try:
        prompts = list(source(take=block.take, seed=seed, **block.options))
        "".join(m["content"] for p in prompts if isinstance(p, Prompt) for m in p.messages).encode()
    except UnicodeEncodeError as e:
        half = ascii(e.object[max(0, e.start - 20) : e.end + 20])
        raise RecipeError(
            f"source {block.source!r} gave a text with half a surrogate pair, which is no character: {half}"
        ) from e
    except (RecipeError, OSError):
        raise
    except Exception as e:
        if block.source in registry.BUILTIN["source"]:
            raise
        place = traceback.extract_tb(e.__traceback__)[-1]
        raise RecipeError(
            f"source {block.source!r} failed with {type(e).__name__}: {' '.join(str(e).split())} "
            f"({Path(place.filename).name}, line {place.lineno})"
        ) from e
    if not prompts:
        raise RecipeError(f"source {block.source!r} gave no prompts")
    odd = next((p for p in prompts if not isinstance(p, Prompt)), None)
    if odd is not None:
        raise RecipeError(f"source {block.source!r} gave a {type(odd).__name__}, not a Prompt")
    return prompts


def solutions_of(block: SourceSettings, prompts: Sequence[Prompt]) -> list[tuple[str, Any]]:
    """(right answer, reference) of these prompts, from the source's own solutions.

    Empty if the source has no solutions and right answers can be written from the references.

    Raises:
        RecipeError: the source has no solutions, and an answer cannot be written from a reference
            of this kind (IFEval's rules).
    """
    source = check_source(block)
    if source.solutions is not None:
        wanted = {prompt.id for prompt in prompts}
        return [(a, p.reference) for a, p in source.solutions(**block.options) if p.id in wanted]
    lacking = next((p for p in prompts if p.kind in ("instruction", "code")), None)
    if lacking is not None:
        raise RecipeError(
            f"source {block.source!r} has no right answers to check with: nobody has written any "
            f"to its {lacking.kind} prompts"
        )
    return []


def check_source(block: SourceSettings) -> Source:
    """The source that a block names, its options checked; loads no data.

    Raises:
        RecipeError: no such source, an option that it doesn't have, lacks or that has another type.
    """
    try:
        source = registry.resolve("source", block.source)
    except registry.UnknownName as e:
        raise RecipeError(str(e)) from e
    _check_names(source.option_names(), block)
    _check_types(source, block)
    return source


def _check_names(parameters: dict[str, inspect.Parameter], block: SourceSettings) -> None:
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    for name in block.options:
        if name not in parameters:
            known = ", ".join(sorted(parameters)) or "none"
            raise RecipeError(f"source {block.source!r} has no option {name!r}: accepted: {known}")
    for name, p in parameters.items():
        if p.default is p.empty and name not in block.options:
            raise RecipeError(f"source {block.source!r} needs the option {name!r}")


def _check_types(source: Source, block: SourceSettings) -> None:
    """Check options against the function's annotations, if it has any that can be read."""
    try:
        hints = typing.get_type_hints(source.load)
    except (NameError, TypeError):
        return
    for name, value in block.options.items():
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
                f"source {block.source!r}: option {where} = {show_value(fault['input'])}: {describe_accepted(fault)}"
            ) from e
