"""The tests that judge a candidate: as text, and compiled once for all candidates of a prompt.

HumanEval+'s tests can be megabytes, and compiling them is most of a check. It is done here, on the
supervisor's side, and only code objects are sent to the box.
"""

from __future__ import annotations

import ast
import keyword
import marshal
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any, NamedTuple

from deimos.sandbox.assertions import assert_something, imports_unittest, keep_main, never_hold
from deimos.sandbox.names import Names, find_defined, names_of
from deimos.sandbox.side_effects import find_side_effects

TESTS = "<tests>"
CHECK = "check"
"""HumanEval's form: the tests define this function, to be called with the candidate."""
NOT_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What compiling raises for tests that are not Python."""


class UnfitTests(ValueError):
    """Tests that are Python and still say nothing of any program; the message says why."""


@dataclass(frozen=True)
class Exam:
    """How an answer is to be judged: a reference of kind ``code``."""

    tests: str
    """Python that asserts; or, with an entry point, may define ``check(candidate)``."""
    entry_point: str = ""
    """Name that the answer must define; if empty, the names that the tests use and do not define."""
    setup: str = ""
    """Python before the tests; with an entry point that it defines itself, the prompt's own code."""

    @classmethod
    def of(cls, reference: Mapping[str, Any]) -> Exam:
        """Read a reference ``{tests, entry_point?, setup?, test_imports?}``; lists are joined by lines.

        An entry point that is not given is absent or None.

        Raises:
            ValueError: the tests are missing or not text, or not Python; the entry point is no name.
        """
        parts = [_text(reference, key) for key in ("test_imports", "tests", "setup")]
        imports, tests, setup = parts
        if not tests.strip():
            raise ValueError("a code reference needs tests")
        entry = _entry_point(reference)
        exam = cls("\n".join(part for part in (imports, tests) if part), entry, setup)
        exam.names()
        return exam

    def names(self) -> list[str]:
        """What the answer must define."""
        return [self.entry_point] if self.entry_point else _free(f"{self.setup}\n{self.tests}")


@lru_cache(maxsize=32)
def compile_exam(exam: Exam) -> bytes:
    """The compiled exam, by ``marshal``, for a process of the same Python.

    A mapping: ``setup`` and ``tests`` (code objects), ``entry`` and ``final`` (names, or empty:
    what answers, and what is called with it), ``stubs`` and ``modules`` (names that the tests take
    from the candidate, and from the standard library without importing them).

    Raises:
        UnfitTests: no program can be judged by them.
        SyntaxError, ValueError, RecursionError, MemoryError: ``NOT_PYTHON``.
    """
    read = _read(exam)
    return marshal.dumps({
        "setup": _compile(read.setup, "<setup>"), "tests": _compile(read.tests, TESTS),
        "stubs": read.names.free if exam.entry_point else read.names.wanted,
        "modules": read.names.modules, "unittest": read.unittest, "entry": exam.entry_point, "final": read.final,
    })  # fmt: skip


def check_tests(exam: Exam) -> None:
    """Find out whether programs can be judged by the tests; raises as ``compile_exam``."""
    read = _read(exam)
    _compile(read.setup, "<setup>")
    _compile(read.tests, TESTS)


class _Read(NamedTuple):
    setup: ast.Module
    tests: ast.Module
    names: Names
    final: str
    """``check`` where it is to be called with the entry point; else empty."""
    unittest: bool
    """Whether they use ``unittest``."""


def _read(exam: Exam) -> _Read:
    entry = exam.entry_point
    setup, tests = _parse(exam.setup), _parse(exam.tests)
    unittest = imports_unittest(setup) or imports_unittest(tests)
    tests = keep_main(tests) if unittest else tests
    whole = ast.Module([*setup.body, *tests.body], [])
    names = names_of(whole)
    final = CHECK if entry and CHECK in find_defined(tests) and not _calls(tests, CHECK) else ""
    _refuse_unfit(whole, {entry, *names.free} if entry else {*names.wanted}, final)
    if entry and not _uses(names, entry, _parameter_of(tests, final)):
        raise UnfitTests(f"the tests never use {entry}, which is what the program must define")
    return _Read(setup, tests, names, final, unittest)


@lru_cache(maxsize=128)
def sees_more(exam: Exam) -> str:
    """What the tests look at besides the program's values; empty: nothing, or they are not Python."""
    try:
        return find_side_effects(_parse(f"{exam.setup}\n{exam.tests}"))
    except NOT_PYTHON:
        return ""


def _parse(code: str) -> ast.Module:
    with warnings.catch_warnings(action="ignore"):  # of escapes and tuples in other people's code
        return ast.parse(code)


def _compile(tree: ast.Module, name: str) -> CodeType:
    with warnings.catch_warnings(action="ignore"):
        return compile(tree, name, "exec", dont_inherit=True)


def _refuse_unfit(tests: ast.Module, wanted: set[str], final: str) -> None:
    if not wanted:
        raise UnfitTests("the tests use nothing that a program could define")
    if not assert_something(tests, wanted, final):
        run = ast.Module([*tests.body, *_parse("import unittest\nunittest.main()").body], [])
        if assert_something(run, wanted, final):
            raise UnfitTests(
                "the tests define a unittest.TestCase that nothing runs: end them with unittest.main()"
            )
        raise UnfitTests("the tests assert nothing: they would pass any program")
    if never_hold(tests):
        raise UnfitTests("the tests fail whatever a program does")


_LOOK_UPS = frozenset({"exec", "eval", "globals", "locals", "vars", "getattr"})
"""What may use a name that stands in no code, only in a text."""


def _uses(names: Names, entry: str, parameter: str) -> bool:
    """Whether tests use the entry point: by its name, as the parameter of ``check``, or out of a text."""
    return bool({entry, parameter, *_LOOK_UPS} & names.read)


def _parameter_of(tests: ast.Module, function: str) -> str:
    """The first parameter of a function of the tests, or of one that takes any number; "" if there is none."""
    for node in tests.body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            args = node.args
            first = [*args.posonlyargs, *args.args, *filter(None, [args.vararg])]
            return first[0].arg if first else ""
    return ""


def _calls(tree: ast.Module, name: str) -> bool:
    """Whether code calls a function at its top level."""
    calls = (node.value for node in tree.body if isinstance(node, ast.Expr))
    return any(
        isinstance(c, ast.Call) and isinstance(c.func, ast.Name) and c.func.id == name
        for c in calls
    )


def _entry_point(reference: Mapping[str, Any]) -> str:
    """The name given, "" if none is; ValueError for what is no name."""
    given = reference.get("entry_point")
    if given is None:
        return ""
    if not isinstance(given, str):
        raise ValueError(f"entry_point must be one name as text, not {repr(given)[:60]}")
    name = given.strip()
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError(f"entry_point {name[:60]!r} is no name that a program can define")
    return name


def _text(reference: Mapping[str, Any], key: str) -> str:
    value = reference.get(key) or ""
    if isinstance(value, Sequence) and all(isinstance(part, str) for part in value):
        return value if isinstance(value, str) else "\n".join(value)
    raise ValueError(f"{key} of a code reference must be text, or a list of texts")


@lru_cache(maxsize=512)
def _free(code: str) -> list[str]:
    return names_of(_parse(code)).wanted
