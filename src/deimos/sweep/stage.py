"""The sweep stage: decoding settings tried on dev prompts for base and tuned, and one locked for each.

Writes ``samples/<model>-<config>.jsonl``, ``trials.jsonl`` and ``locked.yaml`` under the stage's
folder. Only the dev split that the prompts stage made decides; test problems among it are refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from deimos.evaluate.models import Models, open_models
from deimos.evaluate.samples import Evaluator
from deimos.models.ref import ModelRef
from deimos.prompts.splits import rank
from deimos.recipe import Recipe, RecipeError, Sweep, write_yaml
from deimos.runs.artifacts import Artifacts
from deimos.runs.plan import StageJob
from deimos.store.hashing import file_hash
from deimos.store.journal import write_atomic, write_rows
from deimos.store.names import DEV, LOCKED, TRIALS
from deimos.store.sweep_rows import VERSION, LockedFile
from deimos.store.template_date import read_template_date
from deimos.sweep.answers import ModelAnswers
from deimos.sweep.descent import Rules, descend
from deimos.sweep.lock import locked_model
from deimos.sweep.score import Score
from deimos.sweep.space import space_of
from deimos.sweep.tpe import explore
from deimos.sweep.trials import Trials, trial_rows
from deimos.types import JudgeAnswer, Prompt

CheckPrompts = Callable[[Sequence[Prompt]], None]
"""Raises if prompts are among the benchmark's problems."""


def run(
    job: StageJob,
    *,
    models: Mapping[str, ModelRef],
    judge: JudgeAnswer,
    check: CheckPrompts,
) -> dict[str, Any]:
    """Sweep both models; returns counts for the record.

    Args:
        job: inputs ``prompts`` (dev.jsonl), ``sample`` (the date) and ``train`` (adapter).
        models: ``base`` and ``tuned``, the base first.
        judge: ``(prompt, answer) -> Verdict``.
        check: refuses prompts that are test problems.

    Raises:
        RecipeError: there are no dev prompts, or they are not those of the prompts stage, or among
            the tests; a strategy that is not installed.
        EvaluationError: the engine failed on some completions again and again.
    """
    sweep = settings_of(job.recipe)
    prompts = order_items(read_dev(job), sweep)
    check(prompts)
    model, today = job.recipe.model, read_template_date(job.inputs["sample"])
    with open_models(
        models,
        job.runtime,
        model.thinking_tags(),
        today=today,
        template=model.template_arguments(),
    ) as opened:
        tried = asyncio.run(_try_models(job, opened, models, judge, prompts))
    rows = [row for name, trials in tried.items() for row in trial_rows(name, trials, len(prompts))]
    locked = _locked(sweep, tried, prompts)
    locked["evaluations"] = sum(row["decoded"] for row in rows)
    write_rows(job.out / TRIALS, [dict(row) for row in rows])
    write_atomic(job.out / LOCKED, write_yaml(dict(locked)))
    return {
        "items": len(prompts),
        "trials": len(rows),
        "dropped": sum(row["dropped_at"] is not None for row in rows),
        "evaluations": locked["evaluations"],
        "skipped": [
            f"{each['parameter']} ({each['model']}): {each['because']}"
            for each in locked["skipped"]
        ],
    }


def settings_of(recipe: Recipe) -> Sweep:
    """The recipe's sweep section."""
    assert recipe.sweep is not None, "a recipe without a sweep section has no such stage"
    return recipe.sweep


def read_dev(job: StageJob) -> list[Prompt]:
    """The dev prompts that the prompts stage wrote, and nothing else.

    Raises:
        RecipeError: the folder is not one of a prompts stage that is complete, or its dev.jsonl is
            not the one that its record has; or it is empty.
    """
    artifacts, folder = Artifacts(job.inputs), job.inputs["prompts"]
    record = artifacts.record("prompts")
    noted = record.get("files", {}).get(DEV, {}).get("sha256")
    path = folder / DEV
    if record.get("stage") != "prompts" or not path.is_file() or file_hash(path) != noted:
        raise RecipeError(
            f"sweep decides by dev prompts only, and {path} is not the dev split that a prompts stage "
            "wrote (its record says otherwise): run `deimos prompts`"
        )
    prompts = artifacts.prompts("dev")
    if not prompts:
        raise RecipeError(
            "sweep has no dev prompts to decide by: set prompts.dev_fraction or "
            "prompts.dev_min_per_kind above 0"
        )
    return prompts


def order_items(prompts: Sequence[Prompt], sweep: Sweep) -> list[Prompt]:
    """The dev items in the order that all values share, at most as many as the recipe takes.

    If there are fewer, all are items: how many there were stands beside each accuracy.
    """
    return sorted(prompts, key=lambda p: rank(p, f"sweep-{sweep.seed}"))[: sweep.take]


def rules_of(sweep: Sweep, items: int) -> Rules:
    """How a recipe's values are tried."""
    return Rules(items, sweep.block, sweep.alpha, sweep.rounds, Score(sweep.price))


async def _try_models(
    job: StageJob,
    opened: Models,
    models: Mapping[str, ModelRef],
    judge: JudgeAnswer,
    prompts: Sequence[Prompt],
) -> dict[str, Trials]:
    """What was tried for each model, one model after the other."""
    sweep, bench = settings_of(job.recipe), job.recipe.bench
    space, rules = space_of(sweep.parameters, bench), rules_of(sweep, len(prompts))
    evaluator = Evaluator(opened, judge, job.progress, "sweep")
    tried = {}
    for name, ref in models.items():
        answers = ModelAnswers(
            evaluator, ref, name, prompts, job.out, job.recipe.model.thinking, bench.seed
        )
        if sweep.strategy == "optuna":
            exploring = explore(space, answers, rules, trials=sweep.trials, seed=sweep.seed)
            tried[name] = await exploring
        else:
            tried[name] = await descend(space, answers, rules)
    return tried


def _locked(sweep: Sweep, tried: Mapping[str, Trials], prompts: Sequence[Prompt]) -> LockedFile:
    score = Score(sweep.price)
    parts = {
        name: locked_model(trials.whole(len(prompts)), score) for name, trials in tried.items()
    }
    skipped = [
        {"model": name, "parameter": parameter, "because": because}
        for name, trials in tried.items()
        for parameter, because in trials.skipped.items()
    ]
    return {
        "version": VERSION,
        "base": parts["base"],
        "tuned": parts["tuned"],
        "strategy": sweep.strategy,
        "objective": "accuracy" if sweep.price is None else "price_per_token",
        "price": sweep.price,
        "items": len(prompts),
        "evaluations": 0,
        "skipped": skipped,
    }
