"""A judging process and the pipes to it: started, asked under a deadline, killed.

Everything here blocks; ``worker.Judge`` calls it from a thread of its own per process.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from deimos.graders.worker.child import LENGTH, pack
from deimos.types import Verdict

START_SECONDS = 120.0
"""For a worker to load its graders; a by-path grader may import much."""
RECYCLE_RSS = 512 << 20
"""Resident bytes beyond what the loaded graders hold."""
MEMORY = 1 << 30
"""Address space, likewise, that one item may take."""
WALL = 12
"""The deadline by the wall clock, in deadlines of processor time: for an item that waits for something,
and long enough that a machine with much else to do does not make verdicts null."""
_KEPT_VARIABLES = (
    "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "NLTK_DATA",
    "DEIMOS_ALLOW_WEAK_SANDBOX",
)  # fmt: skip


class Crashed(Exception):
    """The worker process ended while it held an item."""


class NotLoaded(Exception):
    """A grader that is made of options cannot be loaded; one sentence."""


class Late(Exception):
    """The worker process did not answer in time; which time, in words."""


class JudgeProcess:
    """A judging process and the two pipes to it."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self.judged = 0
        self.spent = False
        self._loaded: set[str] = set()
        self._rss_limit = 0
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", "from deimos.graders.worker.child import main; main()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
            env=_environment(environment), start_new_session=True,
        )  # fmt: skip
        assert self._process.stdin and self._process.stdout
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)

    def start(self, specs: Mapping[str, Any]) -> None:
        """Send it the graders' names; raises if it does not start."""
        start = {"specs": dict(specs), "memory": MEMORY, "parent": os.getpid()}
        self._rss_limit = self._ask(start, START_SECONDS)["rss"] + RECYCLE_RSS

    def load(self, kind: str, seconds: float = START_SECONDS) -> None:
        """Have a kind's grader loaded, unless it is.

        Raises:
            NotLoaded: it is made of options, and making it failed.
            Crashed: the process ended, or it took longer than ``seconds``.
        """
        if kind in self._loaded:
            return
        try:
            ready = self._ask({"load": kind}, seconds)
        except Late:
            raise Crashed(f"the grader of kind {kind!r} did not load in {seconds:g} s") from None
        if not ready["ready"]:
            raise NotLoaded(ready["because"])
        self._loaded.add(kind)
        self._rss_limit = ready["rss"] + RECYCLE_RSS

    def judge(self, kind: str, answer: str, reference: Any, seconds: float) -> Verdict:
        """One item's verdict, its kind loaded.

        Args:
            kind: whose grader judges.
            answer: what is judged.
            reference: as JSON has it.
            seconds: of the process's own processor time; ``WALL`` times as many by the wall clock.

        Raises:
            Late: that time is over; the process has ended or must be killed.
            Crashed: the process ended otherwise.
            TypeError: a reference beyond JSON.
        """
        message = {"kind": kind, "answer": answer, "reference": reference, "seconds": seconds}
        try:
            reply = self._ask(message, WALL * seconds)
        except Late:
            raise Late(f"{WALL * seconds:g} s by the clock") from None
        except Crashed:
            if self._process.returncode == -signal.SIGPROF:
                raise Late(f"{seconds:g} s of processor time") from None
            raise
        self.judged += 1
        self.spent = reply["spent"] or reply["rss"] > self._rss_limit
        return Verdict(reply["ok"], reply["because"], reply["stage"], metrics=reply.get("metrics"))

    def kill(self) -> None:
        """SIGKILL the process and whatever it started."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def reap(self) -> None:
        """Wait for the killed process and close its pipes."""
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def _ask(self, message: Any, timeout: float) -> dict[str, Any]:
        data = memoryview(pack(message))
        deadline = time.monotonic() + timeout
        while data:
            _await(self._in, select.POLLOUT, deadline)
            try:
                data = data[os.write(self._in, data) :]
            except BrokenPipeError as e:
                raise Crashed(self._ending()) from e
        length = LENGTH.unpack(self._read(LENGTH.size, deadline))[0]
        return json.loads(self._read(length, deadline))

    def _read(self, size: int, deadline: float) -> bytes:
        data = b""
        while len(data) < size:
            _await(self._out, select.POLLIN, deadline)
            chunk = os.read(self._out, size - len(data))
            if not chunk:
                raise Crashed(self._ending())
            data += chunk
        return data

    def _ending(self) -> str:
        self.kill()
        code = self._process.wait()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"the judging process {how}"


def _await(pipe: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(pipe, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise Late


def _environment(whole: Mapping[str, str] | None) -> dict[str, str]:
    """What runs Python with this process's packages and one compute thread; no tokens, unless given."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    kept = dict(whole) if whole is not None else kept
    packages = os.pathsep.join(path for path in sys.path if path)
    return kept | {"PYTHONPATH": packages, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
