"""The tasks that a recipe's bench section stands for: a suite's, and groups' members, one by one."""

from __future__ import annotations

from pathlib import PurePath

from deimos.bench.lm_eval.suite import BY_TASK, KNOWN, SUITES
from deimos.bench.lm_eval.task_files import group_members
from deimos.recipe import Bench, TaskSettings


def list_tasks(bench: Bench, *, installed: bool = True) -> list[TaskSettings]:
    """All test tasks of a recipe: its own, then those of the suite that it does not name itself.

    Args:
        bench: the recipe's section.
        installed: look for groups among the tasks of an installed lm-eval; without it, such a group
            (but none of a suite) stays one entry.

    Raises:
        RecipeError: a group that cannot be read, or has a task without a name.
    """
    named = {task.name for task in bench.tasks}
    suite = SUITES[bench.suite] if bench.suite else ()
    entries = [*bench.tasks, *(each.settings() for each in suite if each.name not in named)]
    return [
        _with_data(member, bench.suite_data)
        for entry in entries
        for member in _members(entry, installed)
    ]


def _members(entry: TaskSettings, installed: bool) -> list[TaskSettings]:
    """The tasks of a group; a task is its own only one."""
    if entry.lm_eval is None:
        return [entry]
    known = KNOWN.get(entry.lm_eval)
    if known:
        members = {name: name for name in known.members} if known.is_group else {}
    else:
        members = group_members(entry, installed=installed)
    if not members:
        return [entry]
    # A group that is listed twice, with thinking and without, has two names.
    own = "" if entry.name == entry.lm_eval else f"{entry.name}."
    update = {"group": entry.group or entry.name}
    return [
        entry.model_copy(update={**update, "name": f"{own}{name}", "lm_eval": spec})
        for name, spec in members.items()
    ]


def _with_data(task: TaskSettings, folder: str | None) -> TaskSettings:
    """A task of a suite reads the folder of its data set below the suite's."""
    benchmark = BY_TASK.get(task.lm_eval or "")
    if folder is None or benchmark is None or task.data is not None:
        return task
    data = PurePath(folder) / benchmark.dataset.rpartition("/")[2]
    return task.model_copy(update={"data": str(data)})
