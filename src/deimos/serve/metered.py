"""Counting what passes through to another server: requests, decisions, times, and tokens it reports.

Answers ``/metrics`` itself. Tokens are counted where the upstream server's answer says how many there
are; a stream says so if its client asks for it (``stream_options.include_usage``). The bytes of an
answer are handed on as they are.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any

from deimos.serve.http import (
    CHAT,
    COMPLETIONS,
    METRICS,
    App,
    Message,
    Receive,
    Scope,
    Send,
    find_path,
)
from deimos.serve.metrics import CONTENT_TYPE, RequestClock, ServingMetrics
from deimos.serve.middleware import DECISION

CLIENT_LEFT = 499
"""The status under which a request is counted whose client left first (nginx's)."""
TAIL, LONGEST = 8 << 10, 1 << 20
"""Bytes at the end of a stream, and of an answer that does not stream, in which usage is looked for."""
_TOKEN = re.compile(rb'"(?:content|text|reasoning(?:_content)?)":\s*"(?!")')
_ANSWER = re.compile(rb'"(?:content|text)":\s*"(?!")')
"""A text that is not empty, of anything and of the answer."""


class Metered:
    """An ASGI app that counts what another one answers.

    Args:
        app: what answers.
        metrics: where it is counted.
    """

    def __init__(self, app: App, metrics: ServingMetrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = find_path(scope) if scope["type"] == "http" else ""
        if path == METRICS:
            return await _show(self.metrics, send)
        if path not in (CHAT, COMPLETIONS):
            return await self.app(scope, receive, send)
        if decision := scope.get(DECISION):
            self.metrics.count_decision(decision.mode)
        watched = _WatchedSend(send, self.metrics.clock())
        with self.metrics.running.track_inprogress():
            try:
                await self.app(scope, receive, watched)
            finally:
                self.metrics.count_request(path, watched.status)
                if usage := watched.usage():
                    self.metrics.count_tokens("upstream", *usage)


class _WatchedSend:
    """``send`` that looks at what passes."""

    def __init__(self, send: Send, clock: RequestClock) -> None:
        self._send, self._clock = send, clock
        self.status = CLIENT_LEFT
        self._most = LONGEST
        self._end = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if any(b"event-stream" in value for _, value in message.get("headers", ())):
                self._most = TAIL
        elif (body := message.get("body", b"")) and self.status == 200:
            self._look(body)
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._clock.note("request")

    def _look(self, body: bytes) -> None:
        near = self._end[-64:] + body  # what is looked for may be cut in two
        if _TOKEN.search(near):
            self._clock.note("first_token")
        if _ANSWER.search(near):
            self._clock.note("first_answer")
        self._end = (self._end + body)[-self._most :]

    def usage(self) -> tuple[int, int, int] | None:
        """Tokens of prompt, thought and answer, as the answer reports them; None: it does not."""
        text = self._end
        if b"data: " in text:
            events = [e for e in text.split(b"data: ") if b'"usage"' in e]
            text = events[-1] if events else b""
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            usage: dict[str, Any] = json.loads(text)["usage"]
            details = usage.get("completion_tokens_details") or {}
            thought = int(details.get("reasoning_tokens") or 0)
            return usage["prompt_tokens"], thought, usage["completion_tokens"] - thought
        return None


async def _show(metrics: ServingMetrics, send: Send) -> None:
    body = metrics.render()
    headers = [
        (b"content-type", CONTENT_TYPE.encode()), (b"content-length", str(len(body)).encode()),
    ]  # fmt: skip
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
