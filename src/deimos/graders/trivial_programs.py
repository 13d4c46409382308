"""Do tests tell programs apart? Tests that programs pass which return one constant, whatever they are asked.

What an assertion says cannot be read off its form alone (``assert f"{f(2) == 5}"``), but it can be tried:
a right program cannot return a number, a text and None for the same question, nor any number at all. Run
in the sandbox, once for each problem, and only when some answer passes. Not covered: tests that ask for a
bound (``assert f(7) < 3``) or for a true value, which some constants pass and others don't.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Sequence

from deimos.sandbox import CheckOutcome, Exam

FIRST = ("0", "'a'", "[1]")
"""Tests that none of these passes tell programs apart: three runs, for nearly all tests."""
ANY_TYPE = (*FIRST, "None", "''", "2.5")
FALSE = frozenset({"0", "None", "''"})
"""Those that are false: what asks for a true value (``assert is_prime(7)``) asks for something."""
ENOUGH = 3
"""So many of ``ANY_TYPE``, true and false ones, pass what asks for no value: it may ask that there is one."""
ONE_TYPE = (("0", "-10**9", "10**9"), ("'a'", "''", "'zq 7'"), ("[1]", "[]", "['q', None]"))
"""If all of a row pass, only the type is asked for."""


SHORT = 30_000
"""Characters; parsing longer tests takes about as long as running them."""


def compare_with_a_value(exam: Exam) -> bool:
    """Whether tests plainly say something, so that nothing need be run: ``assert f(2) == 5``.

    Such an assertion must stand where it is reached: behind nothing but imports, assignments and others
    of its kind, in the tests or in a ``check`` that the program is handed to.
    """
    if len(exam.tests) + len(exam.setup) > SHORT:
        return False
    try:
        with warnings.catch_warnings(action="ignore"):
            body = ast.parse(exam.tests).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    names = set(exam.names())
    checks = [n for n in body if isinstance(n, ast.FunctionDef) and n.name == "check"]
    if (
        exam.entry_point
        and len(checks) == 1
        and checks[0].args.args
        and not checks[0].decorator_list
    ):
        return _reaches_a_value(checks[0].body, {checks[0].args.args[0].arg})
    return _reaches_a_value(body, names)


def _reaches_a_value(body: Sequence[ast.stmt], names: set[str]) -> bool:
    truths: set[bool | None] = set()
    for statement in body:
        if isinstance(statement, ast.Assert):
            if _is_value_of_call(statement.test, names):
                return True
            truths.add(_truth_of_call(statement.test, names))
            if truths >= {True, False}:  # no constant is both
                return True
        elif isinstance(statement, ast.Assign):
            if not all(isinstance(t, ast.Name) and t.id not in names for t in statement.targets):
                return False
        elif not isinstance(statement, ast.Import | ast.ImportFrom) and not (
            isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        ):
            return False
    return False


def _is_value_of_call(test: ast.expr, names: set[str]) -> bool:
    """Whether it is ``f(…) == literal`` or ``f(…) is True``, where ``f`` is one of the names."""
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or not _is_call(test.left, names):
        return False
    operator, value = test.ops[0], test.comparators[0]
    if isinstance(operator, ast.Is):
        return isinstance(value, ast.Constant) and isinstance(value.value, bool)
    if not isinstance(operator, ast.Eq):
        return False
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    return True


def _truth_of_call(test: ast.expr, names: set[str]) -> bool | None:
    """True if it is ``f(…)``, False if it is ``not f(…)``; None if it is neither."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return False if _is_call(test.operand, names) else None
    return True if _is_call(test, names) else None


def _is_call(expression: ast.expr, names: set[str]) -> bool:
    return (
        isinstance(expression, ast.Call)
        and isinstance(expression.func, ast.Name)
        and expression.func.id in names
    )


class NotTried(Exception):
    """The sandbox itself failed while a constant was tried; the message is its reason."""


class _Tried:
    """What became of the constants; each is run once."""

    def __init__(self, run: Callable[[str], CheckOutcome], seconds: float) -> None:
        self.run, self.left = run, seconds
        self.known: dict[str, bool] = {}
        self.too_long = False

    def passes(self, constant: str) -> bool:
        if constant not in self.known and not self.too_long:
            outcome = self.run(constant)
            if outcome.kind == "infrastructure":
                raise NotTried(outcome.because)
            self.known[constant] = outcome.ok is True
            self.left -= outcome.processor_seconds
            self.too_long = outcome.kind == "timeout" or self.left < 0
        return self.known.get(constant, False)


def constants_that_pass(
    names: Sequence[str], judge: Callable[[str], CheckOutcome], seconds: float
) -> tuple[str, ...]:
    """The constants that pass tests which say nothing of what is returned; () if the tests say something.

    Args:
        names: what a program must define.
        judge: runs a program against the tests, in the sandbox.
        seconds: of processor time; after so many no further program is tried, and the tests are taken
            to say something.

    Raises:
        NotTried: the sandbox itself failed, so nothing can be said.
    """
    tried = _Tried(lambda constant: judge(_program(names, constant)), seconds)
    if not any(tried.passes(constant) for constant in FIRST):
        return ()
    passed = tuple(constant for constant in ANY_TYPE if tried.passes(constant))
    if len(passed) >= ENOUGH and set(passed) & FALSE and set(passed) - FALSE:
        return passed
    return next((row for row in ONE_TYPE if all(map(tried.passes, row))), ())


def _program(names: Sequence[str], constant: str) -> str:
    """A program whose functions all return a constant."""
    return "\n".join(f"def {name}(*args, **kwargs):\n    return {constant}\n" for name in names)
