"""Inside the tests' box: run a data set's tests against a candidate that is elsewhere.

Setup, tests and the values that they expect exist only here. A comparison is made here, between
values built here. Data-set code is trusted not to attack the verdict, and runs in a box nevertheless.
"""

from __future__ import annotations

import importlib
import json
import marshal
import os
import sys
from socket import socket
from types import ModuleType
from typing import Any

from deimos.sandbox.remote import Link, Stop, Stub, describe
from deimos.sandbox.unittests import raise_failures

ENDED = 3
"""Exit code if the candidate's process was gone."""


def main(stream: socket, exam_fd: int, report_fd: int) -> int:
    """Examine one candidate and write the report; returns this process's exit code."""
    with os.fdopen(exam_fd, "rb") as file:
        exam = marshal.loads(file.read())
    link = Link(stream)
    outcome, because = examine(link, exam)
    report = {"outcome": outcome, "because": because, "calls": link.calls}
    os.write(report_fd, json.dumps(report).encode())
    return ENDED if link.ended else 0


def examine(link: Link, exam: dict[str, Any]) -> tuple[str, str]:
    """Outcome and reason; ``pass`` only if every test ran and nothing was left unjudged.

    Args:
        link: to the candidate.
        exam: as ``compile_exam`` made it.
    """
    try:
        link.ready()
        _run(link, exam)
    except Stop:
        pass
    except BaseException as e:
        ended_well = _ended_well(e) and e is not link.raised and not exam["final"]
        if link.fault is None and not ended_well:
            return _failed(link, e)
    if link.fault:
        return link.fault
    if not link.calls:
        return "unsupported", "the tests never called the program"
    if link.unused:
        return "unsupported", "the program returned an object that the tests cannot look into"
    return "pass", f"{link.calls} calls"


def _run(link: Link, exam: dict[str, Any]) -> None:
    """Execute setup and tests in a module of their own, the candidate's names being stubs."""
    module = ModuleType("tests")
    sys.modules["tests"] = module
    space = module.__dict__
    space.update({name: Stub(link, 0, name) for name in exam["stubs"]})
    space.update({name: importlib.import_module(name) for name in exam["modules"]})
    if exam["unittest"]:
        raise_failures(module)
    exec(exam["setup"], space)
    if entry := exam["entry"]:
        space[entry] = Stub(link, 0, entry)  # never the setup's own, which may be a signature
    exec(exam["tests"], space)
    if exam["final"]:
        space[exam["final"]](Stub(link, 0, entry))


def _ended_well(error: BaseException) -> bool:
    """Whether tests end themselves and say that all is well: ``sys.exit(0)``."""
    return isinstance(error, SystemExit) and error.code in (None, 0)


def _failed(link: Link, error: BaseException) -> tuple[str, str]:
    if error is link.raised:
        outcome = "memory" if isinstance(error, MemoryError) else "error"
        return outcome, f"the program raised {describe(error)}"
    if not link.calls:
        return "unsupported", f"the tests failed before they called the program: {describe(error)}"
    if isinstance(error, MemoryError):
        return "output", "the tests ran out of memory over what the program returned"
    if isinstance(error, TypeError) and "catching classes" in str(error):
        return "unsupported", "the tests catch an exception of the program's own"
    if link.looked:
        return "unsupported", f"the tests look at {link.looked} of the program"
    what = f": {error}" if isinstance(error, AssertionError) and str(error) else ""
    what = what if isinstance(error, AssertionError) else f": {describe(error)}"
    return "wrong", f"call {link.calls} did not hold{what}"[:500]
