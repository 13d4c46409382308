"""Run what every box runs, a few times, before the first fork: forked boxes then find it done.

Python specialises code as it runs and fills its caches; else each box would do that again, in memory pages
of its own (a tenth of a check's time). The program and the tests used here are this file's own. Each side is
run by itself, with what the other one would say written down for it beforehand.
"""

from __future__ import annotations

import json
import os
import sys
from socket import AF_UNIX, SHUT_WR, SOCK_STREAM, socketpair

from deimos.sandbox import program_process, test_process
from deimos.sandbox.code_tests import Exam, compile_exam
from deimos.sandbox.exchange import wire
from deimos.sandbox.exchange.codec import Writer
from deimos.sandbox.memory_file import make_memory_file

TIMES = 12
"""CPython 3.11 specialises a function from its eighth run on."""
_SETUP = 'from typing import List\n\n\ndef f(x: List[int], y: str) -> int:\n    """As the tests say."""\n'
_TESTS = (
    "def check(f):\n    assert f([1, 2], 'a') == 7\n    assert f([1.5, None], ('a', True)) == 7\n"
)
_CALLS = 2
_ANSWER = "    return 7\n"


def warm_up() -> None:
    """Examine a program whose every answer is known; leaves no module and no file open."""
    exam = compile_exam(Exam(_TESTS, "f", _SETUP))
    names = (program_process.NAME, "tests")
    before = {name: sys.modules[name] for name in names if name in sys.modules}
    try:
        for _ in range(TIMES):
            asked = _examine(exam)
            _serve(asked, _ANSWER)
            _serve(asked, f"```python\n{_SETUP}{_ANSWER}```")
    finally:
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(before)


def _examine(exam: bytes) -> bytes:
    """Run the tests' side; returns what it asked of the program."""
    here, there = socketpair(AF_UNIX, SOCK_STREAM)
    report = make_memory_file(b"")
    with here, there:
        wire.send(there, wire.READY)
        for _ in range(_CALLS):
            value = Writer()
            value.number(0)  # no argument was changed
            value.put(7)
            wire.send(there, wire.VALUE, value.out)
        test_process.main(here, make_memory_file(exam), report)
        os.close(report)
        here.shutdown(SHUT_WR)
        return b"".join(iter(lambda: there.recv(1 << 16), b""))


def _serve(asked: bytes, answer: str) -> None:
    """Run the program's side with these questions."""
    here, there = socketpair(AF_UNIX, SOCK_STREAM)
    request = {"answer": answer, "names": ["f"], "prompt": _SETUP}
    with here, there:
        there.sendall(asked)
        there.shutdown(SHUT_WR)
        program_process.main(here, make_memory_file(json.dumps(request).encode()))
