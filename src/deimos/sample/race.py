"""The race: all candidates of a prompt start together, and those that can't win are stopped.

A finished candidate is judged at once, beside decoding. As soon as a prompt has a winner so far,
its other candidates get that thought's length as a cap: what is kept is exactly what decoding
everything would have kept (``prompt_race`` has the rule). Resuming, a winner that another grader
fails, and an engine that failed are one case: candidates that can still be kept go on from their ids.
Prompts are taken in only as the engine has places, and forgotten when their last candidate is
settled: memory is that of the prompts under way, however many there are.
Not covered: what makes a candidate pass (the gate comes in), files, and selection itself.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from deimos.engines.base import Done, Engine, Job, Key, Progress
from deimos.engines.collect import RETRIES, Request, open_task_group
from deimos.recipe import Sample
from deimos.sample.prompt_race import (
    ActiveCandidate,
    Bound,
    MedianFloor,
    PromptRace,
    RacePrompt,
)
from deimos.types import Completion, Prompt, Verdict

UNJUDGED = 256
"""While this many answers wait for verdicts no new candidate starts: slow judges hold decoding back,
instead of filling memory. Running candidates go on, so that at most a batch more wait."""


class SamplingError(RuntimeError):
    """The engine did not do what was asked of it; what was decoded is kept."""


class Gate(Protocol):
    """Filters 1 to 3: judges one candidate by itself, against constants frozen before."""

    async def __call__(self, prompt: Prompt, completion: Completion) -> Verdict:
        """The verdict on a candidate; ``ok`` is None if it could not be judged."""
        ...


@dataclass(slots=True)
class Stats:
    """What one call of ``race`` did, without the work of earlier calls."""

    prompts: int = 0
    completions: int = 0
    """Candidates handed to ``keep``."""
    outpaced: int = 0
    decoded_tokens: int = 0
    """Tokens decoded by this call, those of stopped and failed candidates included."""
    seconds: float = 0.0

    def add(self, more: Stats) -> None:
        """Add what another call over the same prompts did."""
        self.prompts = max(self.prompts, more.prompts)
        self.completions += more.completions
        self.outpaced += more.outpaced
        self.decoded_tokens += more.decoded_tokens
        self.seconds += more.seconds


async def race(
    prompts: Sequence[RacePrompt] | AsyncIterator[RacePrompt],
    engine: Engine,
    *,
    settings: Sample,
    gate: Gate,
    keep: Callable[[Completion], None],
    decode: Callable[[Done, Request], Completion],
    min_pass: int = 1,
    min_think_tokens: int = 0,
    floor: MedianFloor | None = None,
    done: Iterable[Completion] = (),
    partial: Mapping[Key, tuple[int, ...]] | None = None,
    checkpoint: Callable[[Key, tuple[int, ...]], None] | None = None,
    unjudged: int = UNJUDGED,
) -> Stats:
    """Run every prompt's race to its end.

    Args:
        prompts: each id once; candidates are started prompt by prompt. The next one is asked for
            only when the engine has a place that no earlier prompt's candidate needs; a prompt is
            over once each of its candidates was given to ``keep`` or was in ``done``.
        engine: what decodes; it may be without seeds or resuming. If prompts come from an iterator,
            or n is a rule, it must go on decoding while it waits for its next job.
        settings: n, sampling, think_budget, exhaustive, probe and seed of the recipe.
        gate: filters 1 to 3.
        keep: called once for each candidate that this call settled, verdict included; for a winner
            always before those it outpaced. If the call is cancelled or fails, also for those
            decoded to their end that have no verdict yet (it is None).
        decode: makes the completion of a job that has ended, its finish as the engine reported it.
        min_pass: how many of a prompt must pass before any is stopped.
        min_think_tokens: shorter thoughts are never kept, so they stop no other.
        floor: nor is a thought under this share of a median.
        done: what earlier calls kept, last state of each candidate. One without a verdict (or with
            a null one) is judged again first; an outpaced one goes on unless it is still beaten;
            one whose engine failed is decoded again.
        partial: ids that an interrupted call had decoded of candidates it did not settle; engines
            that resume go on from them. Looked up as a prompt is taken in.
        checkpoint: called now and then, by engines that resume, with a candidate's ids so far.
        unjudged: see ``UNJUDGED``.

    Raises:
        SamplingError: the engine ended without finishing what it was given.
        ValueError: a prompt is given twice.
    """
    running = _Race(
        engine, settings, gate, keep, decode, partial or {}, checkpoint, unjudged,
        lambda: Bound(min_pass=min_pass, min_think_tokens=min_think_tokens, floor=floor),
        _one_by_one(prompts, done),
    )  # fmt: skip
    start = time.monotonic()
    await running.run()
    running.stats.seconds = time.monotonic() - start
    return running.stats


async def _one_by_one(
    prompts: Sequence[RacePrompt] | AsyncIterator[RacePrompt], done: Iterable[Completion]
) -> AsyncIterator[RacePrompt]:
    """The prompts, each with what is done of it."""
    known: dict[str, list[Completion]] = defaultdict(list)
    for completion in done:
        known[completion.prompt_id].append(completion)
    if not isinstance(prompts, AsyncIterator):
        counts = Counter(entry.prompt.id for entry in prompts)
        if twice := [prompt_id for prompt_id, count in counts.items() if count > 1]:
            raise ValueError(f"prompt {twice[0]} is given twice")
        prompts = _each(prompts)
    async for entry in prompts:
        more = known.pop(entry.prompt.id, ())
        yield replace(entry, done=(*entry.done, *more)) if more else entry


async def _each(prompts: Iterable[RacePrompt]) -> AsyncIterator[RacePrompt]:
    for entry in prompts:
        yield entry


@dataclass
class _Race:
    """One call of ``race`` while it runs; its fields are the arguments, then its state."""

    engine: Engine
    settings: Sample
    gate: Gate
    keep: Callable[[Completion], None]
    decode: Callable[[Done, Request], Completion]
    partial: Mapping[Key, tuple[int, ...]]
    checkpoint: Callable[[Key, tuple[int, ...]], None] | None
    most_unjudged: int
    make_bound: Callable[[], Bound]
    prompts: AsyncIterator[RacePrompt]
    stats: Stats = field(default_factory=Stats)
    races: dict[str, PromptRace] = field(default_factory=dict)
    """By prompt id: those under way."""
    ready: deque[ActiveCandidate] = field(default_factory=deque)
    """Candidates that wait for a place in the engine."""
    more: bool = True
    """Whether prompts may still come."""
    unjudged: int = 0
    """Answers that wait for a verdict."""
    undecided: dict[Key, Completion] = field(default_factory=dict)
    """Decoded to their end by this call, their verdicts still to come."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when another candidate may be able to start."""
    judging: asyncio.TaskGroup = field(init=False)

    async def run(self) -> None:
        try:
            async with open_task_group() as self.judging:
                while (candidate := await self._next()) is not None:  # again if some came back late
                    self.ready.appendleft(candidate)
                    await self._decode()
                    if lost := sum(len(race.active) for race in self.races.values()):
                        raise SamplingError(
                            f"engine {self.engine.name} left {lost} jobs unfinished"
                        )
        finally:
            # Cancelled or failed: their tokens are there, a later call judges them. Kept here and
            # not by the judging tasks: one that is cancelled before its first step runs no line.
            for completion in self.undecided.values():
                self.keep(completion)

    async def _decode(self) -> None:
        events = self.engine.sample(self._feed())
        try:
            async for event in events:
                if isinstance(event, Progress):
                    self._on_progress(event)
                elif isinstance(event, Done):
                    self._on_done(event)
        finally:  # also if a judge failed: the engine cleans up before the event loop ends
            if close := getattr(events, "aclose", None):
                await close()

    async def _feed(self) -> AsyncIterator[Job]:
        while (candidate := await self._next()) is not None:
            bound = self._of(candidate.key).bound
            self._of(candidate.key).active[candidate.key] = candidate
            cap = _least(self.settings.think_budget, bound.cap(candidate.request.index))
            yield candidate.request.job(candidate.done_ids, cap)

    async def _next(self) -> ActiveCandidate | None:
        """The candidate to start next; waits if that is not known yet, None if none is left."""
        while True:
            self.changed.clear()
            if self.unjudged >= self.most_unjudged:
                await self.changed.wait()
            elif self.ready:
                return self.ready.popleft()
            elif self.more:
                await self._take_in()
            elif any(race.may_grow for race in self.races.values()):
                await self.changed.wait()
            else:
                return None

    async def _take_in(self) -> None:
        """Begin the next prompt's race: judge what has no verdict, then start what is wanted."""
        entry = await anext(self.prompts, None)
        if entry is None:
            self.more = False
            return
        if entry.prompt.id in self.races:
            raise ValueError(f"prompt {entry.prompt.id} is given twice")
        self.stats.prompts += 1
        race = PromptRace(entry, self.make_bound(), self.settings)
        self.races[entry.prompt.id] = race
        for completion in race.take_in_done():
            race.unsettled += 1
            self._start_judging(race, completion, known=True)
        if not race.unsettled:
            self._start_wanted(race)
            await asyncio.sleep(0)  # many finished prompts in a row must not block other tasks

    def _start_wanted(self, race: PromptRace) -> None:
        """Queue the candidates that are wanted now; forget a prompt that has none left."""
        for candidate in race.take_wanted(self.partial):
            self._go_on_from(candidate, candidate.done_ids)
            self.ready.append(candidate)
        if not race.unsettled:
            del self.races[race.entry.prompt.id]

    def _on_progress(self, event: Progress) -> None:
        race = self.races.get(event.key.prompt_id)
        candidate = race.active.get(event.key) if race else None
        if candidate and self.checkpoint and event.completion_ids is not None:
            self.checkpoint(event.key, event.completion_ids)
        if not race or not candidate or not event.think_closed or event.think_tokens is None:
            return  # an open thought is held to the cap by the engine
        candidate.think_tokens = event.think_tokens
        if race.bound.is_beaten(event.key.index, event.think_tokens):
            self.engine.stop(event.key)

    def _on_done(self, event: Done) -> None:
        race = self._of(event.key)
        candidate, bound = race.active.pop(event.key), race.bound
        completion = self.decode(event, candidate.request)
        self.stats.decoded_tokens += len(completion.completion_ids) - len(candidate.done_ids)
        budget, winner = self.settings.think_budget, bound.winner
        if event.finish == "error":
            self._retry(race, candidate, completion, event.error)
        elif budget is not None and completion.think_tokens > budget:
            verdict = Verdict(False, f"thought longer than the budget of {budget}", "structure")
            self._settle(race, replace(completion, finish="malformed", verdict=verdict))
        elif event.finish != "stopped":
            self._start_judging(race, completion)
        elif winner and bound.is_beaten(completion.index, completion.think_tokens):
            self.stats.outpaced += 1
            completion = replace(completion, finish="outpaced", outpaced_by=winner.index)
            self._settle(race, completion)
        else:
            self._go_on_from(candidate, completion.completion_ids)
            self._retry(race, candidate, completion, "the engine stopped it unasked")

    def _go_on_from(self, candidate: ActiveCandidate, ids: tuple[int, ...]) -> None:
        candidate.done_ids = ids if self.engine.capabilities.resumes else ()

    def _retry(
        self, race: PromptRace, candidate: ActiveCandidate, completion: Completion, error: str
    ) -> None:
        candidate.failures += 1
        candidate.think_tokens = 0
        if candidate.failures < RETRIES.decodings:
            self.ready.append(candidate)
            self.changed.set()
            return
        verdict = Verdict(None, f"the engine failed: {error}", "structure")
        self._settle(race, replace(completion, finish="error", verdict=verdict))

    def _start_judging(
        self, race: PromptRace, completion: Completion, *, known: bool = False
    ) -> None:
        """Have an answer judged beside decoding; ``known``: kept by an earlier call."""
        self.unjudged += 1
        if not known:
            self.undecided[Key(completion.prompt_id, completion.index)] = completion
        self.judging.create_task(self._judge(race, completion))

    async def _judge(self, race: PromptRace, completion: Completion) -> None:
        try:
            verdict = await RETRIES.ask(lambda: self.gate(race.entry.prompt, completion))
        finally:
            self.unjudged -= 1
            self.changed.set()
        self.undecided.pop(Key(completion.prompt_id, completion.index), None)
        judged = replace(completion, verdict=verdict)
        self._settle(race, judged, news=verdict != completion.verdict)

    def _settle(self, race: PromptRace, completion: Completion, *, news: bool = True) -> None:
        """Keep a candidate that has ended, lower its rivals' caps, and start what is wanted next."""
        if news:
            self.stats.completions += 1
            self.keep(completion)
        if race.settle(completion):
            self._tighten(race)
        race.unsettled -= 1
        if not race.unsettled:
            self._start_wanted(race)
            self.changed.set()

    def _tighten(self, race: PromptRace) -> None:
        """Lower the caps of running candidates; stop those whose closed thought is longer."""
        for key, candidate in race.active.items():
            cap = race.bound.cap(key.index)
            if cap is None:
                continue
            self.engine.cap(key, cap)
            if candidate.think_tokens > cap:
                self.engine.stop(key)

    def _of(self, key: Key) -> PromptRace:
        return self.races[key.prompt_id]


def _least(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)
