"""Landlock: which files a process may open, from now until it ends.

Whatever is not allowed here is denied, TCP (ABI 4), signals and abstract sockets to processes
outside (ABI 6) included. It restricts opening, not looking: stat and chdir are not covered.
Bits as in Linux' ``include/uapi/linux/landlock.h``.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable

from deimos.sandbox.isolation import kernel

LEAST = 3
"""ABI from which truncation is covered too: with an earlier one, code in a box could truncate files."""
_READ_FILE, _READ_DIR, _WRITE_FILE, _TRUNCATE = 1 << 2, 1 << 3, 1 << 1, 1 << 14
_EXECUTE, _REFER_BIT, _DEVICES = 1 << 0, 13, (1 << 6) | (1 << 11)
_FS_BITS = {1: 13, 2: 14, 3: 15, 4: 15}
"""ABI to the number of file rights it knows; 16 from ABI 5."""
_PATH_BENEATH, _VERSION = 1, 1


class _Ruleset(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("fs", "net", "scoped")]


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def abi() -> int:
    """The kernel's Landlock ABI; 0: it has none, or it is switched off."""
    if not kernel.SUPPORTED:
        return 0
    try:
        return kernel.syscall("landlock_create_ruleset", None, 0, _VERSION)
    except OSError:
        return 0


def ruleset(version: int, readable: Iterable[int], writable: Iterable[int] = ()) -> int:
    """A file descriptor of rules that allow nothing but reading and writing beneath some open paths.

    Args:
        version: the kernel's ABI.
        readable: file descriptors of directories or files.
        writable: those in which files may also be made, written and removed; nothing is executed.

    Raises:
        OSError: the kernel refused.
    """
    handled = (1 << _FS_BITS.get(version, 16)) - 1
    attr = _Ruleset(handled, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = kernel.syscall("landlock_create_ruleset", ctypes.byref(attr), size, 0)
    try:
        for fd in readable:
            _allow(rules, fd, _READ_FILE | _READ_DIR)
        for fd in writable:
            _allow(rules, fd, handled & ~(_EXECUTE | _DEVICES | 1 << _REFER_BIT))
    except OSError:
        os.close(rules)
        raise
    return rules


def restrict(rules: int) -> None:
    """Bind this process to a ruleset; ``no_new_privs`` must be set before."""
    kernel.syscall("landlock_restrict_self", rules, 0)


def _allow(ruleset: int, fd: int, rights: int) -> None:
    if not stat.S_ISDIR(os.fstat(fd).st_mode):
        rights &= _READ_FILE | _WRITE_FILE | _TRUNCATE
    rule = _PathBeneath(rights, fd)
    kernel.syscall("landlock_add_rule", ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
