"""The Linux calls that Python 3.11 lacks, by ctypes: namespaces, mounts, capabilities, Landlock's base.

Each raises OSError with the kernel's errno. Only x86-64 and 64-bit ARM are known; elsewhere
``SUPPORTED`` is false and nothing here may be called.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys

MACHINE = {"x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}.get(platform.machine(), "")
SUPPORTED = (
    sys.platform == "linux" and sys.byteorder == "little" and bool(MACHINE) and sys.maxsize > 2**32
)

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS = 0x00020000, 0x02000000, 0x04000000
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = (
    0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
MNT_DETACH = 2
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC = 1, 2, 4, 8
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_NO_NEW_PRIVS = 1, 4, 8, 38
CAP_DAC_READ_SEARCH = 1 << 2

_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_CAPABILITY_VERSION_3 = 0x20080522
_NUMBERS = {
    "x86_64": {"seccomp": 317, "pivot_root": 155, "capset": 126},
    "aarch64": {"seccomp": 277, "pivot_root": 41, "capset": 91},
}
_SHARED = {
    "mount_setattr": 442, "landlock_create_ruleset": 444,
    "landlock_add_rule": 445, "landlock_restrict_self": 446,
}  # fmt: skip

_libc = ctypes.CDLL(None, use_errno=True) if SUPPORTED else None
_held = ctypes.PyDLL(None, use_errno=True) if SUPPORTED else None
"""The same, called without letting go of the interpreter's lock: a fork must hold it."""


class _MountAttr(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns")]


def syscall(name: str, *args: object) -> int:
    """Call the kernel by a name of the tables above."""
    number = _NUMBERS[MACHINE].get(name) or _SHARED[name]
    assert _libc
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    return _checked(_libc.syscall(ctypes.c_long(number), *wide), name)


def prctl(option: int, value: int = 0) -> int:
    """Set or get something about this process (one argument)."""
    assert _libc
    zero = ctypes.c_ulong(0)
    return _checked(_libc.prctl(option, ctypes.c_ulong(value), zero, zero, zero), "prctl")


def fork() -> int:
    """Fork a process that has one thread, without Python's hooks for others.

    They reinitialise locks and draw new random seeds in every child: a third of what a child costs
    that lives for milliseconds. Children therefore begin with the same state of ``random``.
    """
    assert _held
    return _checked(_held.fork(), "fork")


def unshare(flags: int) -> None:
    """Leave shared namespaces for new ones."""
    assert _libc
    _checked(_libc.unshare(flags), "unshare")


def setns(fd: int, kind: int) -> None:
    """Enter the namespace behind a file descriptor."""
    assert _libc
    _checked(_libc.setns(fd, kind), "setns")


def mount(source: str | None, target: str, kind: str | None, flags: int, data: str = "") -> None:
    """Mount a file system, or bind a path to another."""
    assert _libc
    texts = [os.fsencode(t) if t else None for t in (source, target, kind)]
    done = _libc.mount(*texts, ctypes.c_ulong(flags), data.encode() or None)
    _checked(done, f"mount {target}")


def umount(target: str) -> None:
    """Detach a mount; processes that still use it keep it."""
    assert _libc
    _checked(_libc.umount2(os.fsencode(target), MNT_DETACH), f"umount {target}")


def restrict_mount(path: str, attributes: int, *, recursive: bool = True) -> None:
    """Add attributes (read-only, nosuid…) to a mount, and to those beneath it."""
    attr = _MountAttr(attributes, 0, 0, 0)
    flags = _AT_RECURSIVE if recursive else 0
    syscall(
        "mount_setattr", _AT_FDCWD, os.fsencode(path), flags, ctypes.byref(attr),
        ctypes.sizeof(attr),
    )  # fmt: skip


def pivot_root(path: str) -> None:
    """Make ``path``, a mount, the root, and let go of the old one."""
    os.chdir(path)
    syscall("pivot_root", b".", b".")
    umount(".")
    os.chdir("/")


def set_capabilities(mask: int) -> None:
    """Make ``mask`` (of capabilities 0 to 31) all that this process is permitted."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(mask, mask, 0, 0, 0, 0)
    syscall("capset", header, data)


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result
