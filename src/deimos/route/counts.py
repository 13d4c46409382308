"""How many answers a routing takes; read by ``plan``, which loads no ML."""

from __future__ import annotations

from deimos.recipe import Recipe


def count_answers(recipe: Recipe, prompts: int) -> int:
    """How many answers a routing decodes, two models in two modes; ``plan`` asks here too.

    At most so many: those that a sweep or the dev pass has decoded are taken over, and a template
    without a switch ends it before. 0 if the recipe has no route section, or the model no tags.

    Args:
        recipe: the whole of it.
        prompts: of dev.
    """
    models = modes = 2
    wanted = recipe.route is not None and recipe.model.tags is not None
    return prompts * models * modes if wanted else 0
