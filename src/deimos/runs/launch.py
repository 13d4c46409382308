"""Running one stage as a process of its own, with the Python that the runtime names for it.

Sampling and training may want different environments and both want the whole machine; the run
folder is where they meet. Interruptions are handed on to the stage, which keeps what it has.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import deimos
from deimos.runs.folder import Planned, RunError, RunFolder
from deimos.recipe.runtime import Runtime

GRACE_SECONDS = 20.0
"""From handing on an interruption until the stage's whole process group is killed."""


class StageFailed(RuntimeError):
    """A stage ended badly; ``code`` is the exit code to end with."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def run_stages(
    run: RunFolder,
    plan: Sequence[Planned],
    *,
    module: str,
    say: Callable[[str], None],
    again: str | None = None,
) -> None:
    """Bring every stage of a plan to completion, in order; complete ones are left alone.

    Args:
        run: the run folder.
        plan: the stages wanted; what they need is among them or complete already.
        module: see ``launch``.
        say: told in one line how each stage stands.
        again: name of a stage to run even where it is complete.

    Raises:
        StageFailed: as ``launch``; what was done before stays.
        RunError: somebody else is writing this run.
    """
    _, runtime = run.settings()
    with run.lock() as lock_fd:
        for planned in plan:
            name = planned.stage.name
            if run.is_fresh(planned) and name != again:
                if not (damaged := _damaged(run, planned, plan, again)):
                    say(f"{name}: complete ({planned.folder or run.path.name})")
                    continue
                say(f"{name}: {', '.join(damaged)} changed since it was complete")
            say(f"{name}: {_beginning(run, planned)}")
            run.discard_spoiled(planned)
            launch(name, run.path, runtime, module=module, lock_fd=lock_fd)
            say(f"{name}: {_outcome(run.record(planned))}")


def _damaged(
    run: RunFolder, planned: Planned, plan: Sequence[Planned], again: str | None
) -> list[str]:
    """Files of a complete stage that a stage still to come would read wrong."""
    to_come = [p for p in plan if p.stage.name == again or not run.is_fresh(p)]
    read = any(planned.stage.name in p.stage.needs for p in to_come)
    return run.damaged(planned) if read else []


def _beginning(run: RunFolder, planned: Planned) -> str:
    if not planned.folder or not run.folder(planned).is_dir():
        return "starting"
    return "bringing up to date" if run.record(planned) else "resuming"


def _outcome(record: dict[str, Any] | None) -> str:
    if record is None:
        raise StageFailed("a stage ended well but wrote no record: this is a bug", 1)
    counts = [f"{value:,} {key}" for key, value in record["counts"].items() if type(value) is int]
    return " · ".join([f"done in {record['seconds']:.0f} s", *counts[:5]])


def launch(stage: str, run: Path, runtime: Runtime, *, module: str, lock_fd: int) -> None:
    """Run ``python -m <module> RUN STAGE`` to its end.

    Args:
        stage: name of the stage.
        run: the run folder.
        runtime: says which Python runs the stage and how many threads it gets.
        module: dotted name of the module that runs a stage when executed.
        lock_fd: the run's lock; the stage inherits it, so it outlives us if we are killed.

    Raises:
        StageFailed: the stage ended with another code than 0, or was interrupted.
        RunError: the Python that the runtime names is not there.
    """
    python = _python_for(stage, runtime)
    process = subprocess.Popen(
        [python, "-m", module, str(run), stage],
        env=_environment(python, runtime),
        stdin=subprocess.DEVNULL,
        pass_fds=(lock_fd,),
        process_group=0,  # so that Ctrl-C reaches the stage once, from us
    )
    caught = _wait(process)
    if caught:
        raise StageFailed(f"{stage} was interrupted: run the same command to resume", 128 + caught)
    if process.returncode < 0:
        name = signal.Signals(-process.returncode).name
        hint = " (out of memory?)" if name == "SIGKILL" else ""
        message = f"{stage} was killed by {name}{hint}: run the same command to resume"
        raise StageFailed(message, 128 - process.returncode)
    if process.returncode == 2:
        raise StageFailed("", 2)  # the stage has said it in one sentence
    if process.returncode:
        message = f"{stage} failed (exit code {process.returncode}): what is done is kept, run the same command to go on"
        raise StageFailed(message, process.returncode)


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Wait for the process; returns the signal that interrupted us, or 0."""
    caught = 0

    def hand_on(number: int, frame: FrameType | None) -> None:
        nonlocal caught
        if caught:  # asked twice
            _kill_group(process)
        else:
            _signal(process, number)
            signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)
        caught = number

    def too_late(number: int, frame: FrameType | None) -> None:
        _kill_group(process)

    handlers: dict[int, Callable[[int, FrameType | None], Any]] = {
        signal.SIGINT: hand_on, signal.SIGTERM: hand_on, signal.SIGALRM: too_late,
    }  # fmt: skip
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        process.wait()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        if process.returncode:
            _kill_group(process)  # helpers that a killed stage left behind
    return caught


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    if process.poll() is None:
        process.send_signal(number)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def _python_for(stage: str, runtime: Runtime) -> str:
    named = runtime.python.get(stage)
    if named is None:
        return sys.executable
    found = shutil.which(named)
    if found is None:
        raise RunError(f"runtime.python.{stage} = {named!r}: there is no such Python to run")
    return found


def _environment(python: str, runtime: Runtime) -> dict[str, str]:
    env = dict(os.environ)
    if runtime.threads:
        env["OMP_NUM_THREADS"] = str(runtime.threads)
    home = Path(deimos.__file__).resolve().parents[1]
    # Another environment need not have the package installed: it borrows this source tree, but
    # never another environment's site-packages.
    if home.name not in ("site-packages", "dist-packages"):
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(home), env.get("PYTHONPATH")]))
    return env
