"""Which servers there are, which of them can be given a request, and when to give up on all.

Each server has a circuit breaker: after so many failures in a row it gets nothing more, is looked at
again ever more seldom, and one request on trial decides whether it is back. Requests go to the server
with the fewest in flight. Not covered: what a look at a server finds out (openai_probe.py).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from deimos.engines.openai.options import Options, urls_of
from deimos.engines.openai.stream import Fault, draw_wait
from deimos.recipe import RecipeError

now = time.monotonic  # also what an event loop's clock is, so the two can be compared
log = logging.getLogger("deimos.engines.openai.engine")

SEEDS_HINT = (
    "set seeds to false for vLLM on a CPU: it dies of a seed whose prompt it reads in parts"
)
"""Its sampler rewinds the seed's generator after every part, which torch has for GPUs only."""

ServerState = Literal["new", "up", "trial", "down", "unfit", "gone"]


class ServersLost(RuntimeError):
    """No server has answered for too long; what is done is kept, and running again resumes."""


@dataclass(frozen=True, slots=True)
class Card:
    """What a look at a server found out."""

    model: str
    """The name to ask for."""
    token_ids: bool
    """Whether it gives the sampled ids."""
    software: str
    """Whose server it is, with its version where it tells."""
    max_model_len: int | None = None
    """Tokens of prompt and completion together, where it tells."""


@dataclass(eq=False)
class ModelServer:
    """One server as it stands."""

    url: str
    state: ServerState = "new"
    card: Card | None = None
    flying: int = 0
    """Requests in flight."""
    given: int = 0
    """Requests so far; settles ties."""
    failures: int = 0
    """In a row."""
    faults: int = 0
    """Requests that came to nothing so far."""
    lost: int = 0
    """How often it was given up for a while, or was not there when first looked at."""
    fault: str = ""
    """What went wrong last."""
    why: str = "has not been asked yet"
    not_before: float = 0.0
    """When it may be asked again, by the monotonic clock."""
    looks: int = 0
    """Looks in a row that found it lost."""
    unfits: int = 0
    """How often it has shown that it will not do, since its last whole completion."""
    heard: float = 0.0
    """When its last token came, whoever's."""
    looking: bool = False
    """Whether it is being looked at."""
    tags_known: bool = False
    """Whether its text is known to have the tags in it."""

    @property
    def usable(self) -> bool:
        """Whether it may get requests at all."""
        return self.state in ("up", "trial")


Look = Callable[[str], Awaitable[Card]]
"""Asks a server what it is; raises ``Fault``."""


class ServerPool:
    """The servers.

    Args:
        options: where they are, and how patient to be.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.servers: dict[str, ModelServer] = {}
        self.token_ids: bool | None = options.token_ids
        """Whether the engine works with sampled ids; settled by the first servers that answer."""
        self._change = asyncio.Event()

    @property
    def places(self) -> int:
        """Requests that all usable servers together may have in flight."""
        return sum(self._most(s) for s in self.servers.values())

    def _most(self, server: ModelServer) -> int:
        return {"up": self.options.concurrency, "trial": 1}.get(server.state, 0)

    async def open(self, look: Look) -> None:
        """Look at all servers until one answers.

        Raises:
            RecipeError: a server answers and will not do.
            ServersLost: none has answered within ``patience``.
        """
        end = now() + self.options.patience
        attempt = 0
        while True:
            self.reread()
            await asyncio.gather(*(self.look_at(s, look) for s in self.servers.values()))
            if unfit := [s for s in self.servers.values() if s.state == "unfit"]:
                raise RecipeError(f"server {unfit[0].url} {unfit[0].why}")
            self._settle_ids()
            if any(s.usable for s in self.servers.values()):
                for server in (s for s in self.servers.values() if not s.usable):
                    log.warning("server %s %s; the others begin without it", server.url, server.why)
                return
            wait = max(0.05, draw_wait(attempt, self.options.backoff, self.options.backoff_max))
            if now() + wait > end:
                raise ServersLost(self.complaint(f"within {self.options.patience:g} seconds"))
            if attempt == 0:
                self.say_waiting("yet")
            attempt += 1
            await asyncio.sleep(wait)

    def _settle_ids(self) -> None:
        """What the engine gives is settled once: ids or text, never a mixture."""
        cards = {s.url: s.card.token_ids for s in self.servers.values() if s.card and s.usable}
        if self.token_ids is None and cards:
            without = [url for url, ids in cards.items() if not ids]
            if without and len(without) < len(cards):
                raise RecipeError(
                    f"server {without[0]} does not give token ids and others do: leave it out, or "
                    "set runtime.engine_options.token_ids to false (golds are then marked rendered)"
                )
            self.token_ids = not without

    def reread(self) -> None:
        """Take in who has joined, and let go who is no longer named."""
        try:
            urls = urls_of(self.options)
        except RecipeError as e:
            if not self.servers:
                raise
            log.warning("%s: the servers stay as they are", e)
            return
        for url in urls:
            if url not in self.servers or self.servers[url].state == "gone":
                self.servers[url] = ModelServer(url)
        for url, server in self.servers.items():
            if url not in urls and server.state != "gone":
                server.state, server.why = "gone", "is no longer named"

    async def look_at(self, server: ModelServer, look: Look) -> None:
        """Ask a new or lost server what it is, if it is due."""
        if server.state not in ("new", "down", "unfit") or now() < server.not_before:
            return
        state = server.state
        try:
            card = await look(server.url)
            if self.token_ids and not card.token_ids:
                raise Fault("unfit", "does not give token ids (return_token_ids)")
        except Fault as fault:
            if server.state == state:
                unfit = fault.kind in ("unfit", "request")
                server.lost += state == "new"
                server.fault = str(fault)
                server.state = "unfit" if unfit else "down"
                server.unfits += unfit
                server.why = str(fault)
                self._later(server, fault)
            return
        if server.state == state:
            server.card, server.looks, server.failures = card, 0, 0
            server.state = "up" if state == "new" else "trial"
            if state != "new":
                log.warning("server %s answers again", server.url)
            self.notify()

    def _later(self, server: ModelServer, fault: Fault) -> None:
        o = self.options
        wait = draw_wait(server.looks, max(o.backoff, o.probe_every), o.backoff_max)
        if fault.retry_after is not None:
            wait = min(fault.retry_after, o.backoff_max)
        server.looks += 1
        server.not_before = now() + wait

    async def place(self) -> ModelServer:
        """The least loaded server that has room, its place taken; waits for one."""
        while True:
            change = self._change
            at = now()
            room = [s for s in self.servers.values() if s.usable and s.flying < self._most(s)]
            ready = [s for s in room if s.not_before <= at]
            if ready:
                best = min(ready, key=lambda s: (s.flying, s.given))
                best.flying += 1
                best.given += 1
                return best
            soonest = min((s.not_before - at for s in room), default=None)
            try:
                async with asyncio.timeout(soonest):
                    await change.wait()
            except TimeoutError:
                pass

    def release(self, server: ModelServer) -> None:
        """Give a place back."""
        server.flying -= 1
        self.notify()

    def worked(self, server: ModelServer, *, whole: bool) -> None:
        """A token came (``whole``: a completion's last)."""
        server.heard = now()
        if whole:
            server.failures = server.unfits = 0
        if server.state == "trial":
            server.state, server.failures = "up", 0
            self.notify()

    def failed(self, server: ModelServer, fault: Fault) -> None:
        """A request came to nothing."""
        server.faults += 1
        server.fault = str(fault)
        if fault.retry_after is not None:
            wait = min(fault.retry_after, self.options.backoff_max)
            server.not_before = max(server.not_before, now() + wait)
        if fault.kind in ("busy", "request") or not server.usable:
            return
        server.failures += 1
        server.why = str(fault)
        unfit = fault.kind == "unfit"
        server.unfits += unfit
        if unfit or server.state == "trial" or server.failures >= self.options.failures:
            server.state = "unfit" if unfit else "down"
            server.lost += 1
            log.warning("server %s %s; it gets no more requests for now", server.url, fault)
            self._later(server, fault)
            self.notify()

    def hopeless(self) -> bool:
        """Whether every server has answered, and none will do on a second look either."""
        named = [s for s in self.servers.values() if s.state != "gone"]
        return bool(named) and all(s.state == "unfit" and s.unfits > 1 for s in named)

    def facts(self) -> list[dict[str, Any]]:
        """What each server was asked and how it fared, in the order of their names' coming."""
        return [
            {
                "url": s.url, "state": s.state, "requests": s.given, "faults": s.faults,
                "lost": s.lost, "last_fault": s.fault,
            }
            for s in self.servers.values()
        ]  # fmt: skip

    def complaint(self, when: str) -> str:
        """One sentence about every server."""
        named = [s for s in self.servers.values() if s.state != "gone"]
        each = "; ".join(f"{s.url} {'sends nothing' if s.usable else s.why}" for s in named)
        return f"no server has answered {when}: {each or 'none is named'}"

    def say_waiting(self, when: str) -> None:
        """Say that every server is waited for, and for how long."""
        told = f"{self.complaint(when)}; waiting, {self.options.patience:g} seconds at most"
        cards = (s.card for s in self.servers.values() if s.card and s.state != "gone")
        if self.options.seeds and any("vllm" in card.software for card in cards):
            told += f" ({SEEDS_HINT})"  # its last words don't say so
        log.warning("%s", told)

    def notify(self) -> None:
        """Wake whoever waits for a place."""
        self._change.set()
        self._change = asyncio.Event()

    async def changed(self) -> None:
        """Wait for a place to be given back or a server to come."""
        await self._change.wait()
