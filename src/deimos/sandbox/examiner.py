"""Inside the tests' box: run a data set's tests against a candidate that is elsewhere.

Setup, tests and the values that they expect exist only here. A comparison is made here, between
values built here. Data-set code is trusted not to attack the verdict, and boxed all the same.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import sys
from socket import socket
from types import ModuleType
from typing import Any

from deimos.sandbox.extract import defined, names_of
from deimos.sandbox.remote import Link, Stop, Stub, describe

TESTS = "<tests>"
CHECK = "check"
"""HumanEval's form: the tests define this function, to be called with the candidate."""
ENDED = 3
"""Exit code where the candidate's process was gone."""


def main(stream: socket, exam_fd: int, report_fd: int) -> int:
    """Examine one candidate and write the report; returns this process's exit code."""
    with os.fdopen(exam_fd, "rb") as file:
        exam = json.loads(file.read())
    link = Link(stream)
    outcome, because = examine(link, exam)
    report = {"outcome": outcome, "because": because, "calls": link.calls}
    os.write(report_fd, json.dumps(report).encode())
    return ENDED if link.ended else 0


def examine(link: Link, exam: dict[str, Any]) -> tuple[str, str]:
    """Outcome and reason; only ``pass`` where every test ran and nothing was left unjudged.

    Args:
        link: to the candidate.
        exam: ``setup``, ``tests`` (code), ``entry`` (name, or empty).
    """
    try:
        run = _prepare(link, exam)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
        return "unsupported", f"the tests are not Python: {describe(e)}"
    try:
        link.ready()
        run()
    except Stop:
        pass
    except BaseException as e:
        if link.fault is None:
            return _failed(link, e)
    if link.fault:
        return link.fault
    if not link.calls:
        return "unsupported", "the tests never called the program"
    if link.unused:
        return "unsupported", "the program returned an object that the tests cannot look into"
    return "pass", f"{link.calls} calls"


def _prepare(link: Link, exam: dict[str, Any]) -> Any:
    """Compile the tests; returns what runs them."""
    setup, tests, entry = ast.parse(exam["setup"]), ast.parse(exam["tests"]), exam["entry"]
    module = ModuleType("tests")
    space = module.__dict__
    found = names_of(ast.Module([*setup.body, *tests.body], []))
    names: dict[str, Any] = {n: Stub(link, 0, n) for n in (found.free if entry else found.wanted)}
    names |= {name: importlib.import_module(name) for name in found.modules}
    before = compile(setup, "<setup>", "exec", dont_inherit=True)
    code = compile(tests, TESTS, "exec", dont_inherit=True)
    final = CHECK if entry and CHECK in defined(tests) and not _calls(tests, CHECK) else ""

    def run() -> None:
        sys.modules["tests"] = module
        space.update(names)
        exec(before, space)
        if entry:
            space[entry] = Stub(link, 0, entry)  # never the setup's own, which may be a signature
        exec(code, space)
        if final:
            space[final](Stub(link, 0, entry))

    return run


def _calls(tree: ast.Module, name: str) -> bool:
    """Whether code calls a function at its top level."""
    calls = (node.value for node in tree.body if isinstance(node, ast.Expr))
    return any(
        isinstance(c, ast.Call) and isinstance(c.func, ast.Name) and c.func.id == name
        for c in calls
    )


def _failed(link: Link, error: BaseException) -> tuple[str, str]:
    if error is link.raised:
        outcome = "memory" if isinstance(error, MemoryError) else "error"
        return outcome, f"the program raised {describe(error)}"
    if not link.calls:
        return "unsupported", f"the tests failed before they called the program: {describe(error)}"
    if isinstance(error, MemoryError):
        return "output", "the tests ran out of memory over what the program returned"
    what = f": {error}" if isinstance(error, AssertionError) and str(error) else ""
    what = what if isinstance(error, AssertionError) else f": {describe(error)}"
    return "wrong", f"call {link.calls} did not hold{what}"[:500]
