"""Tests that programs pass which return any constant judge nobody; tests that ask for something do."""

import pytest

from deimos.graders import Judge, code
from deimos.graders.trivial_programs import (
    FIRST,
    NotTried,
    compare_with_a_value,
    constants_that_pass,
)
from deimos.sandbox import CheckOutcome, Exam, Sandbox

NOTHING = [
    'assert f"{f(2) == 5}"',
    "assert str(f(2) == 5)",
    "assert repr(f(2))",
    "assert type(f(2))",
    "assert bool([f(2)])",
    "assert len([f(2)]) == 1",
    "assert isinstance(f(2), object)",
    "assert f(2) == 0 or f(2) != 0",
    "a = f(2)\nb = a\nassert a == b",
    "assert f(2) is not None",
    "assert str(f(2))",
    "assert f(2) != 17",
    "assert [f(2)]",
    "assert (f(2),)",
    "assert not not (f(2), 1)",
    "x = [f(2)]\nassert x",
    'd = {"a": f(2)}\nassert "a" in d',
    "assert id(f(2))",
    "assert f(2) == f(2)",
    "assert f(2) in [f(2)]",
    "assert len(repr(f(2))) > 0",
    "assert callable(f) and [f(2)]",
    "assert (lambda: f(2))",
    "try:\n    assert f(2) == 5\nexcept Exception:\n    pass\nassert [f(1)]",
    "assert f(2) is f(2)",
    "assert hash(f(2)) is not None",
    "r = f(2)\nassert r == r",
    "assert f(2) == 5 or True",
    "assert f(2) == 5 if False else 1",
    "import copy\nassert copy.deepcopy(f(2)) == f(2)",
    "assert any([f(2) == 5, True])",
    "assert f(2) == 4 or f(2) != 4 ",
    "assert isinstance(f(2), (int, str, list, type(None), float))",
    "assert max(1, 2) == 2 and f(2) is not Ellipsis",
    "for i in range(0):\n    assert f(i) == 5\nassert type(f(1)) is not type",
    "assert f(2) >= 0 or f(2) < 0",
    "assert isinstance(f(2), int)",
]
SOMETHING = [
    "assert f(2) == 0",
    "assert f(2) == 0\nassert f(3) == 0",
    "assert not f(2)",
    "assert f(2) < 3",
    "assert abs(f(2)) < 1e-6",
    "assert type(f(2)) is int and f(2) < 1",
    "x = []\nx.append(f(2))\nassert x == [0]",
]


@pytest.fixture(scope="module")
def judge():
    with Judge({"code": "code"}) as judge:
        yield lambda tests, answer="def f(x):\n    return 0", **more: judge.submit(
            "code", answer, {"tests": tests, **more}
        ).result()


@pytest.mark.parametrize("tests", NOTHING)
def test_an_assertion_that_says_nothing_judges_nobody(judge, tests):
    verdict = judge(tests)
    assert verdict.ok is None and verdict.because.startswith("unsupported: the tests "), verdict


@pytest.mark.parametrize("tests", SOMETHING)
def test_an_assertion_that_says_something_judges(judge, tests):
    assert judge(tests).ok is True


def test_what_a_program_fails_is_wrong_and_nothing_more_is_run(judge):
    assert judge("assert f(2) == 5").because.startswith("wrong: ")


def test_true_values_are_asked_for(judge):
    assert judge("assert f(7)\nassert f(11)", "def f(x):\n    return True").ok is True


def test_a_check_function_that_says_nothing(judge):
    tests = "def check(candidate):\n    assert f'{candidate(2) == 5}'\n"
    assert judge(tests, entry_point="f").ok is None


def outcome(kind, processor_seconds=0.0):
    return CheckOutcome(kind, "", 1, 3, 0.0, processor_seconds)


def test_three_runs_settle_ordinary_tests_and_time_is_bounded():
    run = []
    constants_that_pass(["f"], lambda p: run.append(p) or outcome("wrong"), 10)
    assert len(run) == len(FIRST)
    run.clear()
    assert constants_that_pass(["f"], lambda p: run.append(p) or outcome("timeout"), 10) == ()
    assert len(run) == 1
    run.clear()
    assert constants_that_pass(["f"], lambda p: run.append(p) or outcome("pass", 6.0), 10) == ()
    assert len(run) == 2


def test_what_waited_for_a_processor_counts_nothing_and_what_was_not_tried_is_not_guessed():
    """The wall clock decided once: on a busy machine tests that say nothing called a program right."""
    waited = CheckOutcome("pass", "", 1, 3, seconds=1000.0, processor_seconds=0.01)
    assert constants_that_pass(["f"], lambda p: waited, 10)
    with pytest.raises(NotTried, match="too busy"):
        constants_that_pass(
            ["f"], lambda p: CheckOutcome("infrastructure", "too busy", 0, 3, 0.0), 10
        )


def test_the_sandbox_says_how_much_processor_time_a_check_took():
    with Sandbox() as box:
        work = box.check(Exam("assert f() == 1"), "def f():\n    return sum(range(10**7)) and 1")
        rest = box.check(
            Exam("assert f() == 1"), "import time\ndef f():\n    time.sleep(0.5)\n    return 1"
        )
    assert work.ok and work.processor_seconds > 0.02
    assert rest.seconds > rest.processor_seconds + 0.3


def test_a_sandbox_that_failed_in_the_trial_judges_nobody_and_is_tried_again(monkeypatch):
    class Fails:
        def __init__(self):
            self.asked = 0

        def check(self, exam, program):
            self.asked += 1
            return outcome("infrastructure" if self.asked == 2 else "pass")

    box = Fails()
    monkeypatch.setattr(code, "_ready", lambda: box)
    reference = {"tests": "assert str(f(20) == 5)"}
    first = code.code("def f(x):\n    return 0", reference)
    assert first.ok is None and first.because.startswith("infrastructure: ")
    again = code.code("def f(x):\n    return 0", reference)
    assert again.because.startswith("unsupported: ")


@pytest.mark.parametrize(
    ("tests", "entry", "plain"),
    [
        ("import math\nx = 2\nassert f(x) == 5", "", True),
        ("def check(candidate):\n    assert candidate(2) == 5", "f", True),
        ("def check(candidate):\n    return\n    assert candidate(2) == 5", "f", False),
        ("if 0:\n    pass\nassert f(2) == 5", "", False),
        ("f = abs\nassert f(2) == 5", "f", False),
        ("assert f(2) == f(2)", "", False),
        ("assert f(2) != 5", "", False),
        ("assert f'{f(2) == 5}'", "", False),
        ("for i in range(0):\n    assert f(i) == 5", "", False),
        ("assert f(2) is True", "", True),
        ("assert f(2) is not None", "", False),
        ("assert f(2) is f(2)", "", False),
        ("assert f(2)\nassert not f(3)", "", True),
        ("assert f(2)\nassert f(3)", "", False),
        ("assert not f(2)\nassert not f(3)", "", False),
    ],
)
def test_plain_comparisons_need_no_run(tests, entry, plain):
    assert compare_with_a_value(Exam(tests, entry)) is plain
