"""What the parts of serving share of HTTP: a request's body, and answers as OpenAI's clients read them.

Plain ASGI, no framework. A refusal is one sentence in the shape of OpenAI's errors. Not covered:
which requests are accepted (``guard``), and sockets (``connections``).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]

REQUEST = "deimos.request"
"""The key of an ASGI scope under which a body that has been parsed is handed on, as a dict."""
CHAT, COMPLETIONS, MODELS = "/v1/chat/completions", "/v1/completions", "/v1/models"
HEALTH, METRICS = "/health", "/metrics"


class RequestFault(Exception):
    """A request that is not served; the message is one sentence for whoever sent it.

    Args:
        status: HTTP's, 400 or above.
        message: the key, its value, and what is accepted.
        param: the body's field that is at fault, if one is.
        headers: of the answer, besides its content type and length.
    """

    def __init__(
        self, status: int, message: str, *, param: str | None = None, headers: Headers = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.headers = [*headers]


class ClientGone(Exception):
    """The client closed its connection before its request was whole."""


def find_header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of that name (lower case); None: there is none."""
    return next((value for key, value in scope["headers"] if key == name), None)


def find_path(scope: Scope) -> str:
    """The path below the prefix that the app is mounted at."""
    root = scope.get("root_path", "")
    path = scope["path"]
    return path.removeprefix(root) if root and path.startswith(root) else path


async def send_json(send: Send, status: int, data: Any, headers: Headers = ()) -> None:
    """Answer with JSON."""
    body = json.dumps(data, ensure_ascii=False).encode("utf-8", "replace")
    lines = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})


def describe_fault(fault: RequestFault) -> dict[str, Any]:
    """A refusal as OpenAI's clients read it."""
    kind = "invalid_request_error" if fault.status < 500 else "server_error"
    error = {"message": str(fault), "type": kind, "param": fault.param, "code": fault.status}
    return {"error": error}


async def send_fault(send: Send, fault: RequestFault) -> None:
    """Answer with a refusal."""
    await send_json(send, fault.status, describe_fault(fault), fault.headers)


def check_size(size: int, limit: int) -> None:
    """Refuse a body of too many bytes; raises ``RequestFault`` (413)."""
    if size > limit:
        raise RequestFault(413, f"the body has more than {limit} bytes, which is the limit")


async def read_body(receive: Receive, limit: int) -> bytes:
    """A request's body.

    Args:
        receive: ASGI's.
        limit: bytes that are accepted.

    Raises:
        RequestFault: there is more (413).
        ClientGone: the client left first.
    """
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        check_size(size, limit)
        if not message.get("more_body", False):
            return b"".join(pieces)


def replay(body: bytes, receive: Receive, more_body: bool = False) -> Receive:
    """A ``receive`` that hands on a body that was read, and then what comes (the client's leaving).

    Args:
        body: what the next reader gets first.
        receive: ASGI's own.
        more_body: whether the rest of the body is still to come.
    """
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": more_body}

    return receive_again


async def run_while_connected(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Do some work, and drop it at once when the client leaves.

    Args:
        receive: ASGI's, after the body has been read.
        work: what is cancelled.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_wait_gone(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _wait_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
