"""What pydantic and YAML complain of, as one clear sentence about the first fault."""

from __future__ import annotations

import difflib
import types
import typing
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError


class RecipeError(ValueError):
    """A recipe the user can mend; the message is one clear sentence."""


def yaml_fault(error: Exception) -> str:
    """What is wrong with a YAML file, and where."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"not valid YAML, line {error.problem_mark.line + 1}: {error.problem}"
    return str(error).splitlines()[0]


def sentence(model: type[BaseModel], error: ValidationError, section: str) -> str:
    """Which key, which value, and what is accepted; ``section`` is put before the keys."""
    fault = error.errors()[0]
    where = ".".join(str(x) for x in (section, *fault["loc"]) if x != "") or "recipe"
    if fault["type"] == "extra_forbidden":
        accepted = _keys_at(model, fault["loc"][:-1])
        near = difflib.get_close_matches(str(fault["loc"][-1]), accepted, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"accepted: {', '.join(sorted(accepted))}"
        return f"unknown key {where!r}: {hint}"
    if fault["type"] == "missing":
        return f"{where} is missing: it is required"
    if fault["type"] in ("model_type", "model_attributes_type"):
        keys = ", ".join(sorted(_keys_at(model, fault["loc"])))
        return f"{where} = {fault['input']!r}: must be a section with keys of {keys}"
    if fault["type"] in ("tuple_type", "list_type"):
        return f"{where} = {fault['input']!r}: must be a list"
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "value_error":
        return message
    return f"{where} = {fault['input']!r}: {message[0].lower() + message[1:]}"


def _keys_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """Valid keys of the section that ``loc`` points at."""
    here: Any = model
    for part in loc:
        if isinstance(part, int):
            continue
        field = getattr(here, "model_fields", {}).get(part)
        here = _section_of(field.annotation) if field else None
    return list(getattr(here, "model_fields", {}))


def _section_of(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (list, typing.Union, types.UnionType):
        for arg in typing.get_args(annotation):
            if found := _section_of(arg):
                return found
    return None
