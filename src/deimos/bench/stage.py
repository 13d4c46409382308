"""The bench stage: sample sets of every arm, a timed subset, and the rows made of them.

Writes ``samples/<task>-<model>-<config>.jsonl``, ``prompts.jsonl`` (the problems), ``timing.jsonl``,
``bench.jsonl``, ``compare.jsonl``, ``by_config.jsonl``, ``splits.jsonl``, ``budget_curve.jsonl`` and,
if the run has a routing policy, ``routed.jsonl`` under the stage's folder. Test problems decide nothing here: decodings and budgets are given from outside.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deimos.bench import splits, tables
from deimos.bench.baseline_tables import tabulate_baseline
from deimos.bench.baselines import BUDGET, LOW_EFFORT, choose_examples, list_baselines
from deimos.bench.closed import measure_closed
from deimos.bench.decodings import Decodings, decodings_of
from deimos.bench.routed import GivenPolicy, measure_routed
from deimos.bench.suites import (
    MODELS,
    TIMED,
    ArmName,
    Suite,
    find_shipped,
    find_stored,
    list_arms,
    list_stored,
    models_of,
)
from deimos.bench.tables import Slice, Tables
from deimos.bench.tasks import POOLED, TestTask, close_judges, load_tasks
from deimos.bench.votes import CompareAnswers, Votes, find_votes
from deimos.engines.collect import Request
from deimos.evaluate import outcomes
from deimos.evaluate.models import Models, open_models
from deimos.evaluate.outcomes import Outcome, reduce_completion
from deimos.evaluate.samples import Evaluator
from deimos.evaluate.timing import mean_seconds, seconds_reduction_ci, time_models
from deimos.evaluate.together import fill_together
from deimos.graders.second import count_differences
from deimos.models.effort import find_lowest_effort
from deimos.models.merge import find_adapter_use
from deimos.recipe import Bench, RecipeError
from deimos.runs.artifacts import Artifacts, engines_by_model
from deimos.runs.plan import StageJob
from deimos.store.journal import write_rows
from deimos.store.keys import keys_path, write_keys
from deimos.store.names import (
    BENCH,
    BUDGET_CURVE,
    BY_CONFIG,
    COMPARE,
    PROBLEMS,
    ROUTED,
    SPLITS,
    TIMING,
)
from deimos.store.schema import Timed, prompt_row
from deimos.store.template_date import read_template_date
from deimos.types import JudgeAnswer, null_reason

Samples = dict[ArmName, list[Outcome]]
DescribeBaseline = Callable[[ArmName, Sequence[TestTask]], Mapping[str, Any] | None]
"""What makes an arm of the base, of some tasks; None: it is no baseline's."""


@dataclass(frozen=True)
class CutSamples:
    """All arms' samples reduced to outcomes, at each budget that a setting has."""

    whole: Samples
    """As decoded."""
    shipped: Samples
    """Of the arms that models ship with, each at the budget that it ships with."""
    tight: Samples
    """Cut at the tight budget; empty without one."""

    def of(self, setting: str) -> Samples:
        """Those of a setting."""
        return {"ship": self.shipped, "tight": self.tight}.get(setting, self.whole)


def run(
    job: StageJob,
    *,
    judge: JudgeAnswer,
    compare: CompareAnswers | None = None,
    policy: GivenPolicy | None = None,
) -> dict[str, Any]:
    """Bench the tuned model against its base; returns counts for the record.

    Args:
        job: inputs ``prompts``, ``sample`` (constants.json) and ``train`` (adapter).
        judge: ``(prompt, answer) -> Verdict``; lm-eval's tasks have their own.
        compare: says which wrong answers are the same; None: majorities are not counted.
        policy: of the run's routing, whose worth is measured; None: there is none.

    Raises:
        RecipeError: tasks that cannot be benched (see tasks.py).
        RecipeError: ``tight`` is asked for but the dev pass left no budget.
        EvaluationError: the engine failed on some completions again and again.
    """
    bench = job.recipe.bench
    artifacts = Artifacts(job.inputs)
    seen = [*artifacts.prompts("train"), *artifacts.prompts("dev")]
    tasks = load_tasks(job.recipe, seen)
    tight = read_tight_budget(job) if "tight" in bench.settings else None
    problems = {p.id: p for t in tasks for p in t.prompts}
    write_rows(job.out / PROBLEMS, map(prompt_row, problems.values()))
    compared = models_of(job)
    decodings = decodings_of(bench, artifacts.locked_configs())
    asked = [p.messages[-1]["content"] for p in problems.values()]
    examples = choose_examples(job.recipe, asked)
    suite = Suite(bench, decodings, compared, tasks, job.out, examples=examples)
    tags = job.recipe.model.thinking_tags()
    opened = open_models(
        compared, job.runtime, tags, today=read_template_date(job.inputs["sample"]),
        together=bench.timing_problems > 0, template=job.recipe.model.template_arguments(),
    )  # fmt: skip
    with close_judges(tasks), opened as models:
        effort = find_lowest_effort(models.tokenizer.get_chat_template())
        suite = dataclasses.replace(suite, effort=effort)
        write_keys(keys_path(job.out), suite.record_keys(models))
        suite, timings = asyncio.run(_measure(job, suite, models, judge))
        votes = asyncio.run(find_votes(suite, models, compare))
        samples = _reduce_samples(suite, models, tight, votes)
        routed = measure_routed(suite, models, judge, job.progress, policy)
        closed = measure_closed(suite, models, judge, job.progress, _members(tasks))
    write_rows(job.out / ROUTED, map(dict, routed))
    made = tabulate(bench, decodings, tasks, samples, timings, tight, suite.describe_baseline)
    made[BUDGET_CURVE] += map(dict, closed)
    for name, rows in made.items():
        write_rows(job.out / name, rows)
    whole = samples.whole
    own = {arm: found for arm, found in whole.items() if find_stored(decodings, arm) == arm}
    engines = engines_by_model(Artifacts({"bench": job.out}).sample_facts())
    counts = {**_count(tasks, own, timings, tight), "engines": engines}
    use = find_adapter_use(job.runtime.engine, compared["tuned"])
    return {**counts, "adapter": use} if use else counts


async def _measure(
    job: StageJob, suite: Suite, models: Models, judge: JudgeAnswer
) -> tuple[Suite, list[Timed]]:
    """Decode and judge all sample sets, then time the fixed subset.

    The suite comes back with think budgets, which are known once the tuned model has answered.
    """
    evaluator = Evaluator(models, judge, job.progress, "bench")
    for arm in list_stored(suite.bench, suite.decodings):
        if arm.model == BUDGET and not suite.think_budgets:
            suite = dataclasses.replace(suite, think_budgets=suite.read_think_budgets(models))
            write_keys(keys_path(job.out), suite.record_keys(models))
        own = evaluator
        if arm.model == LOW_EFFORT:  # a prompt with thinking off may be rendered as the base's
            plain = ArmName("base", arm.config)
            paths = tuple(suite.sample_set(task, plain).path for task in suite.tasks)
            own = dataclasses.replace(evaluator, others=paths)
        sets = [(suite.sample_set(task, arm), task.judge or judge) for task in suite.tasks]
        await fill_together(own, sets)
    if not list_arms(suite.bench, suite.decodings):
        return suite, []
    return suite, await time_models(
        models,
        suite.timed_arms(),
        {name: timing_subset(suite, models, name) for name in MODELS},
        suite.out / TIMING,
        concurrency=suite.bench.timing_concurrency,
        label="bench timing",
        progress=job.progress,
    )


def read_tight_budget(job: StageJob) -> int:
    """The base's 25th-percentile total tokens on dev, at most the bench's own budget."""
    budget = Artifacts(job.inputs).constants().get("dev_total_tokens_p25")
    if not isinstance(budget, int | float) or budget < 1:
        raise RecipeError(
            f"bench.settings has 'tight' but constants.json gives dev_total_tokens_p25 = {budget!r}: "
            "sample some dev prompts, or leave 'tight' out"
        )
    return min(int(budget), job.recipe.bench.budget)


def timing_subset(suite: Suite, models: Models, model: str) -> list[tuple[str, Request]]:
    """The fixed problems that are timed, at one decoding: by hash, so about evenly by task.

    They are the same for every model; ``model`` says whose requests they become.

    A problem that two tasks share (thinking on and off) is timed in the first one only: an engine
    tells candidates apart by prompt id.
    """
    arm = ArmName(model, TIMED)
    every = {
        request.prompt.id: (task.name, request)
        for task in reversed(suite.tasks)
        for request in suite.sample_set(task, arm).requests(models)
        if request.index == 0
    }
    seed = suite.bench.seed

    def rank(item: tuple[str, Request]) -> str:
        text = f"timing/{seed}/{item[0]}/{item[1].prompt.id}"
        return hashlib.sha256(text.encode()).hexdigest()

    return sorted(every.values(), key=rank)[: suite.bench.timing_problems]


def _reduce_samples(suite: Suite, models: Models, tight: int | None, votes: Votes) -> CutSamples:
    arms = list_arms(suite.bench, suite.decodings)
    found = CutSamples(*({arm: [] for arm in arms} for _ in range(3)))
    for arm in arms:
        shipped = find_shipped(arm.model) == arm.config
        own = suite.decodings.shipped_budget if arm.config == TIMED else suite.decodings.budget
        budgets = [(found.shipped, own if shipped else None), (found.tight, tight)]
        for task in suite.tasks:
            wanted = suite.sample_set(task, arm)
            prompts = {p.id: p for p in task.prompts}
            own_votes = votes.get((find_stored(suite.decodings, arm), task.name), {})
            for completion in wanted.read(models):
                prompt = prompts[completion.prompt_id]
                rendered = models.render_for(wanted.arm, prompt)
                about = task.name, task.thinking, rendered.shape, prompt
                vote = own_votes.get((completion.prompt_id, completion.index))
                found.whole[arm].append(reduce_completion(completion, *about, vote))
                for samples, budget in budgets:
                    if budget is not None:
                        shorter = outcomes.cut(completion, budget, models.grammar(rendered))
                        samples[arm].append(reduce_completion(shorter, *about, vote))
    return found


def tabulate(
    bench: Bench,
    decodings: Decodings,
    tasks: Sequence[TestTask],
    samples: CutSamples,
    timings: Sequence[Timed],
    tight: int | None,
    describe: DescribeBaseline = lambda arm, tasks: None,
) -> dict[str, list[dict[str, Any]]]:
    """Rows of each file to write: ``all`` before its tasks, base and tuned before baselines."""
    files: dict[str, list[dict[str, Any]]] = {
        k: [] for k in (BENCH, COMPARE, BY_CONFIG, SPLITS, BUDGET_CURVE)
    }
    for setting in bench.settings:
        budget = tight if setting == "tight" and tight is not None else decodings.budget
        for thinking, task in list_slices(tasks):
            names = names_in(tasks, thinking, task)
            # A cut trace was not timed at its budget.
            seconds = {} if setting == "tight" else mean_seconds(timings, names)
            ci, timed = seconds_reduction_ci(timings, names) if setting == "equal" else (None, 0)
            values = decodings.values()
            if setting == "ship" and decodings.shipped_budget < decodings.budget:
                values[TIMED]["max_tokens"] = decodings.shipped_budget
                seconds = {}  # they were measured at the ample budget
            where = Slice(setting, thinking, task, budget, seconds, bench.seed, ci, timed, values)
            part = tables.select_slice(samples.of(setting), thinking, names)
            make = tables.tabulate_ship if setting == "ship" else tables.tabulate_all
            made: Tables = make(part, where)
            files[BENCH] += made.bench
            files[COMPARE] += made.compare
            files[BY_CONFIG] += made.by_config
            if setting == split_setting(bench):
                files[SPLITS] += split_slice(decodings, part, where)
            own = [t for t in tasks if t.thinking is thinking and t.name in names]
            for name in list_baselines(bench):
                made = tabulate_baseline(part, name, where, lambda arm, own=own: describe(arm, own))
                files[BENCH] += made.bench
                files[COMPARE] += made.compare
                files[BY_CONFIG] += made.by_config
    files[BUDGET_CURVE] = draw_curves(decodings, tasks, samples.whole, tight)
    return files


def split_setting(bench: Bench) -> str | None:
    """The setting whose comparisons are split: that of the headline, if it is of whole traces."""
    return next((setting for setting in ("equal", "ship") if setting in bench.settings), None)


def split_slice(
    decodings: Decodings, part: Mapping[ArmName, Sequence[Outcome]], where: Slice
) -> list[dict[str, Any]]:
    """The rows of ``splits.jsonl`` of one slice."""
    base, tuned = MODELS
    if where.setting == "ship":
        pairs = [(ArmName(base, find_shipped(base)), ArmName(tuned, find_shipped(tuned)))]
    else:
        pairs = [(ArmName(base, name), ArmName(tuned, name)) for name in decodings.named]
    return splits.split_rows(
        part, pairs, where, lambda a, b: find_stored(decodings, a) == find_stored(decodings, b)
    )


def list_slices(tasks: Sequence[TestTask]) -> list[tuple[bool | None, str]]:
    """What rows are about: per thinking switch, all its tasks pooled, then each behind its group."""
    found: dict[tuple[bool | None, str], None] = {}
    for thinking in dict.fromkeys(t.thinking for t in tasks):
        found[thinking, POOLED] = None
        for task in tasks:
            if task.thinking is thinking:
                found |= {(thinking, name): None for name in (task.group, task.name) if name}
    return list(found)


def names_in(tasks: Sequence[TestTask], thinking: bool | None, name: str) -> list[str]:
    """The tasks that rows called ``name`` pool: one task, a group's, or all."""
    alike = (task for task in tasks if task.thinking is thinking)
    return [task.name for task in alike if name in (task.name, task.group, POOLED)]


def _members(tasks: Sequence[TestTask]) -> list[tuple[bool | None, str, list[str]]]:
    """The slices with the tasks that each pools."""
    return [(on, name, names_in(tasks, on, name)) for on, name in list_slices(tasks)]


def draw_curves(
    decodings: Decodings,
    tasks: Sequence[TestTask],
    samples: Mapping[ArmName, Sequence[Outcome]],
    tight: int | None,
) -> list[dict[str, Any]]:
    """Accuracy against budget, every sample set cut at the same budgets."""
    everything = [o for outcomes in samples.values() for o in outcomes]
    budgets = outcomes.budgets_between(everything, decodings.budget, tight or 0)
    names, rows = list(decodings.named), []
    for thinking, task in list_slices(tasks):
        part = tables.select_slice(samples, thinking, names_in(tasks, thinking, task))
        for arm in sorted(part, key=lambda a: (names.index(a.config), a.model)):
            head = {"task": task, "thinking": thinking, "config": arm.config, "model": arm.model}
            rows += [{**head, **row} for row in outcomes.accuracy_curve(part[arm], budgets)]
    return rows


def _count(
    tasks: Sequence[TestTask], samples: Samples, timings: Sequence[Timed], tight: int | None
) -> dict[str, Any]:
    outcomes = [o for arm in samples.values() for o in arm]
    unjudged = [o.because for o in outcomes if o.ok is None]
    because = Counter(map(null_reason, unjudged))
    second = count_differences((o.ok, o.second) for o in outcomes)
    return {
        "tasks": len(tasks),
        "problems": sum(len(t.prompts) for t in tasks),
        "duplicates": sum(t.duplicates for t in tasks),
        "contaminated": sum(t.contaminated for t in tasks),
        "completions": len(outcomes),
        "decoded_tokens": sum(o.total_tokens for o in outcomes),
        "unjudged": len(unjudged),
        "timed_problems": len(timings) // len(MODELS),
        "tight_budget": tight,
        **({"unjudged_because": dict(because)} if because else {}),
        **({"second": second} if second else {}),
    }
