"""Which system calls code in a box may make: a list of the allowed; everything else is refused.

Refused calls fail with EPERM; those younger than Linux 5.2 (and ``clone3``) with ENOSYS, so that
libraries fall back to older ones. Another calling convention (i386, x32) kills the process.
Threads may be started, processes not; nothing is executed; a process may signal only itself.
The filter looks at the low 32 bits of arguments: the kernel does too for those it looks at.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from functools import cache
from typing import Any

from deimos.sandbox.isolation import kernel

_CALLS = """
read 0 63 · write 1 64 · close 3 57 · fstat 5 80 · lseek 8 62 · mmap 9 222 · mprotect 10 226
munmap 11 215 · brk 12 214 · rt_sigaction 13 134 · rt_sigprocmask 14 135 · rt_sigreturn 15 139
pread64 17 67 · pwrite64 18 68 · readv 19 65 · writev 20 66 · preadv 295 69 · pwritev 296 70
access 21 - · pipe 22 - · select 23 - · sched_yield 24 124 · mremap 25 216 · msync 26 227
madvise 28 233 · dup 32 23 · dup2 33 - · pause 34 - · nanosleep 35 101 · getitimer 36 102
alarm 37 - · setitimer 38 103 · getpid 39 172 · sendfile 40 71 · sendto 44 206 · recvfrom 45 207
sendmsg 46 211 · recvmsg 47 212 · shutdown 48 210 · getsockname 51 204 · getpeername 52 205
getsockopt 55 209 · exit 60 93 · exit_group 231 94 · wait4 61 260 · waitid 247 95 · uname 63 160
flock 73 32 · fsync 74 82 · fdatasync 75 83 · truncate 76 45 · ftruncate 77 46 · fallocate 285 47
getdents 78 - · getdents64 217 61 · getcwd 79 17 · chdir 80 49 · fchdir 81 50 · rename 82 -
renameat 264 38 · renameat2 316 276 · mkdir 83 - · mkdirat 258 34 · rmdir 84 - · creat 85 -
link 86 - · linkat 265 37 · unlink 87 - · unlinkat 263 35 · symlink 88 - · symlinkat 266 36
readlink 89 - · readlinkat 267 78 · chmod 90 - · fchmod 91 52 · fchmodat 268 53 · umask 95 166
gettimeofday 96 169 · getrlimit 97 163 · getrusage 98 165 · sysinfo 99 179 · times 100 153
getuid 102 174 · getgid 104 176 · geteuid 107 175 · getegid 108 177 · getppid 110 173
getpgrp 111 - · getpgid 121 155 · getsid 124 156 · getgroups 115 158 · getresuid 118 148
getresgid 120 150 · capget 125 90 · rt_sigpending 127 136 · rt_sigtimedwait 128 137
rt_sigsuspend 130 133 · sigaltstack 131 132 · utime 132 - · utimes 235 - · futimesat 261 -
utimensat 280 88 · statfs 137 43 · fstatfs 138 44 · stat 4 - · lstat 6 - · newfstatat 262 79
statx 332 291 · open 2 - · openat 257 56 · openat2 437 437 · faccessat 269 48 · faccessat2 439 439
getpriority 140 141 · sched_getaffinity 204 123 · sched_getparam 143 121
sched_getscheduler 145 120 · sched_get_priority_max 146 125 · sched_get_priority_min 147 126
arch_prctl 158 - · gettid 186 178 · time 201 - · futex 202 98 · futex_waitv 449 449
set_tid_address 218 96 · set_robust_list 273 99 · get_robust_list 274 100 · rseq 334 293
timer_create 222 107 · timer_settime 223 110 · timer_gettime 224 108 · timer_getoverrun 225 109
timer_delete 226 111 · clock_gettime 228 113 · clock_getres 229 114 · clock_nanosleep 230 115
epoll_create 213 - · epoll_create1 291 20 · epoll_ctl 233 21 · epoll_wait 232 - · epoll_pwait 281 22
poll 7 - · ppoll 271 73 · pselect6 270 72 · eventfd 284 - · eventfd2 290 19 · timerfd_create 283 85
timerfd_settime 286 86 · timerfd_gettime 287 87 · signalfd 282 - · signalfd4 289 74 · dup3 292 24
pipe2 293 59 · getrandom 318 278 · membarrier 324 283 · copy_file_range 326 285 · getxattr 191 8
lgetxattr 192 9 · fgetxattr 193 10 · listxattr 194 11 · llistxattr 195 12 · flistxattr 196 13
fadvise64 221 223 · close_range 436 436 · getcpu 309 168 · restart_syscall 219 128
"""
"""Name, number on x86-64, number on 64-bit ARM (``-``: it has none)."""
_LOOKED_AT = {
    "clone": (56, 220), "clone3": (435, 435), "kill": (62, 129), "tgkill": (234, 131),
    "prctl": (157, 167), "prlimit64": (302, 261), "socketpair": (53, 199), "fcntl": (72, 25),
    "ioctl": (16, 29),
}  # fmt: skip
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000
_YOUNG = 424
"""First of the numbers that came with Linux 5.1 or later."""

_LOAD, _AND, _EQUAL, _AT_LEAST, _MORE, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x25, 0x06
_KILL, _ALLOW = 0x80000000, 0x7FFF0000
_REFUSE, _UNKNOWN = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16

_THREAD, _NAMESPACES = 0x00010000, 0x7E020080
"""CLONE_THREAD; CLONE_NEW* all together."""
_PRCTLS = (3, 15, 16, 0x53564D41)  # get dumpable, set and get name, name memory (glibc)
_FCNTLS = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030)  # duplicate, flags, locks: no owner, no signal
_IOCTLS = (0x5401, 0x541B, 0x5421, 0x5450, 0x5451)  # isatty, bytes waiting, blocking, close-on-exec
_UNIX, _STREAM, _TYPE_MASK = 1, 1, 0xF

_SOMEBODY = 0x5EC0DE00
"""Placeholder for a process's id until that is known; larger than any."""
_LINE = struct.calcsize("=HBBI")

Instruction = tuple[int, int, int, int]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def install(pid: int) -> None:
    """Bind this process and its threads to the list; ``no_new_privs`` must be set before.

    Args:
        pid: this process as it sees itself: whom it may signal.

    Raises:
        OSError: the kernel has no seccomp filters.
    """
    held, filled, places = prepare_filter()
    for place in places:
        struct.pack_into("=I", held, place, pid)
    kernel.syscall("seccomp", 1, 0, ctypes.byref(filled))


@cache
def prepare_filter() -> tuple[Any, ctypes.Structure, list[int]]:
    """The filter in memory, and where a process's id belongs in it.

    Building it touches more pages than all the rest of locking a box: the fork server does it once.
    """
    lines = program(_SOMEBODY)
    code = b"".join(struct.pack("=HBBI", *line) for line in lines)
    held = ctypes.create_string_buffer(code, len(code))
    places = [_LINE * i + 4 for i, line in enumerate(lines) if line[3] == _SOMEBODY]
    return held, _Program(len(lines), ctypes.addressof(held)), places


def program(pid: int, machine: str = kernel.MACHINE) -> list[Instruction]:
    """The filter as BPF instructions (code, jump if true, jump if false, operand)."""
    column = 0 if machine == "x86_64" else 1
    lines = [
        (_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, _ARCHITECTURE[machine]), (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]  # fmt: skip
    if machine == "x86_64":
        lines += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _KILL)]
    for low, high in _ranges(column):
        lines += [(_AT_LEAST, 0, 2, low), (_MORE, 1, 0, high), (_RETURN, 0, 0, _ALLOW)]
    for name, block in _blocks(pid).items():
        lines += [(_EQUAL, 0, len(block), _LOOKED_AT[name][column]), *block]
    return [
        *lines, (_AT_LEAST, 0, 1, _YOUNG), (_RETURN, 0, 0, _UNKNOWN), (_RETURN, 0, 0, _REFUSE),
    ]  # fmt: skip


def _ranges(column: int) -> list[tuple[int, int]]:
    """The allowed numbers as closed ranges."""
    words = [entry.split() for line in _CALLS.strip().splitlines() for entry in line.split("·")]
    found: list[tuple[int, int]] = []
    for number in sorted(int(word[1 + column]) for word in words if word[1 + column] != "-"):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def _blocks(pid: int) -> dict[str, list[Instruction]]:
    """The calls whose arguments matter; each block ends by returning."""
    return {
        "clone": [
            _argument(0), (_AND, 0, 0, _THREAD | _NAMESPACES), *_only((_THREAD,)),
        ],
        "clone3": [(_RETURN, 0, 0, _UNKNOWN)],
        "kill": [_argument(0), *_only((pid,))],
        "tgkill": [_argument(0), *_only((pid,))],
        "prctl": [_argument(0), *_only(_PRCTLS)],
        "prlimit64": [_argument(0), *_only((0,))],
        "socketpair": [
            _argument(0), (_EQUAL, 1, 0, _UNIX), (_RETURN, 0, 0, _REFUSE),
            _argument(1), (_AND, 0, 0, _TYPE_MASK), *_only((_STREAM,)),
        ],
        "fcntl": [_argument(1), *_only(_FCNTLS)],
        "ioctl": [_argument(1), *_only(_IOCTLS)],
    }  # fmt: skip


def _argument(position: int) -> Instruction:
    return _LOAD, 0, 0, _ARGUMENTS + 8 * position


def _only(values: tuple[int, ...]) -> list[Instruction]:
    """Allow where the loaded word is one of these, else refuse."""
    tests = [(_EQUAL, len(values) - i, 0, value) for i, value in enumerate(values)]
    return [*tests, (_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)]
