"""Whether a JSON schema that a client sends can be handed on: no circles, no addresses.

A schema that refers to itself makes some grammar compilers run without end; one that refers to an
address makes them fetch it. Not covered: whether the schema means anything.
"""

from __future__ import annotations

import graphlib
from collections.abc import Sequence
from typing import Any

from deimos.recipe.errors import show_value


def find_schema_fault(schema: Any) -> str | None:
    """Why a JSON schema cannot be handed on; None if it can.

    Args:
        schema: anything; what is no object has no fault.
    """
    if not isinstance(schema, dict):
        return None
    targets: dict[str, set[str]] = {"#": {*_references(schema)}}
    waiting = [*targets["#"]]
    while waiting:
        name = waiting.pop()
        if name == "#" or name in targets:
            continue
        if not name.startswith("#/"):
            return f"a schema's $ref = {show_value(name)}: must begin with #/"
        targets[name] = {*_references(_look_up(schema, name))}
        waiting += targets[name]
    try:
        graphlib.TopologicalSorter(targets).prepare()
    except graphlib.CycleError:
        return "a schema's $ref leads back to itself: must not be recursive"
    return None


def _references(schema: Any) -> Sequence[str]:
    """Every ``$ref`` in a schema, those in its own definitions left out."""
    if isinstance(schema, list):
        return [ref for part in schema for ref in _references(part)]
    if not isinstance(schema, dict):
        return []
    own = [schema["$ref"]] if isinstance(schema.get("$ref"), str) else []
    inner = (v for k, v in schema.items() if k not in ("$defs", "definitions"))
    return [*own, *(ref for part in inner for ref in _references(part))]


def _look_up(schema: Any, reference: str) -> Any:
    for part in reference.removeprefix("#/").split("/"):
        schema = schema.get(part) if isinstance(schema, dict) else None
    return schema
