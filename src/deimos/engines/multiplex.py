"""One engine for several callers of ``sample`` at once: all their jobs decode in one batch.

An engine takes one stream of jobs; races that begin and end at different times are many streams.
They are fed to the engine oldest first, and each caller gets the events of its own jobs, so a caller
need not know that there are others. Keys must differ between callers.
Not covered: priorities, fairness (a young stream waits while older ones have jobs).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

from deimos.engines.base import Done, Engine, Event, Job, Key, lower_cap
from deimos.engines.calls import pull

AT_ONCE = -1
"""A think cap that every thought exceeds: what ``stop`` means for a job that the engine does not have yet."""


@dataclass(eq=False)
class _Stream:
    """One call of ``sample``."""

    jobs: AsyncIterator[Job]
    pull: asyncio.Task[Job] | None = None
    """The next job; done and still here: the engine has had no place for it yet."""
    exhausted: bool = False
    """Whether ``jobs`` has ended."""
    keys: set[Key] = field(default_factory=set)
    """What the engine has been given and has not finished."""
    events: asyncio.Queue[Event | BaseException | None] = field(default_factory=asyncio.Queue)
    """None: the end."""

    def holds(self, key: Key) -> bool:
        """Whether this job was pulled and the engine does not have it yet."""
        pull = self.pull
        if pull is None or not pull.done() or pull.cancelled() or pull.exception():
            return False
        return pull.result().key == key

    def end_if_over(self) -> None:
        if self.exhausted and not self.keys:
            self.events.put_nowait(None)


class Shared:
    """An ``Engine`` that may be sampled from by many at once; of one event loop.

    Args:
        engine: what decodes; sampled from only here.
        on_done: called with the key of each job that has ended, before its caller can read its ``Done``.
    """

    def __init__(self, engine: Engine, on_done: Callable[[Key], None] | None = None) -> None:
        self.name = engine.name
        self.capabilities = engine.capabilities
        self._engine = engine
        self._on_done = on_done
        self._streams: list[_Stream] = []
        self._owners: dict[Key, _Stream] = {}
        self._early: dict[Key, int] = {}
        """Caps of jobs that were pulled and that the engine does not have yet."""
        self._runner: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        """Set when a stream has come or gone."""

    def stop(self, key: Key) -> None:
        """See ``Engine.stop``."""
        if key in self._owners:
            self._engine.stop(key)
        else:
            self._cap_early(key, AT_ONCE)

    def cap(self, key: Key, think_tokens: int) -> None:
        """See ``Engine.cap``."""
        if key in self._owners:
            self._engine.cap(key, think_tokens)
        else:
            self._cap_early(key, think_tokens)

    async def sample(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Event]:
        """See ``Engine.sample``; what the engine raises, every caller gets."""
        stream = _Stream(aiter(jobs))
        self._streams.append(stream)
        self._changed.set()
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())
        try:
            while (event := await stream.events.get()) is not None:
                if isinstance(event, BaseException):
                    raise event
                yield event
        finally:
            self._leave(stream)

    async def settle(self) -> None:
        """Wait until the engine has been left: nobody samples from it any more, and it may be used again.

        The last caller has its last event a moment before that.
        """
        if self._runner is not None:
            await asyncio.wait({self._runner})

    def _cap_early(self, key: Key, think_tokens: int) -> None:
        """Keep a cap for a job that the engine does not have yet; keys that are done are ignored."""
        if any(stream.holds(key) for stream in self._streams):
            self._early[key] = lower_cap(self._early.get(key), think_tokens)

    def _leave(self, stream: _Stream) -> None:
        """Its caller has gone: stop what still runs for it."""
        self._streams.remove(stream)
        self._changed.set()
        if stream.pull:
            stream.pull.cancel()
        for key in stream.keys:
            self._engine.stop(key)

    async def _run(self) -> None:
        """Decode as long as there are streams."""
        try:
            while self._streams:
                async for event in self._engine.sample(self._feed()):
                    self._send(event)
                for key, stream in [*self._owners.items()]:  # the engine ended without their Done
                    self._forget(key, stream)
        except Exception as e:
            for stream in self._streams:
                stream.events.put_nowait(e)
            self._owners.clear()
        finally:
            self._runner = None

    def _send(self, event: Event) -> None:
        stream = self._owners[event.key]
        stream.events.put_nowait(event)
        if isinstance(event, Done):
            if self._on_done:
                self._on_done(event.key)
            self._forget(event.key, stream)

    def _forget(self, key: Key, stream: _Stream) -> None:
        del self._owners[key]
        stream.keys.discard(key)
        stream.end_if_over()

    async def _feed(self) -> AsyncIterator[Job]:
        while self._streams:
            self._changed.clear()
            if (job := await self._next()) is not None:
                yield job
                continue
            pulls = {s.pull for s in self._streams if s.pull}
            changed = asyncio.ensure_future(self._changed.wait())
            await asyncio.wait({*pulls, changed}, return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()

    async def _next(self) -> Job | None:
        """A job of the oldest stream that has one ready."""
        for stream in [*self._streams]:
            if stream.exhausted:
                continue
            if stream.pull is None:
                stream.pull = asyncio.ensure_future(pull(stream.jobs))
                await asyncio.sleep(0)
            ready = stream.pull is not None and stream.pull.done()
            if ready and (job := self._take(stream)) is not None:
                return job
        return None

    def _take(self, stream: _Stream) -> Job | None:
        """Take the job that has been pulled; None if the stream has ended."""
        assert stream.pull is not None
        pull, stream.pull = stream.pull, None
        if pull.cancelled() or stream not in self._streams:
            return None
        try:
            job = pull.result()
        except StopAsyncIteration:
            stream.exhausted = True
            stream.end_if_over()
            return None
        except Exception as e:  # the caller's own feed failed
            stream.exhausted = True
            stream.events.put_nowait(e)
            return None
        self._owners[job.key] = stream
        stream.keys.add(job.key)
        cap = self._early.pop(job.key, None)
        if cap is not None:
            job = replace(job, think_cap=lower_cap(job.think_cap, cap))
        return job
