"""The route stage: dev prompts answered with thinking on and off, and a recommendation for each task.

Writes ``samples/<model>-<on|off>.jsonl``, ``keys.jsonl``, ``routing.jsonl`` and ``policy.json`` (what
a server decides by) under the stage's folder. Dev prompts decide, so test problems among them are refused. A model whose thinking cannot
be turned off has nothing to route: nothing is decoded, and the record says why in one sentence.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deimos.evaluate.arms import Arm
from deimos.evaluate.models import Models, open_models
from deimos.evaluate.outcomes import Outcome, cut, reduce_completion
from deimos.evaluate.samples import Evaluator, SampleSet, read_samples
from deimos.models.ref import ModelRef
from deimos.models.switch import Switch, find_switch
from deimos.recipe import Route
from deimos.route.counts import require_sklearn
from deimos.route.features import read_text
from deimos.route.fit import Paired, fit_policy
from deimos.route.policy import default_policy, write_policy
from deimos.route.tables import Modes, group_prompts, tabulate
from deimos.runs.artifacts import Artifacts, samples_path
from deimos.runs.plan import StageJob
from deimos.store.journal import write_rows
from deimos.store.keys import keys_path, write_keys
from deimos.store.names import POLICY, ROUTING
from deimos.store.template_date import read_template_date
from deimos.types import Completion, JudgeAnswer, Prompt, Sampling, null_reason

MODES = {"on": True, "off": False}
"""Name of a mode to the chat template's switch."""
LOCKED = "locked"
"""What the decoding is called in rows of samples."""


@dataclass(frozen=True)
class RoutedModel:
    """A model with the decoding that it is locked at."""

    ref: ModelRef
    decoding: Sampling
    """As answers are decoded; ``max_tokens`` may be more than it ships with."""
    shipped: int
    """``max_tokens`` that it ships with: longer answers count as cut there."""
    think_budget: int | None = None
    """Tokens after which a thought is closed; None: never."""

    def values(self) -> dict[str, Any]:
        """Sampler values, as rows have them."""
        budget = {} if self.think_budget is None else {"think_budget": self.think_budget}
        return {**dataclasses.asdict(self.decoding), "max_tokens": self.shipped, **budget}


@dataclass(frozen=True)
class Seeds:
    """What the seeds of a sample set are derived from."""

    seed: int
    separator: str


def run(
    job: StageJob,
    *,
    models: Mapping[str, RoutedModel],
    seeds: Callable[[str, bool], Seeds],
    judge: JudgeAnswer,
    check: Callable[[Sequence[Prompt]], None],
) -> dict[str, Any]:
    """Measure thinking on and off on the dev prompts; returns counts for the record.

    Args:
        job: inputs ``prompts`` (dev.jsonl), ``sample`` (the date), ``train`` (adapter), and
            ``sweep`` if there was one.
        models: by name, the base first.
        seeds: of a model and a switch; those of a set that another stage decoded find its answers.
        judge: ``(prompt, answer) -> Verdict``.
        check: refuses dev prompts that are test problems.

    Raises:
        RecipeError: as ``check``; scikit-learn, which fits the policy, is not installed.
        EvaluationError: the engine failed on some completions again and again.
    """
    require_sklearn()
    artifacts = Artifacts(job.inputs)
    prompts = artifacts.prompts("dev")
    check(prompts)
    refs = {name: model.ref for name, model in models.items()}
    model, today = job.recipe.model, read_template_date(job.inputs["sample"])
    with open_models(
        refs, job.runtime, model.thinking_tags(), today=today, template=model.template_arguments()
    ) as opened:
        if because := _explain_no_switch(opened, prompts):
            write_rows(job.out / ROUTING, [])
            return {"prompts": len(prompts), "no_switch": because}
        sets = {
            (name, mode): _sample_set(job.out, prompts, name, model, mode, seeds(name, switch))
            for name, model in models.items()
            for mode, switch in MODES.items()
        }
        keys = {s.path.stem: opened.record_keys(s.arm, s.requests(opened)) for s in sets.values()}
        write_keys(keys_path(job.out), keys)
        others = artifacts.dev_answers()
        evaluator = Evaluator(opened, judge, job.progress, "route", others=others)
        asyncio.run(_fill(evaluator, sets.values()))
        found = {which: wanted.read(opened) for which, wanted in sets.items()}
        outcomes = {
            which: _reduce(opened, prompts, found[which], wanted, models[which[0]].shipped)
            for which, wanted in sets.items()
        }
        switch = find_switch(opened.tokenizer.get_chat_template(), model.thinking_key)
    answers = {
        name: Modes(outcomes[name, "on"], outcomes[name, "off"], models[name].values())
        for name in reversed(list(models))  # the tuned model first
    }
    rows = tabulate(answers, group_prompts(prompts), _settings(job).margin)
    write_rows(job.out / ROUTING, map(dict, rows))
    _write_policy(job, prompts, answers, switch)
    taken_over = sum(_count_taken_over(others, own) for own in keys.values())
    recommended = Counter(row["recommended"] for row in rows if row["model"] == "tuned")
    return {**_count(prompts, found.values(), taken_over), "recommended": dict(recommended)}


def _write_policy(
    job: StageJob, prompts: Sequence[Prompt], answers: Mapping[str, Modes], switch: Switch
) -> None:
    """Fit the policy on the prompts that were judged in both modes, and of the base with a thought."""
    tuned, base = (list(_by_prompt(prompts, answers[model])) for model in ("tuned", "base"))
    judged = [
        (
            Paired(read_text(prompt.messages), on.ok, off.ok, on.total_tokens, off.total_tokens),
            rival.ok,
        )
        for prompt, on, off, rival in zip(prompts, *tuned, base[0], strict=True)
        if on.ok is not None and off.ok is not None and rival.ok is not None
    ]
    paired = [each for each, _ in judged]
    evidence = (
        f"{len(paired)} dev prompts of the run {job.recipe.name}, each answered by the tuned model with "
        "thinking on and off."
    )
    policy = fit_policy(
        job.recipe.name, evidence, paired, _settings(job).margin, default_policy(),
        [right for _, right in judged],
    )  # fmt: skip
    write_policy(job.out / POLICY, dataclasses.replace(policy, switch=str(switch)))


def _by_prompt(prompts: Sequence[Prompt], modes: Modes) -> Iterator[list[Outcome]]:
    """Each mode's outcomes in the order of the prompts."""
    for outcomes in (modes.on, modes.off):
        found = {outcome.problem: outcome for outcome in outcomes}
        yield [found[f"{prompt.task}/{prompt.id}"] for prompt in prompts]


def _settings(job: StageJob) -> Route:
    assert job.recipe.route is not None, "a recipe without a route section has no such stage"
    return job.recipe.route


def _explain_no_switch(models: Models, prompts: Sequence[Prompt]) -> str:
    """Why thinking cannot be switched for all prompts: of the first for which it cannot."""
    return next(filter(None, map(models.explain_no_switch, prompts)), "")


def _sample_set(
    out: Path, prompts: Sequence[Prompt], name: str, model: RoutedModel, mode: str, seeds: Seeds
) -> SampleSet:
    thinking = MODES[mode]
    budget = model.think_budget if thinking else None  # without a thought there is none to close
    return SampleSet(
        arm=Arm(model.ref, model.decoding, thinking, name, LOCKED, budget),
        task=f"dev-{mode}",
        prompts=prompts,
        path=samples_path(out, f"{name}-{mode}"),
        seed=seeds.seed,
        separator=seeds.separator,
    )


async def _fill(evaluator: Evaluator, sets: Iterable[SampleSet]) -> None:
    for wanted in sets:
        await evaluator.fill(wanted)


def _reduce(
    models: Models,
    prompts: Sequence[Prompt],
    completions: Sequence[Completion],
    wanted: SampleSet,
    budget: int,
) -> list[Outcome]:
    """Outcomes of a set's completions, each cut at the budget that the model ships with."""
    by_id = {prompt.id: prompt for prompt in prompts}
    outcomes = []
    for completion in completions:
        prompt = by_id[completion.prompt_id]
        rendered = models.render_for(wanted.arm, prompt)
        shorter = cut(completion, budget, models.grammar(rendered))
        outcomes.append(
            reduce_completion(shorter, prompt.task, wanted.arm.thinking, rendered.shape)
        )
    return outcomes


def _count_taken_over(others: Iterable[Path], keys: Mapping[tuple[str, int], str]) -> int:
    """How many completions of a set other stages had decoded."""
    return len({(c.prompt_id, c.index) for path in others for c in read_samples(path, keys)})


def _count(
    prompts: Sequence[Prompt], sets: Iterable[Sequence[Completion]], taken_over: int
) -> dict[str, Any]:
    completions = [c for each in sets for c in each]
    unjudged = [c.verdict.because for c in completions if c.verdict and c.verdict.ok is None]
    because = Counter(map(null_reason, unjudged))
    return {
        "prompts": len(prompts),
        "completions": len(completions),
        "taken_over": taken_over,
        "decoded_tokens": sum(len(c.completion_ids) for c in completions),
        "unjudged": len(unjudged),
        **({"unjudged_because": dict(because)} if because else {}),
        "engines": dict(Counter(c.engine for c in completions)),
    }
