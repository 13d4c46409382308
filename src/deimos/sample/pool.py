"""The pool of some prompts' candidates: raced, and then made of those that passed.

Candidates that are sampled race first: at once those that depend on nothing, then those that are
shown the run's own golds. What is made of a candidate follows (``proposers/derive``). Which record
keys are wanted grows with each part, and is written down again.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from deimos.engines.base import Key
from deimos.engines.think_budget import find_closing
from deimos.recipe import RewriteProposer, Sample
from deimos.runs.plan import StageJob
from deimos.sample.checkpoints import JournalWriter, Partials
from deimos.sample.counts import PoolCounts
from deimos.sample.dev_pass import Constants, GateFor
from deimos.sample.model import (
    OpenModel,
    keys_of,
    make_renderer,
    model_of,
    render_prompts,
    require_one_shape,
)
from deimos.sample.prompt_race import Bound, RacePrompt, floor_of
from deimos.sample.proposers.asked import ask_prompt
from deimos.sample.proposers.attempt import Tools
from deimos.sample.proposers.derive import Derivation, derive, find_origins
from deimos.sample.proposers.exemplars import Exemplars, freeze_own, read_exemplars
from deimos.sample.proposers.jobs import JobQueue
from deimos.sample.proposers.steps import Steps
from deimos.sample.proposers.teacher import SampledModel, open_teacher
from deimos.sample.race import Gate, Stats, race
from deimos.store.candidates import Candidate
from deimos.store.keys import write_keys
from deimos.store.merge import KeyOf, Name
from deimos.store.names import COMPLETIONS
from deimos.store.schema import completion_row
from deimos.thinking import Shape
from deimos.types import Completion, Prompt


@dataclass(frozen=True)
class RaceFiles:
    """The files that a race writes, and those of earlier attempts that it resumes from."""

    filters: str
    """Name of the set of filters that judge now."""
    read_earlier: Callable[[KeyOf], Mapping[Name, Candidate]]
    """Reads the candidates that have been written down so far and have the wanted record keys."""
    keys: Path
    """The file for the record keys that are wanted."""
    partials: list[Path]
    """Earlier attempts' ids of candidates that they did not finish."""
    finished_partials: list[Path]
    """Those of ``partials`` that are not needed any more once this race is over."""
    steps: list[Path]
    """Earlier attempts' steps to candidates that are made of others."""
    open_completions: Callable[[], JournalWriter]
    open_partial: Callable[[], JournalWriter]
    open_steps: Callable[[], JournalWriter]


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
        RecipeError: the prompts are not of the dev prompts' shape, or a teacher cannot be opened.
        SamplingError: as ``race``.
    """
    rendered = render_prompts(job, model.tokenizer, prompts)
    shape = require_one_shape(rendered, Shape(constants["shape"]))
    with contextlib.closing(files.open_completions()) as journal:
        pool = _Pool(job, model, rendered, made_with, gate_for(shape, constants), files, journal)
        return await pool.run()


@dataclass
class _Pool:
    """The candidates of some prompts while they are being sampled."""

    job: StageJob
    model: OpenModel
    prompts: list[RacePrompt]
    made_with: str
    gate: Gate
    files: RaceFiles
    journal: JournalWriter
    keys: dict[Name, str] = field(default_factory=dict)
    """The record keys that are wanted."""
    stats: Stats = field(default_factory=Stats)

    def __post_init__(self) -> None:
        self.settings = self.job.recipe.sample
        self.counts = PoolCounts(self.job, "race", len(self.prompts) * self.settings.candidates)

    async def run(self) -> tuple[dict[str, Any], Stats]:
        """All of it; returns the counts."""
        files = self.files
        at_once, sampled = (self.settings.count_started(stage) for stage in (0, 1))
        self._ask(at_once, read_exemplars(self.job.out))
        with contextlib.closing(
            Partials(files.open_partial(), files.partials, self.keys.get)
        ) as partials:
            await self._race(at_once, partials)
            if sampled > at_once:
                self._ask(sampled, self._freeze_golds(at_once))
                partials.read_again()
                await self._race(sampled, partials)
            partials.remove(files.finished_partials)
        missing = await self._derive() if self.settings.candidates > sampled else 0
        without = {"without_source": missing} if missing else {}
        return {**self.counts.summary(), **without}, self.stats

    def _ask(self, count: int, exemplars: Exemplars) -> None:
        """Render how the first ``count`` candidates of every prompt are asked."""
        if self.settings.proposers is not None:
            order, render = self.settings.proposer_of, make_renderer(self.job, self.model.tokenizer)
            self.prompts = [
                replace(one, asked=ask_prompt(one, order[:count], exemplars, render))
                for one in self.prompts
            ]
        self._want(keys_of(self.made_with, self.prompts, self._settings_of(count)))

    def _settings_of(self, count: int) -> Sample:
        """The recipe's, for a race of so many candidates."""
        if self.settings.proposers is None:
            return self.settings
        return self.settings.model_copy(update={"n": count, "proposers": None})

    async def _race(self, count: int, partials: Partials) -> None:
        """Race the first ``count`` candidates of every prompt."""
        done = list(self._read().values())
        for completion in done:
            self.counts.add(completion)

        def keep(completion: Completion) -> None:
            self._keep(completion)
            partials.settle(Key(completion.prompt_id, completion.index))

        select = self.job.recipe.select
        stats = await race(
            self.prompts,
            self.model.engine,
            settings=self._settings_of(count),
            gate=self.gate,
            keep=keep,
            decode=self.model.decode,
            min_pass=select.min_pass,
            min_think_tokens=select.min_think_tokens,
            floor=floor_of(select, self.settings),
            done=done,
            partial=partials.ids.copy(),
            checkpoint=partials.write,
        )
        self.stats.add(stats)

    def _want(self, keys: Mapping[Name, str]) -> None:
        """Take in more record keys that are wanted, and write all of them down."""
        self.keys.update(keys)
        write_keys(self.files.keys, {COMPLETIONS: self.keys})

    def _read(self) -> dict[Name, Completion]:
        """What has been written down of the candidates that are wanted."""
        found = self.files.read_earlier(self.keys.get)
        return {name: _judged_by(self.files.filters, one) for name, one in found.items()}

    def _keep(self, completion: Completion, tokens: int | None = None) -> None:
        key = self.keys[completion.prompt_id, completion.index]
        self.journal.append({**completion_row(completion), "key": key})
        self.counts.add(completion, tokens)

    def _freeze_golds(self, count: int) -> Exemplars:
        """The run's own examples: of each prompt the shortest of its first candidates that passed."""
        bounds = self._bounds(count)
        found = (
            (one.prompt, bound.winner)
            for one in self.prompts
            if (bound := bounds.get(one.prompt.id))
        )
        golds = [(prompt, winner) for prompt, winner in found if winner]
        return freeze_own(self.job.out, self.settings, golds)

    def _bounds(self, count: int) -> dict[str, Bound]:
        """How far the races of the first ``count`` candidates have come, by prompt id."""
        select = self.job.recipe.select
        floor = floor_of(select, self.settings)
        bounds: dict[str, Bound] = {}
        for (prompt_id, index), completion in self._read().items():
            if index >= count or completion.finish == "outpaced":
                continue
            bound = bounds.setdefault(
                prompt_id,
                Bound(
                    min_pass=select.min_pass, min_think_tokens=select.min_think_tokens,
                    unstoppable=self.settings.uncensored, floor=floor,
                ),
            )  # fmt: skip
            bound.note(completion)
            if completion.verdict and completion.verdict.ok:
                bound.add(completion)
        return bounds

    async def _derive(self) -> int:
        """Make the candidates that are made of others; returns how many have nothing to start from."""
        sampled, recipe = self.settings.count_started(1), self.job.recipe
        bounds = self._bounds(sampled)
        found = [
            Derivation(one, bound, bound.shortest)
            for one in self.prompts
            if (bound := bounds.get(one.prompt.id)) and bound.shortest
        ]
        for one in found:
            one.origins = find_origins(
                one.entry, one.source, self.settings, recipe.select, self.made_with,
                least=one.bound.min_think_tokens,
            )  # fmt: skip
        self._want(
            {
                Key(one.entry.prompt.id, origin.index): origin.record_key
                for one in found
                for origin in one.origins
            }
        )
        start = time.monotonic()
        with contextlib.closing(Steps(self.files.open_steps(), self.files.steps)) as steps:
            await self._make(found, steps)
            self.stats.seconds += time.monotonic() - start
            for one in found:
                for origin in one.origins:
                    self.counts.by_teachers[origin.proposer.name] += steps.tokens(origin.key)[1]
        return (len(self.prompts) - len(found)) * (self.settings.candidates - sampled)

    async def _make(self, found: Sequence[Derivation], steps: Steps) -> None:
        names = {Key(one.entry.prompt.id, o.index): o for one in found for o in one.origins}
        done = {name: c for name, c in self._read().items() if name in names}
        for name, completion in done.items():
            self.counts.add(completion, sum(steps.tokens(names[Key(*name)].key)))
        tokenizer, runtime = self.model.tokenizer, self.job.runtime
        model = self.job.recipe.model
        tags, template = model.thinking_tags(), model.template_arguments()
        before, close = find_closing(tokenizer, tags, template) if tags else ((), ())
        open_ones = {o.proposer.name for name, o in names.items() if _is_open(done.get(name))}
        async with JobQueue(self.model.engine) as jobs, contextlib.AsyncExitStack() as stack:
            sampled = SampledModel(jobs, tokenizer, model_of(self.job), template)
            teachers = {
                proposer.name: await stack.enter_async_context(
                    open_teacher(proposer, sampled, runtime)
                )
                for proposer in self.settings.proposers or []
                if isinstance(proposer, RewriteProposer) and proposer.name in open_ones
            }
            tools = Tools(
                self.settings, self.job.recipe.select, jobs, tokenizer, self.model.decode,
                self.gate, steps, before, close,
            )  # fmt: skip
            await derive(found, tools, teachers, done, self._keep, runtime.max_batch)


def _is_open(completion: Completion | None) -> bool:
    """Whether a candidate may have to be made, or made further."""
    ended = completion and completion.finish != "outpaced" and completion.verdict
    return not ended or ended.ok is None


def _judged_by(filters: str, candidate: Candidate) -> Completion:
    """The completion; without its verdict if that came from other filters than these."""
    completion = candidate.completion
    stale = candidate.file != filters and completion.finish in ("stop", "length")
    return replace(completion, verdict=None) if stale else completion
