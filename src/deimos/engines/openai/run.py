"""One ``sample`` call over servers: who is fed, who decodes, and who watches the clock.

Each job is a task that asks servers until its completion is whole; a stop or a cap ends the task, and
with it the stream. One ticker holds requests to their deadlines, looks at lost and new servers, tells
ids for an interruption, and gives up when no token has come for too long.
Not covered: what a server is (openai_probe.py), and which one is next (openai_servers.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol

import httpx2

from deimos.engines.base import Capabilities, Done, Job, Key, Progress
from deimos.engines.openai.options import Options
from deimos.engines.openai.probe import check_tag
from deimos.engines.openai.rows import Row
from deimos.engines.openai.servers import Card, Look, Pool, Server, ServersLost
from deimos.engines.openai.stream import Chunk, Fault, jitter, read
from deimos.recipe import RecipeError

TICK = 0.25
"""Seconds between looks at deadlines, at most."""


class Owner(Protocol):
    """What a run needs of the engine it works for."""

    pool: Pool
    options: Options
    capabilities: Capabilities
    tokenizer: Any
    eos_ids: frozenset[int]

    def new_row(self, job: Job) -> Row:
        """A job's bookkeeping."""
        ...

    def body(self, row: Row, card: Card) -> dict[str, Any]:
        """The request for what a row still lacks."""
        ...


class Run:
    """One ``sample`` call: its rows, and the tasks that feed, decode and watch.

    Args:
        owner: the engine.
        client: sends every request; closed by whoever made it.
        look: asks a server what it is.
    """

    def __init__(self, owner: Owner, client: httpx2.AsyncClient, look: Look) -> None:
        self._engine = owner
        self._pool = owner.pool
        self._options = owner.options
        self._client = client
        self._look = look
        self._rows: dict[Key, Row] = {}
        self._told: list[Progress | Done] = []
        self._news = asyncio.Event()
        self._failure: BaseException | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._looking: set[asyncio.Task[None]] = set()
        self._now = asyncio.get_running_loop().time
        self._heard = self._checkpoint = self._reread = self._now()
        self._said = False
        """Whether it has been said that no server is left."""

    def stop(self, key: Key) -> None:
        """End a row's stream."""
        if (row := self._rows.get(key)) is not None and row.task is not None:
            row.task.cancel()

    def cap(self, key: Key, think_tokens: int) -> None:
        """Lower a row's think cap, and hold it to it."""
        if (row := self._rows.get(key)) is not None:
            row.lower(think_tokens)
            if row.outgrown and row.task is not None:
                row.task.cancel()

    async def events(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Progress | Done]:
        """What ``Engine.sample`` yields."""
        feeder = asyncio.create_task(self._feed(jobs))
        ticker = asyncio.create_task(self._watch())
        self._tasks = [feeder, ticker]
        for task in self._tasks:
            task.add_done_callback(lambda _: self._news.set())
        while True:
            self._news.clear()
            while self._told:
                yield self._told.pop(0)
            if self._failure is not None:
                raise self._failure
            if ticker.done():
                ticker.result()
            if feeder.done():
                feeder.result()
                if not self._rows and not self._told:
                    return
            if not self._told:
                await self._news.wait()

    async def close(self) -> None:
        """End every task, and with them every stream."""
        rows = [row.task for row in self._rows.values() if row.task is not None]
        self._rows.clear()
        tasks = [*self._tasks, *self._looking, *rows]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _feed(self, jobs: AsyncIterator[Job]) -> None:
        """Pull jobs while there are places for them, until there are no more."""
        source = aiter(jobs)
        while True:
            while len(self._rows) >= self._pool.places:
                await self._pool.changed()
            try:
                job = await anext(source)
            except StopAsyncIteration:
                return
            self._admit(job)

    def _admit(self, job: Job) -> None:
        if not self._rows:
            self._heard = self._now()
        row = self._rows[job.key] = self._engine.new_row(job)
        row.task = asyncio.create_task(self._decode(row))
        row.task.add_done_callback(lambda task: self._end(row, task))

    def _end(self, row: Row, task: asyncio.Task[tuple[str, str]]) -> None:
        """Tell a row's end, however its task came to it."""
        if self._rows.get(row.job.key) is not row:
            return  # the run is being closed
        finish, error = "stopped", ""
        if not task.cancelled():
            if (failure := task.exception()) is not None:
                self._failure = self._failure or failure
                self._news.set()
                return
            finish, error = task.result()
        del self._rows[row.job.key]
        self._told.append(row.done(finish, error, self._now()))
        self._news.set()
        self._pool.notify()

    async def _decode(self, row: Row) -> tuple[str, str]:
        """A row's finish and error, after as many requests as that takes."""
        if not row.job.prompt_ids:
            return "error", "the prompt has no tokens"
        while True:
            if row.ended or row.outgrown:
                return row.ended or "stopped", ""
            row.server = server = await self._pool.place()
            try:
                return await self._ask(row, server) or "stopped", ""
            except Fault as fault:
                self._pool.failed(server, fault)
                if error := self._again(row, server, fault):
                    return "error", error
            finally:
                row.server = row.heard = None
                self._pool.release(server)
            await asyncio.sleep(
                jitter(row.attempts, self._options.backoff, self._options.backoff_max)
            )
            row.attempts += 1

    def _again(self, row: Row, server: Server, fault: Fault) -> str:
        """Whether a row goes on after a fault: empty; else the error that it ends with."""
        sentence = f"{server.url} {fault}"
        told = row.told_closed and not row.resumable
        row.broke_off()
        row.failures += fault.reached and fault.kind == "server"
        # A thought that was told as closed may turn out another: whoever asked has to begin again.
        over = fault.kind == "request" or row.failures > self._options.retries or told
        return sentence if over else ""

    async def _ask(self, row: Row, server: Server) -> str | None:
        """Send a row's request; its finish, or None where it is to be stopped."""
        card = server.card
        assert card is not None
        self._fits(row.job, card)
        body = self._engine.body(row, card)
        row.asked = self._now()
        try:
            async with asyncio.timeout(None) as row.deadline:
                await self._know_tags(row, server, body)
                return await read(
                    self._client,
                    f"{server.url}/completions",
                    body,
                    lambda chunk: self._take(row, server, chunk),
                )
        except TimeoutError as e:
            raise Fault("server", "has sent nothing for too long") from e
        finally:
            row.deadline = None

    def _fits(self, job: Job, card: Card) -> None:
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

    async def _know_tags(self, row: Row, server: Server, body: dict[str, Any]) -> None:
        """Where only text comes, see once whether the closing tag comes in it."""
        ids = row.job.think.close_ids
        if self._engine.capabilities.token_ids or server.tags_known or len(ids) != 1:
            return
        tag = self._engine.tokenizer.decode(list(ids), skip_special_tokens=False)
        await check_tag(self._client, server.url, body, ids[0], tag)
        server.tags_known = True

    def _take(self, row: Row, server: Server, chunk: Chunk) -> bool:
        """Learn a chunk; whether the stream goes on."""
        before = len(row.ids)
        row.take(chunk)
        if chunk.finish:
            row.finished(chunk.finish, chunk.matched, self._end_id())
        row.heard = self._heard = self._now()
        self._pool.worked(server, whole=bool(chunk.finish))
        if len(row.ids) > before and row.resumable:
            row.failures = row.attempts = 0
        if (told := row.progress()) is not None:
            self._told.append(told)
            self._news.set()
        return bool(chunk.finish) or not row.outgrown

    def _end_id(self) -> int | None:
        """What ends a turn where a server does not send that token."""
        own = self._engine.tokenizer.eos_token_id
        return own if own in self._engine.eos_ids else min(self._engine.eos_ids, default=None)

    async def _watch(self) -> None:
        """Deadlines, checkpoints, lost and new servers, and the end of patience."""
        o = self._options
        shortest = min(o.timeout, o.stall, o.patience, o.checkpoint_seconds, o.probe_every)
        while True:
            await asyncio.sleep(min(TICK, shortest / 2))
            now = self._now()
            for row in self._rows.values():
                self._hold(row, now)
            if now - self._checkpoint >= o.checkpoint_seconds:
                self._checkpoint = now
                self._tell_ids()
            if now - self._reread >= o.probe_every:
                self._reread = now
                self._pool.reread()
            self._look_around()
            if not self._pool.places and not self._said:
                self._pool.say_waiting("since")
            self._said = not self._pool.places
            if self._rows or not self._pool.places:
                self._judge(now)
            else:
                self._heard = now  # nobody waits for a token

    def _hold(self, row: Row, now: float) -> None:
        """End a request whose next token is overdue."""
        if row.server is None or row.deadline is None or row.deadline.expired():
            return
        if row.heard is None:  # it may stand in a queue as long as the server works at all
            overdue = now - max(row.asked, row.server.heard) > self._options.timeout
        else:
            overdue = now - row.heard > self._options.stall
        if overdue:
            row.deadline.reschedule(now)

    def _look_around(self) -> None:
        """Look at new and lost servers, each beside the others and beside decoding."""
        for server in self._pool.servers.values():
            if server.looking or server.state not in ("new", "down", "unfit"):
                continue
            server.looking = True
            task = asyncio.create_task(self._pool.look_at(server, self._look))
            self._looking.add(task)
            task.add_done_callback(lambda t, server=server: self._looked(t, server))

    def _looked(self, task: asyncio.Task[None], server: Server) -> None:
        server.looking = False
        self._looking.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._failure = self._failure or failure
            self._news.set()

    def _judge(self, now: float) -> None:
        """Give up where nothing has come for too long, or where no server will do."""
        if self._pool.hopeless():
            failure: Exception = RecipeError(self._pool.complaint("as the recipe wants"))
        elif now - self._heard > self._options.patience:
            failure = ServersLost(
                self._pool.complaint(f"with a token for {self._options.patience:g} seconds")
                + " (what is done is kept: run again to resume)"
            )
        else:
            return
        self._tell_ids()
        self._failure = self._failure or failure
        self._news.set()

    def _tell_ids(self) -> None:
        told = [row.progress(checkpoint=True) for row in self._rows.values()]
        self._told += [event for event in told if event is not None]
        self._news.set()
