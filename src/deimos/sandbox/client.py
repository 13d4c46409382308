"""The supervisor's side: send checks to a fork server, keep the time, and report each outcome.

Not for threads: one check at a time, from the thread that made the sandbox.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Self

from deimos.sandbox import selftest
from deimos.sandbox.code_tests import NOT_PYTHON, Exam, UnfitTests, compile_exam, sees_more
from deimos.sandbox.fork_client import ForkServerProcess
from deimos.sandbox.isolation import kernel, landlock
from deimos.sandbox.isolation.box import LIMITED, NAMESPACED, RESTRICTED, Limits
from deimos.sandbox.isolation.root import PACKAGES
from deimos.sandbox.memory_file import make_memory_file
from deimos.sandbox.outcome import CheckOutcome

WEAK = "DEIMOS_ALLOW_WEAK_SANDBOX"
"""Set to 1 for a process (and those it starts) that may judge in tier 1: runtime.allow_weak_sandbox,
--allow-weak-sandbox."""
_REPORT = 1 << 16


class SandboxError(RuntimeError):
    """No sandbox here is strong enough; the message says why, and which option allows a weaker one."""


class Sandbox:
    """Runs untrusted code against tests that it never sees; a context manager.

    Args:
        limits: per check.
        most: strongest tier to try: 3 (namespaces, Landlock, seccomp, limits), 2 (without
            namespaces) or 1 (limits alone).
        allow_weak: take tier 1 if nothing better holds; None: as the environment's ``WEAK`` says.

    Raises:
        SandboxError: no tier that may be used holds here.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        most: int = NAMESPACED,
        allow_weak: bool | None = None,
    ) -> None:
        self.limits, self.tier = limits or Limits(), 0
        self.refused: dict[int, str] = {}
        """Tier to why it does not hold here."""
        self._servers: dict[tuple[str, ...], ForkServerProcess] = {}
        """By the packages that their boxes find imported; started when first needed."""
        weak = os.environ.get(WEAK) == "1" if allow_weak is None else allow_weak
        for tier in range(most, 0, -1):
            if tier == LIMITED and not weak:
                continue
            if self._try(tier):
                return
        why = "; ".join(f"tier {tier}: {reason}" for tier, reason in self.refused.items())
        raise SandboxError(
            f"no sandbox of tier {RESTRICTED} or better holds here ({why or 'none was tried'}): "
            "--allow-weak-sandbox (runtime.allow_weak_sandbox) runs a model's code under limits alone"
        )

    def check(self, exam: Exam, answer: str) -> CheckOutcome:
        """Judge one answer; never raises for an answer. Tried once more if the sandbox itself failed."""
        outcome = self._check(exam, answer)
        return self._check(exam, answer) if outcome.kind == "infrastructure" else outcome

    def close(self) -> None:
        """End the fork servers and whatever they hold."""
        while self._servers:
            self._servers.popitem()[1].close()

    def _try(self, tier: int) -> bool:
        """Whether a tier holds here."""
        fault, self.tier = _impossible(tier), tier
        if not fault:
            try:
                self._server()
            except OSError as e:
                fault = str(e)
        if fault:
            self.refused[tier] = fault
        return not fault

    def _server(self, packages: tuple[str, ...] = ()) -> ForkServerProcess:
        """The fork server whose boxes find these imported; a new one tests its boxes first.

        Not one for all: a process that has loaded numpy takes twice as long to fork.
        """
        if packages not in self._servers:
            preload = [module for name in packages for module in PACKAGES[name]]
            server = ForkServerProcess(self.tier, self.limits, preload)
            try:
                prove = partial(self._judged, server)
                if fault := selftest.faults(prove, self.limits, self.tier):
                    raise OSError(fault)
            except BaseException:
                server.close()
                raise
            self._servers[packages] = server
        return self._servers[packages]

    def _check(self, exam: Exam, answer: str) -> CheckOutcome:
        try:
            return self._judged(self._server(_packages(exam, answer)), exam, answer)
        except OSError as e:
            self.close()
            return CheckOutcome("infrastructure", str(e), 0, self.tier, 0.0)
        except BaseException:
            self.close()  # interrupted between question and answer: the next would get this one's
            raise

    def _judged(self, server: ForkServerProcess, exam: Exam, answer: str) -> CheckOutcome:
        """Judge one answer; OSError where the fork server is gone."""
        start = time.monotonic()
        said: Mapping[str, Any] = {}
        try:
            said, report = self._dispatch(server, exam, answer, start + self.limits.wall)
        except UnfitTests as e:
            kind, because, calls = "unsupported", str(e), 0
        except NOT_PYTHON as e:
            kind, because, calls = "unsupported", f"the tests are not Python: {e}", 0
        else:
            if "late" not in said:
                raise OSError(str(said.get("failed", "the fork server is gone")))
            kind, because, calls = (
                _late(said, self.limits) if said["late"] else _reported(said, report, self.limits)
            )
        # A program that never loaded is wrong whatever the tests look at.
        if (kind in ("wrong", "error") and calls) or kind == "timeout":
            seen = sees_more(exam)
            kind, because = (
                ("unsupported", f"the tests look at {seen}") if seen else (kind, because)
            )
        seconds, used = time.monotonic() - start, said.get("all_seconds", 0.0)
        return CheckOutcome(kind, because, calls, self.tier, seconds, used)

    def _dispatch(
        self, server: ForkServerProcess, exam: Exam, answer: str, deadline: float
    ) -> tuple[dict[str, Any], bytes]:
        prompt = exam.setup if exam.entry_point else ""
        for_program = {"answer": answer, "names": exam.names(), "prompt": prompt}
        parts = compile_exam(exam), json.dumps(for_program).encode()
        fds = [make_memory_file(part) for part in parts]
        try:
            fds.append(make_memory_file(b""))
            return server.check(deadline, fds), os.pread(fds[2], _REPORT, 0)
        finally:
            for fd in fds:
                os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


def _packages(exam: Exam, answer: str) -> tuple[str, ...]:
    """The allowed packages that a check names."""
    texts = (exam.setup, exam.tests, answer)
    return tuple(name for name in PACKAGES if any(name in text for text in texts))


def _late(said: Mapping[str, Any], limits: Limits) -> tuple[str, str, int]:
    """Timeout; infrastructure if the program hardly got a processor, which is not its fault."""
    if said["waited"] > limits.wall / 2 > said["all_seconds"]:
        waited = f"{said['waited']:.1f} of {limits.wall:g} s waited for a processor"
        return "infrastructure", f"the machine was too busy: {waited}", 0
    return "timeout", f"not done in {limits.wall:g} s", 0


def _reported(said: Mapping[str, Any], report: bytes, limits: Limits) -> tuple[str, str, int]:
    """Outcome, reason and calls, from the tests' report and how the two processes ended."""
    try:
        found = json.loads(report)
        kind, because, calls = found["outcome"], found["because"], found["calls"]
    except ValueError:
        return "infrastructure", f"the tests' process ended with {said['tests']}, no report", 0
    if said["tests"] == 0 or kind == "pass":
        # A pass was written after the last test, by a process that then ended as it should.
        return (kind, because, calls) if said["tests"] == 0 else ("infrastructure", "no end", calls)
    return *_ending(said, limits, because), calls


def _ending(said: Mapping[str, Any], limits: Limits, because: str) -> tuple[str, str]:
    """Why the candidate's process ended before it answered."""
    code = said["program"]
    if code in (-signal.SIGKILL, -signal.SIGXCPU):
        if said["seconds"] >= limits.wall - 0.5:
            return "timeout", f"{said['seconds']:.1f} s of processor time"
        return "memory", "the system killed the program"
    if code is not None and code < 0:
        return "error", f"the program was killed by {signal.Signals(-code).name}"
    return "error", because if code is None else f"{because} (exit code {code})"


def _impossible(tier: int) -> str:
    """Why a tier need not be tried."""
    if not kernel.SUPPORTED:
        return "only Linux on x86-64 or 64-bit ARM is supported"
    if tier > LIMITED and landlock.abi() < landlock.LEAST:
        return f"Landlock ABI {landlock.LEAST} is needed, the kernel has {landlock.abi() or 'none'}"
    return ""
