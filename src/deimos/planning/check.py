"""Checks of a recipe before anything runs: does everything that it names exist, with such options?

Loads no ML. Not covered: what only the data or the model shows (``forecast.py`` looks at those).
"""

from __future__ import annotations

import inspect
import shutil
import sys
import traceback
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from deimos.bench.baselines import choose_examples, require_effort
from deimos.bench.lm_eval.expand import list_tasks
from deimos.bench.lm_eval.task_files import config_of, is_local
from deimos.engines.local.options import LocalOptions
from deimos.engines.openai.options import check_url, options_of
from deimos.engines.ray.cluster import MISSING as MISSING_RAY
from deimos.engines.vllm.options import MISSING as MISSING_VLLM
from deimos.engines.vllm.options import check_options
from deimos.evaluate.merged import check_tags, model_path
from deimos.lab.weights import resolve_model
from deimos.models.effort import find_lowest_effort, read_template
from deimos.models.memory import EMBEDDING, HEAD, is_tied, model_folder, modules_in
from deimos.models.ref import check_folder
from deimos.pipeline.stages import ALL
from deimos.prompts.load import check_source
from deimos.recipe import (
    Recipe,
    RecipeError,
    RewriteProposer,
    SourceSettings,
    TeacherSettings,
    validate,
)
from deimos.recipe.runtime import Runtime
from deimos.registry import BUILTIN, Group, UnknownName, content_hash, resolve
from deimos.route.counts import require_sklearn
from deimos.sample.proposers.exemplars import check_examples
from deimos.sweep.space import require_optuna
from deimos.train.targets import check_targets

ENGINE_STAGES = ("sample", "teach", "sweep", "route", "gain", "bench")
"""Stages that load the engine, by names that ``runtime.python`` knows."""


def check(recipe: Recipe, runtime: Runtime) -> None:
    """Check every engine, grader and source that the settings name, and their options.

    Raises:
        RecipeError: one is missing, cannot be loaded or doesn't take its options; names the key.
    """
    for stage, python in runtime.python.items():
        if stage not in ALL:
            raise RecipeError(f"runtime.python.{stage}: there is no such stage: {', '.join(ALL)}")
        if shutil.which(python) is None:
            raise RecipeError(
                f"runtime.python.{stage} = {python!r}: there is no such program to run"
            )
    # Another Python has other packages: what loads there need not load here.
    elsewhere = any(stage in runtime.python for stage in ENGINE_STAGES)
    _find("engine", runtime.engine, "runtime.engine", load=not elsewhere)
    if not elsewhere:
        _installed(runtime)
    _check_engine_options(runtime, load=not elsewhere)
    check_examples(recipe.sample, on_cluster=runtime.cluster is not None)
    choose_examples(recipe, ())
    _check_teachers(recipe, runtime, load="sample" not in runtime.python)
    for kind, spec in recipe.select.graders.items():
        _find("grader", spec, f"select.graders.{kind}", load=not elsewhere)
    for kind, spec in recipe.bench.graders.items():
        _find("grader", spec, f"bench.graders.{kind}", load=not elsewhere)
    for key, source in _sources(recipe):
        _find("source", source.source, f"{key}.source", load=True)
        try:
            check_source(source)
        except RecipeError as e:
            raise RecipeError(f"{key}: {e}") from e
    # lm-eval's own tasks are looked up only if the bench has lm-eval in this environment.
    here = "bench" not in runtime.python
    for task in list_tasks(recipe.bench, installed=here):
        if task.lm_eval and (is_local(task.lm_eval) or here):
            config_of(task)
    recipe.train.batches(runtime.train_micro_batch)
    if recipe.sweep and recipe.sweep.strategy == "optuna" and "sweep" not in runtime.python:
        require_optuna()
    if recipe.route and "route" not in runtime.python:
        require_sklearn()
    check_tags(recipe)
    _find_targets(recipe)
    _find_effort(recipe)


def _installed(runtime: Runtime) -> None:
    """Refuse an engine or a cluster whose package is not installed."""
    if runtime.engine == "vllm" and find_spec("vllm") is None:
        raise RecipeError(MISSING_VLLM.format(python=sys.executable))
    if runtime.cluster and find_spec("ray") is None:
        raise RecipeError(MISSING_RAY)


def _check_engine_options(runtime: Runtime, *, load: bool) -> None:
    """Refuse options that the engine would refuse once it is loaded, after the prompts are made."""
    options = runtime.engine_options
    if runtime.engine == "local":
        validate(LocalOptions, options, "runtime.engine_options")
    elif runtime.engine == "openai":
        options_of(options)
    elif runtime.engine == "vllm":
        check_options(options)
    elif load:
        factory = resolve("engine", runtime.engine)
        known = list(inspect.signature(factory).parameters.values())[2:]
        names = [p.name for p in known if p.kind is not p.VAR_KEYWORD]
        for name in options:
            if name not in names and len(names) == len(known):
                accepted = ", ".join(names) or "none"
                raise RecipeError(
                    f"runtime.engine_options.{name}: engine {runtime.engine!r} has no such option: "
                    f"accepted: {accepted}"
                )


def _check_teachers(recipe: Recipe, runtime: Runtime, *, load: bool) -> None:
    """Refuse a teacher that the sample stage would refuse once everything has been sampled."""
    for proposer in recipe.sample.proposers or []:
        teacher = proposer.teacher if isinstance(proposer, RewriteProposer) else None
        if teacher is None:
            continue
        try:
            _check_teacher(teacher, runtime, load=load)
        except RecipeError as e:
            text = str(e).replace("runtime.engine_options", "teacher.engine_options")
            text = text.replace("teacher.engine_options.api_key_env", "teacher.api_key_env")
            raise RecipeError(f"sample.proposers {proposer.name!r}: {text}") from e


def _check_teacher(teacher: TeacherSettings, runtime: Runtime, *, load: bool) -> None:
    if teacher.url:
        url = check_url(teacher.url, "teacher.url")
        options_of({"urls": [url], "api_key_env": teacher.api_key_env})
        return
    path = resolve_model(teacher.path or "")
    check_folder(path, "teacher.path")
    if Path(path).is_dir() and not (Path(path) / "config.json").is_file():
        raise RecipeError(f"teacher.path = {path!r}: this folder holds no model (no config.json)")
    own = {"engine": teacher.engine, "engine_options": teacher.engine_options}
    its = runtime.model_copy(update=own)
    _find("engine", its.engine, "teacher.engine", load=load)
    _check_engine_options(its, load=load)
    if load:
        _installed(its)


def _find_targets(recipe: Recipe) -> None:
    """Refuse what training would refuse; a Hub model is checked when it is trained."""
    folder = Path(model_path(recipe))
    modules = modules_in(folder)
    if modules:
        tied = [EMBEDDING, HEAD] if is_tied(folder) else []  # the files hold one of the two
        check_targets(recipe.train.lora.target_modules, [*modules, *tied], tied, [HEAD])


def _find_effort(recipe: Recipe) -> None:
    """Refuse a baseline that the chat template cannot do.

    Of a model that is not here yet, or without jinja2, the benchmark finds out.
    """
    if "low_effort" not in recipe.bench.baselines or find_spec("jinja2") is None:
        return
    folder = model_folder(model_path(recipe), recipe.model.revision)
    template = read_template(folder) if folder else None
    if template is not None:
        require_effort(find_lowest_effort(template))


def _sources(recipe: Recipe) -> Iterator[tuple[str, SourceSettings]]:
    for i, source in enumerate(recipe.prompts.sources):
        yield f"prompts.sources.{i}", source
    for i, task in enumerate(recipe.bench.tasks):
        if task.source:
            yield f"bench.tasks.{i}.source", task.source


def _find(group: Group, spec: str, key: str, *, load: bool) -> None:
    if spec in BUILTIN[group]:
        return
    try:
        content_hash(spec)
        if load:
            resolve(group, spec)
    except UnknownName as e:
        raise RecipeError(f"{key}: {e}") from e
    except Exception as e:
        raise RecipeError(f"{key} = {spec!r}: loading it failed: {_fault(e)}") from e


def _fault(error: Exception) -> str:
    """An error of a user's module and its line, instead of a traceback."""
    message = (
        f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
    )
    last = traceback.extract_tb(error.__traceback__)[-1]
    here = isinstance(error, SyntaxError) or not last.filename.endswith(".py")
    return message if here else f"{message} ({Path(last.filename).name} line {last.lineno})"
