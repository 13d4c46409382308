"""``deimos run --rounds K``: a chain of runs, each of which starts from what the one before trained.

Round 1 is the run folder itself, later ones lie beside it (``NAME-round-2``). A round that has lost
accuracy on the dev prompts, or saved too little there, is the last one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import typer

from deimos.recipe import Recipe, RecipeError, load
from deimos.runs.artifacts import load_run

RunOne = Callable[[str, Path, Sequence[str]], None]
"""Runs a recipe, with a run folder and sets, to its end."""


def run_rounds(
    recipe: str,
    out: Path | None,
    sets: Sequence[str],
    rounds: int,
    run_one: RunOne,
    until: str | None = None,
) -> None:
    """Run a chain of at most so many rounds.

    Args:
        recipe: recipe file, run folder or packaged name.
        out: run folder of the first round; None: by the recipe's name.
        sets: ``key=value`` each, for every round.
        rounds: at most so many.
        run_one: called for each round.
        until: of ``deimos run``: refused, as every round runs to its end.

    Raises:
        RecipeError: what ``run_one`` raises.
    """
    from deimos.planning.arguments import recipe_file, run_path

    if until is not None:
        raise RecipeError(f"--until {until!r}: each of --rounds runs to its end, so leave it out")
    loaded, _ = load(recipe_file(recipe), sets)
    first = run_path(recipe, out, loaded)
    folder, given = first, [*sets, *([] if loaded.gain else ["gain={}"])]
    own = given
    for number in range(1, rounds + 1):
        typer.echo(f"round {number} of at most {rounds}: {folder}", err=True)
        run_one(recipe, folder, own)
        gain = load_run(folder).gain()
        if not gain:
            raise RecipeError(f"{str(folder)!r} has no gain measured: run the same command again")
        typer.echo(f"round {number}: {gain['because']}")
        if gain["verdict"] != "go on":
            kept = (
                f"{folder} is kept"
                if gain["verdict"] == "little"
                else _name_kept(folder, number, first)
            )
            typer.echo(f"stopped after round {number} of {rounds}: {gain['because']}; {kept}")
            return
        own = [*given, *next_sets(loaded, folder, number + 1)]
        folder = _folder_of(first, number + 1)
    typer.echo(f"{rounds} of {rounds} rounds are done; {_folder_of(first, rounds)} is the last")


def next_sets(recipe: Recipe, before: Path, number: int) -> list[str]:
    """What a round changes in the recipe: its name, its model, and that tags are taught already."""
    model: dict[str, Any] = recipe.model.model_dump(mode="json")
    model = {k: v for k, v in model.items() if k not in ("id", "run", "revision")}
    if teach := recipe.train.teach:
        model |= {"tags": {"open": teach.open, "close": teach.close}, "thinking": True}
        model.pop("thinking_key", None)  # the taught template has its own
    model["run"] = str(before)
    sets = [f"model={json.dumps(model)}", f"name={recipe.name}-round-{number}"]
    return [*sets, "train.teach=null"] if recipe.train.teach else sets


def _name_kept(folder: Path, number: int, first: Path) -> str:
    """Which model is the chain's, if the last round is worse than what it started from."""
    if number == 1:
        return f"the base is better than what {folder} trained"
    return f"the model of {_folder_of(first, number - 1)} is the better one"


def _folder_of(first: Path, number: int) -> Path:
    """A round's folder, beside the first one's."""
    if number == 1:
        return first
    named = first if first.name not in ("", "..") else first.resolve()  # "." has no name
    return named.with_name(f"{named.name}-round-{number}")
