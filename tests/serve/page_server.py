"""A scripted model behind the chat page, on a real socket: what comes, byte by byte, is the test's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time

import uvicorn

from deimos.models.switch import ENABLE_THINKING
from deimos.serve.chat_page import ChatPage

DECISION = {
    "x-deimos-mode": "on",
    "x-deimos-reason": "asks for a number that has to be worked out",
    "x-deimos-margin": "0.12",
    "x-deimos-policy": "default-1a2b3c4d",
}
DONE = b"data: [DONE]\n\n"


def event(delta=None, finish=None, **more):
    """One event of a streamed chat answer."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return b"data: " + json.dumps({"choices": choices, **more}).encode() + b"\n\n"


def usage(thought, answer):
    """The event that says how many tokens there were."""
    details = {"reasoning_tokens": thought}
    counts = {"completion_tokens": thought + answer, "completion_tokens_details": details}
    return event(usage=counts)


def thoughtful(thought="two and two", answer="Four."):
    """A whole answer with a thought."""
    pieces = [event({"role": "assistant", "content": ""})]
    pieces += [event({"reasoning": word}) for word in thought]
    pieces += [event({"content": word}) for word in "\n\n" + answer]
    return [*pieces, event({}, finish="stop"), usage(len(thought), len(answer)), DONE]


class ScriptedServer:
    """The page over a model that plays ``script``; a context manager.

    ``script``: bytes to send, seconds to wait between them, or "hang". ``bodies``: what was asked.
    ``left``: monotonic seconds at which a client had left while its answer was being written.
    """

    def __init__(self, switch=ENABLE_THINKING):
        self.script, self.status, self.headers = thoughtful(), 200, dict(DECISION)
        self.bodies, self.left = [], []
        self.models = ["lab"]
        config = uvicorn.Config(
            ChatPage(self.answer, switch), port=0, log_level="error", lifespan="off"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)

    async def answer(self, scope, receive, send):
        if scope["path"] == "/v1/models":
            names = [{"id": name} for name in self.models]
            await self.start(send, 200, "application/json", {})
            await self.send(send, json.dumps({"data": names}).encode(), more=False)
        elif scope["path"] == "/v1/chat/completions":
            await self.chat(receive, send)
        else:
            await self.start(send, 404, "text/plain", {})
            await self.send(send, b"", more=False)

    async def chat(self, receive, send):
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        self.bodies.append(json.loads(body))
        kind = "text/event-stream" if self.status == 200 else "application/json"
        await self.start(send, self.status, kind, self.headers)
        playing = asyncio.create_task(self.play(send))
        leaving = asyncio.create_task(receive())
        await asyncio.wait({playing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not playing.done():
            self.left.append(time.monotonic())
        for task in (playing, leaving):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def play(self, send):
        for item in self.script:
            if item == "hang":
                await asyncio.Event().wait()
            elif isinstance(item, bytes):
                await self.send(send, item)
            await asyncio.sleep(0 if isinstance(item, bytes) else item)
        await self.send(send, b"", more=False)

    async def start(self, send, status, kind, headers):
        pairs = {"content-type": kind, **headers}.items()
        pairs = [(name.encode(), value.encode()) for name, value in pairs]
        await send({"type": "http.response.start", "status": status, "headers": pairs})

    async def send(self, send, body, more=True):
        await send({"type": "http.response.body", "body": body, "more_body": more})

    @property
    def url(self):
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}/"

    def __enter__(self):
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()
