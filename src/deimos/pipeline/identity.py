"""Extra fingerprint inputs: content hashes of data, graders and model; and what stages track.

Which stage takes which is said in ``stages.py``. What is installed is not hashed, data sets and
models of the Hub and tasks of lm-eval included: their names and revisions stand in the recipe, and
versions of packages in each record. So the same recipe has the same fingerprints in every
environment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deimos.bench.lm_eval.expand import list_tasks
from deimos.bench.lm_eval.suite import REVISIONS
from deimos.bench.lm_eval.task_files import task_data
from deimos.evaluate.merged import model_identity
from deimos.models.merge import BESIDE
from deimos.recipe import (
    FewShotProposer,
    Recipe,
    RecipeError,
    RewriteProposer,
    SourceSettings,
)
from deimos.recipe.proposers import OWN
from deimos.registry import Source, UnknownName, content_hash, resolve
from deimos.store.hashing import data_hashes, file_hash, fingerprint, model_hash


def prompt_data(recipe: Recipe) -> dict[str, Any]:
    """Data files and source files of the prompts, and of the tests that prompts are dropped for.

    Decontamination drops a prompt for what a test problem asks, so if it is on, the tests' problems
    are part of what the prompts are; a task's name, thinking and scoring are not.
    """
    data: dict[str, Any] = {**_sources_data(recipe.prompts.sources)}
    if (
        recipe.prompts.decontaminate.enabled
        and recipe.bench.has_tests
        and not recipe.allow_contamination
    ):
        keys = {"source", "lm_eval", "take", "data"}
        tasks = list_tasks(recipe.bench, installed=False)
        data["tests"] = {
            "tasks": [task.model_dump(mode="json", include=keys) for task in tasks],
            "seed": recipe.bench.seed,
            "data": _test_data(recipe),
        }
    return data


def test_settings(recipe: Recipe) -> dict[str, Any]:
    """The tests that the prompts are checked against: if they change, the check runs again."""
    settings = recipe.model_dump(mode="json", include={"bench", "allow_contamination"})
    keys = ("tasks", "seed", "suite", "suite_data")
    bench = {key: settings["bench"][key] for key in keys if key in settings["bench"]}
    data = _test_data(recipe)
    return {"bench": bench, "allow_contamination": settings["allow_contamination"], "data": data}


def model_data(recipe: Recipe) -> dict[str, str]:
    """Content of the model's folder, or of what a run's is merged of; nothing of a Hub id."""
    identity = model_identity(recipe)
    return {"model": identity} if identity else {}


def sample_data(recipe: Recipe) -> dict[str, str]:
    """Content of the model's folder, and of what proposers bring: examples and teachers.

    Raises:
        RecipeError: a file of examples does not exist.
    """
    data = model_data(recipe)
    for proposer in recipe.sample.proposers or []:
        if isinstance(proposer, FewShotProposer) and proposer.exemplars != OWN:
            key = f"sample.proposers {proposer.name!r}: exemplars = {proposer.exemplars!r}: must be own, or"
            data[f"exemplars of {proposer.name}"] = _examples_hash(Path(proposer.exemplars), key)
        teacher = proposer.teacher if isinstance(proposer, RewriteProposer) else None
        if teacher and teacher.path and Path(teacher.path).is_dir():
            data[f"teacher of {proposer.name}"] = model_hash(Path(teacher.path))
    return data


def _examples_hash(path: Path, accepted: str) -> str:
    if not path.is_file():
        raise RecipeError(f"{accepted} a JSONL file that exists")
    return file_hash(path)


def grader_data(recipe: Recipe) -> dict[str, str]:
    """Graders brought as files."""
    return _graders_data(recipe.select.graders)


def _graders_data(graders: Mapping[Any, str]) -> dict[str, str]:
    hashes = {spec: content_hash(spec) for spec in graders.values()}
    return {spec: digest for spec, digest in hashes.items() if digest}


def _test_data(recipe: Recipe) -> dict[str, str]:
    data = _sources_data([task.source for task in recipe.bench.tasks if task.source])
    for task in list_tasks(recipe.bench, installed=False):
        if task.lm_eval:
            data |= task_data(task)
    return data


def filter_settings(recipe: Recipe) -> dict[str, Any]:
    """The filters that the race stops candidates by: if they change, some need more decoding."""
    select = recipe.select.model_dump(mode="json", exclude={"policy", "quota"})
    return {"select": select, "data": grader_data(recipe)}


def bench_data(recipe: Recipe) -> dict[str, str]:
    """Test problems, graders and model; and what a suite's word means in this version."""
    own = {**_test_data(recipe), **_suite_data(recipe), **_adapter_data(recipe)}
    if recipe.bench.exemplars is not None:
        key = f"bench.exemplars = {recipe.bench.exemplars!r}: must be"
        own["exemplars"] = _examples_hash(Path(recipe.bench.exemplars), key)
    return {**own, **_graders_data(recipe.bench_graders), **model_data(recipe)}


def _adapter_data(recipe: Recipe) -> dict[str, str]:
    """How the tuned model is decoded, if that is not as it was at first: merged into its weights."""
    return {} if recipe.model.dtype == "float32" else {"adapter": BESIDE}


def _suite_data(recipe: Recipe) -> dict[str, str]:
    """The tasks that a suite stands for, their metrics and the commits of their data sets."""
    if recipe.bench.suite is None:
        return {}
    tasks = [task.model_dump(mode="json") for task in list_tasks(recipe.bench, installed=False)]
    return {f"suite {recipe.bench.suite}": fingerprint([tasks, dict(REVISIONS)])}


def decision_data(recipe: Recipe) -> dict[str, str]:
    """Of stages that decide by dev prompts: the graders, as of test problems, and the model."""
    graders = _graders_data(recipe.bench_graders)
    return {**graders, **model_data(recipe), **_adapter_data(recipe)}


def _sources_data(sources: Sequence[SourceSettings]) -> dict[str, str]:
    data: dict[str, str] = {}
    for source in sources:
        digest = content_hash(source.source)
        paths = _resolve_source(source.source).paths
        data |= data_hashes(source.options, paths) | ({source.source: digest} if digest else {})
    return data


def _resolve_source(spec: str) -> Source:
    try:
        return resolve("source", spec)
    except UnknownName:
        raise
    except Exception as e:
        raise RecipeError(f"source {spec!r}: loading it failed: {type(e).__name__}: {e}") from e
