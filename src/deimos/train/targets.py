"""On which modules of a model an adapter is put: whether they are there, and whether it can be.

Loads no ML. PEFT's own rule: a target is the end of a module's dotted name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from deimos.recipe import RecipeError

KEY = "train.lora.target_modules"


def check_targets(
    targets: Iterable[str],
    modules: Collection[str],
    tied: Collection[str] = (),
    heads: Collection[str] = (),
) -> None:
    """Refuse what PEFT takes without a word.

    Args:
        targets: the recipe's.
        modules: names of those that an adapter can be put on.
        tied: names of those whose one weight is input and output embedding. An adapter changes one of
            the two while it is beside the weights, and both once it is merged.
        heads: names of the output embedding. TRL computes the loss from its own weight, so an adapter on
            it would not be trained.

    Raises:
        RecipeError: a target that is none of the modules, a tied one, or the output embedding.
    """
    for target in targets:
        if not _ends(target, modules):
            known = sorted({name.rpartition(".")[2] for name in modules})
            raise RecipeError(
                f"{KEY}: the model has no module called {target!r} that an adapter can be put on; it "
                f"has {', '.join(known)}"
            )
        if _ends(target, tied):
            raise RecipeError(
                f"{KEY}: {target!r} is tied: one weight is the model's input and output embedding, so a "
                "merged adapter would be another model than the trained one: leave it out"
            )
        if _ends(target, heads):
            raise RecipeError(
                f"{KEY}: {target!r} is the model's output embedding, on which an adapter would not be "
                "trained (the loss is computed from its own weight): leave it out"
            )


def _ends(target: str, names: Iterable[str]) -> bool:
    return any(f".{name}".endswith(f".{target}") for name in names)
