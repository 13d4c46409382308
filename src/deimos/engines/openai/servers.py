"""Which servers there are, which of them gets the next request, and when to give up on all.

Each server has a circuit breaker: after ``failures`` failed requests in a row it gets no more, is
probed at growing intervals, and one trial request decides whether it is back. Requests go to the
server with the fewest in flight. Not covered: what a probe checks (probe.py).
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

SEEDS_HINT = "vLLM's CPU build crashes on seeded requests with chunked prefill; set seeds: false"
"""Its sampler rewinds the seed's generator after each chunk, which torch offers on GPUs only."""

ServerState = Literal["new", "up", "trial", "down", "unfit", "gone"]


class ServersLost(RuntimeError):
    """No server has answered for too long; what is done is kept, and running again resumes."""


@dataclass(frozen=True, slots=True)
class Card:
    """What a probe of a server found."""

    model: str
    """The name to ask for."""
    token_ids: bool
    """Whether it gives the sampled ids."""
    software: str
    """The server's software, with its version if the server names it."""
    max_model_len: int | None = None
    """Tokens of prompt and completion together; None: the server does not say."""


@dataclass(eq=False)
class ModelServer:
    """One server and its state."""

    url: str
    state: ServerState = "new"
    card: Card | None = None
    flying: int = 0
    """Requests in flight."""
    given: int = 0
    """Requests so far; decides between servers with as many in flight."""
    failures: int = 0
    """In a row."""
    faults: int = 0
    """Requests that failed so far."""
    lost: int = 0
    """How often it was taken out of use, a failed first probe included."""
    fault: str = ""
    """What went wrong last."""
    why: str = "has not been asked yet"
    """Why it is not in use, as the end of a sentence."""
    not_before: float = 0.0
    """When it may be asked again (monotonic clock)."""
    looks: int = 0
    """Failed probes in a row."""
    unfits: int = 0
    """How often it was found unfit since its last whole completion."""
    heard: float = 0.0
    """When the last token of any of its requests came."""
    looking: bool = False
    """Whether a probe of it is running."""
    tags_known: bool = False
    """Whether its text is known to keep the thinking tags."""

    @property
    def usable(self) -> bool:
        """Whether it may get requests at all."""
        return self.state in ("up", "trial")


Look = Callable[[str], Awaitable[Card]]
"""Probes the server at a URL; raises ``Fault``."""


class ServerPool:
    """The servers.

    Args:
        options: their URLs, limits and waits.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.servers: dict[str, ModelServer] = {}
        self.token_ids: bool | None = options.token_ids
        """Whether the engine works with sampled ids; decided by the first servers that answer."""
        self._change = asyncio.Event()

    @property
    def places(self) -> int:
        """Requests that all usable servers together may have in flight."""
        return sum(self._most(s) for s in self.servers.values())

    def _most(self, server: ModelServer) -> int:
        return {"up": self.options.concurrency, "trial": 1}.get(server.state, 0)

    async def open(self, look: Look) -> None:
        """Probe all servers until one answers.

        Raises:
            RecipeError: a server answers and is unfit.
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
                raise ServersLost(self.describe(f"within {self.options.patience:g} seconds"))
            if attempt == 0:
                self.warn_waiting("yet")
            attempt += 1
            await asyncio.sleep(wait)

    def _settle_ids(self) -> None:
        """Decide once whether the engine works with ids or with text: never with a mixture."""
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
        """Add servers that are named now, and drop those that no longer are."""
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
        """Probe a new or lost server, if it is due."""
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
                self._delay(server, fault)
            return
        if server.state == state:
            server.card, server.looks, server.failures = card, 0, 0
            server.state = "up" if state == "new" else "trial"
            if state != "new":
                log.warning("server %s answers again", server.url)
            self.notify()

    def _delay(self, server: ModelServer, fault: Fault) -> None:
        o = self.options
        wait = draw_wait(server.looks, max(o.backoff, o.probe_every), o.backoff_max)
        if fault.retry_after is not None:
            wait = min(fault.retry_after, o.backoff_max)
        server.looks += 1
        server.not_before = now() + wait

    async def take_place(self) -> ModelServer:
        """Wait for a server that has room, and take a place at the one with the fewest requests."""
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

    def note_token(self, server: ModelServer, *, whole: bool) -> None:
        """Note that a token came (``whole``: a completion's last)."""
        server.heard = now()
        if whole:
            server.failures = server.unfits = 0
        if server.state == "trial":
            server.state, server.failures = "up", 0
            self.notify()

    def note_failure(self, server: ModelServer, fault: Fault) -> None:
        """Note that a request failed."""
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
            self._delay(server, fault)
            self.notify()

    def is_hopeless(self) -> bool:
        """Whether every server has answered, and each was found unfit twice."""
        named = [s for s in self.servers.values() if s.state != "gone"]
        return bool(named) and all(s.state == "unfit" and s.unfits > 1 for s in named)

    def facts(self) -> list[dict[str, Any]]:
        """Requests, faults and state of each server, in the order in which they were named."""
        return [
            {
                "url": s.url, "state": s.state, "requests": s.given, "faults": s.faults,
                "lost": s.lost, "last_fault": s.fault,
            }
            for s in self.servers.values()
        ]  # fmt: skip

    def describe(self, when: str) -> str:
        """One sentence about every server."""
        named = [s for s in self.servers.values() if s.state != "gone"]
        each = "; ".join(f"{s.url} {'sends nothing' if s.usable else s.why}" for s in named)
        return f"no server has answered {when}: {each or 'none is named'}"

    def warn_waiting(self, when: str) -> None:
        """Warn that no server answers, and for how long they are waited for."""
        message = f"{self.describe(when)}; waiting, {self.options.patience:g} seconds at most"
        cards = (s.card for s in self.servers.values() if s.card and s.state != "gone")
        if self.options.seeds and any("vllm" in card.software for card in cards):
            message += f" ({SEEDS_HINT})"  # vLLM's own last message does not say so
        log.warning("%s", message)

    def notify(self) -> None:
        """Wake what waits for a place."""
        self._change.set()
        self._change = asyncio.Event()

    async def wait_for_change(self) -> None:
        """Wait until a place is given back or a server comes."""
        await self._change.wait()
