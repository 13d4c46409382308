"""What answering by a routing policy is worth on test problems: the tuned model in both modes.

Beside the policy stand always ON, always OFF, the better mode of each task and the cheapest right
mode of each prompt (two oracles: they have seen the answers), paired, and the risk at every share of
prompts that could go OFF. Test problems decide nothing: the policy is given from outside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from deimos.bench.decodings import LOCKED
from deimos.bench.suites import ArmName, Suite, find_stored
from deimos.bench.tasks import POOLED, TestTask
from deimos.evaluate import outcomes, ratios, stats
from deimos.evaluate.models import Models
from deimos.evaluate.outcomes import Outcome, as_list, reduce_completion
from deimos.evaluate.samples import Evaluator, ReportProgress, SampleSet
from deimos.evaluate.together import fill_together
from deimos.runs.artifacts import samples_path
from deimos.store.route_rows import CoveragePoint, RoutedRow, Way
from deimos.types import Completion, JudgeAnswer, Prompt

MODEL = "tuned"
MODES = {"on": True, "off": False}
"""Name of a mode to the chat template's switch."""
COVERAGES = tuple(i / 20 for i in range(21))
PAIRS: Sequence[tuple[Way, Way]] = (
    ("routed", "always_on"),
    ("routed", "always_off"),
    ("always_off", "always_on"),
    ("task_oracle", "always_on"),
    ("prompt_oracle", "always_on"),
    ("always_on", "always_on"),
)
"""Which ways are compared; the last is there for its own numbers."""


class RouteDecision(NamedTuple):
    """What a policy says of one prompt."""

    off: bool
    margin: float


@dataclass(frozen=True)
class GivenPolicy:
    """The policy whose worth is measured."""

    identity: str
    """Name and short hash."""
    decide: Callable[[Prompt], RouteDecision]


class RoutedProblem(NamedTuple):
    """One test problem, answered in both modes."""

    task: str
    on: Outcome
    off: Outcome
    decision: RouteDecision


def measure_routed(
    suite: Suite,
    models: Models,
    judge: JudgeAnswer,
    progress: ReportProgress,
    policy: GivenPolicy | None,
) -> list[RoutedRow]:
    """Decode what is missing of the tuned model's two modes, and say what the policy is worth.

    Answers that the benchmark has decoded in the same way are taken over. A problem that several
    tasks ask counts once, for the first.

    Args:
        suite: the benchmark's.
        models: open.
        judge: of tasks without their own.
        progress: called after each completion.
        policy: of the run; None: it has none.

    Returns:
        No rows without a policy, or if thinking cannot be turned on and off for some problem.

    Raises:
        EvaluationError: the engine failed on some completions again and again.
    """
    if policy is None:
        return []
    tasks = list(_first_of_each(suite.tasks))
    if any(models.explain_no_switch(p) for task in tasks for p in task.prompts):
        return []
    plain = {task.name: suite.sample_set(task, ArmName(MODEL, LOCKED)) for task in tasks}
    others = [own.path for own in plain.values()]
    evaluator = Evaluator(models, judge, progress, "bench", others=others)
    sets = {
        task.name: {mode: _sample_set(suite, task, plain[task.name], mode) for mode in MODES}
        for task in tasks
    }
    wanted = [(own, task.judge or judge) for task in tasks for own in sets[task.name].values()]
    asyncio.run(fill_together(evaluator, wanted))
    problems = [p for task in tasks for p in _read(suite, models, task, sets[task.name], policy)]
    return tabulate_routed(problems, policy.identity)


def _first_of_each(tasks: Iterable[TestTask]) -> Iterator[TestTask]:
    """The tasks, each with the problems that none before it has."""
    seen: set[str] = set()
    for task in tasks:
        prompts = tuple(prompt for prompt in task.prompts if prompt.id not in seen)
        seen.update(prompt.id for prompt in prompts)
        if prompts:
            yield replace(task, prompts=prompts)


def _sample_set(suite: Suite, task: TestTask, plain: SampleSet, mode: str) -> SampleSet:
    thinking = MODES[mode]
    config = find_stored(suite.decodings, ArmName(MODEL, LOCKED)).config
    budget = (
        plain.arm.think_budget if thinking else None
    )  # without a thought there is none to close
    return replace(
        plain,
        arm=replace(plain.arm, thinking=thinking, think_budget=budget),
        path=samples_path(suite.out, f"{task.name}-{MODEL}-{config}-{mode}"),
        repeats=1,
    )


def _read(
    suite: Suite, models: Models, task: TestTask, sets: Mapping[str, SampleSet], policy: GivenPolicy
) -> Iterator[RoutedProblem]:
    found: dict[str, dict[str, Outcome]] = {}
    for mode, own in sets.items():
        completions = {c.prompt_id: c for c in own.read(models)}
        found[mode] = {
            p.id: _reduce(suite, models, task, own, p, completions[p.id]) for p in task.prompts
        }
    for prompt in task.prompts:
        on, off = (found[mode][prompt.id] for mode in MODES)
        yield RoutedProblem(task.name, on, off, policy.decide(prompt))


def _reduce(
    suite: Suite, models: Models, task: TestTask, own: SampleSet, prompt: Prompt, found: Completion
) -> Outcome:
    """A completion's outcome, cut at the budget that the model ships with."""
    rendered = models.render_for(own.arm, prompt)
    shorter = outcomes.cut(found, suite.decodings.shipped_budget, models.grammar(rendered))
    return reduce_completion(shorter, task.name, own.arm.thinking, rendered.shape, prompt)


# --- rows; no I/O, no model ---


def tabulate_routed(problems: Sequence[RoutedProblem], policy: str) -> list[RoutedRow]:
    """Rows of ``routed.jsonl``: all tasks together, then each.

    Args:
        problems: answered in both modes; those that were not judged in both are left out.
        policy: name and short hash.
    """
    judged = [p for p in problems if p.on.ok is not None and p.off.ok is not None]
    names = list(dict.fromkeys(p.task for p in judged))
    groups = [(POOLED, judged), *((name, [p for p in judged if p.task == name]) for name in names)]
    if len(names) == 1:
        groups = groups[:1]
    best = {name: _find_better([p for p in judged if p.task == name]) for name in names}
    return [
        _row(name, group, way, against, best, policy)
        for name, group in groups
        for way, against in PAIRS
        if group
    ]


def _find_better(problems: Sequence[RoutedProblem]) -> bool:
    """Whether OFF is the better mode of a task: more accurate, or as accurate with fewer tokens."""
    right = sum(bool(p.off.ok) - bool(p.on.ok) for p in problems)
    saved = sum(p.on.total_tokens - p.off.total_tokens for p in problems)
    return right > 0 or (right == 0 and saved > 0)


def _goes_off(problem: RoutedProblem, way: Way, best: Mapping[str, bool]) -> bool:
    if way == "routed":
        return problem.decision.off
    if way == "task_oracle":
        return best[problem.task]
    if way == "prompt_oracle":
        on, off = problem.on, problem.off
        cheaper = off.total_tokens < on.total_tokens
        return cheaper if on.ok == off.ok else bool(off.ok)
    return way == "always_off"


def _row(
    task: str,
    problems: Sequence[RoutedProblem],
    way: Way,
    against: Way,
    best: Mapping[str, bool],
    policy: str,
) -> RoutedRow:
    own, other = ([_goes_off(p, each, best) for p in problems] for each in (way, against))
    right, tokens = _measure(problems, own)
    other_right, other_tokens = _measure(problems, other)
    accuracy = stats.accuracy(right)
    delta = stats.accuracy_delta(other_right, right)
    reduction = ratios.mean_reduction(other_tokens, tokens)
    curve = list(draw_coverage(problems)) if (way, against) == PAIRS[0] else []
    return {
        "model": MODEL,
        "split": "test",
        "task": task,
        "policy": policy,
        "way": way,
        "against": against,
        "n": len(problems),
        "off": float(np.mean(own)),
        "accuracy": accuracy.value,
        "accuracy_ci": as_list(accuracy.ci),
        "total_tokens_mean": float(np.mean(tokens)),
        "accuracy_delta": delta.value,
        "accuracy_delta_ci": as_list(delta.ci),
        "total_tokens_reduction": reduction.value,
        "total_tokens_reduction_ci": as_list(reduction.ci),
        "curve": curve,
    }


def _measure(
    problems: Sequence[RoutedProblem], off: Sequence[bool]
) -> tuple[list[float], list[float]]:
    """Right or wrong, and tokens, of each problem in its mode."""
    chosen = [p.off if goes else p.on for p, goes in zip(problems, off, strict=True)]
    return [float(bool(o.ok)) for o in chosen], [float(o.total_tokens) for o in chosen]


def draw_coverage(problems: Sequence[RoutedProblem]) -> Iterator[CoveragePoint]:
    """Risk by coverage: the prompts with the highest margins go OFF, a twentieth more at a time."""
    ranked = sorted(problems, key=lambda p: -p.decision.margin)
    for count in dict.fromkeys(round(share * len(ranked)) for share in COVERAGES):
        covered = ranked[:count]
        missed = sum(bool(p.on.ok) and not p.off.ok for p in covered)
        right, tokens = _measure(ranked, [i < count for i in range(len(ranked))])
        yield {
            "coverage": count / len(ranked),
            "margin": covered[-1].decision.margin if covered else 0.0,
            "risk": missed / count if count else None,
            "risk_ci": as_list(stats.wilson(missed / count, count)) if count else None,
            "accuracy": float(np.mean(right)),
            "total_tokens_mean": float(np.mean(tokens)),
        }
