"""Connections to our own server: broken HTTP is refused, and no client holds one for nothing.

uvicorn's HTTP/1.1 on h11, with what it leaves out: a time by which a request's head must have come,
a limit on connections, refusing what different servers read differently (folded header lines,
lines that end in a bare line feed), so that no second request can hide in a first one's body, and
refusals that reach a client which is still sending. Not covered: what a well-formed request may ask
for (``guard``).
"""

from __future__ import annotations

import asyncio
import http
import json
import re
import resource
import socket
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from deimos.serve.guard import ABORT, UNDECIDED
from deimos.serve.http import App, Receive, RequestFault, Scope, Send, describe_fault

HEAD_SECONDS = 10.0
"""Until a request's head is whole, from the connection's or the last answer's beginning on."""
HEAD_BYTES = 32 << 10
HEAD_LINES = 100
CONNECTIONS = 16384
"""Open at one time; the next is closed."""
SEND_BYTES = 256 << 10
"""Of an answer that the system keeps for a client that does not read."""
LINGER_SECONDS = 2.0
"""Before a connection is closed whose client is still sending. Closed at once it would be reset, and
the client lose the answer that says why (RFC 9112, section 9.6)."""
_DOUBTFUL = re.compile(rb"(?<!\r)\n|\n[ \t]|\r(?!\n)|\0")
"""In a request's head: a bare line feed or carriage return, a folded line, a null byte."""


class LingeringTransport:
    """A transport whose ``close`` ends the answer and drops what the client sends for a while longer.

    Args:
        transport: asyncio's.
        sending: whether the client is still sending; if not, it is closed at once.
    """

    def __init__(self, transport: asyncio.Transport, sending: Callable[[], bool]) -> None:
        self._transport = transport
        self._sending = sending
        self.lingers = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether nothing more is answered."""
        return self.lingers or self._transport.is_closing()

    def close(self) -> None:
        """End the answer; called again, close at once."""
        if self.is_closing() or not self._sending() or not self._transport.can_write_eof():
            return self._transport.close()
        self.lingers = True
        self._transport.write_eof()
        self._transport.resume_reading()
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self._transport.abort)


class CarefulProtocol(H11Protocol):
    """One connection; given to uvicorn as ``http``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head = b""
        """What has come of a head that is not whole."""
        self._refused = False
        self._deadline: asyncio.TimerHandle | None = None
        app: App = self.app  # type: ignore[assignment]

        async def run(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, ABORT: self.transport.abort}, receive, send)

        self.app = run  # type: ignore[assignment]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._lingering = LingeringTransport(transport, self._is_sending)
        self.transport = self._lingering  # type: ignore[assignment]
        if len(self.connections) > CONNECTIONS:
            return transport.abort()
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES
        )
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come; a head is looked at before anything reads it."""
        if self._lingering.lingers:
            return None
        if self.conn.their_state is not h11.IDLE:
            return super().data_received(data)
        data, self._head = self._head + data, b""
        end = data.find(b"\r\n\r\n")
        head = data[: end + 4] if end >= 0 else data.removesuffix(b"\r")
        if _DOUBTFUL.search(head):
            return self._refuse(400, "the head of the request is not well-formed")
        if len(head) > HEAD_BYTES or head.count(b"\n") > HEAD_LINES:
            most = f"{HEAD_BYTES} bytes and {HEAD_LINES} lines"
            return self._refuse(431, f"the head of the request is too large: at most {most}")
        if end < 0:
            self._head = data
            return None
        self._stop_waiting()
        return super().data_received(data)

    def on_response_complete(self) -> None:
        """Wait for the next request; one that came before this answer's end is not served."""
        if self.conn.trailing_data[0]:
            self.transport.close()
        super().on_response_complete()
        if not self.transport.is_closing():
            self._expect_head()

    def _is_sending(self) -> bool:
        """Whether the client may be in the middle of a request of which nothing more is read."""
        answered = self.cycle is not None and self.cycle.response_complete
        return self._refused or (answered and self.conn.their_state is h11.SEND_BODY)

    def send_400_response(self, msg: str) -> None:
        """Refuse what h11 cannot read."""
        self._refuse(400, "the request is not well-formed HTTP/1.1")

    def _refuse(self, status: int, message: str) -> None:
        self._head, self._refused = b"", True
        self._stop_waiting()
        if self.cycle is not None and not self.cycle.response_complete:
            if self.cycle.response_started:
                return self.transport.abort()
            # What waits for the rest of this body is told that there is none.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        body = json.dumps(describe_fault(RequestFault(status, message))).encode()
        lines = [
            f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}", "content-type: application/json",
            f"content-length: {len(body)}", "connection: close",
            *(f"{name.decode()}: {value.decode()}" for name, value in UNDECIDED), "", "",
        ]  # fmt: skip
        self.transport.write("\r\n".join(lines).encode() + body)
        self.transport.close()

    def _expect_head(self) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._end_waiting)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end_waiting(self) -> None:
        if self.conn.their_state is h11.IDLE and self._head:
            self._refuse(
                408, f"the head of the request has not come within {HEAD_SECONDS:g} seconds"
            )
        elif self.conn.their_state is h11.IDLE:
            self.transport.abort()


SETTINGS: dict[str, Any] = {
    "http": CarefulProtocol, "ws": "none", "proxy_headers": False, "server_header": False,
    "access_log": False, "timeout_keep_alive": 5, "backlog": 4096,
}  # fmt: skip
"""What uvicorn is started with, whatever the app."""


def raise_file_limit() -> int:
    """Allow as many open files as this process may have; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
