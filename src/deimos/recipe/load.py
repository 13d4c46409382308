"""Reading a recipe: YAML and ``--set a.b=c`` to a validated record, or one clear sentence."""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from deimos.recipe.errors import RecipeError, describe_fault, show_value
from deimos.recipe.model import Recipe
from deimos.recipe.runtime import Runtime
from deimos.recipe.sets import apply_set
from deimos.recipe.yaml_text import read_yaml


def load(path: Path, sets: typing.Sequence[str] = ()) -> tuple[Recipe, dict[str, Any]]:
    """A recipe file: the recipe and the raw ``runtime`` block beside it; RecipeError for any fault."""
    if not path.is_file():
        raise RecipeError(f"recipe {str(path)!r} does not exist")
    try:
        text = path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError) as e:
        raise RecipeError(f"recipe {str(path)!r} cannot be read: {e}") from e
    data = read_yaml(text, f"recipe {str(path)!r}")
    if not isinstance(data, dict):
        raise RecipeError(
            f"recipe {str(path)!r} must be a mapping of sections (name, model, prompts, …): it "
            f"{'is empty' if data is None else 'holds ' + show_value(data)}"
        )
    for item in sets:
        apply_set(data, item)
    runtime = data.pop("runtime", None)
    return parse(data), {} if runtime is None else runtime


def parse(data: dict[str, Any]) -> Recipe:
    """Validate a mapping into a recipe; RecipeError names the key, the value and what is accepted."""
    return validate(Recipe, data)


M = typing.TypeVar("M", bound=BaseModel)


def validate(model: type[M], data: dict[str, Any], section: str = "") -> M:
    """Validate ``data``, turning pydantic's report into one sentence about the first fault.

    ``section`` is where the data stands in the recipe file: it is put before the keys.
    """
    try:
        return model.model_validate(data)
    except ValidationError as e:
        raise RecipeError(describe_fault(model, e, section)) from e


def schema() -> dict[str, Any]:
    """JSON schema of a recipe file, its ``runtime`` block included, for editors."""

    class File(Recipe):
        """A recipe file: what changes a result, and under ``runtime`` what does not."""

        model_config = ConfigDict(title="Deimos recipe")

        runtime: Runtime = Runtime()

    return File.model_json_schema()
