"""vLLM's own server as a process that can be killed and started again, and what it counts.

Not a benchmark: `engines.py` and the tests of the openai engine start servers with it. It needs an
environment with vLLM, whose Python is given.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

START_SECONDS = 1200.0
"""A crowded machine takes minutes for what takes an idle one 20 s."""
QUIET = {
    "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "VLLM_LOGGING_LEVEL": "WARNING",
    "HF_HUB_OFFLINE": "1",
}  # fmt: skip


class VLLMServer:
    """A server; a context manager. ``start`` after ``kill`` keeps its port.

    Args:
        python: of the environment with vLLM.
        model: folder that it serves.
        dtype: as vLLM names it.
        more: further arguments of its command line.
        env: further environment variables.
    """

    def __init__(
        self,
        python: Path,
        model: str,
        *,
        dtype: str = "float32",
        more: Sequence[str] = (),
        env: dict[str, str] | None = None,
    ) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._command = [
            str(python), "-m", "vllm.entrypoints.openai.api_server", "--model", model,
            "--dtype", dtype, "--port", str(self.port), "--host", "127.0.0.1", "--enforce-eager",
            "--generation-config", "vllm", "--kv-cache-memory-bytes", str(1 << 30), *more,
        ]  # fmt: skip
        self._env = {**os.environ, **QUIET, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the server

    @property
    def url(self) -> str:
        """The base URL, with ``/v1``."""
        return f"http://127.0.0.1:{self.port}/v1"

    def begin(self) -> VLLMServer:
        """Start it and don't wait."""
        self._process = subprocess.Popen(
            self._command, env=self._env, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
        )  # fmt: skip
        return self

    def wait(self) -> VLLMServer:
        """Until it answers.

        Raises:
            RuntimeError: it ended, or took too long; with its last words.
        """
        assert self._process is not None
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            if self._get("/health") is not None:
                return self
            time.sleep(0.5)
        self.kill()
        self._log.seek(0)
        raise RuntimeError(f"vLLM's server did not start: {self._log.read().decode()[-3000:]}")

    def start(self) -> VLLMServer:
        """Start it and wait until it answers."""
        return self.begin().wait()

    def kill(self) -> None:
        """Kill it and all its processes at once."""
        if self._process is not None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self._process.wait()
            self._process = None

    def generated(self) -> int:
        """``vllm:generation_tokens_total``: tokens that it has decoded since it started."""
        text = self._get("/metrics") or ""
        found = re.findall(r"^vllm:generation_tokens_total\{[^}]*\} (\S+)$", text, re.MULTILINE)
        if not found:
            raise RuntimeError("the server's /metrics have no vllm:generation_tokens_total")
        return int(sum(map(float, found)))

    def _get(self, path: str) -> str | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as got:
                return got.read().decode()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def __enter__(self) -> VLLMServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, at: TracebackType | None
    ) -> None:
        self.kill()
