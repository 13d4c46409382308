"""What is left when the process that starts vLLM is killed: nothing of vLLM's, everything else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from deimos.engines.vllm import host, watchdog

PARENT = """
import os, signal, subprocess, sys, time
from deimos.engines.vllm.host import _start_watchdog
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
TREE = [sys.executable, "-c", "import subprocess, sys, time; "
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid, flush=True); "
        "time.sleep(600)"]
before = subprocess.Popen(SLEEP)
dog = _start_watchdog()
engine = subprocess.Popen(TREE, stdout=subprocess.PIPE, text=True)
worker = int(engine.stdout.readline())
forked = os.fork()
if not forked:
    time.sleep(600)
time.sleep(0.5)
later = None
if sys.argv[1] == "started":
    dog.send_signal(signal.SIGUSR1)
    time.sleep(0.5)
    later = subprocess.Popen(SLEEP).pid
print(dog.pid, before.pid, engine.pid, worker, forked, later, flush=True)
time.sleep(600)
"""


def living(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("when", ["starting", "started"])
def test_a_killed_parent_leaves_nothing_of_vllm(when: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, when],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert parent.stdout is not None
    pids = [None if word == "None" else int(word) for word in parent.stdout.readline().split()]
    dog, before, *engine, later = pids
    others = [pid for pid in (before, later) if pid]
    try:
        assert all(map(living, filter(None, pids)))
        parent.kill()
        parent.wait()
        ends = time.monotonic() + 30
        while any(map(living, [dog, *engine])) and time.monotonic() < ends:
            time.sleep(0.1)
        assert not any(map(living, [dog, *engine]))
        assert all(map(living, others)), "what is not vLLM's is left alone"
    finally:
        for pid in others:
            os.kill(pid, signal.SIGKILL)


def test_processes_are_listed_with_parent_and_start() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        listed = watchdog.list_processes()
        assert listed[child.pid].parent == os.getpid()
        assert listed[child.pid] != listed[os.getpid()]
        assert child.pid in watchdog.find_descendants(listed, {os.getpid()}, set())
        assert child.pid not in watchdog.find_descendants(listed, {os.getpid()}, {child.pid})
    finally:
        child.communicate(b"\n")


def test_it_needs_no_package_of_ours() -> None:
    """It is started with an isolated Python, in whatever environment runs vLLM."""
    started = host._start_watchdog()
    assert started.poll() is None
    started.kill()
    started.wait()
