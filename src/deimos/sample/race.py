"""The race: all candidates of a prompt start together, and those that can't win are stopped.

A finished candidate is judged at once, beside decoding. As soon as a prompt has a winner so far,
its other candidates get that thought's length as a cap: what is kept is exactly what decoding
everything would have kept (``heat.py`` has the rule), only the waste is gone. Resuming, a re-graded
winner and an engine's hiccup are one case: whoever still has a chance goes on from its kept ids.
Prompts are taken in only as the engine has places, and forgotten when their last candidate is
settled: memory is that of the prompts under way, however many there are.
Not covered: what makes a candidate pass (the gate comes in), files, and selection itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from deimos.engines.base import Done, Engine, Job, Key, Progress
from deimos.engines.collect import Request, completion_of
from deimos.recipe import Sample
from deimos.sample.heat import Heat
from deimos.sample.prompt_race import Contest, Entrant, Runner, seed_of
from deimos.types import Completion, Prompt, Verdict

__all__ = ["Decode", "Entrant", "Gate", "Stats", "decoder", "race", "seed_of"]

ATTEMPTS = 3
"""How often a candidate is tried whose engine failed, or an answer whose judge could not say."""
UNJUDGED = 256
"""While so many answers wait for verdicts no new candidate starts: judges that can't keep up hold
decoding back, instead of filling memory. Those that run go on, so that at most a batch more wait."""


class Gate(Protocol):
    """Filters 1 to 3: judges one candidate by itself, against constants frozen before."""

    async def __call__(self, prompt: Prompt, completion: Completion) -> Verdict:
        """The candidate's fate so far; ``ok`` None where it could not be judged."""
        ...


Decode = Callable[[Done, Request], Completion]
"""Makes the completion of a job that has ended, its finish as the engine reported it."""


@dataclass(slots=True)
class Stats:
    """What one call of ``race`` did; work of earlier calls is not in it."""

    prompts: int = 0
    completions: int = 0
    """Candidates handed to ``keep``."""
    outpaced: int = 0
    decoded_tokens: int = 0
    """Tokens decoded anew, those of stopped and failed candidates included."""
    seconds: float = 0.0


def decoder(tokenizer: object, eos_ids: frozenset[int], engine_name: str) -> Decode:
    """The usual ``Decode``: by the model's own tokenizer."""

    def decode(done: Done, request: Request) -> Completion:
        return completion_of(done, request, tokenizer, eos_ids, engine_name)

    return decode


async def race(
    entrants: Sequence[Entrant] | AsyncIterator[Entrant],
    engine: Engine,
    *,
    settings: Sample,
    gate: Gate,
    keep: Callable[[Completion], None],
    decode: Decode,
    min_pass: int = 1,
    min_think_tokens: int = 0,
    done: Iterable[Completion] = (),
    partial: Mapping[Key, tuple[int, ...]] | None = None,
    checkpoint: Callable[[Key, tuple[int, ...]], None] | None = None,
    unjudged: int = UNJUDGED,
) -> Stats:
    """Run every prompt's race to its end.

    Args:
        entrants: prompts, each id once; candidates are fed prompt by prompt. The next one is asked
            for only when the engine has a place that no earlier prompt's candidate needs; a prompt
            is over once ``keep`` has had, or ``done`` told, each of its candidates.
        engine: what decodes; it may be without seeds or resuming. Where prompts come from an
            iterator, or n is a rule, it must decode on while it waits for its next job.
        settings: n, sampling, think_budget, exhaustive, probe and seed of the recipe.
        gate: filters 1 to 3.
        keep: called once for each candidate that this call settled, verdict included; a winner
            always before those it outpaced. Where the call is cancelled or fails, also for those
            decoded to their end whose verdict had not come yet (it is None).
        decode: see ``decoder``.
        min_pass: passes a prompt needs before anyone is stopped.
        min_think_tokens: shorter thoughts are never kept, so they stop nobody.
        done: what earlier calls kept, last state of each candidate. One without a verdict (or with
            a null one) is judged again first; an outpaced one goes on unless it is still beaten.
        partial: ids that an interrupted call had decoded of candidates it did not settle; they
            are gone on from where the engine can. Looked up as a prompt is taken in.
        checkpoint: told now and then, by engines that resume, a running candidate's ids so far.
        unjudged: see ``UNJUDGED``.

    Raises:
        RuntimeError: the engine ended without finishing what it was given.
        ValueError: a prompt was entered twice.
    """
    running = _Race(
        engine, settings, gate, keep, decode, partial or {}, checkpoint, unjudged,
        lambda: Heat(min_pass=min_pass, min_think_tokens=min_think_tokens),
        _one_by_one(entrants, done),
    )  # fmt: skip
    start = time.monotonic()
    await running.run()
    running.stats.seconds = time.monotonic() - start
    return running.stats


async def _one_by_one(
    entrants: Sequence[Entrant] | AsyncIterator[Entrant], done: Iterable[Completion]
) -> AsyncIterator[Entrant]:
    """The entrants, each with what is done of it."""
    known: dict[str, list[Completion]] = defaultdict(list)
    for completion in done:
        known[completion.prompt_id].append(completion)
    if not isinstance(entrants, AsyncIterator):
        counts = Counter(entrant.prompt.id for entrant in entrants)
        if twice := [prompt_id for prompt_id, count in counts.items() if count > 1]:
            raise ValueError(f"prompt {twice[0]} is entered twice")
        entrants = _each(entrants)
    async for entrant in entrants:
        more = known.pop(entrant.prompt.id, ())
        yield replace(entrant, done=(*entrant.done, *more)) if more else entrant


async def _each(entrants: Iterable[Entrant]) -> AsyncIterator[Entrant]:
    for entrant in entrants:
        yield entrant


@dataclass
class _Race:
    engine: Engine
    settings: Sample
    gate: Gate
    keep: Callable[[Completion], None]
    decode: Decode
    partial: Mapping[Key, tuple[int, ...]]
    checkpoint: Callable[[Key, tuple[int, ...]], None] | None
    most_unjudged: int
    new_heat: Callable[[], Heat]
    entrants: AsyncIterator[Entrant]
    stats: Stats = field(default_factory=Stats)
    contests: dict[str, Contest] = field(default_factory=dict)
    """By prompt id: those under way."""
    ready: deque[Runner] = field(default_factory=deque)
    more: bool = True
    """Whether entrants may still come."""
    unjudged: int = 0
    undecided: dict[Key, Completion] = field(default_factory=dict)
    """Decoded to their end by this call, their verdicts still to come."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set where the feed may have something to give again."""
    judging: asyncio.TaskGroup = field(init=False)

    async def run(self) -> None:
        try:
            async with _group() as self.judging:
                while (runner := await self._next()) is not None:  # again if some came back late
                    self.ready.appendleft(runner)
                    await self._decode()
                    if lost := sum(len(contest.live) for contest in self.contests.values()):
                        raise RuntimeError(f"engine {self.engine.name} left {lost} jobs unfinished")
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
                else:
                    self._on_done(event)
        finally:  # where a judge failed, let the engine clean up before the loop ends
            if close := getattr(events, "aclose", None):
                await close()

    async def _feed(self) -> AsyncIterator[Job]:
        while (runner := await self._next()) is not None:
            heat = self._of(runner.key).heat
            self._of(runner.key).live[runner.key] = runner
            cap = _least(self.settings.think_budget, heat.cap(runner.request.index))
            yield runner.request.job(runner.done_ids, cap)

    async def _next(self) -> Runner | None:
        """Who starts next; waits where that is not known yet, None where nobody is left."""
        while True:
            self.changed.clear()
            if self.unjudged >= self.most_unjudged:
                await self.changed.wait()
            elif self.ready:
                return self.ready.popleft()
            elif self.more:
                await self._take_in()
            elif any(c.may_grow for c in self.contests.values()):
                await self.changed.wait()
            else:
                return None

    async def _take_in(self) -> None:
        """Begin the next prompt's race: judge what has no verdict, then see who is owed."""
        entrant = await anext(self.entrants, None)
        if entrant is None:
            self.more = False
            return
        if entrant.prompt.id in self.contests:
            raise ValueError(f"prompt {entrant.prompt.id} is entered twice")
        self.stats.prompts += 1
        contest = Contest(entrant, self.new_heat(), self.settings)
        self.contests[entrant.prompt.id] = contest
        for completion in contest.take_up():
            contest.unsettled += 1
            self._hand_over(contest, completion, known=True)
        if not contest.unsettled:
            self._line_up(contest)
            await asyncio.sleep(0)  # a long row of finished prompts holds nobody up

    def _line_up(self, contest: Contest) -> None:
        """Give who is wanted a place in the queue; forget a prompt that needs none."""
        for runner in contest.line_up(self.partial):
            self._go_on_from(runner, runner.done_ids)
            self.ready.append(runner)
        if not contest.unsettled:
            del self.contests[contest.entrant.prompt.id]

    def _on_progress(self, event: Progress) -> None:
        contest = self.contests.get(event.key.prompt_id)
        runner = contest.live.get(event.key) if contest else None
        if runner and self.checkpoint and event.completion_ids is not None:
            self.checkpoint(event.key, event.completion_ids)
        if not contest or not runner or not event.think_closed or event.think_tokens is None:
            return  # an open thought is the cap's business
        runner.think_tokens = event.think_tokens
        if contest.heat.beaten(event.key.index, event.think_tokens):
            self.engine.stop(event.key)

    def _on_done(self, event: Done) -> None:
        contest = self._of(event.key)
        runner, heat = contest.live.pop(event.key), contest.heat
        completion = self.decode(event, runner.request)
        self.stats.decoded_tokens += len(completion.completion_ids) - len(runner.done_ids)
        budget, winner = self.settings.think_budget, heat.winner
        if event.finish == "error":
            self._again(contest, runner, completion, event.error)
        elif budget is not None and completion.think_tokens > budget:
            verdict = Verdict(False, f"thought longer than the budget of {budget}", "structure")
            self._settle(contest, replace(completion, finish="malformed", verdict=verdict))
        elif event.finish != "stopped":
            self._hand_over(contest, completion)
        elif winner and heat.beaten(completion.index, completion.think_tokens):
            self.stats.outpaced += 1
            completion = replace(completion, finish="outpaced", outpaced_by=winner.index)
            self._settle(contest, completion)
        else:
            self._go_on_from(runner, completion.completion_ids)
            self._again(contest, runner, completion, "the engine stopped it unasked")

    def _go_on_from(self, runner: Runner, ids: tuple[int, ...]) -> None:
        runner.done_ids = ids if self.engine.capabilities.resumes else ()

    def _again(self, contest: Contest, runner: Runner, completion: Completion, error: str) -> None:
        runner.failures += 1
        runner.think_tokens = 0
        if runner.failures < ATTEMPTS:
            self.ready.append(runner)
            self.changed.set()
            return
        verdict = Verdict(None, f"the engine failed: {error}", "structure")
        self._settle(contest, replace(completion, finish="error", verdict=verdict))

    def _hand_over(self, contest: Contest, completion: Completion, *, known: bool = False) -> None:
        """Have an answer judged beside decoding; ``known``: kept by an earlier call."""
        self.unjudged += 1
        if not known:
            self.undecided[Key(completion.prompt_id, completion.index)] = completion
        self.judging.create_task(self._judge(contest, completion))

    async def _judge(self, contest: Contest, completion: Completion) -> None:
        try:
            verdict = await self._verdict(contest.entrant.prompt, completion)
        finally:
            self.unjudged -= 1
            self.changed.set()
        self.undecided.pop(Key(completion.prompt_id, completion.index), None)
        judged = replace(completion, verdict=verdict)
        self._settle(contest, judged, news=verdict != completion.verdict)

    async def _verdict(self, prompt: Prompt, completion: Completion) -> Verdict:
        for _ in range(ATTEMPTS - 1):
            verdict = await self.gate(prompt, completion)
            if verdict.ok is not None:
                return verdict
        return await self.gate(prompt, completion)

    def _settle(self, contest: Contest, completion: Completion, *, news: bool = True) -> None:
        """A candidate's end: keep it, hold its rivals to it, and see who comes next."""
        if news:
            self.stats.completions += 1
            self.keep(completion)
        if contest.end(completion):
            self._tighten(contest)
        contest.unsettled -= 1
        if not contest.unsettled:
            self._line_up(contest)
            self.changed.set()

    def _tighten(self, contest: Contest) -> None:
        """Tell the engine of a lower limit, and stop who is closed and longer already."""
        for key, runner in contest.live.items():
            cap = contest.heat.cap(key.index)
            if cap is None:
                continue
            self.engine.cap(key, cap)
            if runner.think_tokens > cap:
                self.engine.stop(key)

    def _of(self, key: Key) -> Contest:
        return self.contests[key.prompt_id]


def _least(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


@contextlib.asynccontextmanager
async def _group() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group whose first failure is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
