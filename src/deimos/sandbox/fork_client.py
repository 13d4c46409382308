"""The supervisor's end of a fork server: start its process, send it checks, read results, kill it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from socket import AF_UNIX, SOCK_SEQPACKET, send_fds, socketpair
from typing import Any

from deimos.sandbox.isolation.box import MOST_WALLS, Limits
from deimos.sandbox.isolation.root import packages

START_SECONDS = 60.0
GRACE = 2.0
"""Seconds after the last possible end of a check until a fork server that does not answer is given up."""


class ForkServerProcess:
    """One fork server, from its start to its end.

    Args:
        tier: of the boxes that it makes.
        limits: per check.
        preload: modules that its boxes find imported, beside the standard library's usual ones.

    Raises:
        OSError: it did not start; the message says why.
    """

    def __init__(self, tier: int, limits: Limits, preload: Sequence[str] = ()) -> None:
        ours, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET)
        code = f"import sys; sys.path[:] = {_path()!r}\nfrom deimos.sandbox.fork_server import main; main()"
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-s", "-S", "-P", "-B", "-X", "utf8", "-c", code],
                stdin=theirs.fileno(), stdout=subprocess.DEVNULL, env=_ENVIRONMENT,
            )  # fmt: skip
        self._control = ours
        self._slack = (MOST_WALLS - 1) * limits.wall + GRACE
        # The kernel's death signal follows the starting thread: if that may end earlier than the
        # process, only the pipe shows that the parent is gone.
        dies = threading.current_thread() is threading.main_thread()
        message = {
            "tier": tier, "limits": asdict(limits), "preload": list(preload),
            "parent": os.getpid(), "dies": dies,
        }  # fmt: skip
        try:
            ours.send(json.dumps(message).encode())
            said = self._hear(START_SECONDS)
            if "ready" not in said:
                raise OSError(str(said.get("failed", "the fork server did not start")))
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Of the process that was started."""
        return self._process.pid

    def check(self, deadline: float, fds: Sequence[int]) -> dict[str, Any]:
        """How a check ended; empty if the fork server no longer answers and must be replaced.

        Args:
            deadline: by the monotonic clock, seconds; waiting for a processor moves it.
            fds: memory files of the exam, the answer and the report.

        Raises:
            OSError: the fork server is gone.
        """
        send_fds(self._control, [json.dumps({"deadline": deadline}).encode()], fds)
        return self._hear(deadline + self._slack - time.monotonic())

    def close(self) -> None:
        """End the process and whatever it holds."""
        self._control.close()
        self._process.kill()
        self._process.wait()

    def _hear(self, seconds: float) -> dict[str, Any]:
        self._control.settimeout(max(0.001, seconds))
        try:
            data = self._control.recv(1 << 16)
            return json.loads(data) if data else {}
        except (OSError, ValueError):
            return {}


def _path() -> list[str]:
    """Where a fork server finds the standard library, this package and what it preloads."""
    import deimos

    library = os.path.dirname(os.__file__)  # noqa: PTH120
    own = [
        p
        for p in sys.path
        if (p.startswith(library) and "-packages" not in p) or p.endswith(".zip")
    ]
    package = os.path.dirname(os.path.dirname(deimos.__file__))  # noqa: PTH120
    return [*own, package, *dict.fromkeys(os.path.dirname(place) for place in packages())]  # noqa: PTH120


_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",  # the same verdict every time, for programs that list a set too
    "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PATH": "/usr/bin:/bin",
    "LD_BIND_NOW": "1",  # else every child binds each library call again, into pages of its own
}  # fmt: skip
