"""One ``sample`` call over servers: feeding jobs, decoding them, and watching the clock.

Each job is a task that asks servers until its completion is whole; a stop or a cap ends the task, and
with it the stream. One watcher ends overdue requests, probes lost and new servers, sends checkpoints,
and gives up when no token has come for too long.
Not covered: what a server is (probe.py), and which one is next (servers.py).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Protocol

import httpx2

from deimos.engines.base import Capabilities, Event, Job
from deimos.engines.calls import StreamTasks
from deimos.engines.openai.options import Options
from deimos.engines.openai.probe import check_tag
from deimos.engines.openai.rows import RequestRow
from deimos.engines.openai.servers import Card, Look, ModelServer, ServerPool, ServersLost
from deimos.engines.openai.stream import Chunk, Fault, draw_wait, stream_completion
from deimos.recipe import RecipeError

TICK = 0.25
"""Seconds between looks at deadlines, at most."""


class Owner(Protocol):
    """What a call needs of its engine."""

    pool: ServerPool
    options: Options
    capabilities: Capabilities
    tokenizer: Any
    eos_ids: frozenset[int]

    def new_row(self, job: Job) -> RequestRow:
        """The state of a job."""
        ...

    def body(self, row: RequestRow, card: Card) -> dict[str, Any]:
        """The request for what a row still lacks."""
        ...


class ServerCall(StreamTasks[RequestRow]):
    """One ``sample`` call: its rows, and the tasks that feed, decode and watch.

    Args:
        owner: the engine.
        client: sends every request; its maker closes it.
        look: probes a server.
    """

    def __init__(self, owner: Owner, client: httpx2.AsyncClient, look: Look) -> None:
        super().__init__()
        self._engine = owner
        self._pool = owner.pool
        self._options = owner.options
        self._client = client
        self._look = look
        self._events: deque[Event] = deque()
        self._changed = asyncio.Event()
        """Set if there is an event, a failure or an end of a task to look at."""
        self._failure: BaseException | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._looking: set[asyncio.Task[None]] = set()
        self._heard = self._checkpoint = self._reread = self.now()
        self._warned = False
        """Whether a warning has said that no server is left."""

    def now(self) -> float:
        """The event loop's time."""
        return asyncio.get_running_loop().time()

    def send(self, event: Event) -> None:
        """Hand an event to the caller of ``sample``."""
        self._events.append(event)
        self._changed.set()

    def fail(self, failure: BaseException) -> None:
        """End the whole call."""
        self._failure = self._failure or failure
        self._changed.set()

    def on_end(self, row: RequestRow, finish: str) -> None:
        """A place may be free."""
        self._pool.notify()

    async def events(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Event]:
        """What ``Engine.sample`` yields."""
        feeder = asyncio.create_task(self._feed(jobs))
        watcher = asyncio.create_task(self._watch())
        self._tasks = [feeder, watcher]
        for task in self._tasks:
            task.add_done_callback(lambda _: self._changed.set())
        while True:
            self._changed.clear()
            while self._events:
                yield self._events.popleft()
            if self._failure is not None:
                raise self._failure
            if watcher.done():
                watcher.result()
            if feeder.done():
                feeder.result()
                if not self.rows and not self._events:
                    return
            if not self._events:
                await self._changed.wait()

    async def close(self) -> None:
        """End every task, and with them every stream."""
        await self.cancel(*self._tasks, *self._looking)

    async def _feed(self, jobs: AsyncIterator[Job]) -> None:
        """Pull jobs while there are places for them, until there are no more."""
        source = aiter(jobs)
        while True:
            while len(self.rows) >= self._pool.places:
                await self._pool.wait_for_change()
            try:
                job = await anext(source)
            except StopAsyncIteration:
                return
            if not self.rows:
                self._heard = self.now()
            self.start(self._engine.new_row(job))

    async def decode(self, row: RequestRow) -> tuple[str, str]:
        """A row's finish and error, after as many requests as it takes."""
        if not row.job.prompt_ids:
            return "error", "the prompt has no tokens"
        while True:
            if row.ended or row.over_cap:
                return row.ended or "stopped", ""
            row.server = server = await self._pool.take_place()
            try:
                return await self._ask(row, server) or "stopped", ""
            except Fault as fault:
                self._pool.note_failure(server, fault)
                if not self._may_retry(row, fault):
                    return "error", f"{server.url} {fault}"
            finally:
                row.server = row.heard = None
                self._pool.release(server)
            await asyncio.sleep(
                draw_wait(row.attempts, self._options.backoff, self._options.backoff_max)
            )
            row.attempts += 1

    def _may_retry(self, row: RequestRow, fault: Fault) -> bool:
        """Make a row ready for its next request; whether it may have one."""
        row.failures += fault.reached and fault.kind == "server"
        may = row.restart() and row.failures <= self._options.retries
        return may and fault.kind != "request"

    async def _ask(self, row: RequestRow, server: ModelServer) -> str | None:
        """Send a row's request; returns its finish, or None if the row is over its cap."""
        card = server.card
        assert card is not None
        self._check_length(row.job, card)
        body = self._engine.body(row, card)
        row.asked = self.now()
        try:
            async with asyncio.timeout(None) as row.deadline:
                await self._check_tags(row, server, body)
                return await stream_completion(
                    self._client,
                    f"{server.url}/completions",
                    body,
                    lambda chunk: self._take(row, server, chunk),
                )
        except TimeoutError as e:
            raise Fault("server", "has sent nothing for too long") from e
        finally:
            row.deadline = None

    def _check_length(self, job: Job, card: Card) -> None:
        length = card.max_model_len
        if length is None or len(job.prompt_ids) + job.sampling.max_tokens <= length:
            return
        if job.sampling.max_tokens >= length:
            raise RecipeError(
                f"max_tokens = {job.sampling.max_tokens}: the server holds {length} tokens, prompt "
                "included: start it with a greater --max-model-len, or lower max_tokens"
            )
        message = f"holds {length} tokens: prompt ({len(job.prompt_ids)}) and max_tokens ({job.sampling.max_tokens}) are more"
        raise Fault("request", message)

    async def _check_tags(self, row: RequestRow, server: ModelServer, body: dict[str, Any]) -> None:
        """If only text comes, check once that the closing tag comes in it."""
        ids = row.job.think.close_ids
        if self._engine.capabilities.token_ids or server.tags_known or len(ids) != 1:
            return
        tag = self._engine.tokenizer.decode(list(ids), skip_special_tokens=False)
        await check_tag(self._client, server.url, body, ids[0], tag)
        server.tags_known = True

    def _take(self, row: RequestRow, server: ModelServer, chunk: Chunk) -> bool:
        """Take in a chunk; returns whether the stream continues."""
        before = len(row.ids)
        row.take(chunk)
        if chunk.finish:
            row.finished(chunk.finish, chunk.matched, self._end_id())
        row.heard = self._heard = self.now()
        self._pool.note_token(server, whole=bool(chunk.finish))
        if len(row.ids) > before and row.resumable:
            row.failures = row.attempts = 0
        for event in row.events():
            self.send(event)
        return bool(chunk.finish) or not row.over_cap

    def _end_id(self) -> int | None:
        """A token that ends a turn, for servers that do not send theirs."""
        own = self._engine.tokenizer.eos_token_id
        return own if own in self._engine.eos_ids else min(self._engine.eos_ids, default=None)

    async def _watch(self) -> None:
        """Every ``TICK``: deadlines, checkpoints, lost and new servers, and when to give up."""
        o = self._options
        shortest = min(o.timeout, o.stall, o.patience, o.checkpoint_seconds, o.probe_every)
        while True:
            await asyncio.sleep(min(TICK, shortest / 2))
            now = self.now()
            for row in self.rows.values():
                self._end_overdue(row, now)
            if now - self._checkpoint >= o.checkpoint_seconds:
                self._checkpoint = now
                self.send_checkpoint()
            if now - self._reread >= o.probe_every:
                self._reread = now
                self._pool.reread()
            self._probe_servers()
            if not self._pool.places and not self._warned:
                self._pool.warn_waiting("since")
            self._warned = not self._pool.places
            if self.rows or not self._pool.places:
                self._give_up_if_hopeless(now)
            else:
                self._heard = now  # no row waits for a token

    def _end_overdue(self, row: RequestRow, now: float) -> None:
        """End a request whose next token is overdue."""
        if row.server is None or row.deadline is None or row.deadline.expired():
            return
        if row.heard is None:  # it may be queued as long as the server sends tokens to others
            overdue = now - max(row.asked, row.server.heard) > self._options.timeout
        else:
            overdue = now - row.heard > self._options.stall
        if overdue:
            row.deadline.reschedule(now)

    def _probe_servers(self) -> None:
        """Probe new and lost servers, all at once and beside decoding."""
        for server in self._pool.servers.values():
            if server.looking or server.state not in ("new", "down", "unfit"):
                continue
            server.looking = True
            task = asyncio.create_task(self._pool.look_at(server, self._look))
            self._looking.add(task)
            task.add_done_callback(lambda t, server=server: self._end_look(t, server))

    def _end_look(self, task: asyncio.Task[None], server: ModelServer) -> None:
        server.looking = False
        self._looking.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self.fail(failure)

    def _give_up_if_hopeless(self, now: float) -> None:
        """Give up if nothing has come for too long, or if no server will do."""
        if self._pool.is_hopeless():
            failure: Exception = RecipeError(self._pool.describe("as the recipe wants"))
        elif now - self._heard > self._options.patience:
            failure = ServersLost(
                self._pool.describe(f"with a token for {self._options.patience:g} seconds")
                + " (what is done is kept: run again to resume)"
            )
        else:
            return
        self.send_checkpoint()
        self.fail(failure)
