"""From a command's arguments to a recipe, its run folder and its stages.

Everything that a command needs is opened and checked here, before anything runs.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import deimos
from deimos.evaluate.merged import merge_model, refuse_itself
from deimos.pipeline.stages import ALL, names_of, plan
from deimos.planning.check import check
from deimos.recipe import Recipe, RecipeError, load, validate
from deimos.recipe.runtime import Runtime
from deimos.runs.folder import RunError, RunFolder
from deimos.runs.plan import Planned, select_stages
from deimos.store.hashing import differences
from deimos.store.journal import JournalError
from deimos.store.names import RECIPE

Changes = Mapping[str, tuple[Any, Any]]
"""Dotted key to its value before and now."""


class Prepared(NamedTuple):
    """A run folder that is locked and holds a recipe and its plan."""

    folder: RunFolder
    plan: list[Planned]
    """The stages that are wanted, after all that they need."""
    changed: Changes
    """Keys that differ from the recipe that the folder held before."""


@contextmanager
def prepare(
    name: str, out: Path | None, sets: Sequence[str], until: str | None
) -> Iterator[Prepared]:
    """Load a recipe, check what it names, plan it, and lock the run folder with both in it.

    Nobody else can write the run folder inside the block.

    Args:
        name: recipe file, run folder or packaged name.
        out: run folder; None: by the recipe's name, or the one that ``name`` is.
        sets: ``key=value`` each.
        until: last stage; None: all.

    Raises:
        RecipeError: recipe, key or value that a run would refuse.
        RunError: the run folder is something else, is in use, or cannot be written.
    """
    check_until(until)
    recipe, raw = load(recipe_file(name), sets)
    path = find_run(name, out, recipe).path
    runtime = validate(Runtime, raw, "runtime")
    _check_section(until, recipe)
    every = plan_recipe(recipe, runtime)
    wanted = select_stages(every, until) if until else every
    before = RunFolder(path).settings()[0] if is_run(path) else recipe
    changed = differences(before.model_dump(mode="json"), recipe.model_dump(mode="json"))
    with ExitStack() as held:
        with explain_write_faults(path):
            folder = held.enter_context(RunFolder.begin(path, recipe, raw, every))
        yield Prepared(folder, wanted, changed)


def load_recipe(name: str, sets: Sequence[str] = ()) -> tuple[Recipe, Runtime]:
    """The recipe and the runtime that a recipe argument names.

    Raises:
        RecipeError: there is none, or it has a key or a value that is not accepted.
    """
    recipe, runtime = load(recipe_file(name), sets)
    return recipe, validate(Runtime, runtime, "runtime")


def recipe_file(name: str) -> Path:
    """The file that a recipe argument names: a file, a run folder's, or a packaged one."""
    path = Path(name)
    if is_run(path):
        return path / RECIPE
    if path.is_file():
        return path
    here = Path(deimos.__file__).resolve().parent
    for folder in (here / "recipes", here.parents[1] / "recipes"):
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"  # a packaged name may have dots in it
    return path


def copy_recipe(name: str, to: Path | None) -> Path:
    """Copy a packaged recipe to a new file, which is returned.

    Raises:
        RecipeError: no such recipe, or the file exists or cannot be written.
    """
    source, target = recipe_file(name), to or Path(f"{name}.yaml")
    if not source.is_file():
        known = ", ".join(sorted(path.stem for path in recipe_file("lab").parent.glob("*.yaml")))
        raise RecipeError(f"there is no packaged recipe {name!r}: there are {known}")
    if target.exists():
        raise RecipeError(f"{str(target)!r} exists already: give another file to write")
    try:
        target.write_bytes(source.read_bytes())
    except OSError as e:
        raise RecipeError(f"{str(target)!r} cannot be written: {e.strerror}") from e
    return target


def run_path(name: str, out: Path | None, recipe: Recipe) -> Path:
    """The run folder of a recipe argument, whether it exists or not.

    Raises:
        RecipeError: the recipe starts from what this run trains.
    """
    path = out or (Path(name) if is_run(Path(name)) else Path("runs") / recipe.name)
    refuse_itself(recipe, path)
    return path


def find_run(name: str, out: Path | None, recipe: Recipe) -> RunFolder:
    """The run folder of a recipe argument, before anything that its recipe names is looked for.

    Raises:
        RecipeError: as ``run_path``.
        RunError: another version of Deimos made it; what it names may be gone.
    """
    run = RunFolder(run_path(name, out, recipe))
    if reason := run.unlike_this_version():
        raise RunError(reason)
    return run


def is_run(path: Path) -> bool:
    """Whether a path is a run folder."""
    return (path / RECIPE).is_file()


def plan_recipe(recipe: Recipe, runtime: Runtime, until: str | None = None) -> list[Planned]:
    """The stages of a recipe up to ``until``, once all that they name is found.

    Raises:
        RecipeError: no such stage, or as ``check``.
    """
    check_until(until)
    _check_section(until, recipe)
    merge_model(recipe)  # what looks at the model's files finds them
    check(recipe, runtime)
    return plan(recipe, until)


def check_until(until: str | None) -> None:
    """RecipeError if there is no stage of this name."""
    if until and until not in ALL:
        raise RecipeError(f"--until {until!r} must be one of {', '.join(ALL)}")


def _check_section(until: str | None, recipe: Recipe) -> None:
    """RecipeError if the stage is one that only some recipes have, and not this one."""
    if until and until not in names_of(recipe):
        raise RecipeError(
            f"{until}: the recipe has no {until} section, so it has no such stage: add `{until}: {{}}` "
            f"to it, or pass --set {until}={{}}"
        )


@contextmanager
def explain_write_faults(folder: Path) -> Iterator[None]:
    """RunError in one sentence where the run folder cannot be written: it is the user's to mend."""
    try:
        yield
    except (OSError, JournalError) as e:
        cause = e if isinstance(e, OSError) else e.__cause__
        reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(e)
        raise RunError(
            f"run folder {str(folder)!r} cannot be written: {reason}; choose another with --out"
        ) from e


def command_line(recipe: str, out: Path | None, sets: Sequence[str]) -> str:
    """The same arguments, quoted for a shell, for another command."""
    words = [recipe, *(["--out", str(out)] if out else [])]
    for item in sets:
        words += ["--set", item]
    return shlex.join(words)
