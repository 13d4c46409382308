"""Where an lm-eval task's data set is read: a local folder, or the Hub at a known commit.

A local folder holds one file a split, of the Hub's own rows, named as the Hub's files are; a copy of the
Hub's repository is such a folder. Nothing else of the task changes: what is written here is put over
its YAML, which is included as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from deimos.bench.lm_eval.suite import REVISIONS
from deimos.recipe import RecipeError, TaskSettings

_BUILDERS = {".jsonl": "json", ".json": "json", ".parquet": "parquet"}
"""Ending of a file to what the datasets library calls its reader."""


def settings_over(config: Mapping[str, Any], task: TaskSettings) -> dict[str, Any]:
    """What is put over a task's YAML so that its data set is read where it should be.

    Args:
        config: the task's settings.
        task: as the recipe names it.

    Raises:
        RecipeError: ``data`` lacks a file.
    """
    if task.data is None:
        kwargs, commit = config.get("dataset_kwargs") or {}, REVISIONS.get(dataset_of(config))
        if commit is None or "revision" in kwargs:
            return {}
        return {"dataset_kwargs": {**kwargs, "revision": commit}}
    files = find_files(config, task)
    suffixes = {path.suffix for path in files.values()}
    builders = {_BUILDERS[suffix] for suffix in suffixes}
    if len(builders) > 1:
        raise RecipeError(
            f"bench.tasks: {task.name!r}: data = {task.data!r} has files of several formats "
            f"({', '.join(sorted(path.name for path in files.values()))}): accepted: one format"
        )
    return {
        "dataset_path": builders.pop(),
        "dataset_name": None,
        "dataset_kwargs": {"data_files": {split: str(path) for split, path in files.items()}},
    }


def dataset_of(config: Mapping[str, Any]) -> str:
    """The data set that a task names: a Hub id, mostly."""
    return str(config.get("dataset_path") or "")


def origin_of(config: Mapping[str, Any], task: TaskSettings) -> str:
    """Where a task's problems come from: a Hub id with its commit, or a local folder's name."""
    if task.data is not None:
        return Path(task.data).name
    commit = (config.get("dataset_kwargs") or {}).get("revision") or REVISIONS.get(
        dataset_of(config)
    )
    return f"{dataset_of(config)}@{commit}" if commit else dataset_of(config)


def find_files(config: Mapping[str, Any], task: TaskSettings) -> dict[str, Path]:
    """The local file of each split that a task reads.

    Raises:
        RecipeError: there is no folder, or no file for one of the splits.
    """
    folder = Path(task.data or "").expanduser()
    what = f"bench.tasks: {task.name!r}: data = {str(folder)!r}"
    if not folder.is_dir():
        raise RecipeError(
            f"{what} is no folder: it should hold the files of {dataset_of(config)} "
            "(docs/guides/benchmarks.md)"
        )
    part = config.get("dataset_name")
    part = None if part in (None, "default") else str(part)
    splits = list(dict.fromkeys(_splits(config)))
    found: dict[str, Path] = {}
    for split in splits:
        file = _file_of(folder, part, split) or _only_file(folder, part, splits)
        if file is None:
            place = f"{part}/{split}" if part else split
            raise RecipeError(
                f"{what} has no file {place}.jsonl (or .json, .parquet, as on the Hub): "
                "docs/guides/benchmarks.md says which files a task needs"
            )
        found[split] = file.resolve()
    return found


def _splits(config: Mapping[str, Any]) -> Iterator[str]:
    """The splits that lm-eval reads: of the problems, and of examples unless the YAML holds them."""
    examples = config.get("fewshot_config") or {}
    yield str(config.get("test_split") or config.get("validation_split"))
    own = config.get("fewshot_split") or examples.get("split")
    if own:
        yield str(own)
    elif "samples" not in examples:
        others = (config.get(f"{name}_split") for name in ("training", "validation"))
        yield from (str(split) for split in others if split)


def _places(folder: Path, part: str | None) -> list[Path]:
    """Where a subset's files may stand."""
    return [folder / part, folder / "data" / part] if part else [folder, folder / "data"]


def _file_of(folder: Path, part: str | None, split: str) -> Path | None:
    """A split's file by its name."""
    for place in _places(folder, part):
        for name in (
            *(f"{split}{suffix}" for suffix in _BUILDERS),
            f"{split}-00000-of-00001.parquet",
        ):
            if (place / name).is_file():
                return place / name
    return None


def _only_file(folder: Path, part: str | None, splits: list[str]) -> Path | None:
    """The one file of a data set of one split, whatever it is called."""
    files = [
        path
        for place in _places(folder, part)
        for path in (sorted(place.iterdir()) if place.is_dir() else ())
        if path.suffix in _BUILDERS and path.is_file()
    ]
    return files[0] if len(files) == 1 and len(splits) == 1 else None


def write_over(config: Mapping[str, Any], task: TaskSettings, own: Path, folder: Path) -> Path:
    """The YAML to load: a task's own, or one written to ``folder`` that includes it.

    Raises:
        RecipeError: as ``settings_over``.
    """
    over = settings_over(config, task)
    if not over:
        return own
    path = folder / own.name
    text = yaml.safe_dump({"include": str(own), "task": config["task"], **over})
    path.write_text(text, encoding="utf-8")
    return path
