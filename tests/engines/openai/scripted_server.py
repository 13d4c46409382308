"""An OpenAI-compatible server that says what a script says, and goes wrong as it is told to.

Real sockets, a thread of its own. It speaks the endpoints that the engine uses (``/v1/models``,
``/v1/completions``, ``/version``), streams one event a token, and notes every request and every
stream that a client closed early. Faults are taken from a queue, one a streamed request.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

Script = Callable[[tuple[int, ...], dict[str, Any]], Sequence[int]]
"""Prompt ids and the request to what is still to be said, end-of-turn token last if it has one."""


class Fault:
    """What goes wrong with one streamed request, after so many tokens."""

    def __init__(self, kind: str, after: int = 0, status: int = 500, **headers: str) -> None:
        self.kind, self.after, self.status = kind, after, status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class ScriptedServer:
    """A server; a context manager. ``kill`` and ``start`` again keep its port."""

    def __init__(
        self,
        script: Script,
        spell: Callable[[int], str],
        *,
        model: str = "m",
        eos: int = 0,
        ids: bool = True,
        max_model_len: int | None = 10**9,
    ) -> None:
        self.script, self.spell, self.model, self.eos = script, spell, model, eos
        self.ids = ids
        self.max_model_len = max_model_len
        self.faults: deque[Fault] = deque()
        self.always: Fault | None = None
        self.key: str | None = None
        self.extra_prompt = 0
        """Prompt tokens that it counts too many."""
        self.echoes = False
        self.strips: tuple[int, ...] = ()
        """Tokens that it leaves out of its text."""
        self.reasons = False
        """Puts its text where a reasoning parser would."""
        self.lies = False
        """Sends ids of another vocabulary."""
        self.way = "plain"
        """How events are written: plain, crlf, bytes, comments, twice or no_done."""
        self.requests: list[dict[str, Any]] = []
        """Streamed requests."""
        self.probes = 0
        self.loaded: list[dict[str, Any]] = []
        self.said = 0
        """Tokens streamed."""
        self.closed_early = threading.Semaphore(0)
        """Released for each stream that a client closed before its end."""
        self.on_token: Callable[[int], None] = lambda n: None
        self.port = 0
        self._up = False

    def start(self) -> ScriptedServer:
        """Listen; on the port it had before, if it had one."""
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()

        async def serve() -> None:
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]
            ready.set()

        def run() -> None:
            asyncio.set_event_loop(self._loop)
            self._loop.run_until_complete(serve())
            self._loop.run_forever()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        assert ready.wait(30)
        self._up = True
        return self

    def kill(self) -> None:
        """Reset every connection and stop listening."""
        if not self._up:
            return
        self._up = False

        async def end() -> None:
            self._server.close()
            for writer in [*self._writers]:
                writer.transport.abort()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    def __enter__(self) -> ScriptedServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    _writers: set[asyncio.StreamWriter] = set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers = {*self._writers, writer}
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, path, _ = head.split("\r\n")[0].split(" ")
            headers = {
                k.lower(): v for k, _, v in (x.partition(": ") for x in head.split("\r\n")[1:])
            }
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            if self.key and headers.get("authorization") != f"Bearer {self.key}":
                return await self._json(writer, 401, {"error": {"message": "wrong key"}})
            await self._route(method, path, json.loads(body or b"{}"), reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._writers = self._writers - {writer}
            writer.close()

    async def _route(
        self, method: str, path: str, body: dict[str, Any], reader: Any, writer: Any
    ) -> None:
        if path == "/v1/models":
            card = {"id": self.model, "owned_by": "scripted", "max_model_len": self.max_model_len}
            await self._json(writer, 200, {"object": "list", "data": [card]})
        elif path == "/version":
            await self._json(writer, 200, {"version": "1"})
        elif path == "/v1/load_lora_adapter":
            self.loaded.append(body)
            await self._json(writer, 200 if self.loaded else 404, {})
        elif path == "/v1/completions" and body.get("stream"):
            await self._stream(body, reader, writer)
        elif path == "/v1/completions":
            self.probes += 1
            await self._once(body, writer)
        else:
            await self._json(writer, 404, {"detail": "Not Found"})

    async def _json(self, writer: Any, status: int, data: Any, **headers: str) -> None:
        text = json.dumps(data).encode()
        await self._answer(writer, status, "application/json", text, headers)

    async def _answer(
        self, writer: Any, status: int, kind: str, body: bytes, headers: dict[str, str]
    ) -> None:
        lines = [f"HTTP/1.1 {status} x", f"content-type: {kind}", f"content-length: {len(body)}"]
        lines += [f"{k}: {v}" for k, v in headers.items()] + ["connection: close", "", ""]
        writer.write("\r\n".join(lines).encode() + body)
        await writer.drain()

    async def _once(self, body: dict[str, Any], writer: Any) -> None:
        """A whole answer: what a look at the server gets."""
        bias = [int(i) for i in body.get("logit_bias", {})]
        ids = bias[:1] or list(self.script(tuple(body["prompt"]), body))[: body["max_tokens"]]
        choice: dict[str, Any] = {"index": 0, "text": self._text(ids), "finish_reason": "length"}
        if self.echoes:
            choice["text"] = self._text(body["prompt"]) + choice["text"]
        if self.ids and body.get("return_token_ids"):
            choice["token_ids"] = [i + 1 for i in ids] if self.lies else ids
        usage = {"prompt_tokens": len(body["prompt"]) + self.extra_prompt}
        await self._json(writer, 200, {"id": "c", "choices": [choice], "usage": usage})

    def _text(self, ids: Sequence[int]) -> str:
        return "".join(self.spell(i) for i in ids if i not in (self.eos, *self.strips))

    async def _stream(self, body: dict[str, Any], reader: Any, writer: Any) -> None:
        self.requests.append(body)
        fault = self.faults.popleft() if self.faults else self.always
        if fault is None:
            fault = Fault("none")
        if fault.kind == "status":
            return await self._json(writer, fault.status, {"error": "scripted"}, **fault.headers)
        if fault.kind == "html":
            return await self._answer(writer, 200, "text/html", b"<html>hello</html>", {})
        if fault.kind == "hang" and fault.after == 0:
            await reader.read()
            return None
        lines = ["HTTP/1.1 200 OK", "content-type: text/event-stream", "transfer-encoding: chunked"]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        ids = list(self.script(tuple(body["prompt"]), body))
        cut = ids[: body["max_tokens"]]
        gone = asyncio.ensure_future(reader.read())
        try:
            await self._tokens(cut, fault, body, writer, gone)
        except ConnectionError:
            self.closed_early.release()
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)

    async def _tokens(
        self, ids: Sequence[int], fault: Fault, body: dict[str, Any], writer: Any, gone: Any
    ) -> None:
        for n, token in enumerate(ids):
            if fault.kind != "none" and n == fault.after:
                return await self._break(fault, token, writer, gone)
            last = n == len(ids) - 1
            finish = None if not last else "stop" if token == self.eos else "length"
            await self._event(writer, self._chunk([token], finish, body))
            if last and self.way == "twice":
                await self._event(writer, self._chunk([token], finish, body))
            self.said += 1
            self.on_token(self.said)
            await asyncio.sleep(0)
            if gone.done():
                raise ConnectionResetError
        if self.way != "no_done":
            await self._event(writer, "[DONE]")
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return None

    def _chunk(self, ids: list[int], finish: str | None, body: dict[str, Any]) -> str:
        keep = body.get("include_stop_str_in_output")
        text = self._text(ids) + ("".join(self.spell(i) for i in ids if i == self.eos and keep))
        choice: dict[str, Any] = {"index": 0, "text": text, "finish_reason": finish}
        if self.reasons:
            choice |= {"text": "", "reasoning_content": text}
        if self.ids and body.get("return_token_ids"):
            choice["token_ids"] = ids
        return json.dumps({"id": "c", "object": "text_completion", "choices": [choice]})

    async def _break(self, fault: Fault, token: int, writer: Any, gone: Any) -> None:
        """Do what a fault says in mid-stream."""
        if fault.kind == "hang":
            await gone
            return
        if fault.kind == "reset":
            writer.transport.abort()
            return
        events = {
            "garbage": "{not json", "number": "7", "no_choices": '{"id": "c"}',
            "empty_choice": '{"id": "c", "choices": [3]}',
            "error": '{"error": {"message": "CUDA error: device lost"}}',
            "other_id": '{"id": "d", "choices": [{"index": 0, "text": "x", "token_ids": [5]}]}',
            "other_index": '{"id": "c", "choices": [{"index": 1, "text": "x", "token_ids": [5]}]}',
            "bad_ids": '{"id": "c", "choices": [{"index": 0, "text": "x", "token_ids": ["5"]}]}',
            "abort": '{"id": "c", "choices": [{"index": 0, "text": "", "finish_reason": "abort"}]}',
            "deep": "[" * 100_000,
        }  # fmt: skip
        if fault.kind in events:
            await self._event(writer, events[fault.kind])
        elif fault.kind == "half":
            whole = f"data: {self._chunk([token], None, {'return_token_ids': True})}\n\n".encode()
            await self._write(writer, whole[: len(whole) // 2])
        elif fault.kind == "unchunked":  # the connection closes within a chunk
            writer.write(b"100\r\ndata: ")
            await writer.drain()
            return
        writer.write(b"0\r\n\r\n")  # "truncated": a clean end that comes too early
        await writer.drain()

    async def _event(self, writer: Any, data: str) -> None:
        end = "\r\n" if self.way == "crlf" else "\n"
        text = f"data: {data}{end}{end}"
        if self.way == "comments":
            text = f": ping\n\nevent: completion\nretry: 5\ndata:\n\n{text}"
        pieces = [bytes([b]) for b in text.encode()] if self.way == "bytes" else [text.encode()]
        for piece in pieces:
            await self._write(writer, piece)

    async def _write(self, writer: Any, piece: bytes) -> None:
        writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        await writer.drain()
