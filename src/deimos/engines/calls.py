"""What engines share that decode for one ``sample`` call at a time.

``OneCall`` sends stops and caps to the call that is running. ``StreamTasks`` runs each job in a task
of its own, for engines whose tokens come from another process. Not covered: feeding jobs.
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from deimos.engines.base import Event, Job, Key
from deimos.engines.stream_state import StreamState

R = TypeVar("R", bound=StreamState)


class StreamTasks(abc.ABC, Generic[R]):
    """The jobs of one ``sample`` call, each a task; everything here runs on one event loop."""

    def __init__(self) -> None:
        self.rows: dict[Key, R] = {}
        self._decoding: dict[Key, asyncio.Task[tuple[str, str]]] = {}

    @abc.abstractmethod
    async def decode(self, row: R) -> tuple[str, str]:
        """Decode a row to its end: its finish and error. Cancelled: the row was stopped."""

    @abc.abstractmethod
    def send(self, event: Event) -> None:
        """Hand an event to the caller of ``sample``."""

    @abc.abstractmethod
    def fail(self, failure: BaseException) -> None:
        """End the whole call: decoding raised this."""

    @abc.abstractmethod
    def now(self) -> float:
        """The event loop's time."""

    def on_end(self, row: R, finish: str) -> None:
        """Called after a row has ended."""

    def start(self, row: R) -> None:
        """Begin to decode a row."""
        self.rows[row.job.key] = row
        task = self._decoding[row.job.key] = asyncio.create_task(self.decode(row))
        task.add_done_callback(lambda task: self._end(row, task))

    def stop(self, key: Key) -> None:
        """End a row, and with it its request."""
        if (task := self._decoding.get(key)) is not None:
            task.cancel()

    def cap(self, key: Key, think_tokens: int) -> None:
        """Lower a row's think cap, and stop it if its thought is longer already."""
        if (row := self.rows.get(key)) is not None:
            row.lower(think_tokens)
            if row.over_cap:
                self.stop(key)

    def send_checkpoint(self) -> None:
        """Send every row's ids so far, for a caller that is interrupted."""
        for row in self.rows.values():
            if (event := row.progress(checkpoint=True)) is not None:
                self.send(event)

    async def cancel(self, *others: asyncio.Task[Any]) -> None:
        """End every row without an event, and other tasks with them."""
        tasks = [*self._decoding.values(), *others]
        self.rows.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _end(self, row: R, task: asyncio.Task[tuple[str, str]]) -> None:
        """Send a row's end, however its task came to it."""
        key = row.job.key
        if self._decoding.get(key) is task:
            del self._decoding[key]
        if self.rows.get(key) is not row:
            return  # the call is being closed
        finish, error = "stopped", ""
        if not task.cancelled():
            if (failure := task.exception()) is not None:
                self.fail(failure)
                return
            finish, error = task.result()
        del self.rows[key]
        for event in row.last_events(finish, error, self.now()):
            self.send(event)
        self.on_end(row, finish)


class Stoppable(Protocol):
    """What decodes for one ``sample`` call."""

    def stop(self, key: Key) -> None:
        """End a row."""
        ...

    def cap(self, key: Key, think_tokens: int) -> None:
        """Lower a row's think cap."""
        ...


C = TypeVar("C", bound=Stoppable)


class OneCall(Generic[C]):
    """``stop`` and ``cap`` of an engine that decodes for one ``sample`` call at a time."""

    name: str
    _call: C | None = None

    def stop(self, key: Key) -> None:
        """See ``Engine.stop``."""
        if self._call is not None:
            self._call.stop(key)

    def cap(self, key: Key, think_tokens: int) -> None:
        """See ``Engine.cap``."""
        if self._call is not None:
            self._call.cap(key, think_tokens)

    @contextlib.contextmanager
    def only_call(self, make: Callable[[], C]) -> Iterator[C]:
        """Make what decodes for a ``sample`` call, and send stops and caps to it meanwhile.

        Raises:
            RuntimeError: another ``sample`` of this engine has not ended.
        """
        if self._call is not None:
            raise RuntimeError(f"engine {self.name} is already sampling: one sample() at a time")
        self._call = call = make()
        try:
            yield call
        finally:
            self._call = None


async def pull(jobs: AsyncIterator[Job]) -> Job:
    """``anext`` as a coroutine, so that it can be a task."""
    return await anext(jobs)
