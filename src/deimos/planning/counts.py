"""How many prompts a recipe has: loaded, or by the known sizes of data sets that cannot be reached."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

from deimos.bench.lm_eval.expand import list_tasks
from deimos.bench.lm_eval.suite import known_size
from deimos.bench.tasks import asked_by, given_tasks, judged_kinds, load_tasks
from deimos.graders.code import require_sandbox
from deimos.pipeline.wiring import refuse_tests, testable
from deimos.planning.hub import go_offline, needs_hub, reach_hub
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
    """Sources whose size is the known one of their data set, because it could not be loaded."""
    unknown: tuple[str, ...] = ()
    """Sources and tests whose size is not known at all."""


def count_prompts(
    recipe: Recipe, runtime: Runtime
) -> tuple[list[Prompt], list[Prompt], list[Prompt], PromptCounts]:
    """Train and dev prompts, test problems, and how many there are.

    The Hub is asked at most once whether it is there. Without it the lists are empty unless all
    sources are on this machine.

    Raises:
        RecipeError: prompts or tests that a run would refuse.
    """
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # what it would say of retries we say better
    remote = needs_hub(recipe)
    if remote and not reach_hub():
        go_offline()
    tested, given, note = testable(recipe, runtime), [], ""
    try:
        given = given_tasks(tested)
    except RecipeError as e:
        note = _say_unreachable(e)
        if remote:
            go_offline()  # what failed once is not tried again for each data set
    try:
        train, dev, overlaps = gather(recipe, tests=asked_by(given))
    except RecipeError as e:
        note = _say_unreachable(e)
        if remote:
            go_offline()
        return [], [], [], _count_without_loading(recipe, tested, note)
    known = PromptCounts(_by_task(train), _by_task(dev), {}, note, len(overlaps))
    if note:
        return train, dev, [], _count_tests(tested, known)
    tests = load_tasks(tested, [*train, *dev], given)
    if recipe.sweep and recipe.allow_contamination:
        refuse_tests(recipe, runtime, dev, "sweep", given)
    if recipe.route and recipe.allow_contamination:
        refuse_tests(recipe, runtime, dev, "route", given)
    kinds = judged_kinds([*train, *dev], tests)
    require_sandbox(kinds, recipe.select.graders, runtime.allow_weak_sandbox)
    problems = [prompt for task in tests for prompt in task.prompts]
    known = replace(known, test={task.name: len(task.prompts) for task in tests})
    return train, dev, problems, known


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


def _count_without_loading(recipe: Recipe, tested: Recipe, note: str) -> PromptCounts:
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
    return _count_tests(tested, PromptCounts(train, dev, {}, note, 0, *names))


def _count_tests(tested: Recipe, known: PromptCounts) -> PromptCounts:
    """The same with the sizes of the test tasks."""
    test: dict[str, int] = {}
    assumed, unknown = list(known.assumed), list(known.unknown)
    most = tested.bench.limit
    for task in list_tasks(tested.bench):
        if task.source:
            sizes, loaded = _size_of(task.source, tested.bench.seed)
            size = None if sizes is None else sum(sizes.values())
        else:
            size, loaded = known_size(task), False
        if size is None:
            unknown.append(task.name)
            continue
        test[task.name] = size if most is None else min(size, most)
        assumed += [] if loaded else [task.source.source if task.source else task.name]
    names = (tuple(dict.fromkeys(names)) for names in (assumed, unknown))
    return replace(known, test=test, **dict(zip(("assumed", "unknown"), names)))


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
