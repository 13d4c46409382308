"""Accuracy against think budgets: thoughts closed there, and the answers behind them decoded afresh.

Beside the curve of cut traces, which says what a smaller ``max_tokens`` would have cost: a cut trace
never answers, a closed thought does (Muennighoff et al. 2025, arXiv:2501.19393). Thoughts are taken
from the answers that the benchmark has decoded, so only what follows a closed one is new.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from statistics import mean

from deimos.bench.decodings import LOCKED
from deimos.bench.suites import MODELS, ArmName, Suite, find_stored
from deimos.bench.tasks import TestTask
from deimos.evaluate import outcomes
from deimos.evaluate.models import Models
from deimos.evaluate.outcomes import Outcome, reduce_completion
from deimos.evaluate.samples import Evaluator, ReportProgress, SampleSet
from deimos.evaluate.together import fill_together
from deimos.runs.artifacts import samples_path
from deimos.store.bench_rows import BudgetCurveRow
from deimos.types import JudgeAnswer

Slices = Sequence[tuple[bool | None, str, Sequence[str]]]
"""Thinking, name and tasks of each slice that has rows."""


def measure_closed(
    suite: Suite, models: Models, judge: JudgeAnswer, progress: ReportProgress, slices: Slices
) -> list[BudgetCurveRow]:
    """Decode base and tuned at each of ``bench.think_budgets``, at the locked decoding.

    Args:
        suite: the benchmark's, whose plain sample sets are filled.
        models: open.
        judge: of tasks without their own.
        progress: called after each completion.
        slices: what rows pool.

    Returns:
        A row for each slice, model and budget; none without budgets, or for tasks without thoughts.

    Raises:
        EvaluationError: the engine failed on some completions again and again.
    """
    budgets = suite.bench.think_budgets
    tasks = [task for task in suite.tasks if task.thinking is not False] if budgets else []
    evaluator = Evaluator(models, judge, progress, "bench")
    found: dict[tuple[str, str, int], list[Outcome]] = {}
    for model in MODELS if tasks else ():
        sets = {(t.name, b): _sample_set(suite, t, model, b) for t in tasks for b in budgets}
        by_name = {task.name: task for task in tasks}
        wanted = [(own, by_name[task].judge or judge) for (task, _), own in sets.items()]
        asyncio.run(fill_together(evaluator, wanted))
        for (task, budget), own in sets.items():
            found[model, task, budget] = _read(models, by_name[task], own)
    rows = []
    for thinking, name, members in slices if tasks else ():
        for model in MODELS if thinking is not False else ():
            for budget in budgets:
                part = [o for task in members for o in found[model, task, budget]]
                rows.append(_row(suite, part, name, thinking, model, budget))
    return rows


def _sample_set(suite: Suite, task: TestTask, model: str, budget: int) -> SampleSet:
    plain = suite.sample_set(task, ArmName(model, LOCKED))
    own = plain.arm.think_budget
    closed = replace(plain.arm, think_budget=budget if own is None else min(own, budget))
    name = f"{plain.path.stem}-closed-{budget}"
    return replace(plain, arm=closed, path=samples_path(suite.out, name), thoughts=plain)


def _read(models: Models, task: TestTask, own: SampleSet) -> list[Outcome]:
    prompts = {prompt.id: prompt for prompt in task.prompts}
    found = []
    for completion in own.read(models):
        prompt = prompts[completion.prompt_id]
        shape = models.render_for(own.arm, prompt).shape
        found.append(reduce_completion(completion, task.name, task.thinking, shape, prompt))
    return found


def _row(
    suite: Suite, part: Sequence[Outcome], task: str, thinking: bool | None, model: str, budget: int
) -> BudgetCurveRow:
    """Accuracy at one think budget; what has no verdict is left out of it."""
    most = suite.decodings.budget
    accuracy = outcomes.accuracy_curve(part, [most])[0]
    return {
        "task": task, "thinking": thinking,
        "config": find_stored(suite.decodings, ArmName(model, LOCKED)).config, "model": model,
        "budget": most, "n": accuracy["n"], "accuracy": accuracy["accuracy"],
        "accuracy_ci": accuracy["accuracy_ci"], "think_budget": budget,
        "total_tokens_mean": mean(o.total_tokens for o in part) if part else None,
        "answered": mean(o.finish == "stop" for o in part) if part else None,
    }  # fmt: skip
