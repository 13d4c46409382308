"""What a server counts, for Prometheus: requests, tokens, seconds, decisions.

Labels hold known values only (paths that are served, names of models), so no client can make series
without end. Not covered: metrics of the engine itself, and of another server behind this one.
"""

from __future__ import annotations

import time

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

CONTENT_TYPE = CONTENT_TYPE_LATEST
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
