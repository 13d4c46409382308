"""An engine whose jobs are decoded by a pool of actors, each job by whichever has room.

For completions that are decoded to their end (the benchmark's): a stop or a cap would come too late
to save anything, so both are refused; a race runs inside one actor (``sample/ray.py``). An actor
answers once for each job, so no tokens are streamed. Several models may share one pool: an actor
opens an engine when the first job for it comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import NamedTuple, NoReturn, TypeVar

from deimos.engines.base import Capabilities, Done, Engine, Job, Key
from deimos.engines.multiplex import Shared
from deimos.engines.ray.cluster import ActorPool

T = TypeVar("T")


class ActorRequest(NamedTuple):
    """A request to an actor: one job, or a question about its engine."""

    model: str
    job: Job | None
    """None: asks for the engine's name and capabilities."""

    def __str__(self) -> str:
        return f"{self.model}: " + (f"prompt {self.job.key.prompt_id}" if self.job else "opening")


class ActorEngines:
    """What an actor runs: jobs of several models.

    Args:
        factories: by model, what loads its engine.
        together: keep the engines of several models loaded; else opening one closes the one before.
    """

    def __init__(self, factories: Mapping[str, Callable[[], Engine]], *, together: bool) -> None:
        self._factories = factories
        self._together = together
        self._open: dict[str, Shared] = {}
        self._opening = asyncio.Lock()

    async def __call__(self, request: ActorRequest) -> Done | tuple[str, Capabilities]:
        """The job's end; without a job, the engine's name and capabilities."""
        engine = await self._engine(request.model)
        if request.job is None:
            return engine.name, engine.capabilities
        events = engine.sample(_one(request.job))
        ends = [event async for event in events if isinstance(event, Done)]
        if not ends:
            raise RuntimeError(f"engine {engine.name} ended without finishing a job")
        return ends[0]

    async def _engine(self, model: str) -> Shared:
        async with self._opening:
            if model not in self._open:
                if not self._together:
                    self._open.clear()
                self._open[model] = Shared(await asyncio.to_thread(self._factories[model]))
            return self._open[model]


class ClusterEngine:
    """An ``Engine`` over a pool of ``ActorEngines``; its name is known once it has been sampled from.

    Args:
        pool: its actors; one caller at a time.
        model: which of their models decodes.
        alone: one actor decodes everything, for timing.
    """

    def __init__(self, pool: ActorPool, model: str, *, alone: bool = False) -> None:
        self.name = "cluster"
        self.capabilities = Capabilities(seeds=False, token_ids=False, resumes=False)
        self._pool = pool
        self._model = model
        self._alone = alone

    async def sample(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Done]:
        """See ``Engine.sample``."""
        asked = _one(ActorRequest(self._model, None))
        async for _, about in self._pool.results(asked, total=1, alone=self._alone):
            self.name = about[0]
            self.capabilities = replace(about[1], streams=False)  # an actor answers once a job
        requests = (ActorRequest(self._model, job) async for job in jobs)
        async for _, done in self._pool.results(requests, alone=self._alone):
            yield done

    def stop(self, key: Key) -> NoReturn:
        """Refused."""
        raise NotImplementedError("what actors decode cannot be stopped from outside")

    def cap(self, key: Key, think_tokens: int) -> NoReturn:
        """Refused."""
        raise NotImplementedError("what actors decode cannot be capped from outside")


async def _one(item: T) -> AsyncIterator[T]:
    yield item
