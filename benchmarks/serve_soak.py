"""Does the server stay up, and small: slow readers, idle connections, many requests, an end under load.

usage: python benchmarks/serve_soak.py [--readers N] [--idle N] [--requests N] [--out docs/results/serve.md]

Our forwarder before a mock upstream server, all on this machine. While so many clients read nothing
of endless answers, and while so many connections say nothing, ordinary requests are sent and timed;
its memory (RSS) is read after each tenth of the requests; then it gets SIGTERM while streams are
running. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from _gateways import Gateway, start_edge, start_mock
from _http_load import load
from _pages import ROOT, write_section
from serve_overhead import make_body, percentile

PAGE = ROOT / "docs/results/serve.md"
HEAD = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n"
STALL = 45.0
"""Seconds by which a client that reads nothing has been let go: 30, and time to notice."""


def memory(gateway: Gateway) -> float:
    """MiB that a server has in memory."""
    return psutil.Process(gateway.process).memory_info().rss / 2**20


def ordinary(gateway: Gateway, requests: int = 200) -> float:
    """Send ordinary requests on four connections; the 99th percentile in seconds, all answered."""
    found = asyncio.run(load(gateway.port, make_body("m", False), 4, requests))
    if found.failed or len(found.whole) != requests:
        raise SystemExit(f"{found.failed} ordinary requests failed")
    return percentile(found.whole, 0.99)


@contextlib.contextmanager
def connected(port: int, count: int, raw: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many connections that send this and then read nothing."""
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(count):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(30)
            client.connect(("127.0.0.1", port))
            client.sendall(raw)
            found.append(client)
        yield found


def is_closed(client: socket.socket) -> bool:
    """Whether the server has let a connection go; what it sent before is thrown away."""
    client.setblocking(False)
    try:
        for _ in range(10_000):
            if not client.recv(1 << 16):
                return True
    except BlockingIOError:
        return False
    except OSError:
        return True
    return False


def hold_slow_readers(count: int) -> dict[str, Any]:
    """Clients that read nothing of endless answers."""
    mocked = start_mock("--events", "1000000", "--gap", "0", "--size", "20000")
    with mocked as mock, start_edge("forward", f"http://127.0.0.1:{mock.port}") as edge:
        before = memory(edge)
        body = make_body("m", True)
        raw = HEAD.format(len(body)).encode() + body
        with connected(edge.port, count, raw) as clients:
            time.sleep(2)
            p99, during = ordinary(edge, 50), memory(edge)
            time.sleep(STALL)
            closed = sum(map(is_closed, clients))
        return {
            "clients": len(clients), "let_go": closed, "ordinary_p99_s": p99,
            "mib_before": before, "mib_during": during, "mib_after": memory(edge),
        }  # fmt: skip


def hold_idle(count: int) -> dict[str, Any]:
    """Connections that say nothing."""
    with start_mock() as mock, start_edge("forward", f"http://127.0.0.1:{mock.port}") as edge:
        before = memory(edge)
        with connected(edge.port, count) as clients:
            during, p99 = memory(edge), ordinary(edge)
            end = time.monotonic() + 60
            while (closed := sum(map(is_closed, clients))) < count and time.monotonic() < end:
                time.sleep(1)
        return {
            "connections": count, "let_go": closed, "ordinary_p99_s": p99, "mib_before": before,
            "mib_during": during, "mib_after": memory(edge),
        }  # fmt: skip


def send_many(count: int) -> dict[str, Any]:
    """Requests one after the other, a tenth of them streamed; memory after each tenth of them."""
    with (
        start_mock("--gap", "0.001") as mock,
        start_edge("forward", f"http://127.0.0.1:{mock.port}") as edge,
    ):
        ordinary(edge, 1000)
        sizes = [memory(edge)]
        for _ in range(10):
            for stream, share in ((False, 9), (True, 1)):
                found = asyncio.run(
                    load(edge.port, make_body("m", stream), 16, count * share // 100)
                )
                if found.failed:
                    raise SystemExit(f"{found.failed} requests failed")
            sizes.append(memory(edge))
        return {"requests": count // 100 * 100, "mib": sizes}


def end_under_load(streams: int = 50) -> dict[str, Any]:
    """SIGTERM while streams are running: how many of them came to their end, and what came after."""
    with (
        start_mock("--events", "100") as mock,
        start_edge("forward", f"http://127.0.0.1:{mock.port}") as edge,
    ):
        body = make_body("m", True)
        with connected(edge.port, streams, HEAD.format(len(body)).encode() + body) as clients:
            for client in clients:
                client.recv(1)
            began = time.monotonic()
            os.kill(edge.process, signal.SIGTERM)
            whole = sum(b"[DONE]" in read_all(client) for client in clients)
            psutil.Process(edge.process).wait(60)
        refused = 0
        for _ in range(5):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", edge.port)):
                refused -= 1
            refused += 1
        return {
            "streams": streams,
            "whole": whole,
            "seconds": time.monotonic() - began,
            "refused_after": refused,
        }


def read_all(client: socket.socket) -> bytes:
    """What comes until the server closes, or the stream is over."""
    got = b""
    while piece := client.recv(1 << 16):
        got += piece
        if got.endswith(b"0\r\n\r\n"):
            break
    return got


def describe(found: dict[str, Any], args: argparse.Namespace) -> str:
    """The section of the page."""
    slow, idle, many, end = (found[k] for k in ("slow", "idle", "many", "end"))
    sizes = ", ".join(f"{size:.0f}" for size in many["mib"])
    return "\n".join(
        [
            "## Under abuse", "",
            f"`python benchmarks/serve_soak.py --readers {args.readers} --idle {args.idle} --requests {args.requests}`; the "
            "forwarder before a mock upstream server; ordinary requests meanwhile, four connections.", "",
            "| what | let go | ordinary requests' p99, ms | MiB before, during, after |", "|---|---|---|---|",
            f"| {slow['clients']} clients that read nothing of endless answers | {slow['let_go']} "
            f"| {1000 * slow['ordinary_p99_s']:.0f} | {slow['mib_before']:.0f}, {slow['mib_during']:.0f}, {slow['mib_after']:.0f} |",
            f"| {idle['connections']:,} connections that say nothing | {idle['let_go']:,} "
            f"| {1000 * idle['ordinary_p99_s']:.0f} | {idle['mib_before']:.0f}, {idle['mib_during']:.0f}, {idle['mib_after']:.0f} |", "",
            f"Memory over {many['requests']:,} requests, after each tenth, MiB: {sizes}.", "",
            f"SIGTERM with {end['streams']} streams running: {end['whole']} of them came to their end, in {end['seconds']:.1f} s; "
            f"of 5 connections after it {end['refused_after']} were refused.",
        ]
    )  # fmt: skip


def main() -> None:
    """Measure, print, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=500)
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=PAGE)
    args = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    found = {
        "slow": hold_slow_readers(args.readers), "idle": hold_idle(args.idle),
        "many": send_many(args.requests), "end": end_under_load(),
    }  # fmt: skip
    text = describe(found, args)
    print(text)
    if args.out != Path("-"):
        write_section("abuse", text, args.out)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
