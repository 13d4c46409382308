r"""The code grader: does the answer's program pass the tests?

The program is the last fenced Python block that defines what the tests call, or the blocks that do so
together, with the imports, helpers and constants that it takes from other blocks; else text outside
blocks, else the whole answer, else what goes on from the prompt's signature (``setup`` with an
``entry_point`` that it begins). It runs in a box of its own; the tests, in another, see plain values
(``deimos.sandbox``). Reference: ``{"tests": text or list, "entry_point"?, "setup"?, "test_imports"?}``.
``because`` begins with the outcome: pass; wrong, error, timeout, memory, output (false);
unsupported, infrastructure (null: cannot be said). Tests that assert nothing, or that programs pass which
return any constant (``trivial_programs``), judge nobody, and what tests that look past values
(captured output, mocks, seeds) call wrong is unsupported. The sandbox's tier stands behind it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

from deimos.graders.trivial_programs import NotTried, compare_with_a_value, constants_that_pass
from deimos.recipe import RecipeError
from deimos.registry import grader
from deimos.sandbox import Exam, Limits, Sandbox, SandboxError
from deimos.sandbox.code_tests import NOT_PYTHON, UnfitTests, check_tests
from deimos.types import Kind, Verdict

LIMITS = Limits()

_sandbox: Sandbox | None = None
_checked: set[bytes] = set()
"""Digests of tests that were found fit to judge by."""
_say_nothing: dict[bytes, tuple[str, ...]] = {}
"""Digest of tests to the constants that pass them; empty if they tell programs apart."""


EXAMPLES = [
    ("```python\ndef add(a, b):\n    return a + b\n```", {"tests": "assert add(1, 2) == 3"}),
    ("```python\ndef twice(x):\n    return 2 * x\n```", {"tests": ["assert twice(4) == 8"]}),
]
# The sandbox has a wall limit of its own, and a check that its machinery failed is made once more; as
# much again for trivial programs: they end with the first that takes the whole limit.
DEADLINE = 4 * (LIMITS.wall + 3)


def prepare() -> None:
    """Start the sandbox and run its self-test before the first deadline starts to count."""
    _ready()


def check_reference(reference: Mapping[str, Any]) -> None:
    """Refuse tests that no answer could pass, or every answer would.

    Raises:
        ValueError: one sentence: tests that are missing, not Python, assert nothing or use nothing of
            the program's; an entry point that is no name.
    """
    exam = _read(reference)
    digest = _digest(exam)
    if digest in _checked:  # tests can be megabytes, and stand behind many answers
        return
    try:
        check_tests(exam)
    except UnfitTests:
        raise
    except NOT_PYTHON as e:
        raise ValueError(f"the tests are not Python: {e}") from e
    _checked.add(digest)


@grader(
    "code", prepare=prepare, deadline=DEADLINE, examples=EXAMPLES, check_reference=check_reference
)
def code(answer: str, reference: Mapping[str, Any]) -> Verdict:
    """Judge an answer that holds a Python program.

    Raises:
        SandboxError: no sandbox that may be used holds on this machine.
    """
    if not answer.strip():
        return Verdict.of(False, "error: the answer is empty")
    try:
        exam = _read(reference)
    except ValueError as e:
        return Verdict.of(None, f"unsupported: {e}")
    outcome = _ready().check(exam, answer)
    try:
        constants = _constants_that_pass(exam) if outcome.ok else ()
    except NotTried as e:
        return Verdict.of(None, f"infrastructure: constant programs could not be tried: {e}")
    if constants:
        shown = ", ".join(constants)
        return Verdict.of(None, f"unsupported: the tests pass programs that only return {shown}")
    return Verdict.of(outcome.ok, str(outcome))


def require_sandbox(kinds: Collection[Kind], graders: Mapping[Kind, str], allow_weak: bool) -> None:
    """Run the sandbox's self-test now, if this grader is to judge code.

    Args:
        kinds: of all prompts and test problems.
        graders: a recipe's, by kind.
        allow_weak: limits alone will do.

    Raises:
        RecipeError: no sandbox that may be used holds on this machine.
    """
    if "code" not in kinds or graders.get("code") != "code":
        return
    try:
        Sandbox(LIMITS, allow_weak=allow_weak or None).close()
    except SandboxError as e:
        raise RecipeError(f"code cannot be judged here: {e}") from e


def _read(reference: Mapping[str, Any]) -> Exam:
    try:
        return Exam.of(reference)
    except NOT_PYTHON as e:
        is_ours = type(e) is ValueError
        raise ValueError(str(e) if is_ours else f"the tests are not Python: {e}") from e


def _constants_that_pass(exam: Exam) -> tuple[str, ...]:
    """What ``constants_that_pass`` finds, once for each problem."""
    digest = _digest(exam)
    if digest not in _say_nothing and compare_with_a_value(exam):
        _say_nothing[digest] = ()
    if digest not in _say_nothing:
        box = _ready()
        found = constants_that_pass(exam.names(), lambda p: box.check(exam, p), LIMITS.wall)
        _say_nothing[digest] = found
    return _say_nothing[digest]


def _digest(exam: Exam) -> bytes:
    return hashlib.sha256(repr(exam).encode("utf-8", "surrogatepass")).digest()


def _ready() -> Sandbox:
    global _sandbox
    _sandbox = _sandbox or Sandbox(LIMITS)
    return _sandbox
