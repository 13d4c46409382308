"""What a stage's result hangs on besides its recipe keys: content of files, and what it tracks.

Hashes only: nothing here decides which stage takes what (``pipeline.py`` does). Code is not hashed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deimos.recipe import Recipe, SourceSettings
from deimos.registry import content_hash
from deimos.store.hashing import data_hashes, model_hash


def model_path(recipe: Recipe) -> str:
    """Folder or Hub id of the recipe's model; ``lab`` is the packaged one."""
    if recipe.model.id != "lab":
        return recipe.model.id
    from deimos.lab.weights import lab_path

    return str(lab_path())


def prompt_data(recipe: Recipe) -> dict[str, Any]:
    """Files that the prompts come from, sources brought as files, and the tests they are kept off.

    Decontamination drops by what the test problems are, so those are part of what the prompts are,
    where it drops at all: a task's name or its thinking is not, nor what it is scored by.
    """
    data: dict[str, Any] = {**_sources_data(recipe.prompts.sources)}
    if (
        recipe.prompts.decontaminate.enabled
        and recipe.bench.tasks
        and not recipe.allow_contamination
    ):
        keys = {"source", "lm_eval", "take"}
        data["tests"] = {
            "tasks": [task.model_dump(mode="json", include=keys) for task in recipe.bench.tasks],
            "seed": recipe.bench.seed,
            "data": _test_data(recipe),
        }
    return data


def tested(recipe: Recipe) -> dict[str, Any]:
    """What the prompts are checked against: other tests ask for another check, not other prompts."""
    settings = recipe.model_dump(mode="json", include={"bench", "allow_contamination"})
    bench = {key: settings["bench"][key] for key in ("tasks", "seed")}
    data = _test_data(recipe)
    return {"bench": bench, "allow_contamination": settings["allow_contamination"], "data": data}


def model_data(recipe: Recipe) -> dict[str, str]:
    """The model, where it is a folder; a Hub id stands for itself."""
    folder = Path(model_path(recipe))
    return {"model": model_hash(folder)} if folder.is_dir() else {}


def grader_data(recipe: Recipe) -> dict[str, str]:
    """Graders brought as files."""
    hashes = {spec: content_hash(spec) for spec in recipe.select.graders.values()}
    return {spec: digest for spec, digest in hashes.items() if digest}


def _test_data(recipe: Recipe) -> dict[str, str]:
    data = _sources_data([task.source for task in recipe.bench.tasks if task.source])
    for task in recipe.bench.tasks:
        if task.lm_eval:
            from deimos.bench.lm_eval.task_files import task_data

            data |= task_data(task)
    return data


def filters(recipe: Recipe) -> dict[str, Any]:
    """What the race stops candidates by: a change owes some of them their decoding."""
    select = recipe.select.model_dump(mode="json", exclude={"policy", "quota"})
    return {"select": select, "data": grader_data(recipe)}


def bench_data(recipe: Recipe) -> dict[str, str]:
    """Test problems, graders and model."""
    return {**_test_data(recipe), **grader_data(recipe), **model_data(recipe)}


def _sources_data(sources: Sequence[SourceSettings]) -> dict[str, str]:
    data: dict[str, str] = {}
    for source in sources:
        digest = content_hash(source.source)
        data |= data_hashes(source.options) | ({source.source: digest} if digest else {})
    return data
