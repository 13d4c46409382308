"""The dev pass: one candidate of every dev prompt, decoded to its end, and the constants made of it.

``constants.json`` is what the presentation filter and the benchmark's ``tight`` budget compare with.
It is written once, before the race over the train prompts begins, and never changed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from deimos.engines.base import Key
from deimos.recipe import RecipeError
from deimos.runs.artifacts import Artifacts
from deimos.runs.plan import StageJob
from deimos.sample.counts import PoolCounts
from deimos.sample.model import OpenModel, keys_of, render_prompts, require_one_shape
from deimos.sample.prompt_race import RacePrompt
from deimos.sample.race import Gate, SamplingError, race
from deimos.store.journal import Journal, write_atomic
from deimos.store.merge import merge_completions
from deimos.store.names import CONSTANTS, DEV
from deimos.store.schema import completion_row
from deimos.thinking import Shape
from deimos.types import Completion, Kind

LEAST_RATES = 20
"""With fewer answers than this the 5th percentile is about the lowest of them: eight dev answers once
turned away 21 of 47 right candidates."""
Constants = dict[str, Any]
GateFor = Callable[[Shape, Mapping[str, Any] | None], Gate]
"""Makes the gate; constants None: of the dev pass itself, which judges without presentation."""
MeasureFunctionWords = Callable[[str, Kind], float | None]
"""Function-word rate of an answer, from 0 to 1; None if it has none."""


async def measure_constants(
    job: StageJob,
    model: OpenModel,
    made_with: str,
    gate_for: GateFor,
    function_words: MeasureFunctionWords,
) -> Constants:
    """What the base does on dev; measured once and frozen before the race.

    Raises:
        RecipeError: no dev prompts, or prompts of different shapes.
        SamplingError: the engine failed on every dev prompt.
    """
    if frozen := Artifacts({"sample": job.out}).constants():
        return frozen
    prompts = Artifacts(job.inputs).prompts("dev")
    if not prompts:
        raise RecipeError(
            "there are no dev prompts: give prompts.sources more, or raise prompts.dev_fraction"
        )
    dev = render_prompts(job, model.tokenizer, prompts)
    shape = require_one_shape(dev)
    completions = await _sample_dev(job, model, dev, made_with, gate_for(shape, None))
    kinds: dict[str, Kind] = {prompt.id: prompt.kind for prompt in prompts}
    constants: Constants = {
        **_lengths_and_accuracy(completions),
        "function_word_rate_p5": _function_words(completions, kinds, function_words),
        "shape": str(shape),
        "ids": "sampled" if model.engine.capabilities.token_ids else "rendered",
    }
    write_atomic(job.out / CONSTANTS, json.dumps(constants, indent=1, allow_nan=False) + "\n")
    return constants


async def _sample_dev(
    job: StageJob, model: OpenModel, dev: Sequence[RacePrompt], made_with: str, gate: Gate
) -> list[Completion]:
    """One candidate a prompt, decoded to its end: a race without rivals."""
    sample = job.recipe.sample
    alone = sample.model_copy(update={"n": 1, "exhaustive": True, "think_budget": None})
    keys = keys_of(made_with, dev, alone)
    found = {
        name[0]: completion
        for name, completion in merge_completions([job.out / DEV], keys.get).items()
        if completion.finish != "error"
    }
    counts = PoolCounts(job, "dev", len(dev))
    with Journal(job.out / DEV) as journal:

        def keep(completion: Completion) -> None:
            key = keys[Key(completion.prompt_id, completion.index)]
            journal.append({**completion_row(completion), "key": key})
            found[completion.prompt_id] = completion
            counts.add(completion)

        done = list(found.values())
        await race(
            dev, model.engine, settings=alone, gate=gate, keep=keep, decode=model.decode, done=done
        )
    return [found[one.prompt.id] for one in dev]


def _lengths_and_accuracy(completions: Sequence[Completion]) -> Constants:
    judged = [c.verdict.ok for c in completions if c.verdict and c.verdict.ok is not None]
    totals = [len(c.completion_ids) for c in completions if c.finish != "error"]
    if not totals:
        raise SamplingError("the engine failed on every dev prompt")
    return {
        "dev_n": len(completions),
        "dev_accuracy": sum(judged) / len(judged) if judged else None,
        "dev_total_tokens_p25": int(percentile(totals, 0.25)),
    }


def _function_words(
    completions: Sequence[Completion], kinds: Mapping[str, Kind], measure: MeasureFunctionWords
) -> float | None:
    """5th percentile over finished answers that have a rate; None if too few have one."""
    rates = [measure(c.answer, kinds[c.prompt_id]) for c in completions if c.finish == "stop"]
    known = [rate for rate in rates if rate is not None]
    return percentile(known, 0.05) if len(known) >= LEAST_RATES else None


def percentile(values: Iterable[float], q: float) -> float:
    """The ``q`` quantile (0 to 1) by linear interpolation, numpy's default; values must exist."""
    ordered = sorted(values)
    at = q * (len(ordered) - 1)
    low, high = ordered[math.floor(at)], ordered[math.ceil(at)]
    return low + (high - low) * (at - math.floor(at))
