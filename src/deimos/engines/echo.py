"""An engine without a model: plays a script, by default the prompt's own ids repeated. For tests, and a template.

It keeps the whole protocol (back-pressure, stop, cap, resuming, streaming, one ``Done`` a job) in
little code, so it is the file to copy when writing an engine of your own. Not covered: time (a step
takes none).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence

from deimos.engines.base import Capabilities, Event, Job, Key
from deimos.engines.calls import pull
from deimos.engines.stream_state import StreamState
from deimos.models.ref import ModelRef
from deimos.recipe.runtime import Runtime
from deimos.registry import engine

Script = Callable[[Job], Sequence[int]]
"""The whole completion of a job, end-of-turn token last if it has one."""


class _ScriptRow(StreamState):
    """A job that plays its script."""

    def __init__(self, job: Job, script: Sequence[int], now: float) -> None:
        super().__init__(job, (), now)
        self.whole = len(script) <= job.sampling.max_tokens
        self.script = tuple(script)[: job.sampling.max_tokens]
        self.stopped = False

    @property
    def resumable(self) -> bool:
        """Always: a script has no penalties."""
        return True

    @property
    def finish(self) -> str:
        """How it has ended; empty: it has not."""
        if len(self.ids) >= len(self.script):
            return "stop" if self.whole else "length"
        return "stopped" if self.stopped or self.over_cap else ""


class EchoEngine:
    """Plays scripts, ``max_batch`` at a time, one token each a step."""

    name = "echo/1"
    capabilities = Capabilities(seeds=True, token_ids=True, resumes=True, streams=True)

    def __init__(self, script: Script, *, max_batch: int = 8) -> None:
        """Play ``script(job)`` for every job."""
        self._script = script
        self._max_batch = max_batch
        self._rows: dict[Key, _ScriptRow] = {}
        self.steps = 0
        """Steps taken so far."""
        self.tokens = 0
        """Tokens played so far."""

    def stop(self, key: Key) -> None:
        """See ``Engine.stop``."""
        if key in self._rows:
            self._rows[key].stopped = True

    def cap(self, key: Key, think_tokens: int) -> None:
        """See ``Engine.cap``."""
        if key in self._rows:
            self._rows[key].lower(think_tokens)

    async def sample(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Event]:
        """See ``Engine.sample``."""
        source = aiter(jobs)
        pending: asyncio.Task[Job] | None = None
        ended = False
        try:
            while True:
                while not ended and len(self._rows) < self._max_batch:
                    pending = pending or asyncio.ensure_future(pull(source))
                    if self._rows:
                        await asyncio.sleep(0)  # do not wait for a feeder that has nothing yet
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
        self._rows[job.key] = _ScriptRow(job, self._script(job), now)

    def _step(self) -> list[Event]:
        self.steps += 1
        events: list[Event] = []
        for row in [*self._rows.values()]:
            if not row.finish:
                row.push([row.script[len(row.ids)]])
                self.tokens += 1
                events += row.events()
            if row.finish:
                del self._rows[row.job.key]
                events += row.last_events(row.finish, "", asyncio.get_running_loop().time())
        return events


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
