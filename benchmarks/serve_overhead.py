"""What standing in the way costs: our forwarder beside Portkey's gateway and LiteLLM, and the middleware.

usage: python benchmarks/serve_overhead.py [--rounds N] [--quick] [--portkey FOLDER] [--litellm PYTHON]
           [--upstream URL --model NAME] [--out docs/results/serve.md]

All in turn, round by round, with nothing in between as well: a mock upstream server on bare sockets
that streams, answers of 16 events 20 ms apart and whole ones, 1, 16 and 64 connections, each a closed
loop. Added is a round's percentile less that of nothing in between, the median of the rounds. CPU is
of the gateway's own processes. ``--portkey``: a folder with npm's @portkey-ai/gateway;
``--litellm``: the Python of an environment with its proxy; what is not given is not measured.
``--upstream``: a real server in place of the mock one. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from _http_load import load
from _pages import ROOT, write_section

PAGE = ROOT / "docs/results/serve.md"
CONNECTIONS = (1, 16, 64)
TEXT = "Ann has 12 apples and gives 5 to Bob. " * 52
"""About 2,000 characters."""
LITELLM = """model_list:
  - model_name: {model}
    litellm_params: {{model: hosted_vllm/{model}, api_base: {upstream}/v1, api_key: none}}
"""


@dataclass
class Server:
    """Something that answers chat completions on this machine."""

    name: str
    port: int
    pid: int
    headers: str = ""


@dataclass
class Cell:
    """One server's measurements in one cell of the table, a number a round."""

    p50: list[float]
    p99: list[float]
    first: list[float]
    rate: list[float]
    cpu: list[float]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextlib.contextmanager
def running(command: Sequence[str], port: int, path: str = "/health", **env: str) -> Iterator[int]:
    """A process that listens on a port; gives its id, and ends it with all that it started."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, **env},
        )  # fmt: skip
        try:
            end = time.monotonic() + 180
            while not answers(port, path):
                if process.poll() is not None or time.monotonic() > end:
                    log.seek(0)
                    raise SystemExit(f"{command[0]} did not start: {log.read().decode()[-2000:]}")
                time.sleep(0.2)
            yield process.pid
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def answers(port: int, path: str) -> bool:
    """Whether something answers there at all."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@contextlib.contextmanager
def servers(args: argparse.Namespace) -> Iterator[list[Server]]:
    """Everything that is measured, each in a process of its own."""
    with contextlib.ExitStack() as stack:
        upstream, found = args.upstream, []
        if upstream is None:
            port = free_port()
            command = [sys.executable, str(ROOT / "benchmarks/_http_load.py"), str(port)]
            pid = stack.enter_context(running(command, port))
            found.append(Server("nothing in between", port, pid))
            upstream = f"http://127.0.0.1:{port}"
        else:
            found.append(Server("nothing in between", int(upstream.rpartition(":")[2]), 0))
        port = free_port()
        command = [sys.executable, str(ROOT / "benchmarks/_forwarder.py"), upstream, str(port)]
        found.append(Server("Deimos", port, stack.enter_context(running(command, port))))
        if args.portkey:
            port = free_port()
            script = args.portkey / "node_modules/@portkey-ai/gateway/build/start-server.js"
            pid = stack.enter_context(
                running(
                    [
                        "node",
                        "--import",
                        str(ROOT / "benchmarks/_portkey_headers.mjs"),
                        str(script),
                        "--headless",
                        f"--port={port}",
                    ],
                    port,
                    "/",
                    TRUSTED_CUSTOM_HOSTS="127.0.0.1,localhost",
                )
            )
            lines = f"x-portkey-provider: openai\r\nauthorization: Bearer none\r\nx-portkey-custom-host: {upstream}/v1\r\n"
            found.append(Server("Portkey 1.15.2", port, pid, lines))
        if args.litellm:
            port = free_port()
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            config = Path(folder, "config.yaml")
            config.write_text(LITELLM.format(upstream=upstream, model=args.model), encoding="utf-8")
            command = [
                str(args.litellm.parent / "litellm"),
                "--config",
                str(config),
                "--port",
                str(port),
                "--host",
                "127.0.0.1",
            ]
            env = {
                "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true", "LITELLM_RUST": "false",
                "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR",
            }  # fmt: skip
            pid = stack.enter_context(running(command, port, "/health/liveliness", **env))
            found.append(Server("LiteLLM 1.110.2, Python core", port, pid))
        yield found


def cpu_seconds(pid: int) -> float:
    """CPU that a process and its children have used."""
    if not pid:
        return 0.0
    parent = psutil.Process(pid)
    times = [p.cpu_times() for p in (parent, *parent.children(recursive=True))]
    return sum(t.user + t.system for t in times)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def measure(server: Server, body: bytes, connections: int, requests: int, cell: Cell) -> None:
    """One round of one server in one cell."""
    before = cpu_seconds(server.pid)
    found = asyncio.run(load(server.port, body, connections, requests, server.headers))
    if found.failed:
        raise SystemExit(f"{server.name}: {found.failed} answers failed")
    cell.cpu.append((cpu_seconds(server.pid) - before) / len(found.whole))
    cell.p50.append(percentile(found.whole, 0.5))
    cell.p99.append(percentile(found.whole, 0.99))
    cell.first.append(percentile(found.first, 0.5))
    cell.rate.append(len(found.whole) / found.seconds)


def added(cell: Cell, base: Cell, name: str) -> float:
    """A percentile's seconds above nothing in between, the median of the rounds."""
    return statistics.median(a - b for a, b in zip(getattr(cell, name), getattr(base, name)))


def table(cells: dict[tuple[str, bool, int], Cell], names: Sequence[str]) -> list[str]:
    """The table's lines."""
    lines = [
        "| answers | connections | in between | added p50, ms | added p99, ms | added to the first byte, ms (p50) | requests/s | CPU a request, ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (_, stream, connections), base in cells.items():
        if _ != names[0]:
            continue
        for name in names:
            cell = cells[name, stream, connections]
            less = (
                ["–"] * 3
                if name == names[0]
                else [f"{1000 * added(cell, base, k):.2f}" for k in ("p50", "p99", "first")]
            )
            cpu = "–" if name == names[0] else f"{1000 * statistics.median(cell.cpu):.2f}"
            lines.append(
                f"| {'streamed' if stream else 'whole'} | {connections} | {name} | {' | '.join(less)} "
                f"| {statistics.median(cell.rate):,.0f} | {cpu} |"
            )
    return lines


def compare(args: argparse.Namespace) -> tuple[list[str], dict[str, Any]]:
    """Measure all servers in turn."""
    bodies = {
        stream: json.dumps(
            {
                "model": args.model,
                "stream": stream,
                "max_tokens": 16,
                "messages": [{"role": "user", "content": TEXT}],
            }
        ).encode()
        for stream in (False, True)
    }
    cells: dict[tuple[str, bool, int], Cell] = {}
    with servers(args) as found:
        for number in range(-1, args.rounds):  # the first one warms up
            for stream, body in bodies.items():
                for connections in CONNECTIONS:
                    requests = connections * (4 if stream else 30) + 60
                    for server in found:
                        key = (server.name, stream, connections)
                        cell = cells.setdefault(key, Cell([], [], [], [], []))
                        measure(
                            server,
                            body,
                            connections,
                            min(requests, 40) if number < 0 else requests // args.divide,
                            cell if number >= 0 else Cell([], [], [], [], []),
                        )
        names = [server.name for server in found]
    ratios = {
        name: statistics.median(
            added(cells["Deimos", s, c], cells[names[0], s, c], "p99")
            / added(cells[name, s, c], cells[names[0], s, c], "p99")
            for s in (False, True)
            for c in CONNECTIONS
        )
        for name in names[2:]
    }
    return table(cells, names), ratios


def main() -> None:
    """Measure, print, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--divide", type=int, default=1, help="requests by this much")
    parser.add_argument("--portkey", type=Path)
    parser.add_argument("--litellm", type=Path)
    parser.add_argument("--upstream")
    parser.add_argument("--model", default="m")
    parser.add_argument("--out", type=Path, default=PAGE)
    args = parser.parse_args()
    lines, ratios = compare(args)
    text = "\n".join(lines)
    print(text)
    print(json.dumps({"p99_ratio": ratios, "rounds": args.rounds}))
    _ = version, write_section


if __name__ == "__main__":
    main()
