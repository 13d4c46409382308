"""A scripted model behind the chat page, on a real socket: what comes, byte by byte, is the test's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time

from running import serving

from deimos.models.switch import ENABLE_THINKING
from deimos.serve.chat_page import ChatPage, page_paths
from deimos.serve.guard import Guard

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

    def __init__(self, switch=ENABLE_THINKING, keys=None):
        self.script, self.status, self.headers = thoughtful(), 200, dict(DECISION)
        self.bodies, self.left = [], []
        self.models = ["lab"]
        app = ChatPage(self.answer, switch)
        if keys is not None:
            app = Guard(app, keys=keys, pages=page_paths())
        self._serving = serving(app)

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
        return f"http://127.0.0.1:{self.port}/"

    def __enter__(self):
        self.port = self._serving.__enter__()
        return self

    def __exit__(self, *error):
        return self._serving.__exit__(*error)
