"""The sample stage: a dev pass that freezes the constants, then the race over the train prompts.

Writes ``dev.jsonl`` and ``constants.json`` (what filters and benchmark compare with), and
``completions/*.jsonl`` with every candidate. Run again in the same folder it goes on where it
stopped; run again with other filters it judges what is there anew and decodes what is then owed.
Not covered: filters and graders (they come in), and choosing golds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from deimos import engines
from deimos.engines.base import Engine, Key
from deimos.models.ref import ModelRef
from deimos.recipe import RecipeError, Sample
from deimos.runs.artifacts import Artifacts
from deimos.runs.folder import StageJob
from deimos.runs.record import attempts
from deimos.sample.checkpoints import Partials, Writer, partial_files
from deimos.sample.race import Decode, Entrant, Gate, Stats, decoder, race, seed_of
from deimos.store.candidates import (
    Candidate,
    filters_of,
    journal_for,
    read_candidates,
    record_key,
    sampled_with,
)
from deimos.store.journal import Journal, write_atomic
from deimos.store.keys import keys_path, remove_keys, write_keys
from deimos.store.merge import KeyOf, Name, merge_completions
from deimos.store.names import COMPLETIONS, CONSTANTS, DEV, PARTIAL
from deimos.store.schema import completion_row
from deimos.store.template_date import keep_template_date
from deimos.thinking import Shape, Tags, render, renders_date
from deimos.types import Completion, Kind, Prompt

LEAST_RATES = 20
"""Below this many answers the 5th percentile is but the lowest of them: eight dev answers once
turned away 21 of 47 right candidates."""
Constants = dict[str, Any]
GateFor = Callable[[Shape, Mapping[str, Any] | None], Gate]
"""Makes the gate; constants None: the dev pass itself, which judges without presentation."""
Measure = Callable[[str, Kind], float | None]
"""Function-word rate of an answer; None where there is none."""


@dataclass(frozen=True)
class Sampler:
    """An engine with the tokenizer of its model."""

    engine: Engine
    tokenizer: Any
    decode: Decode


def open_tokenizer(job: StageJob) -> Any:
    """The model's tokenizer; a template that won't do is said before any weights are loaded."""
    from deimos.models.loading import load_tokenizer

    tokenizer = load_tokenizer(_model_of(job))
    if "prompts" in job.inputs:
        entrants_of(job, tokenizer, Artifacts(job.inputs).prompts("dev"))
    return tokenizer


def open_sampler(job: StageJob, tokenizer: Any = None) -> Sampler:
    """Load what the recipe and the runtime name; ``tokenizer``: see ``open_tokenizer``."""
    from deimos.models.loading import eos_ids_of

    ref, tokenizer = _model_of(job), tokenizer or open_tokenizer(job)
    engine = engines.open(ref, job.runtime)
    eos_ids = eos_ids_of(tokenizer, ref)
    return Sampler(engine, tokenizer, decoder(tokenizer, eos_ids, engine.name))


def _model_of(job: StageJob) -> ModelRef:
    model = job.recipe.model
    revision = model.revision if job.model_path == model.id else None
    return ModelRef(job.model_path, revision, model.dtype)


def run(
    job: StageJob, *, gate_for: GateFor, function_words: Measure, sampler: Sampler | None = None
) -> dict[str, Any]:
    """Sample every prompt's candidates; returns counts for the record.

    Args:
        job: needs the folder of ``prompts``.
        gate_for: makes the gate of filters 1 to 3 from the shape and the constants.
        function_words: measures the base's dev answers.
        sampler: instead of the engine that the runtime names.

    Raises:
        RecipeError: no dev prompts, or prompts of different shapes.
    """
    sampler = sampler or open_sampler(job)
    if facts := getattr(sampler.engine, "facts", None):  # where an engine can tell what befell it
        job.tell["engine"] = facts
    return asyncio.run(_run(job, gate_for, function_words, sampler))


async def _run(
    job: StageJob, gate_for: GateFor, measure: Measure, sampler: Sampler
) -> dict[str, Any]:
    made_with = made_with_of(job, sampler.tokenizer)
    remove_keys(job.out)
    constants = await constants_of(job, sampler, made_with, gate_for, measure)
    train = Artifacts(job.inputs).prompts("train")
    path, left = journal_for(job.out, filters_of(job.recipe.select)), partial_files(job.out)
    ground = Ground(
        filters=path.stem,
        standing=lambda wanted: read_candidates(job.out, wanted=wanted),
        keys=keys_path(job.out),
        partials=left,
        spent=left,
        completions=lambda: Journal(path),
        unfinished=lambda: Journal(job.out / PARTIAL),
    )
    counts, stats = await race_all(job, sampler, train, made_with, constants, gate_for, ground)
    told = {name: ask() for name, ask in job.tell.items()}
    return {"prompts": len(train), **counts, **told, "seconds": round(stats.seconds, 3)}


@dataclass(frozen=True)
class Ground:
    """Where a race's records go, and what stands there already."""

    filters: str
    """Name of the set of filters that judge now."""
    standing: Callable[[KeyOf], Mapping[Name, Candidate]]
    """Reads the candidates of earlier attempts that have the wanted record keys."""
    keys: Path
    """Where to write down which record keys are wanted."""
    partials: list[Path]
    """Where earlier attempts noted what they had not finished."""
    spent: list[Path]
    """Which of these files are over with this race."""
    completions: Callable[[], Writer]
    """Opens the journal of completions."""
    unfinished: Callable[[], Writer]
    """Opens the journal of what is not finished."""


async def race_all(
    job: StageJob,
    sampler: Sampler,
    prompts: Sequence[Prompt],
    made_with: str,
    constants: Constants,
    gate_for: GateFor,
    ground: Ground,
) -> tuple[dict[str, Any], Stats]:
    """Race some prompts to their end; returns counts of their candidates as they now stand.

    Raises:
        RecipeError: the prompts are not of the dev prompts' shape.
    """
    select, settings, tokenizer = job.recipe.select, job.recipe.sample, sampler.tokenizer
    entrants = entrants_of(job, tokenizer, prompts)
    shape = _one_shape(entrants, Shape(constants["shape"]))
    keys = keys_of(made_with, entrants, settings)
    write_keys(ground.keys, {COMPLETIONS: keys})
    done = [
        candidate.completion
        if candidate.file == ground.filters
        else _unjudged(candidate.completion)
        for candidate in ground.standing(keys.get).values()
    ]
    tally = _Tally(job, "race", len(entrants) * settings.candidates)
    for completion in done:
        tally.count(completion)
    with (
        contextlib.closing(ground.completions()) as journal,
        Partials(ground.unfinished(), ground.partials, keys.get) as partials,
    ):

        def keep(completion: Completion) -> None:
            key = Key(completion.prompt_id, completion.index)
            journal.append({**completion_row(completion), "key": keys[key]})
            partials.settle(key)
            tally.count(completion)

        stats = await race(
            entrants,
            sampler.engine,
            settings=settings,
            gate=gate_for(shape, constants),
            keep=keep,
            decode=sampler.decode,
            min_pass=select.min_pass,
            min_think_tokens=select.min_think_tokens,
            done=done,
            partial=partials.ids.copy(),
            checkpoint=partials.write,
        )
        partials.remove(ground.spent)
    return tally.counts(), stats


def made_with_of(job: StageJob, tokenizer: Any) -> str:
    """Fingerprint of what makes this stage's completions; see ``record_key``."""
    model = job.recipe.model
    return sampled_with(
        job.model_path,
        revision=model.revision,
        dtype=model.dtype,
        template=str(tokenizer.chat_template),
        sampling=job.recipe.sample.sampling.value(),
    )


def keys_of(made_with: str, entrants: Iterable[Entrant], settings: Sample) -> dict[Name, str]:
    """The record key of every candidate that is wanted."""
    return {
        Key(entrant.prompt.id, index): record_key(
            made_with,
            entrant.rendered.text,
            index,
            seed_of(settings.seed, entrant.prompt.id, index),
        )
        for entrant in entrants
        for index in range(settings.candidates)
    }


def entrants_of(job: StageJob, tokenizer: Any, prompts: Iterable[Prompt]) -> list[Entrant]:
    """Prompts as the model sees them."""
    model, today = job.recipe.model, template_date_of(job, tokenizer)
    tags = Tags(model.tags.open, model.tags.close) if model.tags else None
    return [
        Entrant(p, render(tokenizer, p.messages, tags=tags, thinking=model.thinking, today=today))
        for p in prompts
    ]


def template_date_of(job: StageJob, tokenizer: Any) -> date | None:
    """The date for a template that writes one: of the first attempt at this stage, in all later ones."""
    if not renders_date(tokenizer):
        return None
    began = next((one["began"] for one in attempts(job.out) if "began" in one), None)
    first = datetime.fromisoformat(began).astimezone() if began else datetime.now(UTC).astimezone()
    return keep_template_date(job.out, first.date())


def _one_shape(entrants: Iterable[Entrant], known: Shape | None = None) -> Shape:
    """The shape of thinking that all prompts have, those of a ``known`` shape among them."""
    shapes = sorted({*(entrant.rendered.shape for entrant in entrants), *filter(None, [known])})
    if len(shapes) != 1:
        raise RecipeError(
            f"the chat template must give all prompts one shape of thinking, not {shapes}"
        )
    return shapes[0]


def _unjudged(completion: Completion) -> Completion:
    """A candidate whose verdict came from other filters: it stands, its verdict does not."""
    judged = completion.finish in ("stop", "length")
    return replace(completion, verdict=None) if judged else completion


async def constants_of(
    job: StageJob, sampler: Sampler, made_with: str, gate_for: GateFor, measure: Measure
) -> Constants:
    """What the base does on dev; measured once and frozen before the race.

    Raises:
        RecipeError: no dev prompts, or prompts of different shapes.
    """
    path = job.out / CONSTANTS
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    prompts = Artifacts(job.inputs).prompts("dev")
    if not prompts:
        raise RecipeError(
            "there are no dev prompts: give prompts.sources more, or raise prompts.dev_fraction"
        )
    dev = entrants_of(job, sampler.tokenizer, prompts)
    shape = _one_shape(dev)
    completions = await _dev_pass(job, sampler, dev, made_with, gate_for(shape, None))
    kinds: dict[str, Kind] = {prompt.id: prompt.kind for prompt in prompts}
    token_ids = sampler.engine.capabilities.token_ids
    constants: Constants = {
        **_lengths_and_accuracy(completions),
        "function_word_rate_p5": _function_words(completions, kinds, measure),
        "shape": str(shape),
        "ids": "sampled" if token_ids else "rendered",
    }
    write_atomic(path, json.dumps(constants, indent=1, allow_nan=False) + "\n")
    return constants


async def _dev_pass(
    job: StageJob, sampler: Sampler, dev: list[Entrant], made_with: str, gate: Gate
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
    tally = _Tally(job, "dev", len(dev))
    with Journal(job.out / DEV) as journal:

        def keep(completion: Completion) -> None:
            key = keys[Key(completion.prompt_id, completion.index)]
            journal.append({**completion_row(completion), "key": key})
            found[completion.prompt_id] = completion
            tally.count(completion)

        done = list(found.values())
        await race(
            dev, sampler.engine, settings=alone, gate=gate, keep=keep, decode=sampler.decode,
            done=done,
        )  # fmt: skip
    return [found[entrant.prompt.id] for entrant in dev]


def _lengths_and_accuracy(completions: list[Completion]) -> Constants:
    judged = [c.verdict.ok for c in completions if c.verdict and c.verdict.ok is not None]
    totals = [len(c.completion_ids) for c in completions if c.finish != "error"]
    if not totals:
        raise RuntimeError("the engine failed on every dev prompt")
    return {
        "dev_n": len(completions),
        "dev_accuracy": sum(judged) / len(judged) if judged else None,
        "dev_total_tokens_p25": int(percentile(totals, 0.25)),
    }


def _function_words(
    completions: list[Completion], kinds: Mapping[str, Kind], measure: Measure
) -> float | None:
    """5th percentile over finished answers that have a rate; None where too few have one."""
    rates = [measure(c.answer, kinds[c.prompt_id]) for c in completions if c.finish == "stop"]
    known = [rate for rate in rates if rate is not None]
    return percentile(known, 0.05) if len(known) >= LEAST_RATES else None


def percentile(values: Iterable[float], q: float) -> float:
    """The ``q`` quantile (0 to 1) by linear interpolation, numpy's default; values must exist."""
    ordered = sorted(values)
    at = q * (len(ordered) - 1)
    low, high = ordered[math.floor(at)], ordered[math.ceil(at)]
    return low + (high - low) * (at - math.floor(at))


@dataclass
class _Tally:
    """Counts over candidates as they now stand, whichever attempt decoded them."""

    job: StageJob
    label: str
    total: int
    rows: dict[tuple[str, int], tuple[str, int, bool | None]] = field(default_factory=dict)
    passed: int = 0
    outpaced: int = 0

    def count(self, c: Completion) -> None:
        ok = c.verdict.ok if c.verdict else None
        before = self.rows.get((c.prompt_id, c.index), ("", 0, None))
        self.rows[c.prompt_id, c.index] = c.finish, len(c.completion_ids), ok
        self.passed += (ok is True) - (before[2] is True)
        self.outpaced += (c.finish == "outpaced") - (before[0] == "outpaced")
        note = f"{self.passed} passed, {self.outpaced} outpaced"
        self.job.progress(self.label, len(self.rows), self.total, note)

    def counts(self) -> dict[str, Any]:
        fates = list(self.rows.values())
        unjudged = sum(ok is None and finish != "outpaced" for finish, _, ok in fates)
        return {
            "completions": len(fates),
            "decoded_tokens": sum(tokens for _, tokens, _ in fates),
            "outpaced": self.outpaced,
            "passed": self.passed,
            "unjudged": unjudged,
        }


def load_constants(folder: Path) -> Constants:
    """The constants of a sample stage's folder."""
    return json.loads((folder / CONSTANTS).read_text(encoding="utf-8"))
