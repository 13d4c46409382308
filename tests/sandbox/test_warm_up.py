"""What a fork server runs before its first fork: both sides to their end, and nothing stays behind."""

from __future__ import annotations

import sys
from pathlib import Path

from deimos.sandbox import Exam, Sandbox
from deimos.sandbox.code_tests import compile_exam
from deimos.sandbox.warm_up import _CALLS, _SETUP, _TESTS, _examine, warm_up


def open_files() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


def test_it_leaves_no_file_and_no_module() -> None:
    warm_up()
    files, modules = open_files(), dict(sys.modules)
    warm_up()
    assert open_files() == files
    assert dict(sys.modules) == modules


def test_the_tests_side_runs_to_its_end() -> None:
    asked = _examine(compile_exam(Exam(_TESTS, "f", _SETUP)))
    assert asked.count(b"f") >= _CALLS, "every call was asked, so each answer before held"


def test_a_program_sees_nothing_of_it() -> None:
    program = (
        "import sys\n"
        "def seen():\n"
        "    return 'tests' in sys.modules or hasattr(sys.modules['candidate'], 'f')\n"
    )
    with Sandbox() as box:
        outcome = box.check(Exam("assert seen() == False"), program)
    assert outcome.ok, outcome.because
