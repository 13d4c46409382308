"""Places that answer OpenAI's clients with a decision about thinking: servers as processes.

Not a benchmark: `serve_clients.py` and the tests of clients start servers with it.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from _vllm_server import VLLMServer

ROOT = Path(__file__).resolve().parents[1]
LAB = str(ROOT / "src/deimos/lab/reasoner")
MIDDLEWARE = "deimos.serve.middleware.ThinkingRouter"
HOOK = "deimos.serve.litellm_hook.hook"
MODEL = "lab"
"""The name under which every place serves the lab model."""
_SERVING = re.compile(r" at (http://\S+)/v1")


def environment(**more: str) -> dict[str, str]:
    """This process's, with the package of this repository first."""
    paths = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": paths, "HF_HUB_OFFLINE": "1", **more}


@contextlib.contextmanager
def serve(*arguments: str) -> Iterator[str]:
    """`deimos serve` with some arguments on a free port; its base URL, without ``/v1``.

    Raises:
        RuntimeError: it ended before it served, with its last words.
    """
    command = [sys.executable, "-m", "deimos.cli.main", "serve", *arguments, "--port", "0"]
    with _started(command, environment()) as (process, log):
        yield _wait(process, log, lambda: _first(_SERVING, log))


@contextlib.contextmanager
def vllm_with_middleware(python: Path, more: Sequence[str] = ()) -> Iterator[str]:
    """A vLLM server with the lab model in float32 and the router inside; its base URL."""
    asked = [
        "--served-model-name",
        MODEL,
        "--reasoning-parser",
        "qwen3",
        "--middleware",
        MIDDLEWARE,
    ]
    with VLLMServer(python, LAB, more=[*asked, *more], env=environment()) as server:
        yield server.url.removesuffix("/v1")


@contextlib.contextmanager
def litellm_with_hook(python: Path, upstream: str) -> Iterator[str]:
    """LiteLLM's proxy with the hook, before a server; its base URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(
            f"model_list:\n  - model_name: {MODEL}\n    litellm_params:\n"
            f"      model: hosted_vllm/{MODEL}\n      api_base: {upstream}/v1\n"
            f"      api_key: unused\nlitellm_settings:\n  callbacks: {HOOK}\n"
        )
        program = python.parent / "litellm"
        command = [str(python), str(program), "--config", str(config), "--port", str(port),
                   "--host", "127.0.0.1"]  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        # It would fetch a list of prices, and since some version wants a key of its own.
        env = environment(
            LITELLM_LOCAL_MODEL_COST_MAP="True",
            LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY="true",
        )
        with _started(command, env) as (process, log):
            yield _wait(process, log, lambda: url if _answers(f"{url}/health/liveliness") else "")


@contextlib.contextmanager
def _started(
    command: Sequence[str], env: dict[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A process in a session of its own, and its log; ended with all its children."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, env=env, start_new_session=True, cwd=folder,
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
        try:
            yield process, log
        finally:
            for sign in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, sign)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(30)


def _wait(
    process: subprocess.Popen[bytes], log: Path, find: Callable[[], str], seconds: float = 600
) -> str:
    """What ``find`` finds once it finds something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        if found := find():
            return found
        time.sleep(0.1)
    raise RuntimeError(f"did not start: {log.read_text(errors='replace')[-3000:]}")


def _first(pattern: re.Pattern[str], log: Path) -> str:
    found = pattern.search(log.read_text(errors="replace"))
    return found[1] if found else ""


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
