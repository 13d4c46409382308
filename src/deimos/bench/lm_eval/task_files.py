"""Which files an lm-eval task is made of, and what they say, read without loading or running lm-eval.

A plan, a status and a bench's identity need no more. Not covered: code that the code beside a task
imports from elsewhere.
"""

from __future__ import annotations

import difflib
import functools
import glob
import importlib.util
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from deimos.bench.lm_eval.data_files import settings_over
from deimos.bench.lm_eval.suite import BY_TASK
from deimos.recipe import RecipeError, TaskSettings
from deimos.store.hashing import file_hash, fingerprint, path_hash

_NAMED = re.compile(r"^(?:task|group):[ \t]*(['\"]?)([^\s'\"#\[]+)\1[ \t]*(?:#.*)?$", re.MULTILINE)


def is_local(spec: str) -> bool:
    """Whether a task's ``lm_eval`` is a path; else it is the name of one of lm-eval's own tasks."""
    return "/" in spec or spec.endswith((".yaml", ".yml"))


def task_data(task: TaskSettings) -> dict[str, str]:
    """Content hashes of a task: its YAML with what that includes, the code beside, local data.

    Loads nothing of lm-eval. Of a task of lm-eval's own only the data is hashed: the task is known by
    its name, and its code by the version that a record notes.

    Raises:
        RecipeError: no such task, or one that is not supported.
    """
    own = {task.data: path_hash(Path(task.data))} if task.data and Path(task.data).is_dir() else {}
    if not is_local(task.lm_eval or ""):
        return own
    config, files = config_of(task)
    home = files[0].parent
    content = [[os.path.relpath(file, home), file_hash(file)] for file in files]
    options = config.get("dataset_kwargs") or {}
    named = [config.get("dataset_path"), options.get("data_dir"), options.get("data_files")]
    # As datasets reads them: patterns, from the working folder.
    local = (path for text in texts(named) for path in sorted(glob.glob(text, recursive=True)))  # noqa: PTH207
    return {
        f"lm_eval {task.lm_eval} {files[0].name}": fingerprint(content),
        **{path: path_hash(Path(path)) for path in local},
        **own,
    }


def config_of(task: TaskSettings) -> tuple[dict[str, Any], list[Path]]:
    """A task's settings, read without running anything of it, and the files they come from.

    The task's own YAML stands first.

    Raises:
        RecipeError: no such task, a file that cannot be read, a task that is not supported.
    """
    config, files = _read(_file(task), task, ())
    fault = _unsupported(config, task)
    if fault:
        raise RecipeError(f"bench.tasks: {task.name!r}: lm_eval = {task.lm_eval!r} {fault}")
    settings_over(config, task)  # are the local files there?
    return config, list(dict.fromkeys(files))


def group_members(task: TaskSettings, *, installed: bool = True) -> dict[str, str]:
    """The tasks of a group by name, each as ``lm_eval`` names it; none if it is no group.

    Args:
        task: as the recipe names it.
        installed: look among the tasks of an installed lm-eval too.

    Raises:
        RecipeError: no such group, or one with a task that is not named.
    """
    spec = task.lm_eval or ""
    if not is_local(spec) and (not installed or _own_tasks() is None):
        return {}
    path = _file(task)
    config, _ = _read(path, task, ())
    return _members(config, path, task, ()) if "group" in config else {}


def _members(
    config: Mapping[str, Any], path: Path, task: TaskSettings, above: tuple[str, ...]
) -> dict[str, str]:
    """The tasks of a group's file, those of groups in it included."""
    where = f"bench.tasks: {task.name!r}: lm_eval = {task.lm_eval!r}"
    members: dict[str, str] = {}
    names = config.get("task")
    for name in names if isinstance(names, list) else []:
        if not isinstance(name, str):
            raise RecipeError(f"{where} is a group with a task that stands in its own file")
        if name in above:
            raise RecipeError(f"{where} is a group that contains itself")
        local = is_local(task.lm_eval or "")
        folder = path.parent if local else _own_tasks() or path.parent
        file = _among(folder, name, task)
        inner, _ = _read(file, task, ())
        if "group" in inner:
            members |= _members(inner, file, task, (*above, name))
        else:
            members[name] = str(file) if local else name
    if not members:
        raise RecipeError(f"{where} is a group without tasks")
    return members


def _own_tasks() -> Path | None:
    """The folder of lm-eval's own tasks, if it is installed."""
    installed = importlib.util.find_spec("lm_eval")
    if installed is None or not installed.submodule_search_locations:
        return None
    return Path(installed.submodule_search_locations[0]) / "tasks"


def _unsupported(config: Mapping[str, Any], task: TaskSettings) -> str:
    output = config.get("output_type", "generate_until")
    if "group" in config or not isinstance(config.get("task"), str):
        return "is no task but a group of tasks: name one of them"
    if "class" in config:
        return "is written in Python: only tasks that are YAML alone are accepted"
    if output != "generate_until":
        return (
            f"has output_type {output}: only generate_until is accepted (there is no likelihood "
            "of an answer without its thought)"
        )
    if config.get("unsafe_code"):
        return "runs code that the model wrote: such tasks are not accepted"
    if config.get("doc_to_image") or config.get("doc_to_audio"):
        return "asks about images or sounds: only text is accepted"
    if config.get("gen_prefix"):
        return "begins the answer itself (gen_prefix), where the thought would stand"
    if config.get("num_fewshot") == 0 and task.num_fewshot:
        return (
            f"has no examples to show (its own num_fewshot is 0): num_fewshot = {task.num_fewshot}"
        )
    return _many_responses(config, task)


def _many_responses(config: Mapping[str, Any], task: TaskSettings) -> str:
    """What is wrong where the filter that the recipe's ``metric`` chooses judges several responses.

    A task may have other filters, which judge one: those are named.
    """
    filters, several = _filters(config), judges_several(config)
    chosen = (task.metric or "").partition(",")[2] or next(iter(filters), "")
    if chosen not in several:
        return ""
    others = ", ".join(name for name in filters if name not in several) or "none of its filters"
    return (
        f"judges several responses to a problem together (filter {chosen!r}), and the bench judges "
        f"each alone: accepted as metric = NAME,FILTER: {others}"
    )


def _filters(config: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """A task's filters by name, each with its steps."""
    return {
        str(f.get("name")): [step for step in f.get("filter") or () if isinstance(step, Mapping)]
        for f in config.get("filter_list") or ()
        if isinstance(f, Mapping)
    }


def judges_several(config: Mapping[str, Any]) -> list[str]:
    """The names of a task's filters that judge several responses to a problem together."""
    repeats = config.get("repeats")
    return [name for name, steps in _filters(config).items() if _takes_several(steps, repeats)]


def _takes_several(steps: Sequence[Mapping[str, Any]], repeats: Any) -> bool:
    """Whether a filter's verdict needs more responses than one."""
    functions = [step.get("function") for step in steps]
    if any(step.get("function") == "take_first_k" and step.get("k") != 1 for step in steps):
        return True
    # Without a choice among them, the metric is given all responses that lm-eval asks for.
    chosen = "take_first" in functions or "take_first_k" in functions
    return "majority_vote" in functions or (repeats not in (None, 1) and not chosen)


class _Loader(yaml.SafeLoader):
    """YAML with lm-eval's ``!function``, kept as a name."""


_Loader.add_constructor("!function", lambda _, node: str(node.value))


def _read(
    path: Path, task: TaskSettings, above: tuple[Path, ...]
) -> tuple[dict[str, Any], list[Path]]:
    """A YAML merged over what it includes, as lm-eval does it, and all files behind it."""
    where = f"bench.tasks: {task.name!r}: lm_eval = {task.lm_eval!r}"
    if path in above:
        raise RecipeError(f"{where}: {path.name} includes itself")
    try:
        text = path.read_text(encoding="utf-8")
        own = yaml.load(text, Loader=_Loader)  # safe: a SafeLoader that knows one more tag
    except (OSError, UnicodeDecodeError, RecursionError, yaml.YAMLError) as e:
        raise RecipeError(f"{where}: {path.name} cannot be read: {str(e).splitlines()[0]}") from e
    if not isinstance(own, dict):
        raise RecipeError(f"{where}: {path.name} must be a mapping of settings")
    code = sorted(path.parent.glob("*.py")) if "!function" in text else []
    merged, files = {}, [path, *code]
    for include in texts(own.pop("include", None)):
        settings, more = _read((path.parent / include).resolve(), task, (*above, path))
        merged |= settings
        files += more
    return merged | own, files


def _file(task: TaskSettings) -> Path:
    """The YAML that a task's ``lm_eval`` names: a path, or a name among lm-eval's own tasks."""
    spec = task.lm_eval or ""
    if not is_local(spec):
        folder = _own_tasks()
        if folder is None:
            raise describe_missing(task)
        known = BY_TASK.get(spec)
        if known and spec in (near := _named_below(folder / known.folder)):
            return near[spec]
        return _among(folder, spec, task)
    path = Path(spec).expanduser().resolve()
    if path.is_dir():
        return _among(path, task.name, task)
    if not path.is_file():
        raise RecipeError(
            f"bench.tasks: {task.name!r}: lm_eval = {spec!r} does not exist: accepted: a task's "
            "YAML, a folder of them, or the name of one of lm-eval's own tasks"
        )
    return path


def _among(folder: Path, name: str, task: TaskSettings) -> Path:
    """The YAML under a folder that calls itself ``name``."""
    # lm-eval's own are 14,000 files, which stay as they are.
    known = _own_names(folder) if folder == _own_tasks() else _named_below(folder)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "see `lm_eval ls tasks`"
        if len(known) < 20:
            hint = f"there are {', '.join(known) or 'none'}"
        raise RecipeError(
            f"bench.tasks: {task.name!r}: lm_eval = {task.lm_eval!r}: no task is called {name!r}: {hint}"
        )
    return known[name]


def _named_below(folder: Path) -> dict[str, Path]:
    """All tasks and groups under a folder by name."""
    known: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.yaml")):
        named = _NAMED.search(path.read_text(encoding="utf-8", errors="replace"))
        if named:
            known.setdefault(named[2], path)
    return known


_own_names = functools.cache(_named_below)


def describe_missing(task: TaskSettings) -> RecipeError:
    """What to tell where lm-eval is not installed."""
    return RecipeError(
        f"bench.tasks: {task.name!r} is a task of lm-eval, which is not installed: "
        "pip install 'deimos-llm[bench]', or give a source"
    )


def texts(value: Any) -> Iterator[str]:
    """All texts in a text, a list or a mapping."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from texts(item)
