"""How many prompts a recipe has: loaded, or by the known sizes of data sets that cannot be reached."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from deimos.bench.lm_eval.expand import list_tasks
from deimos.bench.lm_eval.suite import known_size
from deimos.bench.lm_eval.task_files import is_local
from deimos.bench.tasks import find_judged_kinds, list_questions, load_tasks, read_tasks
from deimos.graders.code import require_sandbox
from deimos.pipeline.wiring import keep_loadable_tests, refuse_tests
from deimos.planning.hub import (
    ask_without_retries,
    find_hub_fault,
    go_offline,
    needs_hub,
)
from deimos.prompts.load import load_source
from deimos.prompts.splits import dev_size
from deimos.prompts.stage import gather
from deimos.recipe import Recipe, RecipeError, SourceSettings
from deimos.recipe.runtime import Runtime
from deimos.registry import resolve
from deimos.types import Kind, Prompt


@dataclass(frozen=True)
class PromptCounts:
    """How many there are, by task; by kind if they could not be loaded."""

    train: dict[str, int]
    dev: dict[str, int]
    test: dict[str, int]
    note: str = ""
    """Why some could not be loaded."""
    overlaps: int = 0
    """Prompts that overlap with a test problem: dropped, unless the recipe allows contamination."""
    assumed: tuple[str, ...] = ()
    """Sources and tests whose size is the known one of their data set: they could not be loaded."""
    unknown: tuple[str, ...] = ()
    """Sources and tests whose size is not known at all."""
    train_assumed: bool = False
    """Train and dev are by known sizes."""
    test_assumed: bool = False
    """Some of the tests are."""
    test_unknown: tuple[str, ...] = ()
    """Those of ``unknown`` that are tests."""


def count_prompts(
    recipe: Recipe, runtime: Runtime
) -> tuple[list[Prompt], list[Prompt], list[Prompt], PromptCounts]:
    """Train and dev prompts, test problems, and how many there are.

    The Hub is asked at most once whether it is there. Without it the lists are empty unless all
    sources are on this machine. Tests of lm-eval in another environment are counted, not loaded.

    Raises:
        RecipeError: prompts or tests that a run would refuse.
    """
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # what it would say of retries we say better
    if not needs_hub(keep_loadable_tests(recipe, runtime)):
        return _count(recipe, runtime, remote=False)
    fault = find_hub_fault()
    if fault:
        go_offline()
    with contextlib.nullcontext([fault]) if fault else ask_without_retries() as faults:
        train, dev, problems, known = _count(recipe, runtime, remote=True)
    if known.note and faults:
        known = replace(known, note=f"{known.note} (the Hub: {faults[0]})")
    return train, dev, problems, known


def _count(
    recipe: Recipe, runtime: Runtime, *, remote: bool
) -> tuple[list[Prompt], list[Prompt], list[Prompt], PromptCounts]:
    tested, given, note = keep_loadable_tests(recipe, runtime), [], ""
    try:
        given = read_tasks(tested)
    except RecipeError as e:
        note = _say_unreachable(e)
        if remote:
            go_offline()  # what failed once is not tried again for each data set
    try:
        train, dev, overlaps = gather(recipe, tests=list_questions(given))
    except RecipeError as e:
        note = _say_unreachable(e)
        if remote:
            go_offline()
        return [], [], [], _count_without_loading(recipe, runtime, note)
    known = PromptCounts(_by_task(train), _by_task(dev), {}, note, len(overlaps))
    if note:
        return train, dev, [], _count_tests(recipe, runtime, known)
    tests = load_tasks(tested, [*train, *dev], given)
    if recipe.sweep and recipe.allow_contamination:
        refuse_tests(recipe, runtime, dev, "sweep", given)
    if recipe.route and recipe.allow_contamination:
        refuse_tests(recipe, runtime, dev, "route", given)
    kinds = find_judged_kinds([*train, *dev], tests)
    require_sandbox(kinds, recipe.select.graders, runtime.allow_weak_sandbox)
    problems = [prompt for task in tests for prompt in task.prompts]
    loaded = {task.name: len(task.prompts) for task in tests}
    return train, dev, problems, _count_tests(recipe, runtime, known, loaded)


def _say_unreachable(error: RecipeError) -> str:
    """The sentence of an error that a network, or another day, would mend; others are raised."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ConnectionError):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        raise error
    return str(error)


def _by_task(prompts: Sequence[Prompt]) -> dict[str, int]:
    return dict(sorted(Counter(prompt.task for prompt in prompts).items()))


def _count_without_loading(recipe: Recipe, runtime: Runtime, note: str) -> PromptCounts:
    """Train and dev by kind: overlaps with tests and questions that stand twice are not known."""
    settings, kinds = recipe.prompts, Counter[str]()
    assumed, unknown = [], []
    for source in settings.sources:
        size, loaded = _size_of(source, settings.seed)
        if size is None:
            unknown.append(source.source)
            continue
        kinds.update(size)
        assumed += [] if loaded else [source.source]
    dev = {
        kind: dev_size(count, settings.dev_fraction, settings.dev_min_per_kind)
        for kind, count in kinds.items()
    }
    train = {kind: count - dev[kind] for kind, count in kinds.items()}
    if unknown:  # a part of the prompts would look like all of them
        train, dev = {}, {}
    names = tuple(dict.fromkeys(assumed)), tuple(dict.fromkeys(unknown))
    known = PromptCounts(train, dev, {}, note, 0, *names, train_assumed=bool(assumed))
    return _count_tests(recipe, runtime, known)


def _count_tests(
    recipe: Recipe, runtime: Runtime, known: PromptCounts, loaded: Mapping[str, int] | None = None
) -> PromptCounts:
    """The same with the sizes of the test tasks: of those that are loaded, or else known ones.

    Tasks are listed alike whether or not lm-eval is in this environment too.
    """
    test: dict[str, int] = dict(loaded or {})
    assumed: list[str] = []
    unknown: list[str] = []
    most = recipe.bench.limit
    for task in list_tasks(recipe.bench, installed="bench" not in runtime.python):
        if task.name in test:
            continue
        if task.source:
            sizes, here = _size_of(task.source, recipe.bench.seed)
            size = None if sizes is None else sum(sizes.values())
        else:
            # Of a name that only another lm-eval knows: it may be a group's.
            size, here = known_size(task), task.take is not None and is_local(task.lm_eval or "")
        if size is None:
            unknown.append(task.name)
            continue
        test[task.name] = size if most is None else min(size, most)
        assumed += [] if here else [task.source.source if task.source else task.name]
    return replace(
        known,
        test=test,
        assumed=tuple(dict.fromkeys([*known.assumed, *assumed])),
        unknown=tuple(dict.fromkeys([*known.unknown, *unknown])),
        test_assumed=bool(assumed),
        test_unknown=tuple(unknown),
    )


def _size_of(source: SourceSettings, seed: int) -> tuple[dict[str, int] | None, bool]:
    """Prompts by kind, and whether they could be loaded; None: not known."""
    try:
        return dict(Counter(prompt.kind for prompt in load_source(source, seed))), True
    except RecipeError as e:
        _say_unreachable(e)
    return find_size(source), False


def find_size(block: SourceSettings) -> dict[str, int] | None:
    """Prompts by kind, without reading them; None if that is not known."""
    if block.source == "hub" and block.take and block.options.get("kind") in get_args(Kind):
        return {block.options["kind"]: block.take}
    source = resolve("source", block.source)
    known = source.known_size(block.options)
    if known is None or source.kind is None:
        return None
    return {source.kind: known if block.take is None else min(known, block.take)}
