"""What a routing takes, answers and packages; read by ``plan``, which loads no ML."""

from __future__ import annotations

from importlib.util import find_spec

from deimos.recipe import Recipe, RecipeError

MISSING = "route: fitting a policy needs scikit-learn: pip install 'deimos-llm[route]'"


def count_answers(recipe: Recipe, prompts: int) -> int:
    """How many answers a routing decodes, two models in two modes; ``plan`` asks here too.

    At most so many: those that a sweep or the dev pass has decoded are taken over, and a template
    without a switch ends it before. 0 if the recipe has no route section, or the model no tags.

    Args:
        recipe: the whole of it.
        prompts: of dev.
    """
    models = modes = 2
    return prompts * models * modes if _is_wanted(recipe) else 0


def count_routed(recipe: Recipe, problems: int) -> int:
    """How many test answers the benchmark decodes to say what a policy is worth: at most both modes.

    Args:
        recipe: the whole of it.
        problems: of all tests.
    """
    return 2 * problems if _is_wanted(recipe) else 0


def _is_wanted(recipe: Recipe) -> bool:
    return recipe.route is not None and recipe.model.tags is not None


def require_sklearn() -> None:
    """RecipeError, with how to install it, if scikit-learn is not here."""
    if find_spec("sklearn") is None:
        raise RecipeError(MISSING)
