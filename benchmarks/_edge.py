"""What `serve_overhead.py` measures of ours, each a server of its own. Not a benchmark.

``python benchmarks/_edge.py forward PORT URL``: all that stands before an upstream server;
``plain PORT`` and ``routed PORT``: an app that answers at once, without and with the middleware.
"""

from __future__ import annotations

import sys

import uvicorn
from _http_load import CHUNK, WHOLE

from deimos.serve.connections import SETTINGS
from deimos.serve.forward import Forwarder
from deimos.serve.guard import Guard
from deimos.serve.http import App, Receive, Scope, Send, read_body, send_json
from deimos.serve.middleware import ThinkingRouter
from deimos.serve.router import Router


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer at once; streamed: 16 events."""
    body = await read_body(receive, 1 << 24)
    if b'"stream": true' not in body:
        return await send_json(send, 200, WHOLE)
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for _ in range(16):
        event = f"data: {CHUNK}\n\n".encode()
        await send({"type": "http.response.body", "body": event, "more_body": True})
    await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})


def make_edge(kind: str, upstream: str) -> App:
    """The app of a kind."""
    if kind == "forward":
        return Guard(ThinkingRouter(Forwarder(upstream), Router(), {}))
    return ThinkingRouter(answer, Router(), {}) if kind == "routed" else answer


if __name__ == "__main__":
    kind, port, upstream = (*sys.argv[1:], "")[:3]
    settings = {**SETTINGS, "log_level": "critical"}
    uvicorn.run(
        make_edge(kind, upstream), host="127.0.0.1", port=int(port), lifespan="off", **settings
    )
