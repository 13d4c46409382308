"""The sample stage: a dev pass that freezes the constants, then the race over the train prompts.

Writes ``dev.jsonl`` and ``constants.json`` (what filters and benchmark compare with), and
``completions/*.jsonl`` with every candidate. Run again in the same folder it resumes: candidates
that could not be judged are judged again, those whose engine failed are decoded again. With other
filters it judges all candidates again, and goes on decoding the outpaced ones that could now be kept.
Not covered: filters and graders (they come in), and choosing golds.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deimos.engines.base import Key
from deimos.runs.artifacts import Artifacts
from deimos.runs.plan import StageJob
from deimos.sample.checkpoints import JournalWriter, Partials, partial_files
from deimos.sample.counts import PoolCounts
from deimos.sample.dev_pass import Constants, GateFor, MeasureFunctionWords, measure_constants
from deimos.sample.model import (
    OpenModel,
    keys_of,
    made_with_of,
    open_model,
    render_prompts,
    require_one_shape,
)
from deimos.sample.race import Stats, race
from deimos.store.candidates import Candidate, filters_of, journal_for, read_candidates
from deimos.store.journal import Journal
from deimos.store.keys import keys_path, remove_keys, write_keys
from deimos.store.merge import KeyOf, Name
from deimos.store.names import COMPLETIONS, PARTIAL
from deimos.store.schema import completion_row
from deimos.thinking import Shape
from deimos.types import Completion, Prompt


def run(
    job: StageJob,
    *,
    gate_for: GateFor,
    function_words: MeasureFunctionWords,
    model: OpenModel | None = None,
) -> dict[str, Any]:
    """Sample every prompt's candidates; returns counts for the record.

    Args:
        job: needs the folder of ``prompts``.
        gate_for: makes the gate of filters 1 to 3 from the shape and the constants.
        function_words: measures the base's dev answers.
        model: instead of the engine that the runtime names.

    Raises:
        RecipeError: no dev prompts, or prompts of different shapes.
        SamplingError: the engine failed on every dev prompt, or ended early.
    """
    model = model or open_model(job)
    if facts := getattr(model.engine, "facts", None):  # engines that report on themselves
        job.diagnostics["engine"] = facts
    return asyncio.run(_run(job, gate_for, function_words, model))


async def _run(
    job: StageJob, gate_for: GateFor, function_words: MeasureFunctionWords, model: OpenModel
) -> dict[str, Any]:
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
    )
    counts, stats = await race_prompts(job, model, train, made_with, constants, gate_for, files)
    diagnosed = {name: diagnose() for name, diagnose in job.diagnostics.items()}
    return {"prompts": len(train), **counts, **diagnosed, "seconds": round(stats.seconds, 3)}


@dataclass(frozen=True)
class RaceFiles:
    """The files that a race writes, and those of earlier attempts that it resumes from."""

    filters: str
    """Name of the set of filters that judge now."""
    read_earlier: Callable[[KeyOf], Mapping[Name, Candidate]]
    """Reads the candidates of earlier attempts that have the wanted record keys."""
    keys: Path
    """The file for the record keys that are wanted."""
    partials: list[Path]
    """Earlier attempts' ids of candidates that they did not finish."""
    finished_partials: list[Path]
    """Those of ``partials`` that are not needed any more once this race is over."""
    open_completions: Callable[[], JournalWriter]
    open_partial: Callable[[], JournalWriter]


async def race_prompts(
    job: StageJob,
    model: OpenModel,
    prompts: Sequence[Prompt],
    made_with: str,
    constants: Constants,
    gate_for: GateFor,
    files: RaceFiles,
) -> tuple[dict[str, Any], Stats]:
    """Race some prompts to their end; returns counts of all their candidates, and of this race.

    Raises:
        RecipeError: the prompts are not of the dev prompts' shape.
        SamplingError: as ``race``.
    """
    select, settings = job.recipe.select, job.recipe.sample
    rendered = render_prompts(job, model.tokenizer, prompts)
    shape = require_one_shape(rendered, Shape(constants["shape"]))
    keys = keys_of(made_with, rendered, settings)
    write_keys(files.keys, {COMPLETIONS: keys})
    done = [_judged_by(files.filters, one) for one in files.read_earlier(keys.get).values()]
    counts = PoolCounts(job, "race", len(rendered) * settings.candidates)
    for completion in done:
        counts.add(completion)
    with (
        contextlib.closing(files.open_completions()) as journal,
        contextlib.closing(Partials(files.open_partial(), files.partials, keys.get)) as partials,
    ):

        def keep(completion: Completion) -> None:
            key = Key(completion.prompt_id, completion.index)
            journal.append({**completion_row(completion), "key": keys[key]})
            partials.settle(key)
            counts.add(completion)

        stats = await race(
            rendered,
            model.engine,
            settings=settings,
            gate=gate_for(shape, constants),
            keep=keep,
            decode=model.decode,
            min_pass=select.min_pass,
            min_think_tokens=select.min_think_tokens,
            done=done,
            partial=partials.ids.copy(),
            checkpoint=partials.write,
        )
        partials.remove(files.finished_partials)
    return counts.summary(), stats


def _judged_by(filters: str, candidate: Candidate) -> Completion:
    """The completion; without its verdict if that came from other filters than these."""
    completion = candidate.completion
    stale = candidate.file != filters and completion.finish in ("stop", "length")
    return replace(completion, verdict=None) if stale else completion
