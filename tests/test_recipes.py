"""The packaged recipes: each begins with its own command, loads, and plans every stage."""

from pathlib import Path

import pytest

from deimos.pipeline import ALL, plan
from deimos.recipe import load, validate
from deimos.runtime import Runtime

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_says_its_command_and_plans_every_stage(path):
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith(f"# deimos run recipes/{path.name}")
    recipe, runtime = load(path)
    validate(Runtime, runtime, "runtime")
    assert recipe.name == path.stem
    assert [planned.stage.name for planned in plan(recipe)] == list(ALL)
