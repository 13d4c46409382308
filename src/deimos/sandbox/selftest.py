"""Testing a box: a program inside really attempts each forbidden act, in an ordinary check.

A tier holds only if all of its attempts fail. The program takes the candidate's place; its tests
ask it which attempts succeeded and expect none.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from deimos.sandbox.code_tests import Exam

if TYPE_CHECKING:
    from deimos.sandbox.isolation.box import Limits
    from deimos.sandbox.outcome import CheckOutcome

SECONDS = 10.0
_TESTS = """
found = attempts({tier}, {canary!r}, {folder!r}, {port}, {pid}, {memory}, {scratch}, {threads})
assert not found, "a box lets through: " + ", ".join(found)
"""
PROGRAM = r"""
import os, sys

def attempts(tier, canary, folder, port, pid, memory, scratch, threads):
    import ctypes, mmap, socket, threading
    call = ctypes.CDLL(None).syscall
    x86 = os.uname().machine == "x86_64"
    done = []

    def tried(name, act, least=2):
        if tier >= least:
            try:
                if act() is not False:
                    done.append(name)
            except (OSError, MemoryError, RuntimeError, ValueError):
                pass

    def syscall(number, *args):
        return call(number, *args) >= 0

    def write(path):
        with open(path, "w") as file:
            file.write("x")

    def start_threads():
        gate = threading.Event()
        started = []
        try:
            for _ in range(2 * threads + 300 * (tier < 3)):
                started.append(threading.Thread(target=gate.wait, daemon=True))
                started[-1].start()
        finally:
            gate.set()

    def fill(path):
        for part in range(3):
            with open(f"{path}/{part}", "wb") as file:
                for _ in range(scratch >> 20):
                    file.write(bytes(1 << 20))

    tried("reading a planted file", lambda: open(canary).read())
    tried("listing its directory", lambda: os.listdir(folder))
    tried("reading /etc/passwd", lambda: open("/etc/passwd").read())
    tried("reading another process's files", lambda: os.listdir(f"/proc/{pid}"))
    tried("seeing processes", lambda: any(p.isdigit() for p in os.listdir("/proc")))
    tried("writing beside a planted file", lambda: write(canary + ".new"))
    tried("writing into the library", lambda: write(os.path.dirname(os.__file__) + "/new.py"))
    tried("filling more than its scratch", lambda: fill("/tmp"))
    for family, kind in ((2, 1), (2, 2), (10, 1), (1, 1), (1, 2), (16, 3), (17, 3)):
        tried(f"a socket of family {family}", lambda: socket.socket(family, kind))
    tried("connecting", lambda: socket.create_connection(("127.0.0.1", port), 0.2))
    tried("signalling its supervisor", lambda: os.kill(pid, 0))
    tried("signalling its parent", lambda: os.kill(os.getppid() or -1, 0))
    tried("signalling its group", lambda: os.kill(0, 0))
    tried("signalling everybody", lambda: os.kill(-1, 0))
    tried("starting a process", lambda: os.fork() or os._exit(1))
    tried("becoming a program", lambda: os.execv(sys.executable, [sys.executable]))
    tried("more threads than allowed", start_threads, 3)
    tried("more memory than allowed", lambda: bytearray(2 * memory + (256 << 20)), 1)
    tried("a second root", lambda: os.chroot("/"))
    tried("being root", lambda: os.setuid(0) and False if os.getuid() else None, 4)
    numbers = {
        "ptrace": (101, 117), "mount": (165, 40), "unshare": (272, 97), "setns": (308, 268),
        "pivot_root": (155, 41), "keyctl": (250, 219), "add_key": (248, 217), "bpf": (321, 280),
        "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
        "process_vm_readv": (310, 270), "memfd_create": (319, 279), "open_by_handle_at": (304, 265),
        "shmget": (29, 194), "msgget": (68, 186), "setsid": (112, 157), "seccomp": (317, 277),
        "kexec_load": (246, 104), "init_module": (175, 105), "reboot": (169, 142),
        "personality": (135, 92), "open_tree": (428, 428), "fsopen": (430, 430),
        "pidfd_open": (434, 434), "clone3": (435, 435), "mount_setattr": (442, 442),
    }
    memory_name = ctypes.create_string_buffer(b"x")
    for name, both in numbers.items():
        arguments = (memory_name, 0) if name == "memfd_create" else (0, 0, 0, 0, 0)
        tried(name, lambda: syscall(both[0 if x86 else 1], *arguments))
    tried("undoing its death with its parent", lambda: syscall(157 if x86 else 167, 1, 0))
    tried("environment", lambda: bool(os.environ), 1)
    tried("open files", lambda: len([f for f in range(3, 256) if is_open(f)]) > 1, 1)
    here, there = socket.socketpair()
    here.send(b"x")
    if there.recv(1) != b"x":
        done.append("nothing: socketpair is broken")
    return done

def is_open(fd):
    try:
        os.fstat(fd)
        return True
    except OSError:
        return False
"""


def faults(check: Callable[[Exam, str], CheckOutcome], limits: Limits, tier: int) -> str:
    """What a box lets through, or why it could not be tried; empty if it holds.

    Args:
        check: judges an answer in the box to be proved.
        limits: of that box.
        tier: what it promises.
    """
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        canary = Path(folder) / "canary"
        canary.write_text("secret")
        canary.chmod(0o644)
        Path(folder).chmod(0o777)
        tests = _TESTS.format(
            tier=tier, canary=str(canary), folder=folder, port=server.getsockname()[1],
            pid=os.getpid(), memory=limits.memory, scratch=limits.scratch, threads=limits.threads,
        )  # fmt: skip
        outcome = check(Exam(tests, "attempts"), PROGRAM)
    return "" if outcome.ok else f"{outcome.kind}: {outcome.because}"
