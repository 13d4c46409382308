"""What is plugged into each stage: packages on one level don't know each other, they meet here.

Each function carries out one stage from its job; heavy imports stand inside.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deimos.evaluate.merged import model_path
from deimos.recipe import Recipe, RecipeError
from deimos.recipe.runtime import Runtime
from deimos.runs.artifacts import Artifacts
from deimos.runs.folder import RunError, RunFolder
from deimos.runs.plan import Planned, StageJob
from deimos.thinking import Shape
from deimos.types import Prompt

if TYPE_CHECKING:
    from deimos.bench.routed import GivenPolicy
    from deimos.bench.tasks import Given
    from deimos.prompts.decontaminate import TestText


def prompts(job: StageJob) -> Mapping[str, Any]:
    """Sources to train.jsonl and dev.jsonl, decontaminated of the tests and held to them."""
    from deimos.bench.lm_eval.expand import list_tasks
    from deimos.bench.tasks import find_judged_kinds, list_questions, load_tasks, read_tasks
    from deimos.graders.code import require_sandbox
    from deimos.prompts import stage

    tested = keep_loadable_tests(job.recipe, job.runtime)
    given = read_tasks(tested)
    every = list_tasks(job.recipe.bench, installed=False)
    elsewhere = [t.name for t in every if t.lm_eval] if tested is not job.recipe else []

    # Said here already, and again by the benchmark: nobody samples for hours and learns it at the end.
    def check(prompts: Collection[Prompt]) -> None:
        tasks = load_tasks(tested, prompts, given)
        kinds = find_judged_kinds(prompts, tasks)
        require_sandbox(kinds, job.recipe.select.graders, job.runtime.allow_weak_sandbox)

    return stage.run(job, tests=list_questions(given), unchecked=elsewhere, check=check)


def sample(job: StageJob) -> Mapping[str, Any]:
    """The race, judged by the recipe's graders and filters; in this process or on a cluster."""
    from deimos.bench.tasks import list_questions, read_tasks
    from deimos.sample import ray, stage
    from deimos.select.function_words import function_word_rate

    def load_tests() -> Sequence[TestText]:
        return list_questions(read_tasks(keep_loadable_tests(job.recipe, job.runtime)))

    if job.runtime.cluster:
        return ray.run(
            job, open_gates=open_gates, function_words=function_word_rate, load_tests=load_tests
        )
    with open_gates(job) as gate_for:
        return stage.run(
            job, gate_for=gate_for, function_words=function_word_rate, load_tests=load_tests
        )


def select(job: StageJob) -> Mapping[str, Any]:
    """Candidates to golds."""
    from deimos.select import stage

    with judge_of(job) as judge:
        return stage.run(job, gate_for=gates(job, judge, second=judge.second))


def teach(job: StageJob) -> Mapping[str, Any]:
    """Golds to golds that think in tags."""
    from deimos.select.filters import gate_for
    from deimos.teach import stage

    with judge_of(job) as judge:
        make = gate_for(job.recipe.select, stage.settings_of(job).tags, judge)
        return stage.run(job, gate_for=lambda constants: make(Shape.OPEN, constants))


def train(job: StageJob) -> Mapping[str, Any]:
    """Golds to an adapter."""
    from deimos.train import stage

    return stage.run(job)


def sweep(job: StageJob) -> Mapping[str, Any]:
    """Decoding settings tried on the dev prompts, which are held to the tests."""
    from deimos.bench.suites import models_of
    from deimos.sweep import stage

    def check(prompts: Collection[Prompt]) -> None:
        refuse_tests(job.recipe, job.runtime, prompts, "sweep")

    with judge_of(job, job.recipe.bench_graders) as judge:
        return stage.run(job, models=models_of(job), judge=judge, check=check)


def refuse_tests(
    recipe: Recipe,
    runtime: Runtime,
    prompts: Collection[Prompt],
    stage: str,
    given: Sequence[Given] | None = None,
) -> None:
    """Refuse dev prompts that are test problems, also if the recipe allows contamination.

    Args:
        recipe: whose tests they are.
        runtime: says which tests this Python can load.
        prompts: those that decide.
        stage: which decides.
        given: the tests' problems, if they are loaded already.

    Raises:
        RecipeError: how many are, and of which task; or as ``load_tasks``.
    """
    from deimos.bench.tasks import close_judges, load_tasks

    tested = keep_loadable_tests(recipe, runtime).model_copy(update={"allow_contamination": True})
    tasks = load_tasks(tested, prompts, given)
    with close_judges(tasks):
        for task in tasks:
            if task.contaminated:
                raise RecipeError(
                    f"{stage}: {task.contaminated} of {len(task.prompts)} problems of bench.tasks "
                    f"{task.name!r} are among the dev prompts that decide here: a decision must not "
                    "be made on the test, so take other prompts or another test"
                )


def route(job: StageJob) -> Mapping[str, Any]:
    """Thinking on and off on the dev prompts, which are held to the tests: those decide nothing."""
    from deimos.bench.decodings import BASE_LOCKED, LOCKED, decodings_of
    from deimos.bench.suites import models_of
    from deimos.evaluate.samples import SEPARATOR
    from deimos.route import stage
    from deimos.sample import prompt_race

    recipe, swept = job.recipe, Artifacts(job.inputs).locked_configs()
    named = decodings_of(recipe.bench, swept).named
    locked = {"base": named.get(BASE_LOCKED, named[LOCKED]), "tuned": named[LOCKED]}
    models = {
        name: stage.RoutedModel(
            ref, at.sampling, swept[name].sampling.max_tokens if swept else at.sampling.max_tokens,
            at.think_budget,
        )
        for name, ref in models_of(job).items()
        for at in (locked[name],)
    }  # fmt: skip

    def seeds(model: str, thinking: bool) -> stage.Seeds:
        own = thinking is (recipe.model.thinking is not False)
        if model == "base" and own and models[model].decoding == recipe.sample.sampling.value():
            # The dev pass has decoded just this: with its seeds its answers are found.
            return stage.Seeds(recipe.sample.seed, prompt_race.SEPARATOR)
        return stage.Seeds(recipe.bench.seed, SEPARATOR)

    def check(prompts: Collection[Prompt]) -> None:
        refuse_tests(recipe, job.runtime, prompts, "route")

    with judge_of(job, recipe.bench_graders) as judge:
        return stage.run(job, models=models, seeds=seeds, judge=judge, check=check)


def gain(job: StageJob) -> Mapping[str, Any]:
    """Base against tuned on the dev prompts, which are held to the tests."""
    from deimos.bench import gain as stage

    def check(prompts: Collection[Prompt]) -> None:
        refuse_tests(job.recipe, job.runtime, prompts, "gain")

    with judge_of(job, job.recipe.bench_graders) as judge:
        return stage.run(job, judge=judge, check=check)


def bench(job: StageJob) -> Mapping[str, Any]:
    """Base against tuned."""
    from deimos.bench import stage
    from deimos.graders.same_answer import AnswerComparer

    graders = job.recipe.bench_graders
    with judge_of(job, graders) as judge, contextlib.closing(AnswerComparer(graders)) as compare:
        return stage.run(job, judge=judge.with_second, compare=compare, policy=_read_policy(job))


def _read_policy(job: StageJob) -> GivenPolicy | None:
    """The policy of the run's routing, for the benchmark to measure; None: it made none."""
    from deimos.bench.routed import GivenPolicy, RouteDecision
    from deimos.route.policy import read_policy

    path = Artifacts(job.inputs).policy_path()
    if path is None:
        return None
    policy = read_policy(path)

    def decide(prompt: Prompt) -> RouteDecision:
        choice = policy.choose(prompt.messages)
        return RouteDecision(choice.mode == "off", choice.margin)

    return GivenPolicy(policy.identity, decide)


def report(job: StageJob) -> Mapping[str, Any]:
    """Everything so far to the files at the run's top.

    If no stage of the plan has run, the run may be of an earlier version: then what it has is shown.
    """
    from deimos.report import stage
    from deimos.runs.earlier import find_last_whole

    earlier = {} if job.inputs else find_last_whole(job.out)
    merged = None
    if job.recipe.model.run is not None:
        with contextlib.suppress(RecipeError):  # the run that trained it may be gone by now
            merged = Path(model_path(job.recipe))
    counts = stage.run(job.out, job.inputs or earlier, job.recipe, merged)
    return {**counts, "stages_of_an_earlier_version": len(earlier)} if earlier else counts


def judge_of(job: StageJob, graders: Mapping[Any, str] | None = None) -> Any:
    """Graders (select's own unless given) behind processes that can be killed; a context manager."""
    from deimos.graders.worker.pool import Judge
    from deimos.sandbox import WEAK

    if job.runtime.allow_weak_sandbox:
        os.environ[WEAK] = "1"
    return Judge(
        graders or job.recipe.select.graders,
        workers=job.runtime.grader_workers,
        timeout=job.runtime.grader_timeout,
    )


def gates(job: StageJob, judge: Any, *, second: Any = None) -> Any:
    """Filters 1 to 3 of a recipe; called with a shape and the constants it makes a gate.

    The race asks for no second opinion: selection does, of every candidate that was judged.
    """
    from deimos.select.filters import gate_for

    return gate_for(job.recipe.select, job.recipe.model.thinking_tags(), judge, second)


@contextlib.contextmanager
def open_gates(job: StageJob) -> Iterator[Any]:
    """The recipe's gates, with graders started here for as long as they are open."""
    with judge_of(job) as judge:
        yield gates(job, judge)


def keep_loadable_tests(recipe: Recipe, runtime: Runtime) -> Recipe:
    """The recipe with those test tasks that this Python can load: lm-eval may be in another."""
    if "bench" not in runtime.python:
        return recipe
    tasks = [task for task in recipe.bench.tasks if task.source]
    bench = recipe.bench.model_copy(update={"tasks": tasks, "suite": None})
    return recipe.model_copy(update={"bench": bench})


def preview_select(
    run: RunFolder, planned: Planned, recipe: Recipe, runtime: Runtime
) -> Iterator[str]:
    """What several policies would keep of the pool, a line each, and subsets of its proposers.

    Writes nothing.

    Args:
        run: the run folder, whose frozen recipe may be another one.
        planned: the select stage of the recipe.
        recipe: whose filters judge.
        runtime: the other half.

    Raises:
        RunError: the stages before have not run.
    """
    from deimos.runs.progress import ProgressBar
    from deimos.select.by_proposer import preview_subsets
    from deimos.select.judging import judge_candidates
    from deimos.select.preview import preview

    inputs = {name: run.path / folder for name, folder in run.inputs(planned).items()}
    if len(inputs) < len(planned.needs):
        raise RunError(f"{str(run.path)!r} has no candidates to choose from: run `deimos sample`")
    with ProgressBar() as progress:
        folder = run.folder(planned)
        job = StageJob(recipe, runtime, model_path(recipe), inputs, folder, progress)
        with judge_of(job) as judge:
            prompts = judge_candidates(job, gates(job, judge))
            rows = preview(job, gate_for=gates(job, judge), prompts=prompts)
    unknown = "not measured: the race stopped candidates (set sample.exhaustive or sample.probe)"
    for row in rows:
        yield f"{row['policy']:14} {unknown if row['kept'] is None else _say_kept(row)}"
    names = [proposer.name for proposer in recipe.sample.proposers or []]
    for row in (
        preview_subsets(prompts, recipe.select, recipe.sample, names) if len(names) > 1 else ()
    ):
        not_known = f", {row['unknown']} not known (stopped)" if row["unknown"] else ""
        yield f"{' + '.join(row['proposers'])}: {_say_kept(row)}{not_known}"


def _say_kept(row: Mapping[str, Any]) -> str:
    median = row["think_tokens_median"]
    length = "" if median is None else f", median thought {median:g} tokens"
    return f"{row['kept']} kept{length}"
