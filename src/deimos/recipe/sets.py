"""``--set a.b.0.c=value``: changes to a recipe file's mapping before it is validated."""

from __future__ import annotations

import re
from typing import Any

from deimos.recipe.errors import RecipeError
from deimos.recipe.yaml_text import read_yaml


def apply_set(data: dict[str, Any], item: str) -> None:
    """Apply one ``--set a.b.0.c=value``; the value is read as YAML."""
    key, eq, value = item.partition("=")
    if not eq or not key:
        raise RecipeError(f"--set {item!r} must look like key.subkey=value")
    parsed = read_yaml(value, f"--set {key}")
    *path, last = key.split(".")
    here: Any = data
    for part in path:
        here = _step(here, part, key)
    if isinstance(here, list):
        here[_index(here, last, key)] = parsed
    elif isinstance(here, dict):
        here[last] = parsed
    else:
        raise RecipeError(f"--set {key}: {path[-1]!r} holds the value {here!r}, not a section")


def _step(here: Any, part: str, key: str) -> Any:
    if isinstance(here, list):
        return here[_index(here, part, key)]
    if not isinstance(here, dict):
        raise RecipeError(f"--set {key}: there is no section at {part!r}")
    if here.get(part) is None:
        here[part] = {}
    return here[part]


def _index(here: list[Any], part: str, key: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", part) or int(part) >= len(here):
        places = f"an index from 0 to {len(here) - 1}" if here else "left out: the list is empty"
        raise RecipeError(f"--set {key}: {part!r} must be {places}")
    return int(part)
