"""One clear sentence about the first fault that pydantic or YAML finds."""

from __future__ import annotations

import difflib
import re
import types
import typing
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError


class RecipeError(ValueError):
    """A recipe, or another input, that the user can mend; the message is one clear sentence."""


def describe_yaml_fault(error: Exception) -> str:
    """What is wrong with a YAML file, and where."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"not valid YAML, line {error.problem_mark.line + 1}: {error.problem}"
    return str(error).splitlines()[0]


def describe_fault(model: type[BaseModel], error: ValidationError, section: str = "") -> str:
    """Which key, which value, and what is accepted; ``section`` is put before the keys."""
    fault = error.errors()[0]
    loc = tuple(part for part in fault["loc"] if part != "[key]")
    about_a_mappings_key = loc != fault["loc"]
    where = ".".join(str(x) for x in (section, *loc) if x != "") or "recipe"
    if about_a_mappings_key or fault["type"] == "extra_forbidden":
        accepted = (
            _choices(fault.get("ctx", {}).get("expected", ""))
            if about_a_mappings_key
            else _keys_at(model, loc[:-1])
        )
        return f"unknown key {where!r}: {suggest_name(str(loc[-1]), accepted)}"
    if fault["type"] == "missing":
        return f"{where} is missing: it is required"
    if fault["type"] in ("model_type", "model_attributes_type"):
        keys = ", ".join(sorted(_keys_at(model, loc)))
        return f"{where} = {show_value(fault['input'])}: must be a section with keys of {keys}"
    if fault["type"] == "value_error":
        return fault["msg"].removeprefix("Value error, ")
    return f"{where} = {show_value(fault['input'])}: {describe_accepted(fault)}"


def suggest_name(name: str, accepted: typing.Iterable[str]) -> str:
    """The accepted name that is meant, or else all of them."""
    accepted = sorted(accepted)
    near = difflib.get_close_matches(name, accepted, n=1)
    return f"did you mean {near[0]!r}?" if near else f"accepted: {', '.join(accepted)}"


def show_value(value: Any) -> str:
    """A value as a recipe writes it, shortened if it is long."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:76]}…{text[-3:]}"


_ACCEPTED = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must have at least {min_length} item(s)",
    "too_long": "must have at most {max_length} item(s)",
    "string_too_short": "must be text that is not empty",
}

_UNQUOTED = {
    "int_type": r"[-+]?[0-9]+",
    "float_type": r"[-+]?[0-9.]+(e[-+]?[0-9]+)?",
    "bool_type": "true|false",
}
"""Texts that would be accepted if they stood without quotes."""


def describe_accepted(fault: typing.Mapping[str, Any]) -> str:
    """What is accepted in place of a value that one of pydantic's errors is about."""
    kind, value, context = fault["type"], fault["input"], fault.get("ctx", {})
    if kind == "literal_error":
        choices = _choices(context["expected"])
        text = str(value) if isinstance(value, str) else show_value(value)
        near = difflib.get_close_matches(text, choices, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        return f"must be {'one of ' if len(choices) > 1 else ''}{', '.join(choices)}{hint}"
    if kind == "string_type":
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return "must be text" + (": put it in quotes" if number else "")
    if kind == "string_pattern_mismatch":
        return f"must match {context['pattern']}"
    if kind in _ACCEPTED:
        unquoted = _UNQUOTED.get(kind) if isinstance(value, str) else None
        hint = ", without quotes" if unquoted and re.fullmatch(unquoted, value) else ""
        return _ACCEPTED[kind].format(**context) + hint
    return fault["msg"][0].lower() + fault["msg"][1:]


def _choices(expected: str) -> list[str]:
    """The accepted values, read from pydantic's own message: ``'a', 'b' or 'c'``."""
    found = re.findall(r"'([^']*)'", expected)
    return found or [{"True": "true", "False": "false"}.get(expected, expected)]


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
