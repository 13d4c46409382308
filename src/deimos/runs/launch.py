"""Running one stage as a process of its own, with the Python that the runtime names for it.

Sampling and training may want different environments and both want the whole machine; the run
folder is where they meet. Interruptions are passed on to the stage, which keeps what it has.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import deimos
from deimos.recipe.runtime import Runtime
from deimos.runs.folder import RunError, RunFolder
from deimos.runs.plan import Plan, Planned

GRACE_SECONDS = 20.0
"""From passing on an interruption until the stage's whole process group is killed."""


class StageFailed(RuntimeError):
    """A stage ended badly; ``code`` is the exit code to end with."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def run_stages(
    run: RunFolder,
    plan: Plan,
    *,
    module: str,
    say: Callable[[str], None],
    alone: bool = False,
) -> None:
    """Bring every stage of a plan to completion, in order; complete ones are left alone.

    Args:
        run: the run folder, whose lock is held (``RunFolder.begin``).
        plan: the stages wanted, after all that they need.
        module: see ``launch``.
        say: called with one line on how each stage stands.
        alone: only the last stage is wanted. Of the others those run that are complete but not up
            to date; and the last one runs again also if it is complete but could not judge all.

    Raises:
        StageFailed: as ``launch``; what was done before stays.
        RunError: the run's lock is not held, or no such Python.
    """
    if alone:
        plan = [*(p for p in plan[:-1] if run.record(p)), plan[-1]]
    for planned in plan:
        reason = _reason_to_run(run, planned, plan, retry=alone and planned is plan[-1])
        if not reason:
            state = f"complete ({planned.folder or run.path.name})"
            say(f"{planned.stage.name}: {state}{_left_unjudged(run, planned)}")
            continue
        say(f"{planned.stage.name}: {reason}")
        run.discard_damaged(planned)
        launch(run, planned, module=module)
        if run.record(planned) is None:
            message = f"{planned.stage.name} ended well but wrote no record: this is a bug"
            raise StageFailed(message, 1)
        say(f"{planned.stage.name}: {_outcome(run, planned)}{_left_unjudged(run, planned)}")
        for skipped in _skipped(run, planned):
            say(f"{planned.stage.name}: skipped {skipped}")


def _reason_to_run(run: RunFolder, planned: Planned, plan: Plan, *, retry: bool) -> str:
    """Why a stage has to run, in words to show; empty if it has not."""
    if not run.is_fresh(planned):
        if not planned.folder or not run.folder(planned).is_dir():
            return "starting"
        return "bringing up to date" if run.record(planned) else "resuming"
    if damaged := _damaged_inputs(run, planned, plan):
        return f"{', '.join(damaged)} changed since it was complete: making it again"
    if retry and planned.stage.summary:
        return "starting"
    if retry and (unjudged := _unjudged(run, planned)):
        return f"complete, but {unjudged:,} could not be judged: trying them again"
    return ""


def _damaged_inputs(run: RunFolder, planned: Planned, plan: Plan) -> list[str]:
    """Files of a complete stage that a stage still to come would read wrong."""
    to_come = [p for p in plan if not run.is_fresh(p)]
    read = any(planned.stage.name in p.stage.needs for p in to_come)
    return run.damaged(planned) if read else []


def _unjudged(run: RunFolder, planned: Planned) -> int:
    record = run.record(planned)
    return int(record["counts"].get("unjudged") or 0) if record else 0


def _left_unjudged(run: RunFolder, planned: Planned) -> str:
    if not (unjudged := _unjudged(run, planned)):
        return ""
    command = f"deimos {planned.stage.name} {run.path}"
    return f" · {unjudged:,} could not be judged: `{command}` tries them again"


def _skipped(run: RunFolder, planned: Planned) -> list[str]:
    """What a stage's record says that it left out, a sentence each."""
    record = run.record(planned)
    return record["counts"].get("skipped") or [] if record else []


def _outcome(run: RunFolder, planned: Planned) -> str:
    record = run.record(planned) or {"counts": {}, "seconds": 0.0}
    counts = [
        f"{value:,} {key}"
        for key, value in record["counts"].items()
        if type(value) is int and key != "unjudged"
    ]
    return " · ".join([f"done in {record['seconds']:.0f} s", *counts[:5]])


def launch(run: RunFolder, planned: Planned, *, module: str) -> None:
    """Run ``python -P -m <module> RUN STAGE PLAN`` to its end.

    ``PLAN`` is the fingerprint of the plan that is frozen in the run folder. ``-P`` keeps the
    working folder off the module path: a ``random.py`` there is not for us.

    Args:
        run: the run folder, whose lock is held. The stage inherits the lock, so it outlives us if
            we are killed; the frozen runtime says which Python runs it, with how many threads.
        planned: the stage.
        module: dotted name of the module that runs a stage when executed.

    Raises:
        StageFailed: the stage ended with another code than 0, or was interrupted.
        RunError: the lock is not held, or the Python that the runtime names is not there.
    """
    if run.lock_fd is None:
        raise RunError(f"{str(run.path)!r} is not locked: stages run inside RunFolder.begin")
    stage, (_, runtime) = planned.stage.name, run.settings()
    python = _python_for(stage, runtime)
    process = subprocess.Popen(
        [python, "-P", "-m", module, str(run.path), stage, run.plan_fingerprint()],
        env=_environment(runtime),
        stdin=subprocess.DEVNULL,
        pass_fds=(run.lock_fd,),
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

    def pass_on(number: int, frame: FrameType | None) -> None:
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
        signal.SIGINT: pass_on, signal.SIGTERM: pass_on, signal.SIGALRM: too_late,
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


def _environment(runtime: Runtime) -> dict[str, str]:
    # Processes that a stage starts inherit the safe path, those of vLLM and Ray too.
    env = {**os.environ, "PYTHONSAFEPATH": "1"}
    if runtime.threads:
        env["OMP_NUM_THREADS"] = str(runtime.threads)
    # An empty entry of PYTHONPATH would mean the working folder.
    paths = [path for path in env.get("PYTHONPATH", "").split(os.pathsep) if path]
    home = Path(deimos.__file__).resolve().parents[1]
    # Another environment need not have the package installed: it borrows this source tree, but
    # never another environment's site-packages.
    if home.name not in ("site-packages", "dist-packages"):
        paths.insert(0, str(home))
    env["PYTHONPATH"] = os.pathsep.join(paths)
    return env
