"""What a server counts, for Prometheus: requests, tokens, seconds, decisions.

Labels hold known values only (paths that are served, names of models), so no client can make series
without end. ``Metered`` counts what passes through to another server, whose bytes are handed on as
they are: its tokens where the answer says how many there are (a stream does if its client asks, by
``stream_options.include_usage``). Not covered: metrics of the engine itself.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

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
from deimos.serve.middleware import DECISION

CONTENT_TYPE = CONTENT_TYPE_LATEST
CLIENT_LEFT = 499
"""The status under which a request is counted whose client left first (nginx's)."""
TAIL, LONGEST = 8 << 10, 1 << 20
"""Bytes at the end of a stream, and of an answer that does not stream, in which usage is looked for."""
_TOKEN = re.compile(rb'"(?:content|text|reasoning(?:_content)?)":\s*"(?!")')
_ANSWER = re.compile(rb'"(?:content|text)":\s*"(?!")')
"""A text that is not empty, of anything and of the answer."""
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 600)
"""Upper bounds of the buckets of all times."""


class ServingMetrics:
    """The counters of one server.

    Args:
        registry: where they are registered; None: one of their own.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry = registry or CollectorRegistry()
        self._requests = Counter(
            "deimos_requests", "Answered requests.", ["path", "status"], registry=registry
        )
        self.running = Gauge(
            "deimos_requests_running", "Requests being answered.", registry=registry
        )
        names = (("prompt", "Prompt"), ("think", "Think"), ("answer", "Answer"))
        self._tokens = {
            part: Counter(f"deimos_{part}_tokens", f"{name} tokens.", ["model"], registry=registry)
            for part, name in names
        }
        self._decisions = Counter(
            "deimos_decisions",
            "Requests by thinking mode: on, off, default (as the model's template has it).",
            ["mode"],
            registry=registry,
        )
        self._first_token, self._first_answer, self._seconds = (
            Histogram(name, text, registry=registry, buckets=SECONDS)
            for name, text in (
                ("deimos_first_token_seconds", "From request to the first token, of streams."),
                (
                    "deimos_first_answer_seconds",
                    "From request to the first token of the answer, of streams.",
                ),
                ("deimos_request_seconds", "From request to the end of the answer."),
            )
        )

    def count_request(self, path: str, status: int) -> None:
        """A request has been answered; ``path``: one that is served, or ``other``."""
        self._requests.labels(path, str(status)).inc()

    def count_decision(self, mode: str) -> None:
        """A request is asked in this thinking mode."""
        self._decisions.labels(mode).inc()

    def count_tokens(self, model: str, prompt: int, think: int, answer: int) -> None:
        """A completion has ended, or its reader has left."""
        for part, number in (("prompt", prompt), ("think", think), ("answer", answer)):
            self._tokens[part].labels(model).inc(number)

    def clock(self) -> RequestClock:
        """Start timing a request."""
        return RequestClock(self)

    def render(self) -> bytes:
        """All values in Prometheus' text format (``CONTENT_TYPE``)."""
        return generate_latest(self.registry)

    def observe(self, name: str, seconds: float) -> None:
        """Note a time: ``first_token``, ``first_answer`` or ``request``."""
        times = {
            "first_token": self._first_token,
            "first_answer": self._first_answer,
            "request": self._seconds,
        }
        times[name].observe(seconds)


class RequestClock:
    """The times of one request; each is noted once."""

    def __init__(self, metrics: ServingMetrics) -> None:
        self._metrics = metrics
        self._started = time.perf_counter()
        self._noted: set[str] = set()

    def note(self, name: str) -> None:
        """``first_token``, ``first_answer`` or ``request`` has been reached now."""
        if name not in self._noted:
            self._noted.add(name)
            self._metrics.observe(name, time.perf_counter() - self._started)


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
