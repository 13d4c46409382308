"""What stands before everything that is served: who may ask, for what, how much, and for how long.

Nothing reaches the app behind it but known paths with known methods and, of requests for
completions, bodies whose every field is known. Whatever is refused gets one sentence. Not covered:
broken HTTP (``connections``), users and quotas (a gateway's).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping

from deimos.serve.fields import RequestLimits, check_request, is_model_name
from deimos.serve.http import (
    CHAT,
    COMPLETIONS,
    HEALTH,
    METRICS,
    MODELS,
    REQUEST,
    App,
    ClientGone,
    Message,
    Receive,
    RequestFault,
    Scope,
    Send,
    check_size,
    find_header,
    read_body,
    replay,
    send_fault,
)
from deimos.serve.keys import Keys, ServeError, check_host
from deimos.serve.strict_json import parse_strictly

PATHS: Mapping[str, str] = {
    HEALTH: "GET", METRICS: "GET", MODELS: "GET", CHAT: "POST", COMPLETIONS: "POST",
}  # fmt: skip
"""Each path with its method; all others are unknown."""
ABORT = "deimos.abort"
"""The key of an ASGI scope with what closes its connection at once, sent or not."""
RECHECK = 1.0
"""Seconds after which the key of a running answer is looked at again."""
log = logging.getLogger("deimos.serve")


class Guard:
    """An ASGI app that hands on what may pass.

    The body of a request for completions is parsed here and handed on in the scope (``REQUEST``).

    Args:
        app: what is guarded.
        keys: who may ask; None: everybody on this machine.
        limits: how much.
        models: names that are served; None: not known.
        pages: further paths that may be read (GET).
        local: whether only this machine can reach the server, so that ``Host`` must name it.
        count: told of each request that is refused before it is handed on: its path, ``other`` if it is
            none that is served, and the status.
    """

    def __init__(
        self,
        app: App,
        *,
        keys: Keys | None = None,
        limits: RequestLimits | None = None,
        models: Collection[str] | None = None,
        pages: Collection[str] = (),
        local: bool = True,
        count: Callable[[str, int], None] | None = None,
    ) -> None:
        self.app = app
        self.keys = keys or Keys()
        self.limits = limits or RequestLimits()
        self.models = models
        self.paths = {**PATHS, **dict.fromkeys(pages, "GET")}
        self.heads = {HEALTH, *pages}
        """Paths that may be asked about without their content (HEAD)."""
        self.local = local
        self.count = count
        self.running = 0
        """Requests for completions that are being answered."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = _GuardedSend(send, self.keys, self.limits.stall_seconds)
        try:
            async with asyncio.timeout(self.limits.total_seconds):
                sent.digest = self._admit(scope)
                if scope["method"] == "POST":
                    await self._complete(scope, receive, sent)
                else:
                    sent.handed_on = True
                    await self.app(scope, receive, sent)
        except ClientGone:
            pass
        except (RequestFault, TimeoutError) as e:
            await self._refuse(e, scope, sent)

    async def _refuse(self, error: Exception, scope: Scope, sent: _GuardedSend) -> None:
        """Say why; what has begun to be answered can only be cut."""
        fault = error if isinstance(error, RequestFault) else RequestFault(504, "it took too long")
        log.info(
            "%s %s refused: %s %s", scope["method"], _printable(scope["path"]), fault.status, fault
        )
        if self.count and not sent.handed_on:
            self.count(scope["path"] if scope["path"] in self.paths else "other", fault.status)
        if sent.started and ABORT in scope:
            scope[ABORT]()
            return await asyncio.sleep(0)  # so that the server knows it, and does not wonder
        if sent.started:
            raise ConnectionAbortedError(str(fault))
        # What was sent of the body is not read on: the connection cannot be used again.
        await send_fault(sent.send, RequestFault(
            fault.status, str(fault), param=fault.param,
            headers=[*fault.headers, *UNDECIDED, (b"connection", b"close")],
        ))  # fmt: skip

    def _admit(self, scope: Scope) -> bytes:
        """Check all but the body; the digest of the key."""
        if self.local and not self.keys:
            check_host(find_header(scope, b"host"))
        names = [name for name, _ in scope["headers"]]
        if b"transfer-encoding" in names and b"content-length" in names:
            raise RequestFault(400, "Content-Length and Transfer-Encoding exclude each other")
        path = scope["path"]
        digest = b"" if path == HEALTH else self._check_key(scope)
        method = self.paths.get(path) or ("GET" if self._is_model(path) else None)
        if scope.get("raw_path", path.encode()) != path.encode() or method is None:
            raise RequestFault(404, f"{_printable(path)[:80]} is not served here")
        if scope["method"] != method and not (scope["method"] == "HEAD" and path in self.heads):
            allow = [(b"allow", method.encode())]
            raise RequestFault(
                405, f"{path} takes {method}, not {scope['method'][:16]}", headers=allow
            )
        return digest

    def _is_model(self, path: str) -> bool:
        """Whether a path is that of one model's card."""
        name = path.removeprefix(f"{MODELS}/")
        known = self.models is None or name in self.models
        return name != path and known and is_model_name(name)

    def _check_key(self, scope: Scope) -> bytes:
        try:
            return self.keys.check(scope["headers"])
        except ServeError as e:
            log.error("%s", e)
            raise RequestFault(503, "the keys cannot be read") from e

    async def _complete(self, scope: Scope, receive: Receive, sent: _GuardedSend) -> None:
        if self.running >= self.limits.concurrency:
            wait = [(b"retry-after", b"1")]
            raise RequestFault(
                429, f"{self.running} requests are being answered, which is the limit", headers=wait
            )
        self.running += 1
        try:
            _check_headers(scope, self.limits.body)
            body = await self._read(receive)
            data = parse_strictly(body)
            check_request(data, scope["path"], self.limits, self.models)
            sent.handed_on = True
            await self.app({**scope, REQUEST: data}, replay(body, receive), sent)
        finally:
            self.running -= 1

    async def _read(self, receive: Receive) -> bytes:
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                return await read_body(receive, self.limits.body)
        except TimeoutError as e:
            raise RequestFault(
                408, f"the body has not come within {self.limits.body_seconds:g} seconds"
            ) from e


UNDECIDED = [
    (b"x-deimos-mode", b"default"), (b"x-deimos-reason", b"refused before a decision"),
    (b"x-deimos-margin", b"0"), (b"x-deimos-policy", b"none"),
]  # fmt: skip
"""Headers of an answer to a request that was not looked at."""


class _GuardedSend:
    """ASGI's ``send``; gives up on a client that does not read, or whose key has been removed."""

    def __init__(self, send: Send, keys: Keys, stall: float) -> None:
        self.send = send
        self.started = self.handed_on = False
        self.digest = b""
        self._keys = keys
        self._stall = stall
        self._checked = time.monotonic()

    async def __call__(self, message: Message) -> None:
        if self.digest and time.monotonic() - self._checked > RECHECK:
            self._checked = time.monotonic()
            self._keys.refresh()
            if not self._keys.accepts(self.digest):
                raise RequestFault(401, "the key has been removed")
        self.started = True
        async with asyncio.timeout(self._stall):
            await self.send(message)


def _check_headers(scope: Scope, limit: int) -> None:
    kind = (find_header(scope, b"content-type") or b"").partition(b";")[0].strip().lower()
    if kind != b"application/json":
        raise RequestFault(415, "the Content-Type must be application/json")
    if find_header(scope, b"content-encoding") not in (None, b"identity"):
        raise RequestFault(415, "the body is compressed: must be sent as it is")
    # Before it is read, so that a client that asks first ("Expect: 100-continue") need not send it.
    length = find_header(scope, b"content-length") or b""
    check_size(int(length) if length.isdigit() and len(length) < 20 else 0, limit)


def _printable(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode() if text.isprintable() else ascii(text)
