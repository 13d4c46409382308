"""The process that graders run in: one request at a time, from a pipe to a pipe.

Started by ``worker.Judge``. Messages are JSON behind a
four-byte length: first the graders' specs, then ``{"load": kind}`` before the first item of a kind
(so that nothing is imported for kinds that don't come), and items. What a grader prints goes to
standard error. The kernel ends it when an item has used its processor time, whatever code runs then;
its parent kills it at a deadline of the wall clock. It bounds its own memory. It is not a sandbox: a
grader runs with the user's rights.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import logging
import os
import resource
import signal
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from deimos.registry import resolve
from deimos.types import Verdict

LENGTH = struct.Struct(">I")
_PR_SET_PDEATHSIG = 1


def send(stream: BinaryIO, message: Any) -> None:
    """Write one message."""
    stream.write(pack(message))
    stream.flush()


def pack(message: Any) -> bytes:
    """One message as bytes; TypeError for what JSON does not know."""
    body = json.dumps(message).encode()
    return LENGTH.pack(len(body)) + body


def receive(stream: BinaryIO) -> Any:
    """Read one message; None at the end of the stream."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    return json.loads(stream.read(LENGTH.unpack(head)[0]))


def main() -> None:
    """Learn the graders' names, then load and judge what is asked for until the pipe ends."""
    requests, replies = _private_pipes()
    _die_with_parent()
    logging.disable(logging.WARNING)  # math-verify warns of the timeouts that we switch off
    start = receive(requests)
    if start is None or os.getppid() != start["parent"]:
        return
    graders: dict[str, Callable[[str, Any], Verdict]] = {}
    send(replies, {"ready": True, "rss": _rss()})
    while (item := receive(requests)) is not None:
        if kind := item.get("load"):
            _bound_memory(None)
            spec = start["specs"][kind]
            try:
                graders[kind] = _make(spec) if isinstance(spec, dict) else _load(spec)
            except Exception as e:
                because = f"{type(e).__name__}: {e}"[:500]
                send(replies, {"ready": False, "because": because, "rss": _rss()})
                continue
            _bound_memory(start["memory"])
            send(replies, {"ready": True, "rss": _rss()})
            continue
        # SIGPROF's own action, which nobody changes, is to end the process.
        signal.setitimer(signal.ITIMER_PROF, item["seconds"])
        verdict, spent = _judge(graders[item["kind"]], item["answer"], item["reference"])
        signal.setitimer(signal.ITIMER_PROF, 0)
        reply = {"ok": verdict.ok, "because": verdict.because, "stage": verdict.stage}
        reply |= {"metrics": verdict.metrics} if verdict.metrics is not None else {}
        send(replies, reply | {"rss": _rss(), "spent": spent})


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Move the pipes to other descriptors, so that a grader's print or input can't disturb them."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    return requests, replies


def _die_with_parent() -> None:
    """Linux only; elsewhere an idle child ends with its pipe and a busy one at its item's end."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _bound_memory(more: int | None) -> None:
    """Allow ``more`` bytes of address space beyond what the loaded graders hold; None: any."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        most = resource.getrlimit(resource.RLIMIT_AS)[1]
        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        limit = most if more is None else held + more
        resource.setrlimit(resource.RLIMIT_AS, (limit, most))


def _rss() -> int:
    """Peak resident bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _load(spec: str) -> Callable[[str, Any], Verdict]:
    try:
        grader = resolve("grader", spec)
        if grader.prepare is not None:
            grader.prepare()
        return grader.judge
    except Exception as e:
        because = f"infrastructure: grader {spec!r} cannot be loaded: {type(e).__name__}: {e}"
        return lambda answer, reference: Verdict.of(None, because[:500])


def _make(spec: dict[str, Any]) -> Callable[[str, Any], Verdict]:
    module, _, name = spec["maker"].partition(":")
    return getattr(importlib.import_module(module), name)(**spec["options"])


def _judge(grader: Callable[..., Any], answer: str, reference: Any) -> tuple[Verdict, bool]:
    """The verdict, and whether to recycle the worker."""
    try:
        verdict = grader(answer, reference)
    except (MemoryError, RecursionError) as e:
        return Verdict.of(None, f"infrastructure: {type(e).__name__} while judging"), True
    except Exception as e:
        return Verdict.of(None, f"the grader raised {type(e).__name__}: {e}"[:500]), False
    if not isinstance(verdict, Verdict):
        return Verdict.of(None, f"the grader returned {type(verdict).__name__}, not Verdict"), False
    return verdict, False
