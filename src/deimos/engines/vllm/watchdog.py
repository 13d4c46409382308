"""The process that kills vLLM's processes if the one that started them dies, even while they start.

Run as a script of its own, ``python -I watchdog.py PARENT``, which imports nothing of Deimos. It is
started before vLLM: what then becomes a child of the parent is vLLM's, and so is everything below.
Once the parent sends SIGUSR1 vLLM stands, and later children of the parent are not its own. A pipe
from the parent would not do: vLLM's processes are forked and would hold its other end open.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

STARTING_SECONDS, RUNNING_SECONDS = 0.1, 0.5
"""Between two looks. What is started and loses its parent between two of them is not found."""


class ProcessState(NamedTuple):
    """A process as the system lists it."""

    parent: int
    began: str
    """When it started, as text: tells a process from a later one of the same number."""


def list_processes() -> dict[int, ProcessState]:
    """All processes by their number, from ``/proc`` or, where there is none, from ``ps``."""
    system = Path("/proc")
    if not (system / "self").is_dir():
        listed = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid=,lstart="], capture_output=True, text=True, check=False
        ).stdout
        rows = (line.split(None, 2) for line in listed.splitlines())
        return {int(pid): ProcessState(int(parent), began) for pid, parent, began in rows}
    found = {}
    for folder in system.iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):  # it has just ended
                stat = (folder / "stat").read_text(encoding="latin-1")
                # The name, in brackets, may hold anything; what follows it are numbers.
                fields = stat.rpartition(")")[2].split()
                found[int(folder.name)] = ProcessState(int(fields[1]), fields[19])
    return found


def find_descendants(
    processes: dict[int, ProcessState], roots: set[int], besides: set[int]
) -> set[int]:
    """Everything below some processes, ``besides`` and what is below those left out."""
    found: set[int] = set()
    level = roots
    while level:
        level = {
            pid for pid, state in processes.items()
            if state.parent in level and pid not in besides and pid not in found
        }  # fmt: skip
        found |= level
    return found


def watch(parent: int) -> None:
    """Note vLLM's processes until the parent has died, then kill them."""
    standing = False

    def note(*_: object) -> None:
        nonlocal standing
        standing = True

    signal.signal(signal.SIGUSR1, note)
    own, known = os.getpid(), {}
    processes = list_processes()
    besides = find_descendants(processes, {parent}, set()) | {own}
    print("ready", flush=True)
    while os.getppid() == parent:
        final = standing
        processes = list_processes()
        alive = {pid for pid, began in known.items() if _is_same(processes, pid, began)}
        roots = alive if final else alive | {parent}
        for pid in find_descendants(processes, roots, besides):
            known[pid] = processes[pid].began
        time.sleep(RUNNING_SECONDS if final else STARTING_SECONDS)
    while True:
        processes = list_processes()
        alive = {pid for pid, began in known.items() if _is_same(processes, pid, began)}
        alive |= find_descendants(processes, alive, besides)
        if not alive:
            return
        for pid in alive:
            known[pid] = processes[pid].began
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(STARTING_SECONDS)


def _is_same(processes: dict[int, ProcessState], pid: int, began: str) -> bool:
    return pid in processes and processes[pid].began == began


if __name__ == "__main__":
    watch(int(sys.argv[1]))
