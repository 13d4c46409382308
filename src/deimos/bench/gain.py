"""The gain stage: base against tuned on the dev prompts, and whether another round is worth it.

Decoded at the locked config with the equal setting's budget and compared by the benchmark's own
measures. Dev decides, never test: the dev prompts are held to the tests. Writes ``gain.json`` and
``samples/*.jsonl``; what a sweep has decoded already is taken over from there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from deimos.bench.decodings import LOCKED, Decodings, decodings_of
from deimos.bench.suites import ArmName, models_of
from deimos.bench.tables import Slice, bench_row, compare_row
from deimos.evaluate.arms import Arm
from deimos.evaluate.models import Models, open_models
from deimos.evaluate.outcomes import Outcome, reduce_completion
from deimos.evaluate.samples import Evaluator, SampleSet
from deimos.recipe import Gain, RecipeError
from deimos.runs.artifacts import Artifacts, samples_path
from deimos.runs.plan import StageJob
from deimos.store.journal import write_atomic
from deimos.store.keys import keys_path, write_keys
from deimos.store.names import GAIN
from deimos.store.schema import AnyRow
from deimos.store.template_date import read_template_date
from deimos.types import JudgeAnswer, Prompt

TASK = "dev"


class RoundDecision(NamedTuple):
    """Whether another round is worth it."""

    verdict: str
    """``go on``; ``worse``: accuracy has fallen; ``little``: too few tokens were saved."""
    because: str
    """One sentence."""


def run(
    job: StageJob, *, judge: JudgeAnswer, check: Callable[[Sequence[Prompt]], None]
) -> dict[str, Any]:
    """Measure what this round has gained; returns counts for the record.

    Args:
        job: inputs ``prompts`` (dev.jsonl), ``sample`` (the date), ``train`` (adapter), and ``sweep``
            if there was one.
        judge: ``(prompt, answer) -> Verdict``.
        check: refuses dev prompts that are test problems.

    Raises:
        RecipeError: there are no dev prompts, or as ``check``.
        EvaluationError: the engine failed on some completions again and again.
    """
    artifacts, bench, model = Artifacts(job.inputs), job.recipe.bench, job.recipe.model
    prompts = artifacts.prompts("dev")
    if not prompts:
        raise RecipeError(
            "gain has no dev prompts to decide by: set prompts.dev_fraction or prompts.dev_min_per_kind "
            "above 0"
        )
    check(prompts)
    decodings = decodings_of(bench, artifacts.locked_configs())
    sets = _list_sets(job, decodings, prompts)
    with open_models(
        models_of(job), job.runtime, model.thinking_tags(),
        today=read_template_date(job.inputs["sample"]), template=model.template_arguments(),
    ) as opened:  # fmt: skip
        keys = {s.path.stem: opened.record_keys(s.arm, s.requests(opened)) for s in sets.values()}
        write_keys(keys_path(job.out), keys)
        evaluator = Evaluator(opened, judge, job.progress, "gain", others=artifacts.dev_answers())
        asyncio.run(_fill(evaluator, sets))
        outcomes = {name: _reduce(opened, wanted, prompts) for name, wanted in sets.items()}
    where = Slice("equal", model.thinking, TASK, decodings.budget, seed=bench.seed,
                  decodings=decodings.values())  # fmt: skip
    found = {
        name: bench_row(outcomes[name], ArmName(name, LOCKED), where) for name in ("base", "tuned")
    }
    compared = compare_row(outcomes["base"], outcomes["tuned"], LOCKED, where)
    decided = decide(compared, settings_of(job).least)
    values = {**found, "compare": compared, **decided._asdict()}
    write_atomic(job.out / GAIN, json.dumps(values, indent=1, allow_nan=False) + "\n")
    return {
        "prompts": len(prompts),
        "completions": sum(map(len, outcomes.values())),
        "unjudged": sum(o.ok is None for each in outcomes.values() for o in each),
        "verdict": decided.verdict,
    }


def settings_of(job: StageJob) -> Gain:
    """The recipe's section."""
    assert job.recipe.gain is not None, "a recipe without a gain section has no such stage"
    return job.recipe.gain


def decide(compared: AnyRow, least: float) -> RoundDecision:
    """Whether another round is worth it, from a comparison of tuned with base on dev prompts.

    Args:
        compared: the fields of a compare row.
        least: reduction in total tokens, a fraction, under which it is not.
    """
    n, delta, ci = compared["n"], compared["accuracy_delta"], compared["accuracy_delta_ci"]
    saved = compared["total_tokens_reduction"]
    if ci and ci[1] is not None and ci[1] < 0:
        interval = f"[{ci[0]:+.1%}, {ci[1]:+.1%}]"
        return RoundDecision(
            "worse",
            f"accuracy fell by {-delta:.1%} {interval} on {n} dev prompts: its interval is below zero",
        )
    if saved is None:
        return RoundDecision("little", "the base's median answer has no tokens to save")
    if saved < least:
        return RoundDecision(
            "little",
            f"it saved {saved:.1%} of the tokens on {n} dev prompts, less than {least:.0%}",
        )
    return RoundDecision("go on", f"it saved {saved:.1%} of the tokens on {n} dev prompts")


def _list_sets(
    job: StageJob, decodings: Decodings, prompts: Sequence[Prompt]
) -> dict[str, SampleSet]:
    at, thinking = decodings.named[LOCKED], job.recipe.model.thinking
    return {
        name: SampleSet(
            Arm(ref, at.sampling, thinking, name, LOCKED, at.think_budget),
            TASK,
            prompts,
            samples_path(job.out, f"{TASK}-{name}"),
            seed=job.recipe.bench.seed,
        )
        for name, ref in models_of(job).items()
    }


async def _fill(evaluator: Evaluator, sets: Mapping[str, SampleSet]) -> None:
    for wanted in sets.values():
        await evaluator.fill(wanted)


def _reduce(models: Models, wanted: SampleSet, prompts: Sequence[Prompt]) -> list[Outcome]:
    by_id = {prompt.id: prompt for prompt in prompts}
    return [
        reduce_completion(
            c, TASK, wanted.arm.thinking, models.render_for(wanted.arm, by_id[c.prompt_id]).shape,
            by_id[c.prompt_id],
        )
        for c in wanted.read(models)
    ]  # fmt: skip
