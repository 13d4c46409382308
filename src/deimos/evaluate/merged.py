"""``model: {run: …}``: the model that another run has trained, merged once and named by its content.

The merged folder lies in the run that trained the adapter, ``merged-<fp8>``, so that every recipe that
starts from it finds it. Its fingerprint is that of base and adapter, which is known before anything is
merged: plans and fingerprints need no weights. Not covered: what is made of several adapters.
"""

from __future__ import annotations

from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path

from deimos.lab.weights import resolve_model
from deimos.models.ref import ModelRef
from deimos.recipe import ModelSettings, Recipe, RecipeError
from deimos.runs.artifacts import ArtifactError, load_run
from deimos.runs.folder import RunError, RunFolder
from deimos.runs.progress import ProgressBar
from deimos.store.hashing import fingerprint, model_hash


def model_path(recipe: Recipe) -> str:
    """Folder or Hub id of the recipe's model; ``lab`` is the packaged one, a run's is merged.

    Raises:
        RecipeError: ``model.run`` names no run, or one that has trained nothing.
    """
    return _path_of(recipe.model, ())


def model_identity(recipe: Recipe) -> str | None:
    """What the model is, by content; None for a Hub id, which the recipe names with its revision.

    Raises:
        RecipeError: as ``model_path``.
    """
    return _identity_of(recipe.model, ())


def merge_model(recipe: Recipe) -> None:
    """Merge what the recipe's model stands on, run after run, if that has not been done yet.

    Nothing happens if this Python has no PyTorch: the stage that loads the model merges it then.

    Raises:
        RecipeError: as ``model_path``; or the weights cannot be loaded, merged or written.
    """
    if recipe.model.run is None or not (find_spec("torch") and find_spec("peft")):
        return
    out = Path(model_path(recipe))
    if out.is_dir():
        return
    from deimos.models.save import save_merged

    source, adapter = _open(recipe.model.run, ())
    merge_model(source)
    teach, model = source.train.teach, source.model
    ref = ModelRef(
        model_path(source),
        model.revision,
        adapter=str(adapter),
        taught=teach.tags if teach else None,
    )
    origin = {
        "base": model.name,
        "revision": model.revision,
        "adapter": model_hash(adapter),
        "run": source.name,
    }
    with ProgressBar() as progress:
        progress("merge", 0, 1)
        try:
            save_merged(ref, out, origin)
        except OSError as e:
            raise RecipeError(
                f"model.run = {recipe.model.run!r}: the merged model cannot be written to {str(out)!r}: "
                f"{e.strerror or e}"
            ) from e
        progress("merge", 1, 1, str(out))


def refuse_itself(recipe: Recipe, folder: Path) -> None:
    """Refuse a model that the run in ``folder`` trains itself, directly or over other runs.

    Raises:
        RecipeError: it is that.
    """
    own, model, seen = folder.resolve(), recipe.model, set[Path]()
    while model.run is not None:
        path = Path(model.run).resolve()
        if path == own:
            raise RecipeError(
                f"model.run = {recipe.model.run!r}: the run in {str(folder)!r} would start from what it "
                "trains itself: give another run folder with --out"
            )
        if path in seen:
            return
        seen.add(path)
        try:
            model = RunFolder(path).settings()[0].model
        except (RecipeError, RunError):
            return  # no run, or an unreadable one: said where it is opened


def check_tags(recipe: Recipe) -> None:
    """Refuse other tags than those that the run which ``model.run`` names was trained with.

    Raises:
        RecipeError: they differ; or as ``model_path``.
    """
    if recipe.model.run is None:
        return
    source, _ = _open(recipe.model.run, ())
    teach = source.train.teach
    trained = teach.tags if teach else source.model.thinking_tags()
    if recipe.model.thinking_tags() != trained:
        wanted = (
            f"{{open: {trained.open!r}, close: {trained.close!r}}}"
            if trained
            else "null, and thinking: null"
        )
        raise RecipeError(
            f"model.tags: {recipe.model.run!r} was trained with other ones: set them to {wanted}"
        )


def _path_of(model: ModelSettings, seen: tuple[Path, ...]) -> str:
    if model.run is not None:
        return str(Path(model.run) / f"merged-{(_identity_of(model, seen) or '')[:8]}")
    return resolve_model(model.name)


def _identity_of(model: ModelSettings, seen: tuple[Path, ...]) -> str | None:
    if model.run is None:
        folder = Path(_path_of(model, seen))
        return model_hash(folder) if folder.is_dir() else None
    source, adapter = _open(model.run, seen)
    base = _identity_of(source.model, (*seen, Path(model.run).resolve()))
    return fingerprint([base or [source.model.id, source.model.revision], model_hash(adapter)])


def _open(run: str, seen: Collection[Path]) -> tuple[Recipe, Path]:
    """The recipe that a run was made from, and the adapter that it has trained."""
    path = Path(run)
    if path.resolve() in seen:
        raise RecipeError(f"model.run = {run!r}: this run starts, over others, from itself")
    try:
        adapter = load_run(path).adapter
    except ArtifactError as e:
        raise RecipeError(f"model.run = {e}") from e
    if adapter is None:
        raise RecipeError(
            f"model.run = {run!r}: this run has not trained a model yet: run `deimos train {run}` first"
        )
    return RunFolder(path).settings()[0], adapter
