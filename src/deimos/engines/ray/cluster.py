"""Work spread over a Ray cluster: a pool of actors, each with an engine of its own.

Ray starts actors and places them, carries the calls, and reports which died. Which actor does what is
decided here and in ``ledger.py``: a bounded number of items in flight per actor, and those of a dead
actor go to others. Actors belong to the driver: when it ends, however it ends, Ray ends them. Ray is
imported here only, when a cluster is asked for. Not covered: what an actor does (an ``Opener`` is
passed in), files, and moving weights or environments to the nodes: every node has them already.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from deimos.engines.ray.ledger import ClusterError, Ledger, WorkItem
from deimos.models.ref import first_line
from deimos.recipe import RecipeError
from deimos.recipe.runtime import Cluster

OBJECT_STORE = 80 << 20
"""Bytes; next to Ray's least. Items and counts are small, tokens never pass through it."""
REACH_SECONDS = 20.0
"""For the cluster's head to take a connection."""
TICK = 1.0
"""Seconds between checks whether an actor has been placed."""
SAY_AFTER = 15.0
"""Seconds without a place for any actor until a warning says so."""
Work = Callable[[Any], Awaitable[Any]]
Opener = Callable[[], Work]
"""Runs in the actor, in a thread without an event loop; returns what processes the items, many at a
time in one loop. Pickled by name if it comes from an installed module."""
MISSING = (
    "runtime.cluster needs Ray, which this Python has not: pip install 'deimos-llm[ray]', "
    "or pip install -e '.[ray]' in a clone"
)
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def connect(cluster: Cluster) -> Iterator[Any]:
    """Ray, connected to the cluster; a connection that the caller has already is left as it is.

    Raises:
        RecipeError: Ray is not installed, or there is no such cluster.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing leaves the machine unasked
    # Of a cluster that is started here: else its actors wait for whatever else the machine does.
    os.environ.setdefault("RAY_worker_niceness", "0")
    # Tries of 40 s each at a cluster that is gone; Ray's own default is 20.
    os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "3")
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        import ray  # pyright: ignore[reportMissingImports]
    except ImportError as e:
        raise RecipeError(MISSING) from e
    if ray.is_initialized():
        yield ray
        return
    try:
        _reach(cluster.address)
        ray.init(cluster.address, logging_level=logging.WARNING, **_options(cluster))
    except (ImportError, OSError, RuntimeError, ValueError) as e:
        raise RecipeError(
            f"runtime.cluster.address = {cluster.address!r}: {first_line(e)} "
            "(start a cluster with `ray start --head`, or use local)"
        ) from e
    signal.signal(signal.SIGTERM, on_sigterm)  # Ray has put its own there
    try:
        _look_around(ray, cluster)
        yield ray
    finally:
        ray.shutdown()


def _look_around(ray: Any, cluster: Cluster) -> None:
    """Log which cluster it is (``auto`` takes any that runs here) and check that it has GPUs.

    Raises:
        RecipeError: a cluster made for this run lacks the GPUs that an actor asks for.
    """
    has = ray.cluster_resources()
    cpus, gpus = (f"{has.get(name, 0):g} {name}s" for name in ("CPU", "GPU"))
    if cluster.address != "local":
        nodes = sum(node["Alive"] for node in ray.nodes())
        address = ray.get_runtime_context().gcs_address
        _log.warning("Ray cluster at %s: %d nodes, %s, %s", address, nodes, cpus, gpus)
    elif cluster.gpus_per_actor > has.get("GPU", 0):
        raise RecipeError(
            f"runtime.cluster.gpus_per_actor = {cluster.gpus_per_actor:g}: this machine, which is "
            f"all that address local uses, has {gpus}"
        )


def _reach(address: str) -> None:
    """Raise at once if nothing listens there: Ray itself would try for a quarter of an hour."""
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", "auto")
    host, _, port = address.removeprefix("ray://").partition("/")[0].rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), REACH_SECONDS).close()


def _options(cluster: Cluster) -> dict[str, Any]:
    if cluster.address != "local":
        return {"log_to_driver": False}
    return {
        "num_cpus": max(1, math.ceil(cluster.actors * cluster.cpus_per_actor)),
        "object_store_memory": OBJECT_STORE,
        "include_dashboard": False,
        "log_to_driver": False,
    }


class Worker:
    """The actor: made at once, opened when asked, then any number of items at a time."""

    def __init__(self, opener: Opener, folder: str) -> None:
        self._opener = opener
        self._folder = folder
        self._work: Work | None = None

    async def placed(self) -> None:
        """Answers as soon as the actor has a place."""

    async def open(self) -> None:
        """Load what items need."""
        try:
            os.chdir(self._folder)
        except OSError as e:
            raise RecipeError(
                f"runtime.cluster: a node cannot enter {self._folder!r} ({e.strerror}): every node "
                "must see the driver's folder and the run's under the same paths"
            ) from e
        self._work = await asyncio.to_thread(self._opener)

    async def work(self, item: Any) -> Any:
        """Do one item."""
        assert self._work, "open() comes first"
        return await self._work(item)


class ActorPool:
    """Actors that process items; ``close`` ends them.

    Args:
        ray: see ``connect``.
        cluster: how many actors, and what each gets.
        opener: see ``Opener``.
        in_flight: items that an actor has at a time, at most.
    """

    def __init__(self, ray: Any, cluster: Cluster, opener: Opener, in_flight: int) -> None:
        self._ray = ray
        self._cluster = cluster
        self._opener = opener
        self._in_flight = in_flight
        self._ledger = Ledger(cluster.actors, in_flight)
        self._actors: dict[int, Any] = {}
        self._opening: dict[asyncio.Task[None], int] = {}
        self._running: dict[asyncio.Task[Any], tuple[int, WorkItem]] = {}
        self._placed: set[int] = set()
        self._unplaced_since = time.monotonic()
        self._said = False

    @property
    def lost(self) -> int:
        """Actors that died so far."""
        return self._ledger.lost

    async def results(
        self, items: AsyncIterator[Any], total: int | None = None, *, alone: bool = False
    ) -> AsyncIterator[tuple[Any, Any]]:
        """Process every item; yields each with its result, in order of finishing.

        Args:
            items: asked for one by one, when an actor has room.
            total: how many there are, if that is known: they are then spread evenly.
            alone: one actor processes all.

        Raises:
            ClusterError: actors die again and again without finishing anything, or find no place.
            ValueError, LookupError: of this package, raised in an actor: a mistake of the user's.
        """
        self._ledger.left, self._ledger.alone = total, alone
        for place in set(range(self._cluster.actors)) - {*self._actors}:
            self._start(place)
        source: asyncio.Task[Any] | None = None
        exhausted = False
        try:
            while not (exhausted and not self._ledger.busy):
                while (place := self._ledger.find_free()) is not None:
                    entry = self._ledger.take_returned()
                    if entry is None and not exhausted:
                        source = source or asyncio.ensure_future(_pull(items))
                        await asyncio.sleep(0)
                        if source.done():
                            exhausted = isinstance(item := source.result(), StopAsyncIteration)
                            entry, source = None if exhausted else WorkItem(item), None
                    if entry is None:
                        break
                    self._give(place, entry)
                for done in await self._next({source} if source else set()):
                    yield done
        finally:
            for task in (source, *self._running):
                if task:
                    task.cancel()
            self._running.clear()

    async def _next(self, also: set[asyncio.Task[Any]]) -> list[tuple[Any, Any]]:
        """Wait until something has happened; returns the items that were done with their results."""
        waiting: set[asyncio.Task[Any]] = {*self._running, *self._opening, *also}
        if not waiting:
            return []
        over, _ = await asyncio.wait(waiting, timeout=TICK, return_when=asyncio.FIRST_COMPLETED)
        self._look_for_places()
        results = []
        for task in over:
            if task in self._opening:
                self._on_open(task)
            elif task in self._running and (done := self._on_done(task)):
                results.append(done)
        return results

    def _start(self, place: int) -> None:
        cluster = self._cluster
        actor = (
            self._ray.remote(Worker)
            .options(
                num_cpus=cluster.cpus_per_actor,
                num_gpus=cluster.gpus_per_actor,
                max_restarts=0,  # we start another: Ray's would come up without an engine
                max_task_retries=0,
                max_concurrency=self._in_flight + 8,
                scheduling_strategy="SPREAD",
            )
            .remote(self._opener, str(Path.cwd()))
        )
        self._actors[place] = actor
        self._opening[asyncio.ensure_future(self._open(place, actor))] = place

    async def _open(self, place: int, actor: Any) -> None:
        await _answer(actor.placed.remote())
        self._placed.add(place)
        await _answer(actor.open.remote())

    def _on_open(self, task: asyncio.Task[None]) -> None:
        place = self._opening.pop(task)
        if error := task.exception():
            self._on_death(place, error)
        else:
            self._ledger.opened(place)

    def _give(self, place: int, entry: WorkItem) -> None:
        self._ledger.give(place, entry)
        call = _answer(self._actors[place].work.remote(entry.item))
        self._running[asyncio.ensure_future(call)] = place, entry

    def _on_done(self, task: asyncio.Task[Any]) -> tuple[Any, Any] | None:
        place, entry = self._running.pop(task)
        if error := task.exception():
            self._on_death(place, error)
            return None
        self._ledger.finished(place, entry)
        return entry.item, task.result()

    def _on_death(self, place: int, error: BaseException) -> None:
        """An actor died or raised: it is replaced, as its engine may no longer work."""
        cause = getattr(error, "cause", error)
        by_user = isinstance(cause, ValueError | LookupError)
        if by_user and type(cause).__module__.startswith("deimos."):
            raise cause
        for task in [task for task, (where, _) in self._running.items() if where == place]:
            del self._running[task]
            task.cancel()
        self._kill(place)
        because = f"{type(cause).__name__}: {first_line(cause)}"
        goes_on = self._ledger.died(place, because)
        after = "another takes up its work" if goes_on else "the others take up its work"
        _log.warning("an actor was lost (%s); %s", because, after)
        if goes_on:
            self._start(place)

    def _look_for_places(self) -> None:
        """Warn if no actor has a place, and give up if that lasts too long."""
        if self._placed:
            self._unplaced_since, self._said = time.monotonic(), False
            return
        c, waited = self._cluster, time.monotonic() - self._unplaced_since
        if waited <= c.patience and (self._said or waited < SAY_AFTER):
            return
        has = self._ray.cluster_resources()
        if c.address == "local" and not has.get("CPU"):
            raise ClusterError("the run's own Ray cluster has lost its node")
        short = (
            f"each asks for {c.cpus_per_actor:g} CPUs and {c.gpus_per_actor:g} GPUs, the cluster has "
            f"{has.get('CPU', 0):g} and {has.get('GPU', 0):g} in all"
        )
        if waited > c.patience:
            raise ClusterError(
                f"no actor found a place in the cluster for {c.patience:g} seconds: {short}"
            )
        self._said = True
        _log.warning(
            "no actor has a place in the cluster: %s; waiting, %g seconds at most",
            short,
            c.patience,
        )

    def _kill(self, place: int) -> None:
        self._placed.discard(place)
        if actor := self._actors.pop(place, None):
            with contextlib.suppress(Exception):  # dead already, or the whole cluster is
                self._ray.kill(actor)

    def close(self) -> None:
        """End the actors; what they have written stays."""
        for task in [*self._opening, *self._running]:
            task.cancel()
        for place in [*self._actors]:
            self._kill(place)


async def _answer(ref: Any) -> Any:
    """What a call returns, awaited in our own loop."""
    return await asyncio.wrap_future(ref.future())


async def _pull(items: AsyncIterator[Any]) -> Any:
    """The next item, or the StopAsyncIteration that says there is none."""
    try:
        return await anext(items)
    except StopAsyncIteration as end:
        return end
