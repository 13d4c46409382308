"""The sample stage: a dev pass that freezes the constants, then the race over the train prompts.

Writes ``dev.jsonl`` and ``constants.json`` (what filters and benchmark compare with), and
``completions/*.jsonl`` with every candidate. Run again in the same folder it resumes: candidates
that could not be judged are judged again, those whose engine failed are decoded again. With other
filters it judges all candidates again, and goes on decoding the outpaced ones that could now be kept.
Not covered: filters and graders (they come in), and choosing golds.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from deimos.models.taught import teach_tokenizer
from deimos.runs.artifacts import Artifacts
from deimos.runs.plan import StageJob
from deimos.sample.checkpoints import partial_files
from deimos.sample.dev_pass import GateFor, MeasureFunctionWords, measure_constants
from deimos.sample.model import OpenModel, made_with_of, open_model
from deimos.sample.pool import RaceFiles, race_prompts
from deimos.sample.proposers.exemplars import LoadTests, freeze_brought
from deimos.sample.proposers.steps import step_files
from deimos.sample.proposers.teacher import meet_teachers
from deimos.store.candidates import filters_of, journal_for, read_candidates
from deimos.store.journal import Journal
from deimos.store.keys import keys_path, remove_keys
from deimos.store.names import PARTIAL, STEPS


def run(
    job: StageJob,
    *,
    gate_for: GateFor,
    function_words: MeasureFunctionWords,
    model: OpenModel | None = None,
    load_tests: LoadTests = tuple,
) -> dict[str, Any]:
    """Sample every prompt's candidates; returns counts for the record.

    Args:
        job: needs the folder of ``prompts``.
        gate_for: makes the gate of filters 1 to 3 from the shape and the constants.
        function_words: measures the base's dev answers.
        model: instead of the engine that the runtime names.
        load_tests: loads what the tests ask, which no example of few_shot may overlap with.

    Raises:
        RecipeError: no dev prompts, prompts of different shapes, bad examples, or a teacher that
            cannot be loaded or reached.
        ThinkingError: the tags cannot be taught to this chat template.
        SamplingError: the engine failed on every dev prompt, or ended early.
    """
    recipe = job.recipe
    shown = freeze_brought(job.out, recipe.sample, recipe.prompts.decontaminate, load_tests)
    model = model or open_model(job)
    if teach := recipe.train.teach:
        teach_tokenizer(model.tokenizer, teach.tags)  # before hours of decoding, not behind them
    if facts := getattr(model.engine, "facts", None):  # engines that report on themselves
        job.diagnostics["engine"] = facts
    return {**asyncio.run(_run(job, gate_for, function_words, model)), **shown}


async def _run(
    job: StageJob, gate_for: GateFor, function_words: MeasureFunctionWords, model: OpenModel
) -> dict[str, Any]:
    rewritten = any(map(Path.exists, step_files(job.out)))
    if not rewritten:  # else the teachers were there, and may not be needed any more
        await meet_teachers(job.recipe)
    made_with = made_with_of(job, model.tokenizer)
    remove_keys(job.out)
    constants = await measure_constants(job, model, made_with, gate_for, function_words)
    train = Artifacts(job.inputs).prompts("train")
    path, left = journal_for(job.out, filters_of(job.recipe.select)), partial_files(job.out)
    files = RaceFiles(
        filters=path.stem,
        read_earlier=lambda wanted: read_candidates(job.out, wanted=wanted),
        keys=keys_path(job.out),
        partials=left,
        finished_partials=left,
        open_completions=lambda: Journal(path),
        open_partial=lambda: Journal(job.out / PARTIAL),
        steps=step_files(job.out),
        open_steps=lambda: Journal(job.out / STEPS),
    )
    counts, stats = await race_prompts(job, model, train, made_with, constants, gate_for, files)
    diagnosed = {name: diagnose() for name, diagnose in job.diagnostics.items()}
    return {"prompts": len(train), **counts, **diagnosed, "seconds": round(stats.seconds, 3)}
