"""One job at a time of an engine, for many callers: each awaits the end of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Self

from deimos.engines.base import Done, Engine, Job, Key
from deimos.engines.collect import RETRIES


class EngineStopped(RuntimeError):
    """The engine ended without finishing what it was given; what was decoded is kept."""


class JobQueue:
    """An engine's one ``sample`` call, fed by callers who each wait for their job's end.

    Args:
        engine: must go on decoding while it waits for its next job.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: asyncio.Queue[Job | None] = asyncio.Queue()
        self._ends: dict[Key, asyncio.Future[Done]] = {}
        self._failure: BaseException | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, at: object) -> None:
        if error is None:
            self._waiting.put_nowait(None)
        else:
            self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def decode(self, job: Job) -> Done:
        """A job's end; an engine's error is tried again as often as elsewhere.

        Args:
            job: no other with its key may be under way.

        Raises:
            EngineStopped: the engine ended before it, or has failed.
        """
        for _ in range(RETRIES.decodings - 1):
            done = await self._decode_once(job)
            if done.finish != "error":
                return done
        return await self._decode_once(job)

    async def _decode_once(self, job: Job) -> Done:
        if self._failure is not None:
            raise self._failure
        end = self._ends[job.key] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait(job)
        return await end

    async def _feed(self) -> AsyncIterator[Job]:
        while (job := await self._waiting.get()) is not None:
            yield job

    async def _run(self) -> None:
        events = self._engine.sample(self._feed())
        failure: BaseException = EngineStopped(
            f"engine {self._engine.name} ended before its jobs did"
        )
        try:
            async for event in events:
                if isinstance(event, Done):
                    self._ends.pop(event.key).set_result(event)
        except Exception as e:
            failure = e
        finally:
            if close := getattr(events, "aclose", None):
                await close()
            self._failure = failure
            for end in self._ends.values():
                if not end.done():
                    end.set_exception(failure)
