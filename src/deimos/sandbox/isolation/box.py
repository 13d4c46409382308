"""What a forked process does to lock itself in, before it reads a line that is not ours."""

from __future__ import annotations

import contextlib
import os
import pwd
import resource
import signal
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from deimos.sandbox.isolation import kernel, landlock, seccomp
from deimos.sandbox.isolation.root import DEVICES, SCRATCH

NAMESPACED, RESTRICTED, LIMITED = 3, 2, 1
TIERS = {
    NAMESPACED: "namespaces, Landlock, seccomp, limits",
    RESTRICTED: "Landlock, seccomp, limits",
    LIMITED: "limits alone",
}
"""Tier to the layers that it has."""
_UIDS = range(52_000, 60_000)
"""Where root looks for user ids that no account has."""
_STACK = 8 << 20


@dataclass(frozen=True)
class Limits:
    """What one check may take."""

    wall: float = 10.0
    """Seconds from dispatch to verdict, those of waiting for a processor left out; the same of
    processor time, rounded up."""
    memory: int = 512 << 20
    """Bytes of address space beyond the interpreter's own, for each of the two processes."""
    scratch: int = 16 << 20
    """Bytes of files that a candidate may write (tier 3; elsewhere none at all)."""
    threads: int = 32


MOST_WALLS = 12
"""A check on a busy machine takes at most this many times its limit by the clock."""


@dataclass
class Cell:
    """What a fork server finds out once, so that each box is locked quickly."""

    tier: int
    limits: Limits
    abi: int
    readable: list[str]
    held: int = field(default_factory=lambda: address_space())
    """Bytes of address space that the fork server has itself."""
    root: bool = field(default_factory=lambda: os.geteuid() == 0)
    own_users: bool = False
    """In a user namespace of its own: root inside it, without rights outside."""
    first_uid: int = 0
    read_anything: bool = False
    """Python is under a root-only path: keep CAP_DAC_READ_SEARCH; Landlock still limits reads."""
    places: list[int] = field(default_factory=list)
    """What boxes may read, open."""
    null: int = -1
    rules: int = -1
    """Landlock's, for boxes that may write nowhere."""
    others: int = 0
    """Processes and threads that its user has elsewhere, where these are counted together."""

    def __post_init__(self) -> None:
        """Find these out for the current process."""
        if self.root and not self.own_users:
            self.first_uid = _unused_uid(os.getpid())
            self.read_anything = self.tier < NAMESPACED and not _open_to_all(self.readable)
        elif not self.own_users:
            self.others = _tasks_of(os.getuid()) + 256
        if self.tier > LIMITED:  # once, for all boxes
            seccomp.prepare_filter()
            self.places = [os.open(path, os.O_PATH | os.O_CLOEXEC) for path in self.readable]
            self.null = os.open("/dev/null", os.O_PATH | os.O_CLOEXEC)
            self.rules = landlock.ruleset(self.abi, self.places, [self.null])


def lock(cell: Cell, keep: Iterable[int], *, candidate: bool) -> None:
    """Lock this process in for good; only ``keep`` and a null standard input and output stay open.

    Args:
        cell: of the fork server.
        keep: file descriptors.
        candidate: the candidate's box; else the tests', which may not write nor start threads.

    Raises:
        OSError: a layer that the tier promises was refused.
    """
    os.setsid()
    os.umask(0o077)
    writes = candidate and cell.tier == NAMESPACED
    needed = [*cell.places, cell.null] if writes else [cell.rules] if cell.tier > LIMITED else []
    _close_all_but({*keep, 0, 1, 2, *needed})
    os.chdir(SCRATCH if writes else "/")
    _limit(cell, candidate)
    if writes:
        needed.append(os.open(SCRATCH, os.O_PATH | os.O_CLOEXEC))
        needed.append(landlock.ruleset(cell.abi, cell.places, [cell.null, needed[-1]]))
    _become_nobody(cell, candidate)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    if cell.tier > LIMITED:
        landlock.restrict(needed[-1])
        for fd in needed:
            os.close(fd)
        seccomp.install(os.getpid())


def list_readable(directories: Iterable[str]) -> list[str]:
    """Paths that boxes may read: the interpreter's and the harmless devices."""
    return [path for path in dict.fromkeys([*directories, *DEVICES]) if Path(path).exists()]


def _close_all_but(keep: set[int]) -> None:
    last = -1
    for fd in sorted(keep):
        if last + 1 < fd:  # closerange(0, 0) closes everything
            os.closerange(last + 1, fd)
        last = fd
    os.closerange(last + 1, 256)  # a fork server opens a few dozen


def _limit(cell: Cell, candidate: bool) -> None:
    limits = cell.limits
    seconds = max(1, int(limits.wall + 0.999))
    size = limits.scratch if candidate else 1 << 20
    tasks = (limits.threads if candidate else 0) + 1
    if cell.own_users:
        tasks += 4  # the fork server and the tests' box count as the same user
    wanted = {
        resource.RLIMIT_AS: cell.held + limits.memory,
        resource.RLIMIT_FSIZE: size,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_STACK: _STACK,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NPROC: tasks + cell.others,
    }
    for kind, value in wanted.items():
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))


def _become_nobody(cell: Cell, candidate: bool) -> None:
    """Give up every right that a user has over others, and every capability."""
    if cell.own_users:
        kernel.set_capabilities(0)
    elif cell.root:
        uid = cell.first_uid + (1 if candidate else 0)
        if cell.read_anything:
            kernel.prctl(kernel.PR_SET_KEEPCAPS, 1)
        with contextlib.suppress(PermissionError):
            os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        if cell.read_anything:
            kernel.set_capabilities(kernel.CAP_DAC_READ_SEARCH)


def address_space() -> int:
    """Bytes of address space that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _unused_uid(seed: int) -> int:
    """The first of two neighbouring user ids that no account has."""
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    start = seed * 2 % len(_UIDS)
    for offset in range(0, len(_UIDS), 2):
        uid = _UIDS[(start + offset) % len(_UIDS)]
        if not {uid, uid + 1} & taken:
            return uid
    return _UIDS[start]


def _open_to_all(paths: Iterable[str]) -> bool:
    """Whether any user can go to these directories."""
    every = {place for path in paths for place in (Path(path), *Path(path).parents)}
    return all(place.stat().st_mode & 0o001 for place in every if place.is_dir())


def _tasks_of(uid: int) -> int:
    """Threads of a user's processes."""
    count = 0
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == uid:
                count += len(os.listdir(entry / "task"))  # noqa: PTH208
    return count
