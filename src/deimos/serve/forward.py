"""An app that hands requests on to one OpenAI-compatible server and its answers back, byte by byte.

For servers that take no Python middleware (SGLang, llama.cpp, vLLM's Rust front end). The server is
named when it is started and never by a request; redirects are not followed, cookies not kept, and of
a request's headers only a few go on. A client that leaves closes the upstream connection at once. An
answer that breaks off ends in an error that clients read as one. Not covered: several servers,
retries, and what may be asked (``guard``).
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2

from deimos.serve.http import (
    CHAT,
    COMPLETIONS,
    REQUEST,
    Headers,
    Receive,
    RequestFault,
    Scope,
    Send,
    describe_fault,
    read_body,
    run_while_connected,
    send_fault,
)
from deimos.serve.keys import ServeError
from deimos.serve.middleware import BUDGET

UPSTREAM_KEY = "DEIMOS_UPSTREAM_KEY"
"""Environment variable with the upstream server's own key."""
SENT_ON = frozenset(
    {b"content-type", b"accept", b"x-request-id", b"traceparent", b"tracestate", b"user-agent"}
)
"""Headers of a request that go on; keys, cookies, forwarding and hop-by-hop headers do not."""
SENT_BACK = frozenset(
    {b"content-type", b"x-request-id", b"retry-after", b"cache-control", b"openai-processing-ms"}
)
"""Headers of an answer that go back."""
ANSWER = 64 << 20
"""Bytes of an answer that does not stream."""
DONE = b"[DONE]"
"""How a stream ends that is whole."""
log = logging.getLogger("deimos.serve")


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds that an upstream server is waited for."""

    connect: float = 5.0
    first: float = 600.0
    """Until an answer begins; one that does not stream begins with its end."""
    idle: float = 120.0
    """Between two pieces of an answer."""


class Forwarder:
    """The ASGI app.

    Args:
        upstream: the server's address, with or without ``/v1``.
        key: that it asks for; None: none.
        software: its name, as ``owned_by`` of its models says it: how it names a thought's budget.
        waits: for it.

    Raises:
        ServeError: the address is none.
    """

    def __init__(
        self,
        upstream: str,
        *,
        key: str | None = None,
        software: str = "vllm",
        waits: Waits | None = None,
    ) -> None:
        self.base = read_address(upstream)
        self.software = software
        self.waits = waits or Waits()
        self._own = [(b"accept-encoding", b"identity")]
        if key:
            self._own.append((b"authorization", b"Bearer " + key.encode("ascii", "replace")))
        # A connection is dropped before the server drops it (uvicorn: after 5 s).
        limits = httpx2.Limits(
            max_connections=None, max_keepalive_connections=256, keepalive_expiry=2
        )
        self._transport = httpx2.AsyncHTTPTransport(limits=limits, trust_env=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            return await self._live(receive, send)
        body = await self._body(scope, receive)
        await run_while_connected(receive, self._forward(scope, body, send))

    async def close(self) -> None:
        """Close the connections that are kept."""
        await self._transport.aclose()

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            kind = (await receive())["type"]
            if kind == "lifespan.shutdown":
                await self.close()
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        body = await read_body(receive, ANSWER)
        data = scope.get(REQUEST) or {}
        budget = data.get(BUDGET)
        if budget is None or self.software.startswith("vllm"):
            return body
        rest = {name: value for name, value in data.items() if name != BUDGET}
        return json.dumps({**rest, **name_budget(self.software, budget)}).encode()

    async def _forward(self, scope: Scope, body: bytes, send: Send) -> None:
        answer = _Answer(send)
        waits = {
            "connect": self.waits.connect, "read": self.waits.first, "write": self.waits.idle,
            "pool": self.waits.connect,
        }  # fmt: skip
        kept = [(k, v) for k, v in scope["headers"] if k in SENT_ON]
        request = httpx2.Request(
            scope["method"], self.base + scope["path"], headers=[*kept, *self._own],
            content=body or None, extensions={"timeout": waits},
        )  # fmt: skip
        try:
            response = await self._transport.handle_async_request(request)
            waits["read"] = self.waits.idle  # read once the body is
            try:
                await answer.relay(response, scope["path"] in (CHAT, COMPLETIONS))
            finally:
                await response.aclose()
        except (httpx2.HTTPError, _UpstreamFault) as e:
            fault = _describe(e)
            log.warning("%s: %s", scope["path"], fault)
            await answer.break_off(fault)


class _UpstreamFault(Exception):
    """An answer that cannot be handed on; one sentence."""


class _Answer:
    """One answer on its way back."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.begun = False

    async def relay(self, response: httpx2.Response, is_json: bool) -> None:
        """Hand an answer on: events as they come, anything else whole.

        Args:
            response: the upstream server's.
            is_json: whether an answer that does not stream must be a JSON object.
        """
        status = response.status_code
        if 300 <= status < 400:
            raise _UpstreamFault(f"answered with a redirect ({status}), which is not followed")
        headers = [(k.lower(), v) for k, v in response.headers.raw if k.lower() in SENT_BACK]
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        if kind == "text/event-stream" and status == 200:
            return await self._events(headers, response.stream)
        body = await _read_whole(response.stream)
        if is_json and not _is_object(body):
            raise _UpstreamFault(f"answered {status} with something that is not a JSON object")
        headers.append((b"content-length", str(len(body)).encode()))
        await self.start(status, headers)
        await self.send({"type": "http.response.body", "body": body})

    async def start(self, status: int, headers: Headers) -> None:
        """Send the status and the headers."""
        self.begun = True
        await self.send({"type": "http.response.start", "status": status, "headers": [*headers]})

    async def _events(self, headers: Headers, stream: httpx2.AsyncByteStream) -> None:
        await self.start(200, headers)
        end = b""
        async for piece in stream:
            end = (end + piece)[-64:]
            await self.send({"type": "http.response.body", "body": piece, "more_body": True})
        if DONE not in end:
            raise _UpstreamFault("ended the stream before the answer was whole")
        await self.send({"type": "http.response.body", "body": b""})

    async def break_off(self, fault: RequestFault) -> None:
        """Tell the client: by the answer's status, or by an event if it has begun."""
        if not self.begun:
            return await send_fault(self.send, fault)
        event = b"\n\ndata: " + json.dumps(describe_fault(fault)).encode() + b"\n\n"
        await self.send({"type": "http.response.body", "body": event})


def read_address(upstream: str) -> str:
    """A server's address without ``/v1``.

    Raises:
        ServeError: it is no http(s) address of a server, or holds a user, a query or a fragment.
    """
    try:
        parts = urlsplit(upstream)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        fits = fits and "@" not in parts.netloc and not parts.query and not parts.fragment
    except ValueError:
        fits = False
    if not fits:
        wanted = "must be the http:// or https:// address of a server, without user and query"
        raise ServeError(f"--upstream = {upstream!r}: {wanted}")
    return upstream.rstrip("/").removesuffix("/v1")


def name_budget(software: str, budget: int) -> dict[str, Any]:
    """A thought's budget in tokens, as a server's software names it.

    vLLM has ``thinking_token_budget``. llama.cpp's versions read one of two names. SGLang reads it
    if a request's model has a logit processor for it; its start-up options decide.
    """
    if software.startswith("llama"):
        return {"thinking_budget_tokens": budget, "reasoning_budget_tokens": budget}
    if software.startswith("sglang"):
        return {"custom_params": {"thinking_budget": budget}}
    return {BUDGET: budget}


async def _read_whole(stream: httpx2.AsyncByteStream) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in stream:
        pieces.append(piece)
        size += len(piece)
        if size > ANSWER:
            raise _UpstreamFault(f"answered with more than {ANSWER} bytes, which is the limit")
    return b"".join(pieces)


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


def _describe(error: Exception) -> RequestFault:
    """What went wrong at the upstream server, and whether asking again may help."""
    if isinstance(error, _UpstreamFault):
        return RequestFault(502, f"the upstream server {error}")
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return RequestFault(503, "the upstream server cannot be reached", headers=RETRY)
    if isinstance(error, httpx2.TimeoutException):
        return RequestFault(504, "the upstream server has not answered in time")
    return RequestFault(502, "the upstream server broke off its answer or sent what is not HTTP")


RETRY = [(b"retry-after", b"1")]
