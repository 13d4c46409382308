"""A verdict is the same on a busy machine: waiting for a processor is nobody's own time."""

import contextlib
import os
import subprocess
import sys

import pytest

from deimos.sandbox import Exam, Limits, Sandbox, SandboxError

SLOW = """
import time

def work():
    began = time.process_time()
    while time.process_time() - began < 0.7:
        pass
    return 1
"""
"""Takes most of a limit of one second in processor time, and several times that beside others."""


@contextlib.contextmanager
def busy(processes):
    spin = [sys.executable, "-c", "while True: pass"]
    started = [subprocess.Popen(spin) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_a_right_program_passes_beside_many_others():
    try:
        sandbox = Sandbox(Limits(wall=1.0))
    except SandboxError as e:
        pytest.skip(str(e))
    with sandbox, busy(3 * (os.cpu_count() or 1)):
        outcome = sandbox.check(Exam("assert work() == 1"), SLOW)
        assert outcome.ok, outcome
        late = sandbox.check(Exam("assert work() == 1"), SLOW.replace("0.7", "60"))
        assert late.kind == "timeout", late
