"""The fork server: a process with everything imported, which never sees tests or model code.

For each check it gets three memory files and passes them on without reading: the tests for their
box, the answer for the candidate's, and a report that the tests' box writes and only the supervisor
reads. Anything that it read would be in the memory of every later candidate.
It ends with its supervisor, and its boxes with it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from socket import AF_UNIX, SOCK_STREAM, socket, socketpair
from socket import recv_fds as receive_descriptors
from typing import Any

from deimos.sandbox import program_process, test_process
from deimos.sandbox.isolation import box, kernel, landlock, root
from deimos.sandbox.warm_up import warm_up

PRELOADED = """
    abc array bisect calendar cmath collections collections.abc copy dataclasses datetime decimal enum
    fractions functools hashlib heapq inspect io itertools json math operator random re secrets
    statistics string struct textwrap threading time typing unicodedata
"""
"""Imported before the first fork, if installed."""
_REQUEST = 4096
_GRAIN = 0.02
"""Seconds of waiting for a processor that no longer move a deadline."""


@dataclass
class BoxProcess:
    """A box's process."""

    pid: int
    fd: int
    """pidfd; readable once it has ended."""
    leads: bool
    """Its process namespace ends with it; if False, its group is killed."""


def main() -> None:
    """Start up as the first message says, say how it went, then serve until the pipe ends."""
    control = socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(null, fd)
    start = json.loads(control.recv(_REQUEST))
    if start["dies"]:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != start["parent"]:
        return
    try:
        server = _start(start)
    except (OSError, ValueError) as e:
        control.send(json.dumps({"failed": str(e)}).encode())
        return
    os.dup2(null, 2)
    control.send(json.dumps({"ready": os.getpid()}).encode())
    server.serve(control)


def _start(start: dict[str, Any]) -> ForkServer:
    limits = box.Limits(**start["limits"])
    paths, search = [*root.interpreter(), *root.packages()], root.search_path()
    for name in [*PRELOADED.split(), *start["preload"]]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    sys.path[:] = search
    sys.meta_path.append(root.Finder())
    os.environ.clear()
    held, rooted = box.address_space(), os.geteuid() == 0
    processes = os.open("/proc", os.O_PATH | os.O_CLOEXEC)  # the boxes close it and have none
    namespace = root.enter() if start["tier"] == box.NAMESPACED else None
    cell = box.Cell(
        start["tier"], limits, landlock.abi(), box.list_readable(paths), held, rooted,
        own_users=namespace is not None and not rooted,
    )  # fmt: skip
    warm_up()
    gc.collect()
    gc.freeze()  # else a collection in a child copies every page
    return ForkServer(cell, namespace, processes)


class ForkServer:
    """Makes boxes, watches them, and removes them."""

    def __init__(self, cell: box.Cell, namespace: int | None, processes: int) -> None:
        self._cell, self._namespace, self._processes = cell, namespace, processes

    def serve(self, control: socket) -> None:
        """One check after the other until the supervisor is gone."""
        while True:
            message, fds, _, _ = receive_descriptors(control, _REQUEST, 3)
            if not message:
                return
            ended = self._check(json.loads(message)["deadline"], fds, control)
            control.send(json.dumps(ended).encode())

    def _check(self, deadline: float, fds: list[int], control: socket) -> dict[str, Any]:
        exam, answer, report = fds
        here, there = socketpair(AF_UNIX, SOCK_STREAM)
        boxes: list[BoxProcess] = []
        try:
            with self._scratch():
                boxes.append(self._candidate(there, answer))
                boxes.append(self._examiner(here, exam, report))
                for fd in (*fds, here.detach(), there.detach()):
                    os.close(fd)
                late, waited = self._watch(boxes, deadline, control)
                ended = self._end(boxes[1], boxes[0])
                boxes.clear()
                return {"late": late, "waited": waited, **ended}
        except OSError as e:
            return {"failed": str(e)}
        finally:
            for child in boxes:
                _kill(child)
                _reap(child)

    @contextlib.contextmanager
    def _scratch(self) -> Any:
        """An empty /tmp for one check."""
        if self._cell.tier < box.NAMESPACED:
            yield
            return
        flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
        options = f"size={self._cell.limits.scratch},nr_inodes=1k,mode=1777"
        kernel.mount("tmpfs", root.SCRATCH, "tmpfs", flags, options)
        try:
            yield
        finally:
            kernel.umount(root.SCRATCH)

    def _candidate(self, stream: socket, answer: int) -> BoxProcess:
        def work() -> int:
            box.lock(self._cell, (stream.fileno(), answer), candidate=True)
            program_process.main(stream, answer)
            return 0

        if self._namespace is None:
            return _fork(work, leads=False)
        kernel.unshare(kernel.CLONE_NEWPID)
        try:
            return _fork(work, leads=True)
        finally:
            kernel.setns(self._namespace, kernel.CLONE_NEWPID)

    def _examiner(self, stream: socket, exam: int, report: int) -> BoxProcess:
        def work() -> int:
            box.lock(self._cell, (stream.fileno(), exam, report), candidate=False)
            return test_process.main(stream, exam, report)

        return _fork(work, leads=False)

    def _watch(
        self, boxes: list[BoxProcess], deadline: float, control: socket
    ) -> tuple[bool, float]:
        """Wait until the tests' box ends, the deadline passes or the supervisor is gone.

        The deadline moves by the time that the boxes were ready to run and had no processor, so that
        a verdict is the same on a busy machine; not beyond ``MOST_WALLS`` times the limit.

        Returns:
            Whether it was late, and then the seconds that the boxes waited for a processor.
        """
        poll = select.poll()
        poll.register(boxes[1].fd, select.POLLIN)
        poll.register(control, 0)  # hang-up alone
        last = deadline + (box.MOST_WALLS - 1) * self._cell.limits.wall
        until, waited = deadline, 0.0
        while True:
            ready = poll.poll(max(0.0, until - time.monotonic()) * 1000 + 1)
            if any(fd == control.fileno() for fd, _ in ready):
                raise OSError("the supervisor is gone")
            if ready:
                return False, 0.0
            waited = sum(map(self._waited, boxes))
            granted, until = until, min(deadline + waited, last)
            if until - granted < _GRAIN:
                return True, waited

    def _waited(self, child: BoxProcess) -> float:
        """Seconds that a box was ready to run and had no processor; 0 if the kernel doesn't say."""
        try:
            info = self._read(f"self/fdinfo/{child.fd}")
            pid = next(line.split()[1] for line in info.splitlines() if line.startswith("Pid:"))
            return int(self._read(f"{pid}/schedstat").split()[1]) / 1e9
        except (OSError, LookupError, StopIteration, ValueError):
            return 0.0

    def _read(self, path: str) -> str:
        with open(os.open(path, os.O_RDONLY, dir_fd=self._processes)) as file:  # noqa: PTH123
            return file.read()

    def _end(self, tests: BoxProcess, program: BoxProcess) -> dict[str, Any]:
        """Kill what still runs; returns how both ended, and the candidate's processor seconds."""
        waited = _ended(tests)
        _kill(tests)
        status, before = _reap(tests)
        if waited and os.waitstatus_to_exitcode(status) == test_process.ENDED:
            select.select([program.fd], [], [], 0.2)  # its pipe closes a moment before it ends
        by_itself = _ended(program)
        _kill(program)
        code, usage = _reap(program)
        return {
            "tests": os.waitstatus_to_exitcode(status),
            "program": os.waitstatus_to_exitcode(code) if by_itself else None,
            "seconds": usage.ru_utime + usage.ru_stime,
            "all_seconds": usage.ru_utime + usage.ru_stime + before.ru_utime + before.ru_stime,
        }


def _fork(work: Callable[[], int], *, leads: bool) -> BoxProcess:
    pid = kernel.fork()
    if pid:
        return BoxProcess(pid, os.pidfd_open(pid), leads)
    code = 70
    try:
        code = work()
    finally:
        os._exit(code)


def _ended(child: BoxProcess) -> bool:
    return bool(select.select([child.fd], [], [], 0)[0])


def _kill(child: BoxProcess) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child.pid, signal.SIGKILL)  # its group may not exist yet


def _reap(child: BoxProcess) -> tuple[int, Any]:
    os.close(child.fd)
    _, status, usage = os.wait4(child.pid, 0)
    return status, usage
