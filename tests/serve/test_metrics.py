"""What is counted of answers that pass through from another server."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from deimos.serve.http import CHAT, METRICS, MODELS
from deimos.serve.metrics import Metered, ServingMetrics
from deimos.serve.middleware import DECISION
from deimos.serve.router import Decision

USAGE = {
    "prompt_tokens": 7, "completion_tokens": 20,
    "completion_tokens_details": {"reasoning_tokens": 12},
}  # fmt: skip


def chunk(delta: dict[str, Any] | None, **more: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta}]
    return b"data: " + json.dumps({"choices": choices, **more}).encode() + b"\n\n"


STREAM = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"reasoning": "hm"}),
    chunk({"content": "4"}),
    chunk(None, usage=USAGE) + b"data: [DONE]\n\n",
]
WHOLE = [json.dumps({"choices": [{"message": {"content": "4"}}], "usage": USAGE}).encode()]


def passed(
    pieces: list[bytes], kind: str, path: str = CHAT, status: int = 200
) -> tuple[dict[str, float], bytes]:
    """The counters after one answer, and what came of it."""
    metrics = ServingMetrics()

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", kind.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    sent: list[bytes] = []

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    async def receive() -> Any:
        raise AssertionError("nothing more is read")

    decision = Decision({}, "off", "x", 0.1, "p")
    scope = {"type": "http", "path": path, "method": "POST", DECISION: decision}
    app = Metered(answer, metrics)
    asyncio.run(app(scope, receive, send))
    lines = [line.rsplit(" ", 1) for line in read(app).splitlines() if line[:1] != "#"]
    return {name: float(value) for name, value in lines}, b"".join(sent)


def read(app: Metered) -> str:
    sent: list[bytes] = []

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    asyncio.run(app({"type": "http", "path": METRICS}, None, send))  # type: ignore[arg-type]
    return b"".join(sent).decode()


def split_up(pieces: list[bytes], size: int) -> list[bytes]:
    whole = b"".join(pieces)
    return [whole[i : i + size] for i in range(0, len(whole), size)]


@pytest.mark.parametrize(
    ("pieces", "kind"),
    [
        (STREAM, "text/event-stream"),
        (split_up(STREAM, 100), "text/event-stream"),
        (WHOLE, "application/json"),
    ],
    ids=["stream", "stream in other pieces", "whole"],
)
def test_tokens_and_times_of_an_answer(pieces, kind):
    counted, sent = passed(pieces, kind)
    assert sent == b"".join(pieces), "it is handed on as it is"
    tokens = [counted[f'deimos_{part}_tokens_total{{model="upstream"}}']
              for part in ("prompt", "think", "answer")]  # fmt: skip
    assert tokens == [7, 12, 8]
    assert counted[f'deimos_requests_total{{path="{CHAT}",status="200"}}'] == 1
    assert counted['deimos_decisions_total{mode="off"}'] == 1
    assert counted["deimos_request_seconds_count"] == 1
    assert counted["deimos_first_token_seconds_count"] == 1
    assert counted["deimos_first_answer_seconds_count"] == 1
    assert counted["deimos_requests_running"] == 0


def test_an_answer_that_says_no_tokens_counts_none():
    counted, _ = passed(STREAM[:2], "text/event-stream")
    assert not any("tokens_total" in name for name in counted)
    assert counted["deimos_first_token_seconds_count"] == 1
    assert counted["deimos_first_answer_seconds_count"] == 0


def test_refusals_and_other_paths():
    counted, _ = passed([b'{"error": {"message": "no"}}'], "application/json", status=400)
    assert counted[f'deimos_requests_total{{path="{CHAT}",status="400"}}'] == 1
    assert counted["deimos_first_token_seconds_count"] == 0
    counted, _ = passed([b"{}"], "application/json", path=MODELS)
    assert not any("requests_total" in name for name in counted)
