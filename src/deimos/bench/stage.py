"""The bench stage: four sample sets, a timed subset, and the rows made of them.

Writes ``samples/<task>-<model>-<config>.jsonl``, ``prompts.jsonl`` (the problems), ``timing.jsonl``,
``bench.jsonl``, ``compare.jsonl``, ``by_config.jsonl`` and ``budget_curve.jsonl`` under the stage's
folder. Test problems decide nothing here: both configs and all budgets are given from outside.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from deimos.bench import tables
from deimos.bench.tables import CONFIGS, MODELS, Arm, Slice, Tables
from deimos.bench.tasks import POOLED, Judge, TestTask, load_tasks
from deimos.engines.collect import Request, collect
from deimos.evaluate import outcomes
from deimos.evaluate.outcomes import Outcome
from deimos.evaluate.ray import remote_engines
from deimos.evaluate.samples import (
    EngineFor,
    Models,
    Sampler,
    arms_of,
    requests_of,
    sampled,
    samples_path,
    stored,
)
from deimos.recipe import Bench, RecipeError
from deimos.runs.artifacts import Artifacts, engines_by_model
from deimos.runs.folder import StageJob
from deimos.store.journal import Journal, write_rows
from deimos.store.keys import keys_path, write_keys
from deimos.store.merge import merge_timing
from deimos.store.names import BENCH, BUDGET_CURVE, BY_CONFIG, COMPARE, PROBLEMS, TIMING
from deimos.store.schema import Timed, prompt_row, timing_row
from deimos.thinking import Rendered
from deimos.types import Completion

BLOCKS_OF = 3
"""A timing block is this many times the concurrency: long beside the drain at its end."""

Samples = dict[Arm, list[Outcome]]
Renders = dict[str, dict[str, Rendered]]
"""Task to prompt id to the rendered prompt."""


def run(job: StageJob, *, judge: Judge) -> dict[str, Any]:
    """Bench the tuned model against its base; returns counts for the record.

    Args:
        job: inputs ``prompts``, ``sample`` (constants.json) and ``train`` (adapter).
        judge: ``(prompt, answer) -> Verdict``; lm-eval's tasks have their own.

    Raises:
        RecipeError: tasks that cannot be benched (see tasks.py).
        RecipeError: ``tight`` is asked for but the dev pass left no budget.
        BenchError: the engine failed on some completions again and again.
    """
    with remote_engines(job) as elsewhere:
        return asyncio.run(_run(job, judge, elsewhere))


async def _run(job: StageJob, judge: Judge, elsewhere: EngineFor | None) -> dict[str, Any]:
    bench = job.recipe.bench
    artifacts = Artifacts(job.inputs)
    seen = [*artifacts.prompts("train"), *artifacts.prompts("dev")]
    tasks = load_tasks(job.recipe, seen)
    tight = tight_budget(job) if "tight" in bench.settings else None
    write_rows(
        job.out / PROBLEMS,
        [prompt_row(p) for p in {p.id: p for t in tasks for p in t.prompts}.values()],
    )
    models = Models(job, elsewhere)
    renders = {t.name: {p.id: models.render(p, t.thinking) for p in t.prompts} for t in tasks}
    write_keys(keys_path(job.out), _keys(bench, models, tasks, renders))
    await _decode(Sampler(job, models, judge), tasks, renders)
    timings = await _time(job, models, tasks, renders)
    samples, cuts = _outcomes(job, models, tasks, renders, tight)
    written = tabulate(bench, tasks, samples, cuts, timings, tight)
    for name, rows in written.items():
        write_rows(job.out / name, rows)
    own = {arm: found for arm, found in samples.items() if stored(bench, arm) == arm}
    engines = engines_by_model(Artifacts({"bench": job.out}).sample_facts())
    return {**_counts(tasks, own, timings, tight), "engines": engines}


def tight_budget(job: StageJob) -> int:
    """The base's 25th-percentile total tokens on dev, at most the bench's own budget."""
    budget = Artifacts(job.inputs).constants().get("dev_total_tokens_p25")
    if not isinstance(budget, int | float) or budget < 1:
        raise RecipeError(
            f"bench.settings has 'tight' but constants.json gives dev_total_tokens_p25 = {budget!r}: "
            "sample some dev prompts, or leave 'tight' out"
        )
    return min(int(budget), job.recipe.bench.budget)


def _keys(
    bench: Bench, models: Models, tasks: Sequence[TestTask], renders: Renders
) -> dict[str, dict[tuple[str, int], str]]:
    """The record keys that count, by sample set."""
    found: dict[str, dict[tuple[str, int], str]] = {}
    for arm in dict.fromkeys(stored(bench, arm) for arm in arms_of(bench)):
        for task in tasks:
            name = samples_path(Path(), task.name, arm).stem
            requests = requests_of(bench, task, arm.config, renders[task.name])
            found[name] = models.keys(arm.model, requests)
    return found


async def _decode(sampler: Sampler, tasks: Sequence[TestTask], renders: Renders) -> None:
    bench = sampler.job.recipe.bench
    arms = list(dict.fromkeys(stored(bench, arm) for arm in arms_of(bench)))
    for model in MODELS:
        for arm in (a for a in arms if a.model == model):
            for task in tasks:
                own = dataclasses.replace(sampler, judge=task.judge or sampler.judge)
                await own.fill(
                    task.name, arm, requests_of(bench, task, arm.config, renders[task.name])
                )
        if not bench.timing_problems:
            sampler.models.close(model)


def timing_subset(
    bench: Bench, tasks: Sequence[TestTask], renders: Renders
) -> list[tuple[str, Request]]:
    """The fixed problems that are timed, at the locked config: by hash, so about evenly by task.

    A problem that two tasks share (thinking on and off) is timed in the first one only: an engine
    tells candidates apart by prompt id.
    """
    every = {
        r.prompt.id: (t.name, r)
        for t in reversed(tasks)
        for r in requests_of(bench, t, "locked", renders[t.name])
    }

    def rank(item: tuple[str, Request]) -> str:
        return hashlib.sha256(
            f"timing/{bench.seed}/{item[0]}/{item[1].prompt.id}".encode()
        ).hexdigest()

    return sorted(every.values(), key=rank)[: bench.timing_problems]


async def _time(
    job: StageJob, models: Models, tasks: Sequence[TestTask], renders: Renders
) -> list[Timed]:
    """Time what is not timed yet; a block cut short is timed again."""
    bench = job.recipe.bench
    if not arms_of(bench):
        return []
    subset = timing_subset(bench, tasks, renders)
    path = job.out / TIMING
    rows = merge_timing(path)
    left = subset[len(rows) // len(MODELS) :]
    if not left:
        return rows
    decoders = {m: _closed_loop(models, m, bench.timing_concurrency) for m in MODELS}
    block = BLOCKS_OF * bench.timing_concurrency
    first = len({row.block for row in rows})
    with Journal(path) as journal:
        async for timed in outcomes.timed(
            decoders, left, block=block, warmup=bench.timing_concurrency, first=first
        ):
            journal.append(timing_row(timed))
            rows += timed
            job.progress("bench timing", len(rows), len(subset) * len(MODELS))
    return rows


def _closed_loop(models: Models, model: str, concurrency: int) -> outcomes.Decode:
    def decode(requests: Sequence[Request]) -> AsyncIterator[Completion]:
        return collect(
            models.engine(model, alone=True),
            models.tokenizer,
            models.eos_ids,
            requests,
            concurrency=concurrency,
        )

    return decode


def _outcomes(
    job: StageJob, models: Models, tasks: Sequence[TestTask], renders: Renders, tight: int | None
) -> tuple[Samples, Samples]:
    """All sample sets reduced to outcomes, as decoded and as cut at the tight budget."""
    bench = job.recipe.bench
    whole: Samples = {arm: [] for arm in arms_of(bench)}
    cuts: Samples = {arm: [] for arm in whole}
    for arm in whole:
        for task in tasks:
            requests = requests_of(bench, task, arm.config, renders[task.name])
            path = samples_path(job.out, task.name, stored(bench, arm))
            for completion in sampled(path, models.keys(arm.model, requests)):
                rendered = renders[task.name][completion.prompt_id]
                whole[arm].append(
                    outcomes.outcome(completion, task.name, task.thinking, rendered.shape)
                )
                if tight is not None:
                    shorter = outcomes.cut(completion, tight, models.grammar(rendered))
                    cuts[arm].append(
                        outcomes.outcome(shorter, task.name, task.thinking, rendered.shape)
                    )
    return whole, cuts


def tabulate(
    bench: Bench,
    tasks: Sequence[TestTask],
    samples: Mapping[Arm, Sequence[Outcome]],
    cuts: Mapping[Arm, Sequence[Outcome]],
    timings: Sequence[Timed],
    tight: int | None,
) -> dict[str, list[dict[str, Any]]]:
    """Rows of each file to write; ``all`` stands before the tasks it pools."""
    files: dict[str, list[dict[str, Any]]] = {
        k: [] for k in (BENCH, COMPARE, BY_CONFIG, BUDGET_CURVE)
    }
    for setting in bench.settings:
        budget = tight if setting == "tight" and tight is not None else bench.budget
        chosen = cuts if setting == "tight" else samples
        for thinking, task in slices(tasks):
            names = [t.name for t in tasks if t.thinking is thinking and task in (t.name, POOLED)]
            # A cut trace was not timed at its budget.
            seconds = {} if setting == "tight" else outcomes.mean_seconds(timings, names)
            ci, timed = (
                outcomes.seconds_reduction_ci(timings, names, bench.seed)
                if setting == "equal"
                else (None, 0)
            )
            where = Slice(setting, thinking, task, budget, seconds, bench.seed, ci, timed)
            part = tables.within(chosen, thinking, task)
            made: Tables = (tables.ship if setting == "ship" else tables.both_configs)(part, where)
            files[BENCH] += made.bench
            files[COMPARE] += made.compare
            files[BY_CONFIG] += made.by_config
    files[BUDGET_CURVE] = curves(bench, tasks, samples, tight)
    return files


def slices(tasks: Sequence[TestTask]) -> list[tuple[bool | None, str]]:
    """What rows are about: per thinking switch, all its tasks pooled, then each."""
    switches = list(dict.fromkeys(t.thinking for t in tasks))
    return [
        (thinking, name)
        for thinking in switches
        for name in (POOLED, *(t.name for t in tasks if t.thinking is thinking))
    ]


def curves(
    bench: Bench,
    tasks: Sequence[TestTask],
    samples: Mapping[Arm, Sequence[Outcome]],
    tight: int | None,
) -> list[dict[str, Any]]:
    """Accuracy against budget, every sample set cut at the same budgets."""
    everything = [o for outcomes in samples.values() for o in outcomes]
    budgets = outcomes.budgets_between(everything, bench.budget, tight or 0)
    rows = []
    for thinking, task in slices(tasks):
        part = tables.within(samples, thinking, task)
        for arm in sorted(part, key=lambda a: (CONFIGS.index(a.config), a.model)):
            head = {"task": task, "thinking": thinking, "config": arm.config, "model": arm.model}
            rows += [{**head, **row} for row in outcomes.accuracy_curve(part[arm], budgets)]
    return rows


def _counts(
    tasks: Sequence[TestTask], samples: Samples, timings: Sequence[Timed], tight: int | None
) -> dict[str, Any]:
    outcomes = [o for arm in samples.values() for o in arm]
    return {
        "tasks": len(tasks),
        "problems": sum(len(t.prompts) for t in tasks),
        "duplicates": sum(t.duplicates for t in tasks),
        "contaminated": sum(t.contaminated for t in tasks),
        "completions": len(outcomes),
        "decoded_tokens": sum(o.total_tokens for o in outcomes),
        "unjudged": sum(o.ok is None for o in outcomes),
        "timed_problems": len(timings) // len(MODELS),
        "tight_budget": tight,
    }
