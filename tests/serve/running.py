"""Servers for tests: an app under uvicorn on a real socket, and an upstream that goes wrong as told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from deimos.serve.connections import SETTINGS
from deimos.serve.http import App


@contextlib.contextmanager
def serving(app: App, **settings: Any) -> Iterator[int]:
    """Run an app as we do; gives its port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    config = uvicorn.Config(app, **{**SETTINGS, "log_level": "critical", **settings})
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    end = time.monotonic() + 30
    while not server.started and time.monotonic() < end:
        time.sleep(0.01)
    assert server.started
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(30)
        assert not thread.is_alive()


def ask(port: int, raw: bytes, seconds: float = 20, half_close: bool = False) -> bytes:
    """Send bytes as they are; all that comes back until the server closes or has answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(raw)
        got = b""
        while not is_whole(got):
            try:
                piece = connection.recv(1 << 16)
            except ConnectionResetError:
                break
            if not piece:
                break
            got += piece
        return got


def is_whole(got: bytes) -> bool:
    """Whether bytes hold an answer with all of its body."""
    head, found, body = got.partition(b"\r\n\r\n")
    lower = head.lower()
    if not found:
        return False
    if b"transfer-encoding: chunked" in lower:
        return body.endswith(b"0\r\n\r\n")
    length = lower.partition(b"content-length:")[2].split(b"\r\n")[0]
    return bool(length) and len(body) >= int(length)


def post(port: int, data: Any, path: str = "/v1/chat/completions", **headers: str) -> bytes:
    """Send a JSON body (or bytes) as a client does."""
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    lines = {
        "host": "localhost", "content-type": "application/json", "content-length": str(len(body)),
        "connection": "close", **{k.replace("_", "-"): v for k, v in headers.items()},
    }  # fmt: skip
    head = "".join(f"{k}: {v}\r\n" for k, v in lines.items() if v is not None)
    return ask(port, f"POST {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body)


def status_of(answer: bytes) -> int:
    """The status of a raw answer; 0: there is none."""
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0


def headers_of(answer: bytes) -> dict[str, str]:
    """The headers of a raw answer."""
    lines = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}


def body_of(answer: bytes) -> bytes:
    """The body of a raw answer, chunks joined."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" not in head.lower():
        return body
    joined = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        joined += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
    return joined


def error_of(answer: bytes) -> str:
    """The one sentence of a refusal."""
    error = json.loads(body_of(answer))["error"]
    assert {*error} == {"message", "type", "param", "code"}
    assert error["code"] == status_of(answer)
    return error["message"]


def chat(text: str = "What is 2 + 2?", **more: Any) -> dict[str, Any]:
    """A request for a chat completion."""
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


Script = Callable[["Upstream", dict[str, Any], asyncio.StreamWriter], Any]


class Upstream:
    """An OpenAI-compatible server of raw sockets: what it does is a function; a context manager.

    ``requests`` are those that reached it, ``closed`` the times at which clients left a running one.
    """

    def __init__(self, script: Script | None = None) -> None:
        self.script = script or answer_plainly
        self.requests: list[dict[str, Any]] = []
        self.heads: list[str] = []
        self.closed: list[float] = []
        self.connections = 0

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                self.heads.append(head)
                length = next(
                    (
                        line.split(":")[1]
                        for line in head.lower().split("\r\n")
                        if line.startswith("content-length")
                    ),
                    "0",
                )
                body = await reader.readexactly(int(length))
                data = json.loads(body) if body else {}
                self.requests.append(data)
                work = asyncio.ensure_future(self.script(self, data, writer))
                gone = asyncio.ensure_future(reader.read(1))
                await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
                if not work.done() or isinstance(work.exception(), ConnectionError):
                    self.closed.append(time.monotonic())
                    work.cancel()
                    return
                gone.cancel()
                await work
                return
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    def __enter__(self) -> Upstream:
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()

        async def start() -> None:
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
            self.port = self._server.sockets[0].getsockname()[1]
            ready.set()

        def run() -> None:
            asyncio.set_event_loop(self._loop)
            self._loop.run_until_complete(start())
            self._loop.run_forever()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        async def end() -> None:
            self._server.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


async def write(
    writer: asyncio.StreamWriter, status: int, kind: str, body: bytes, *more: str
) -> None:
    """A whole answer."""
    lines = [
        f"HTTP/1.1 {status} x",
        f"content-type: {kind}",
        f"content-length: {len(body)}",
        "connection: close",
        *more,
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    await writer.drain()


async def begin_stream(writer: asyncio.StreamWriter) -> None:
    """The head of a stream of events."""
    lines = [
        "HTTP/1.1 200 OK",
        "content-type: text/event-stream",
        "transfer-encoding: chunked",
        "connection: close",
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    await writer.drain()


async def write_chunk(writer: asyncio.StreamWriter, piece: bytes) -> None:
    """A piece of a stream."""
    writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    await writer.drain()


def event(text: str) -> bytes:
    """One event of a streamed chat completion."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return f"data: {json.dumps({'id': 'c', 'object': 'chat.completion.chunk', 'choices': [choice]})}\n\n".encode()


COMPLETION = {
    "id": "c", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "4"}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}  # fmt: skip


async def answer_plainly(
    server: Upstream, data: dict[str, Any], writer: asyncio.StreamWriter
) -> None:
    """Answer as servers do, streaming if asked to."""
    if data.get("stream"):
        await begin_stream(writer)
        for word in ("a", "b", "c"):
            await write_chunk(writer, event(word))
        await write_chunk(writer, b"data: [DONE]\n\n")
        writer.write(b"0\r\n\r\n")
        await writer.drain()
    else:
        await write(writer, 200, "application/json", json.dumps(COMPLETION).encode())
