"""File locks: one writer a file, and whether there is one. Locks are the kernel's (``flock``).

A lock lives as long as any process has its descriptor: a child that inherited it holds it too, and
a process that dies lets it go. File systems without locks answer as if nobody held one.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Locked(RuntimeError):
    """Another process has the lock."""


def take_lock(fd: int) -> None:
    """Lock an open file for as long as its descriptor is open.

    Raises:
        Locked: another process has it.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as e:
        raise Locked("another process has the lock") from e


def is_locked(path: Path) -> bool:
    """Whether a process holds a file's lock; False if there is no such file, or are no locks.

    Needs no right to write; with it, network file systems answer too (NFS locks only what is open
    for writing).
    """
    fd = _open(path)
    if fd is None:
        return False
    try:
        take_lock(fd)
        return False
    except Locked:
        return True
    except OSError:
        return False
    finally:
        os.close(fd)


def _open(path: Path) -> int | None:
    for mode in (os.O_RDWR, os.O_RDONLY):
        try:
            return os.open(path, mode | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError:
            continue
    return None
