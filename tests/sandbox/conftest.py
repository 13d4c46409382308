"""One sandbox a tier for all attacks, with secrets planted where it must not reach."""

import contextlib
import os
import time
from pathlib import Path

import pytest

from deimos.sandbox import Exam, Limits, Sandbox, SandboxError
from deimos.sandbox.isolation.box import _UIDS

WALL = 1.0
SLACK = 60.0
"""Seconds that a busy machine may add; the limit itself is the sandbox's to keep."""
ADD = Exam("assert add(1, 2) == 3\nassert add(5, 7) == 12")
HONEST = "def add(a, b):\n    return a + b"
CANARY = "canary-5e0f1c"
SECONDS: list[float] = []
"""What each hostile check took; docs/results/graders.md quotes the slowest."""


def pytest_terminal_summary(terminalreporter):
    """One line behind the tests."""
    if SECONDS:
        terminalreporter.write_line(
            f"sandbox: {len(SECONDS)} hostile programs at a limit of {WALL:g} s, "
            f"the slowest judged after {max(SECONDS):.2f} s"
        )


@pytest.fixture(scope="session")
def planted(tmp_path_factory):
    """A home with secrets in it; the environment names it and holds one more."""
    home = tmp_path_factory.mktemp("home")
    home.chmod(0o755)
    for name in (".ssh/id_rsa", ".cache/huggingface/token", "canary", "tests.jsonl"):
        file = home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(CANARY)
    before = dict(os.environ)
    os.environ |= {"HF_TOKEN": CANARY, "HOME": str(home)}
    yield home
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session", params=[3, 2])
def sandbox(request, planted):
    """A sandbox of each tier that this machine offers."""
    try:
        box = Sandbox(Limits(wall=WALL, memory=256 << 20, threads=8), most=request.param)
    except SandboxError as e:
        pytest.skip(str(e))
    with box:
        if box.tier != request.param:
            pytest.skip(f"tier {request.param}: {box.refused[request.param]}")
        yield box
    assert no_boxes()


@pytest.fixture
def attack(sandbox):
    """Judge hostile programs: none passes, the clock is kept, and the next honest one passes."""

    def judge(*programs, exam=ADD, kinds=()):
        for program in programs:
            start = time.monotonic()
            outcome = sandbox.check(exam, program)
            SECONDS.append(outcome.seconds)
            assert outcome.ok is not True, f"{outcome}\n{program}"
            assert time.monotonic() - start < 2 * (WALL + 1) + SLACK
            assert not kinds or outcome.kind in (*kinds, "infrastructure", "timeout"), (
                f"{outcome}\n{program}"
            )
        assert honest(sandbox)

    return judge


def honest(sandbox):
    """Whether a right program passes; a machine that is too busy is waited for."""
    return any(sandbox.check(ADD, HONEST).ok for _ in range(20))


def no_boxes(seconds=20.0):
    """Whether no process of a box is left."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not _boxes():
            return True
        time.sleep(0.05)
    return False


def _boxes():
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = entry.name.isdigit() and (entry / "cmdline").read_bytes()
            ours = words and b"deimos.sandbox.fork_server" in words
            if ours and (entry.stat().st_uid in _UIDS or _child_of_nobody(entry)):
                found.append(entry.name)
    return found


def _child_of_nobody(entry):
    return (entry / "stat").read_text().rsplit(")", 1)[1].split()[1] == "1"
