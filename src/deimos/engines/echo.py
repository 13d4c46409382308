"""An engine without a model: says what a script says, a token a step. For tests, and a template.

It keeps the whole protocol (back-pressure, stop, cap, resuming, one ``Done`` a job) in little code,
so it is the file to copy when writing an engine of your own. Not covered: time (a step takes none).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from deimos.engines.base import Capabilities, Done, Job, Key, Progress
from deimos.models.ref import ModelRef
from deimos.recipe.runtime import Runtime
from deimos.registry import engine
from deimos.thinking import ThinkCounter

Script = Callable[[Job], Sequence[int]]
"""The whole completion of a job, end-of-turn token last if it has one."""


@dataclass
class _Row:
    job: Job
    script: tuple[int, ...]
    ids: list[int]
    counter: ThinkCounter
    cap: int | None
    started: float
    stopped: bool = False

    @property
    def outgrown(self) -> bool:
        """Whether it has to be stopped now."""
        return self.stopped or (self.cap is not None and self.counter.think_tokens > self.cap)


class EchoEngine:
    """Plays scripts, ``max_batch`` at a time, one token each a step."""

    name = "echo/1"
    capabilities = Capabilities(seeds=True, token_ids=True, resumes=True)

    def __init__(self, script: Script, *, max_batch: int = 8) -> None:
        """Play ``script(job)`` for every job."""
        self._script = script
        self._max_batch = max_batch
        self._rows: dict[Key, _Row] = {}
        self.steps = 0
        """Steps taken so far."""
        self.tokens = 0
        """Tokens said so far."""

    def stop(self, key: Key) -> None:
        """See ``Engine.stop``."""
        if key in self._rows:
            self._rows[key].stopped = True

    def cap(self, key: Key, think_tokens: int) -> None:
        """See ``Engine.cap``."""
        if (row := self._rows.get(key)) is not None:
            row.cap = think_tokens if row.cap is None else min(row.cap, think_tokens)

    async def sample(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Progress | Done]:
        """See ``Engine.sample``."""
        source = aiter(jobs)
        pending: asyncio.Task[Job] | None = None
        ended = False
        try:
            while True:
                while not ended and len(self._rows) < self._max_batch:
                    pending = pending or asyncio.ensure_future(_next(source))
                    if self._rows:
                        await asyncio.sleep(0)  # a feeder that has nothing yet holds nobody up
                        if not pending.done():
                            break
                    try:
                        self._admit(await pending)
                    except StopAsyncIteration:
                        ended = True
                    pending = None
                if ended and not self._rows:
                    return
                for event in self._step():
                    yield event
                await asyncio.sleep(0)
        finally:
            self._rows.clear()
            if pending is not None:
                pending.cancel()

    def _admit(self, job: Job) -> None:
        now = asyncio.get_running_loop().time()
        script = tuple(self._script(job))[: job.sampling.max_tokens]
        counter = ThinkCounter(job.think, job.done_ids)
        self._rows[job.key] = _Row(job, script, [*job.done_ids], counter, job.think_cap, now)

    def _step(self) -> list[Progress | Done]:
        self.steps += 1
        events: list[Progress | Done] = []
        for row in [*self._rows.values()]:
            if not row.outgrown and len(row.ids) < len(row.script):
                events += self._say(row)
            if len(row.ids) >= len(row.script):
                full = len(row.ids) >= row.job.sampling.max_tokens
                whole = len(row.ids) >= len(self._script(row.job))
                events.append(self._done(row, "length" if full and not whole else "stop"))
            elif row.outgrown:
                events.append(self._done(row, "stopped"))
        return events

    def _say(self, row: _Row) -> list[Progress | Done]:
        token = row.script[len(row.ids)]
        row.ids.append(token)
        self.tokens += 1
        was_closed = row.counter.closed
        row.counter.push(token)
        if row.counter.closed and not was_closed:
            return [Progress(row.job.key, len(row.ids), think_closed=True)]
        return []

    def _done(self, row: _Row, finish: str) -> Done:
        del self._rows[row.job.key]
        seconds = asyncio.get_running_loop().time() - row.started
        return Done(row.job.key, tuple(row.ids), finish, seconds)  # pyright: ignore[reportArgumentType]


async def _next(source: AsyncIterator[Job]) -> Job:
    """``anext`` as a coroutine, so that it can be a task."""
    return await anext(source)


@engine("echo")
def echo(ref: ModelRef, runtime: Runtime, length: int = 16) -> EchoEngine:
    """An engine that repeats the prompt's ids, ``length`` to twice as many, and never loads ``ref``.

    How many is drawn from the job's seed, prompt and index.
    """

    def script(job: Job) -> tuple[int, ...]:
        name = f"{job.seed}/{job.key.prompt_id}/{job.key.index}".encode()
        tokens = length + int.from_bytes(hashlib.sha256(name).digest()[:4], "big") % (length + 1)
        return tuple(job.prompt_ids[i % len(job.prompt_ids)] for i in range(tokens))

    return EchoEngine(script, max_batch=runtime.max_batch)
