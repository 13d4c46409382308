"""Servers that stand in the way of requests, each in a process of its own. Not a benchmark.

A mock upstream server, our forwarder, Portkey's gateway, LiteLLM's proxy, an app with and without the
middleware; `serve_overhead.py` and tests start them.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

HERE = Path(__file__).resolve().parent
NOTHING = "nothing in between"
LITELLM_CONFIG = """model_list:
  - model_name: {model}
    litellm_params: {{model: hosted_vllm/{model}, api_base: {upstream}/v1, api_key: none}}
"""
LITELLM_ENV = {
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true", "LITELLM_RUST": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR",
}  # fmt: skip


@dataclass
class Gateway:
    """Something that answers chat completions on this machine."""

    name: str
    port: int
    process: int
    """0: none of ours to be measured."""
    headers: str = ""
    log: Path = Path(os.devnull)

    def cpu_seconds(self) -> float:
        """CPU that it and its children have used."""
        if not self.process:
            return 0.0
        parent = psutil.Process(self.process)
        times = [p.cpu_times() for p in (parent, *parent.children(recursive=True))]
        return sum(t.user + t.system for t in times)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextlib.contextmanager
def start_gateway(
    name: str,
    command: Sequence[str],
    port: int,
    path: str = "/health",
    headers: str = "",
    **env: str,
) -> Iterator[Gateway]:
    """Start a server and wait until it answers; it is ended with all that it started.

    Raises:
        RuntimeError: it ended, or took too long; with its last words.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True, env={**os.environ, **env},
            )  # fmt: skip
        try:
            end = time.monotonic() + 240
            while not answers(port, path):
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"{name} did not start: {log.read_text()[-2000:]}")
                time.sleep(0.2)
            yield Gateway(name, port, process.pid, headers, log)
        finally:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(15)


def answers(port: int, path: str) -> bool:
    """Whether something answers there at all."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def start_mock(*more: str) -> contextlib.AbstractContextManager[Gateway]:
    """The mock upstream server, alone."""
    port = free_port()
    command = [sys.executable, str(HERE / "_http_load.py"), str(port), *more]
    return start_gateway(NOTHING, command, port)


def start_edge(kind: str, upstream: str = "") -> contextlib.AbstractContextManager[Gateway]:
    """One of ours (``_edge.py``)."""
    port = free_port()
    names = {"forward": "Deimos", "plain": "without the middleware", "routed": "with it"}
    command = [sys.executable, str(HERE / "_edge.py"), kind, str(port), upstream]
    return start_gateway(names[kind], command, port)


def start_portkey(folder: Path, upstream: str) -> contextlib.AbstractContextManager[Gateway]:
    """Portkey's gateway from a folder into which npm has installed it."""
    port = free_port()
    script = folder.resolve() / "node_modules/@portkey-ai/gateway/build/start-server.js"
    version = json.loads((script.parents[1] / "package.json").read_text())["version"]
    command = [
        "node", "--import", str(HERE / "_portkey_headers.mjs"), str(script), "--headless", f"--port={port}",
    ]  # fmt: skip
    headers = (
        "x-portkey-provider: openai\r\nauthorization: Bearer none\r\n"
        f"x-portkey-custom-host: {upstream}/v1\r\n"
    )
    name = f"Portkey {version}"
    return start_gateway(
        name, command, port, "/", headers, TRUSTED_CUSTOM_HOSTS="127.0.0.1,localhost"
    )


@contextlib.contextmanager
def start_litellm(python: Path, upstream: str, model: str) -> Iterator[Gateway]:
    """LiteLLM's proxy of an environment, with its Python core, one worker."""
    port, bin = free_port(), python.absolute().parent
    version = subprocess.run(
        [python, "-c", "from importlib.metadata import version; print(version('litellm'))"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.yaml")
        config.write_text(LITELLM_CONFIG.format(upstream=upstream, model=model), encoding="utf-8")
        command = [
            str(bin / "litellm"), "--config", str(config), "--port", str(port), "--host", "127.0.0.1",
        ]  # fmt: skip
        name = f"LiteLLM {version}, Python core"
        with start_gateway(name, command, port, "/health/liveliness", **LITELLM_ENV) as gateway:
            yield gateway
