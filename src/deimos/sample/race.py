"""The race: all candidates of a prompt start together, and those that can't win are stopped.

A finished candidate is judged at once, beside decoding. As soon as a prompt has a winner so far,
its other candidates get that thought's length as a cap: what is kept is exactly what decoding
everything would have kept (``heat.py`` has the rule), only the waste is gone. Resuming, a re-graded
winner and an engine's hiccup are one case: whoever still has a chance goes on from its kept ids.
Not covered: what makes a candidate pass (the gate comes in), files, and selection itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from deimos.engines.base import Done, Engine, Job, Key, Progress
from deimos.engines.collect import Request, completion_of
from deimos.recipe import Sample
from deimos.sample.heat import Heat
from deimos.thinking import Rendered
from deimos.types import Completion, Prompt, Verdict

ATTEMPTS = 3
"""How often a candidate is tried whose engine failed, or an answer whose judge could not say."""


class Gate(Protocol):
    """Filters 1 to 3: judges one candidate by itself, against constants frozen before."""

    async def __call__(self, prompt: Prompt, completion: Completion) -> Verdict:
        """The candidate's fate so far; ``ok`` None where it could not be judged."""
        ...


Decode = Callable[[Done, Request], Completion]
"""Makes the completion of a job that has ended, its finish as the engine reported it."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """A prompt and how the model sees it."""

    prompt: Prompt
    rendered: Rendered


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


@dataclass(slots=True)
class _Runner:
    """One candidate on its way."""

    request: Request
    heat: Heat
    done_ids: tuple[int, ...] = ()
    failures: int = 0
    think_tokens: int = 0
    """Of a closed thought, as the engine reported it; 0 while it is open or unknown."""

    @property
    def key(self) -> Key:
        return self.request.key


def seed_of(seed: int, prompt_id: str, index: int) -> int:
    """A candidate's own 31-bit seed; the same on every machine and in every order."""
    digest = hashlib.sha256(f"{seed}:{prompt_id}:{index}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def decoder(tokenizer: object, eos_ids: frozenset[int], engine_name: str) -> Decode:
    """The usual ``Decode``: by the model's own tokenizer."""

    def decode(done: Done, request: Request) -> Completion:
        return completion_of(done, request, tokenizer, eos_ids, engine_name)

    return decode


async def race(
    entrants: Sequence[Entrant],
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
) -> Stats:
    """Run every prompt's race to its end.

    Args:
        entrants: prompts, each id once; candidates are fed prompt by prompt.
        engine: what decodes; it may be without seeds or resuming.
        settings: n, sampling, think_budget, exhaustive, probe and seed of the recipe.
        gate: filters 1 to 3.
        keep: called once for each candidate that this call settled, verdict included; a winner
            always before those it outpaced.
        decode: see ``decoder``.
        min_pass: passes a prompt needs before anyone is stopped.
        min_think_tokens: shorter thoughts are never kept, so they stop nobody.
        done: what earlier calls kept, last state of each candidate. One without a verdict (or with
            a null one) is judged again first; an outpaced one goes on unless it is still beaten.
        partial: ids that an interrupted call had decoded of candidates it did not settle; they
            are gone on from where the engine can.
        checkpoint: told now and then, by engines that resume, a running candidate's ids so far.

    Raises:
        RuntimeError: the engine ended without finishing what it was given.
    """
    running = _Race(engine, settings, gate, keep, decode, partial or {}, checkpoint)
    start = time.monotonic()
    for entrant in entrants:
        running.admit(entrant, min_pass, min_think_tokens)
    await running.take_up(done)
    await running.run()
    running.stats.prompts = len(running.heats)
    running.stats.seconds = time.monotonic() - start
    return running.stats


@dataclass
class _Race:
    engine: Engine
    settings: Sample
    gate: Gate
    keep: Callable[[Completion], None]
    decode: Decode
    partial: Mapping[Key, tuple[int, ...]]
    checkpoint: Callable[[Key, tuple[int, ...]], None] | None
    stats: Stats = field(default_factory=Stats)
    heats: dict[str, Heat] = field(default_factory=dict)
    waiting: deque[_Runner] = field(default_factory=deque)
    live: dict[str, dict[Key, _Runner]] = field(default_factory=dict)
    """By prompt: what the engine has been given and has not finished."""

    def admit(self, entrant: Entrant, min_pass: int, min_think_tokens: int) -> None:
        prompt, s = entrant.prompt, self.settings
        if prompt.id in self.heats:
            raise ValueError(f"prompt {prompt.id} is entered twice")
        free = s.n if s.exhaustive else s.probe
        heat = Heat(min_pass=min_pass, min_think_tokens=min_think_tokens, unstoppable=free)
        self.heats[prompt.id], self.live[prompt.id] = heat, {}
        sampling = s.sampling.value()
        for index in range(s.n):
            seed = seed_of(s.seed, prompt.id, index)
            runner = _Runner(Request(prompt, entrant.rendered, index, seed, sampling), heat)
            self._go_on_from(runner, self.partial.get(runner.key, ()))
            self.waiting.append(runner)

    async def take_up(self, done: Iterable[Completion]) -> None:
        """Settle what is done already: judge what has no verdict, then see who is owed."""
        runners = {runner.key: runner for runner in self.waiting}
        outpaced: list[Completion] = []
        async with _group() as judging:
            for completion in done:
                runner = runners.get(Key(completion.prompt_id, completion.index))
                if runner is None or completion.finish == "error":
                    continue
                if completion.finish == "outpaced":
                    outpaced.append(completion)
                    continue
                del runners[runner.key]
                if completion.verdict is None or completion.verdict.ok is None:
                    judging.create_task(self._judge(runner, completion))
                elif completion.verdict.ok:
                    runner.heat.enter(completion)
        for completion in outpaced:
            key = Key(completion.prompt_id, completion.index)
            runner = runners[key]
            if runner.heat.beaten(completion.index, completion.think_tokens):
                del runners[key]
            elif len(completion.completion_ids) > len(runner.done_ids):
                self._go_on_from(runner, completion.completion_ids)
        self.waiting = deque(runners.values())

    async def run(self) -> None:
        async with _group() as judging:
            while self.waiting:  # again where candidates came back after the feed had ended
                await self._decode(judging)
                if lost := sum(map(len, self.live.values())):
                    raise RuntimeError(f"engine {self.engine.name} left {lost} jobs unfinished")

    async def _decode(self, judging: asyncio.TaskGroup) -> None:
        events = self.engine.sample(self._feed())
        try:
            async for event in events:
                if isinstance(event, Progress):
                    self._on_progress(event)
                else:
                    self._on_done(event, judging)
        finally:  # where a judge failed, let the engine clean up before the loop ends
            if close := getattr(events, "aclose", None):
                await close()

    async def _feed(self) -> AsyncIterator[Job]:
        while self.waiting:
            runner = self.waiting.popleft()
            self.live[runner.key.prompt_id][runner.key] = runner
            cap = _least(self.settings.think_budget, runner.heat.cap(runner.request.index))
            yield runner.request.job(runner.done_ids, cap)

    def _on_progress(self, event: Progress) -> None:
        runner = self.live[event.key.prompt_id].get(event.key)
        if runner and self.checkpoint and event.completion_ids is not None:
            self.checkpoint(event.key, event.completion_ids)
        if runner is None or not event.think_closed or event.think_tokens is None:
            return  # an open thought is the cap's business
        runner.think_tokens = event.think_tokens
        if runner.heat.beaten(event.key.index, event.think_tokens):
            self.engine.stop(event.key)

    def _on_done(self, event: Done, judging: asyncio.TaskGroup) -> None:
        runner = self.live[event.key.prompt_id].pop(event.key)
        completion = self.decode(event, runner.request)
        self.stats.decoded_tokens += len(completion.completion_ids) - len(runner.done_ids)
        budget, winner = self.settings.think_budget, runner.heat.winner
        if event.finish == "error":
            self._again(runner, completion, event.error)
        elif budget is not None and completion.think_tokens > budget:
            verdict = Verdict(False, f"thought longer than the budget of {budget}", "structure")
            self._settle(replace(completion, finish="malformed", verdict=verdict))
        elif event.finish != "stopped":
            judging.create_task(self._judge(runner, completion))
        elif winner and runner.heat.beaten(completion.index, completion.think_tokens):
            self.stats.outpaced += 1
            self._settle(replace(completion, finish="outpaced", outpaced_by=winner.index))
        else:
            self._go_on_from(runner, completion.completion_ids)
            self._again(runner, completion, "the engine stopped it unasked")

    def _go_on_from(self, runner: _Runner, ids: tuple[int, ...]) -> None:
        runner.done_ids = ids if self.engine.capabilities.resumes else ()

    def _again(self, runner: _Runner, completion: Completion, error: str) -> None:
        runner.failures += 1
        runner.think_tokens = 0
        if runner.failures < ATTEMPTS:
            self.waiting.append(runner)
            return
        verdict = Verdict(None, f"the engine failed: {error}", "structure")
        self._settle(replace(completion, finish="error", verdict=verdict))

    async def _judge(self, runner: _Runner, completion: Completion) -> None:
        verdict = await self.gate(runner.request.prompt, completion)
        for _ in range(ATTEMPTS - 1):
            if verdict.ok is not None:
                break
            verdict = await self.gate(runner.request.prompt, completion)
        if verdict != completion.verdict:
            self._settle(replace(completion, verdict=verdict))
        if verdict.ok and runner.heat.enter(completion):
            self._tighten(completion.prompt_id, runner.heat)

    def _tighten(self, prompt_id: str, heat: Heat) -> None:
        """Tell the engine of a lower limit, and stop who is closed and longer already."""
        for key, runner in self.live[prompt_id].items():
            cap = heat.cap(key.index)
            if cap is None:
                continue
            self.engine.cap(key, cap)
            if runner.think_tokens > cap:
                self.engine.stop(key)

    def _settle(self, completion: Completion) -> None:
        self.stats.completions += 1
        self.keep(completion)


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
