"""An engine whose jobs are decoded by a pool of actors, each job by whichever has room.

For completions that are decoded to their end (the benchmark's): a stop or a cap would come too late
to save anything, so both are refused; a race runs inside one actor (``sample/cluster.py``).
Several models may share one pool: an actor opens an engine when the first job for it comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import NamedTuple, NoReturn, TypeVar

from deimos.engines.base import Capabilities, Done, Engine, Job, Key
from deimos.engines.multiplex import Shared
from deimos.engines.ray.cluster import Pool

T = TypeVar("T")


class Errand(NamedTuple):
    """What an actor is asked."""

    model: str
    job: Job | None
    """None: what the engine is called, and what it can."""

    def __str__(self) -> str:
        return f"{self.model}: " + (f"prompt {self.job.key.prompt_id}" if self.job else "opening")


class Engines:
    """What an actor does: jobs of any of some models.

    Args:
        factories: model to what loads its engine.
        together: keep engines of several models loaded at a time; else the one before goes.
    """

    def __init__(self, factories: Mapping[str, Callable[[], Engine]], *, together: bool) -> None:
        self._factories = factories
        self._together = together
        self._open: dict[str, Shared] = {}
        self._opening = asyncio.Lock()

    async def __call__(self, errand: Errand) -> Done | tuple[str, Capabilities]:
        """The job's end; without a job, the engine's name and capabilities."""
        engine = await self._engine(errand.model)
        if errand.job is None:
            return engine.name, engine.capabilities
        events = engine.sample(_one(errand.job))
        ends = [event async for event in events if isinstance(event, Done)]
        if not ends:
            raise RuntimeError(f"engine {engine.name} left a job unfinished")
        return ends[0]

    async def _engine(self, model: str) -> Shared:
        async with self._opening:
            if model not in self._open:
                if not self._together:
                    self._open.clear()
                self._open[model] = Shared(await asyncio.to_thread(self._factories[model]))
            return self._open[model]


class ClusterEngine:
    """An ``Engine`` over a pool of ``Engines``; its name is known once it has been sampled from.

    Args:
        pool: one caller at a time.
        model: which one.
        alone: one actor decodes everything, as timing wants it.
    """

    def __init__(self, pool: Pool, model: str, *, alone: bool = False) -> None:
        self.name = "cluster"
        self.capabilities = Capabilities(seeds=False, token_ids=False, resumes=False)
        self._pool = pool
        self._model = model
        self._alone = alone

    async def sample(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Done]:
        """See ``Engine.sample``."""
        asked = _one(Errand(self._model, None))
        async for _, about in self._pool.results(asked, total=1, alone=self._alone):
            self.name, self.capabilities = about
        errands = (Errand(self._model, job) async for job in jobs)
        async for _, done in self._pool.results(errands, alone=self._alone):
            yield done

    def stop(self, key: Key) -> NoReturn:
        """Refused."""
        raise NotImplementedError("what actors decode cannot be stopped from outside")

    def cap(self, key: Key, think_tokens: int) -> NoReturn:
        """Refused."""
        raise NotImplementedError("what actors decode cannot be capped from outside")


async def _one(item: T) -> AsyncIterator[T]:
    yield item
