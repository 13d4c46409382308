"""A mock upstream server that streams, and a client that loads a server with so many connections.

Not a benchmark: `serve_overhead.py` and tests use them. Both are written on bare sockets, so that
they cost little beside what is measured. Run as a program it is the mock upstream server:
``python benchmarks/_http_load.py PORT [--events N --gap SECONDS --size BYTES]``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from dataclasses import dataclass, field

CHUNK = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
WHOLE = {
    "id": "c", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "four " * 40}}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 40, "total_tokens": 49},
}  # fmt: skip


def make_event(text: str, finish: str | None = None) -> bytes:
    """One event of a streamed chat completion, as a chunk of HTTP."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return make_chunk(f"data: {json.dumps({**CHUNK, 'choices': [choice]})}\n\n".encode())


def make_chunk(piece: bytes) -> bytes:
    """A piece of a chunked body."""
    return f"{len(piece):x}\r\n".encode() + piece + b"\r\n"


def make_answer(data: object) -> bytes:
    """A whole answer."""
    body = json.dumps(data).encode()
    head = (
        f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
ANSWER = make_answer(WHOLE)
CARDS = make_answer(
    {"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "vllm"}]}
)


class MockProtocol(asyncio.Protocol):
    """One connection of the mock server: a request in, an answer out; the log says who left early."""

    events = 16
    gap = 0.02
    size = 0
    """Characters that each event has besides its word."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.got = b""
        self.timer: asyncio.TimerHandle | None = None
        self.waiting: int | None = None
        """The event that waits until the client reads; None: the client does."""
        self.paused = False

    def pause_writing(self) -> None:
        """The client does not read."""
        self.paused = True

    def resume_writing(self) -> None:
        """It does again."""
        self.paused, number = False, self.waiting
        if number is not None:
            self.waiting = None
            self._say(number)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client left."""
        if self.timer is not None or self.waiting is not None:
            if self.timer is not None:
                self.timer.cancel()
            self.timer = self.waiting = None
            print(json.dumps({"left": time.monotonic()}), flush=True)

    def data_received(self, data: bytes) -> None:
        """Answer once a request is whole."""
        self.got += data
        head, found, body = self.got.partition(b"\r\n\r\n")
        if not found:
            return
        low = head.lower()
        length = int(low.partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
        if b"transfer-encoding: chunked" in low:
            if not body.endswith(b"0\r\n\r\n"):
                return
        elif len(body) < length:
            return
        self.got = b""
        if head.startswith(b"GET"):
            self.transport.write(CARDS if b"/models" in head else make_answer({}))
        elif b'"stream": true' in body or b'"stream":true' in body:
            self.transport.write(STREAM_HEAD)
            self._say(0)
        else:
            self.transport.write(ANSWER)

    def _say(self, number: int) -> None:
        if number == self.events:
            self.timer = None
            last = make_event("", "stop") + make_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
            return self.transport.write(last)
        if self.paused:
            self.timer, self.waiting = None, number
            return None
        self.transport.write(make_event(f"word{number} " + "x" * self.size))
        self.timer = asyncio.get_running_loop().call_later(self.gap, self._say, number + 1)
        return None


@dataclass
class Load:
    """What a load test measured; seconds."""

    whole: list[float] = field(default_factory=list)
    """From a request's first byte to its answer's last."""
    first: list[float] = field(default_factory=list)
    """To the first byte of its body."""
    seconds: float = 0.0
    failed: int = 0
    """Answers that were not 200, or broke off."""


async def load(port: int, body: bytes, connections: int, requests: int, headers: str = "") -> Load:
    """Send requests one after the other on each of some connections.

    Args:
        port: of the server, on this machine.
        body: of each request.
        connections: at one time, kept open.
        requests: of all connections together.
        headers: further lines, each with its end.
    """
    found = Load()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n{headers}\r\n"
    )
    raw = head.encode() + body
    left = iter(range(requests))
    began = time.perf_counter()
    await asyncio.gather(*(_connection(port, raw, left, found) for _ in range(connections)))
    found.seconds = time.perf_counter() - began
    return found


async def _connection(port: int, raw: bytes, left: object, found: Load) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    try:
        for _ in left:  # type: ignore[attr-defined]
            began = time.perf_counter()
            writer.write(raw)
            first = await _read_answer(reader, began)
            if first is None:
                found.failed += 1
                return
            found.first.append(first)
            found.whole.append(time.perf_counter() - began)
    except (ConnectionError, asyncio.IncompleteReadError):
        found.failed += 1
    finally:
        writer.close()


async def _read_answer(reader: asyncio.StreamReader, began: float) -> float | None:
    """Read one answer; seconds to its body's first byte, None if it is not 200."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if not head.startswith(b"http/1.1 200"):
        return None
    if b"transfer-encoding: chunked" not in head:
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        await reader.readexactly(min(1, length))
        first = time.perf_counter() - began
        await reader.readexactly(max(0, length - 1))
        return first
    first = None
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        if first is None:
            first = time.perf_counter() - began
        await reader.readexactly(size + 2)
    await reader.readexactly(2)
    return first


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(
        MockProtocol, "127.0.0.1", port, backlog=4096
    )
    print("ready", flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--events", type=int, default=16)
    parser.add_argument("--gap", type=float, default=0.02)
    parser.add_argument("--size", type=int, default=0)
    args = parser.parse_args()
    MockProtocol.events, MockProtocol.gap, MockProtocol.size = args.events, args.gap, args.size
    asyncio.run(_serve(args.port))


if __name__ == "__main__":
    main()
