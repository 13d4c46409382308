"""One engine for several callers of ``sample`` at once: all their jobs decode in one batch.

An engine takes one stream of jobs; races that begin and end at different times are many streams.
Here they are fed to the engine oldest first, and each caller hears of its own jobs alone, so a
caller need not know that it isn't the only one. Keys must differ between callers.
Not covered: priorities, fairness (a young stream waits while older ones have jobs).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from deimos.engines.base import Done, Engine, Job, Key, Progress

AT_ONCE = -1
"""A think cap that every thought exceeds: what ``stop`` means for a job that the engine has not got."""


@dataclass(eq=False)
class _Stream:
    """One call of ``sample``."""

    jobs: AsyncIterator[Job]
    pull: asyncio.Task[Job] | None = None
    """The next job on its way; done and still here: the engine has had no place for it yet."""
    dry: bool = False
    keys: set[Key] = field(default_factory=set)
    """What the engine has been given and has not finished."""
    events: asyncio.Queue[Progress | Done | BaseException | None] = field(
        default_factory=asyncio.Queue
    )
    """None: the end."""

    def holds(self, key: Key) -> bool:
        """Whether this job was pulled and not handed on."""
        pull = self.pull
        if pull is None or not pull.done() or pull.cancelled() or pull.exception():
            return False
        return pull.result().key == key

    def end_if_over(self) -> None:
        if self.dry and not self.keys:
            self.events.put_nowait(None)


class Shared:
    """An ``Engine`` that may be sampled from by many at once; of one event loop.

    Args:
        engine: what decodes; nobody else samples from it meanwhile.
    """

    def __init__(self, engine: Engine) -> None:
        self.name = engine.name
        self.capabilities = engine.capabilities
        self._engine = engine
        self._streams: list[_Stream] = []
        self._owners: dict[Key, _Stream] = {}
        self._early: dict[Key, int] = {}
        """Caps of jobs that were pulled and have not been handed on."""
        self._pump: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        """A stream came or went."""

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

    async def sample(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Progress | Done]:
        """See ``Engine.sample``; what the engine raises, every caller gets."""
        stream = _Stream(aiter(jobs))
        self._streams.append(stream)
        self._news.set()
        if self._pump is None:
            self._pump = asyncio.create_task(self._run())
        try:
            while (event := await stream.events.get()) is not None:
                if isinstance(event, BaseException):
                    raise event
                yield event
        finally:
            self._leave(stream)

    def _cap_early(self, key: Key, think_tokens: int) -> None:
        """Note a cap where the job waits to be handed on; keys that are over are ignored."""
        if any(stream.holds(key) for stream in self._streams):
            self._early[key] = min(think_tokens, self._early.get(key, think_tokens))

    def _leave(self, stream: _Stream) -> None:
        """Its caller listens no more: what still runs for it gives its place back."""
        self._streams.remove(stream)
        self._news.set()
        if stream.pull:
            stream.pull.cancel()
        for key in stream.keys:
            self._engine.stop(key)

    async def _run(self) -> None:
        """Decode for as long as there is anybody to decode for."""
        try:
            while self._streams:
                async for event in self._engine.sample(self._feed()):
                    self._tell(event)
                for key, stream in [*self._owners.items()]:  # the engine forgot them
                    self._forget(key, stream)
        except Exception as e:
            for stream in self._streams:
                stream.events.put_nowait(e)
            self._owners.clear()
        finally:
            self._pump = None

    def _tell(self, event: Progress | Done) -> None:
        stream = self._owners[event.key]
        stream.events.put_nowait(event)
        if isinstance(event, Done):
            self._forget(event.key, stream)

    def _forget(self, key: Key, stream: _Stream) -> None:
        del self._owners[key]
        stream.keys.discard(key)
        stream.end_if_over()

    async def _feed(self) -> AsyncIterator[Job]:
        while self._streams:
            self._news.clear()
            if (job := await self._next()) is not None:
                yield job
                continue
            pulls = {s.pull for s in self._streams if s.pull}
            news = asyncio.ensure_future(self._news.wait())
            await asyncio.wait({*pulls, news}, return_when=asyncio.FIRST_COMPLETED)
            news.cancel()

    async def _next(self) -> Job | None:
        """A job of the oldest stream that has one ready."""
        for stream in [*self._streams]:
            if stream.dry:
                continue
            if stream.pull is None:
                stream.pull = asyncio.ensure_future(_pulled(stream.jobs))
                await asyncio.sleep(0)
            ready = stream.pull is not None and stream.pull.done()
            if ready and (job := self._taken(stream)) is not None:
                return job
        return None

    def _taken(self, stream: _Stream) -> Job | None:
        """The job that has been pulled; None where the stream has ended."""
        assert stream.pull is not None
        pull, stream.pull = stream.pull, None
        if pull.cancelled() or stream not in self._streams:
            return None
        try:
            job = pull.result()
        except StopAsyncIteration:
            stream.dry = True
            stream.end_if_over()
            return None
        except Exception as e:  # the caller's own feed failed
            stream.dry = True
            stream.events.put_nowait(e)
            return None
        self._owners[job.key] = stream
        stream.keys.add(job.key)
        cap = self._early.pop(job.key, None)
        if cap is not None:
            job = replace(job, think_cap=cap if job.think_cap is None else min(cap, job.think_cap))
        return job


async def _pulled(jobs: AsyncIterator[Job]) -> Job:
    """``anext`` as a coroutine, so that it can be a task."""
    return await anext(jobs)
