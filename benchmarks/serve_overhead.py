"""What standing in the way costs: our forwarder beside Portkey's gateway and LiteLLM, and the middleware.

usage: python benchmarks/serve_overhead.py [--rounds N] [--divide N] [--portkey FOLDER]
           [--litellm PYTHON] [--upstream URL --model NAME] [--out docs/results/serve.md]

All in turn, round by round, with nothing in between as well: a mock upstream server on bare sockets,
answers of 16 events 20 ms apart and whole ones, 1, 16 and 64 connections, each a closed loop. Added
is a percentile over all rounds less that of nothing in between. CPU is of the gateway's own
processes. ``--portkey``: a folder with npm's @portkey-ai/gateway; ``--litellm``: the Python of an
environment with its proxy; what is not given is not measured. ``--upstream``: a real server in place
of the mock one, with a section of its own and without what needs the mock one (clients that leave, the
middleware inside a server). ``--divide``: requests by so much. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _gateways import (
    NOTHING,
    Gateway,
    start_edge,
    start_litellm,
    start_mock,
    start_portkey,
)
from _http_load import load
from _pages import ROOT, write_section

from deimos.serve.router import Router

PAGE = ROOT / "docs/results/serve.md"
TEXT = "Ann has 12 apples and gives 5 of them to Bob, who wants 3 more. "
WHOLE, STREAMED = {1: 150, 16: 600, 64: 1200}, {1: 24, 16: 96, 64: 256}
"""Requests a round, by connections."""
LEAVERS = 20
"""Clients that leave in the middle of a stream."""
NOT_LEFT = 2.0
"""Seconds after which the upstream connection is taken to stay open."""


@dataclass
class Cell:
    """Measurements of one gateway: seconds of each request, and numbers of each round."""

    whole: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


Cells = dict[tuple[str, bool, int], Cell]


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def make_body(model: str, stream: bool, characters: int = 2000) -> bytes:
    """A request."""
    content = (TEXT * (characters // len(TEXT) + 1))[:characters]
    messages = [{"role": "user", "content": content}]
    return json.dumps(
        {"model": model, "stream": stream, "max_tokens": 16, "messages": messages}
    ).encode()


def measure(gateway: Gateway, body: bytes, connections: int, requests: int, cell: Cell) -> None:
    """One round of one gateway."""
    before = gateway.cpu_seconds()
    found = asyncio.run(load(gateway.port, body, connections, requests, gateway.headers))
    if found.failed:
        raise SystemExit(
            f"{gateway.name}: {found.failed} answers failed; {gateway.log.read_text()[-1000:]}"
        )
    cell.cpu.append((gateway.cpu_seconds() - before) / len(found.whole))
    cell.whole += found.whole
    cell.first += found.first
    cell.rate.append(len(found.whole) / found.seconds)


def measure_in_turn(
    gateways: Sequence[Gateway], args: argparse.Namespace, connections: Sequence[int]
) -> Cells:
    """All gateways in turn, round by round; the first round warms up."""
    cells: Cells = {}
    for number in range(-1, args.rounds):
        for stream in (False, True):
            body = make_body(args.model, stream)
            for count in connections:
                requests = max(count, (STREAMED if stream else WHOLE)[count] // args.divide)
                for gateway in gateways:
                    if number < 0:
                        measure(gateway, body, count, min(requests, 64), Cell())
                    else:
                        cell = cells.setdefault((gateway.name, stream, count), Cell())
                        measure(gateway, body, count, requests, cell)
    return cells


def added(cells: Cells, key: tuple[str, bool, int], base: str, name: str, share: float) -> float:
    """A percentile's milliseconds above nothing in between, over all rounds."""
    own, less = (getattr(cells[n, *key[1:]], name) for n in (key[0], base))
    return 1000 * (percentile(own, share) - percentile(less, share))


def table(cells: Cells) -> list[str]:
    """The table of gateways; the first one of each cell is what the others are above."""
    lines = [
        "| answers | connections | in between | n | added p50, ms | added p99, ms "
        "| added to the first byte, p50, ms | requests/s | CPU a request, ms |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    base = next(iter(cells))[0]
    ordered = sorted(cells, key=lambda key: key[1:])
    for key in ordered:
        name, stream, count = key
        cell = cells[key]
        shown = ["–"] * 3
        if name != base:
            parts = (("whole", 0.5), ("whole", 0.99), ("first", 0.5))
            shown = [f"{added(cells, key, base, *part):.2f}" for part in parts]
        lines.append(
            f"| {'streamed' if stream else 'whole'} | {count} | {name} | {len(cell.whole):,} "
            f"| {' | '.join(shown)} | {statistics.median(cell.rate):,.0f} "
            f"| {1000 * statistics.median(cell.cpu):.2f} |"
        )
    return lines


@contextlib.contextmanager
def start_all(args: argparse.Namespace) -> Iterator[list[Gateway]]:
    """Everything that is measured, what has nothing in between first."""
    with contextlib.ExitStack() as stack:
        if args.upstream is None:
            found = [stack.enter_context(start_mock())]
            upstream = f"http://127.0.0.1:{found[0].port}"
        else:
            upstream = args.upstream
            found = [Gateway(NOTHING, int(upstream.rpartition(":")[2]), 0)]
        found.append(stack.enter_context(start_edge("forward", upstream)))
        if args.portkey:
            found.append(stack.enter_context(start_portkey(args.portkey, upstream)))
        if args.litellm:
            found.append(stack.enter_context(start_litellm(args.litellm, upstream, args.model)))
        yield found


async def leave(gateway: Gateway, body: bytes) -> float:
    """Begin a stream, read of it, and leave; the time at which that was."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n{gateway.headers}\r\n"
    )
    writer.write(head.encode() + body)
    while b"data:" not in await reader.read(1 << 16):
        pass
    left = time.monotonic()
    writer.transport.abort()
    return left


def measure_leaving(args: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds from a client's leaving until the upstream server's connection is closed."""
    found: dict[str, list[float]] = {}
    with contextlib.ExitStack() as stack:
        mock = stack.enter_context(start_mock("--events", "400"))
        upstream = f"http://127.0.0.1:{mock.port}"
        gateways = [stack.enter_context(start_edge("forward", upstream))]
        if args.portkey:
            gateways.append(stack.enter_context(start_portkey(args.portkey, upstream)))
        if args.litellm:
            gateways.append(stack.enter_context(start_litellm(args.litellm, upstream, args.model)))
        for _ in range(LEAVERS):
            for gateway in gateways:
                known = len(read_leavers(mock))
                left = asyncio.run(leave(gateway, make_body(args.model, True)))
                end = time.monotonic() + NOT_LEFT
                while len(read_leavers(mock)) == known and time.monotonic() < end:
                    time.sleep(0.005)
                times = read_leavers(mock)[known:]
                found.setdefault(gateway.name, []).append(times[0] - left if times else NOT_LEFT)
    return found


def read_leavers(mock: Gateway) -> list[float]:
    """Times at which the mock server's clients left."""
    lines = mock.log.read_text(encoding="utf-8").splitlines()
    return [
        json.loads(line)["left"] for line in lines if line.startswith("{") and line.endswith("}")
    ]


def time_decisions() -> dict[int, float]:
    """Median milliseconds of a decision, by characters of the request."""
    router, found = Router(), {}
    for characters in (2_000, 32_000):
        messages = json.loads(make_body("m", False, characters))["messages"]
        times = []
        for _ in range(500):
            began = time.perf_counter()
            router.decide(messages, {"messages": messages})
            times.append(time.perf_counter() - began)
        found[characters] = 1000 * statistics.median(times)
    return found


def describe(args: argparse.Namespace, cells: Cells, more: Mapping[str, Any]) -> str:
    """The section of the page."""
    leaving = more["leaving"]
    given = f"--rounds {args.rounds} --divide {args.divide}"
    given += " --portkey FOLDER" * bool(args.portkey) + " --litellm PYTHON" * bool(args.litellm)
    lines = [
        "## Overhead", "",
        f"`python benchmarks/serve_overhead.py {given}`; two cores "
        "shared by load, gateway and a mock upstream server that streams 16 events 20 ms apart; all in turn, "
        f"{args.rounds} rounds; Python {sys.version.split()[0]}. Requests have 2,000 characters. On Node 20.20 Portkey's "
        "gateway answers every stream with 500 (it writes into the headers of a fetched answer): "
        "`_portkey_headers.mjs` mends that.", "",
        *table(cells), "",
        "The middleware inside a server, an app under uvicorn that answers at once:", "",
        *table(more["inside"]), "",
        "From a client's leaving in the middle of a stream until the upstream connection is closed "
        f"({NOT_LEFT:g} s: it was not), {LEAVERS} clients each:", "",
        "| in between | median, s | longest, s |", "|---|---|---|",
        *(f"| {name} | {statistics.median(t):.3f} | {max(t):.3f} |" for name, t in leaving.items()), "",
        "A decision takes "
        + " and ".join(f"{ms:.2f} ms at {n:,} characters" for n, ms in more["decisions"].items())
        + " (median of 500).",
    ]  # fmt: skip
    return "\n".join(lines)


def describe_real(args: argparse.Namespace, cells: Cells) -> str:
    """The section of the page on a real upstream server."""
    given = f"--rounds {args.rounds} --divide {args.divide} --upstream URL --model NAME"
    given += " --portkey FOLDER" * bool(args.portkey) + " --litellm PYTHON" * bool(args.litellm)
    return "\n".join([
        "## Overhead before a real server", "",
        f"`python benchmarks/serve_overhead.py {given}`, the server being vLLM's; two cores shared by load, gateway, "
        f"server and model; all in turn, {args.rounds} rounds; Python {sys.version.split()[0]}. Requests have 2,000 "
        "characters and ask for 16 tokens.", "",
        *table(cells),
    ])  # fmt: skip


def main() -> None:
    """Measure, print, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--divide", type=int, default=1)
    parser.add_argument("--portkey", type=Path)
    parser.add_argument("--litellm", type=Path)
    parser.add_argument("--upstream")
    parser.add_argument("--model", default="m")
    parser.add_argument("--out", type=Path, default=PAGE)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that all servers are ended
    with start_all(args) as gateways:
        cells = measure_in_turn(gateways, args, (1, 16, 64))
    if args.upstream:
        section, text = "overhead before a real server", describe_real(args, cells)
    else:
        with start_edge("plain") as plain, start_edge("routed") as routed:
            inside = measure_in_turn([plain, routed], args, (1, 16))
        more = {"inside": inside, "leaving": measure_leaving(args), "decisions": time_decisions()}
        section, text = "overhead", describe(args, cells, more)
    print(text)
    if args.out != Path("-"):
        write_section(section, text, args.out)
    names = [gateway.name for gateway in gateways]
    keys = [(stream, count) for stream in (False, True) for count in (1, 16, 64)]
    p99 = {
        name: {
            f"{'streamed' if s else 'whole'}-{c}": round(
                added(cells, (name, s, c), NOTHING, "whole", 0.99), 2
            )
            for s, c in keys
        }
        for name in names[1:]
    }
    print(json.dumps({"added_p99_ms": p99, "rounds": args.rounds}))


if __name__ == "__main__":
    main()
