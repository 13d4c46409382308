"""Which tests can fail a program, and which look at more of it than its values."""

import ast

import pytest

from deimos.sandbox import Exam
from deimos.sandbox.code_tests import UnfitTests, compile_exam
from deimos.sandbox.side_effects import find_side_effects

CASE = "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertEqual({}, 5)\n"
RUN = [
    "unittest.main()",
    "unittest.main(exit=False)",
    "if __name__ == '__main__':\n    unittest.main()",
    "unittest.TextTestRunner().run(unittest.defaultTestLoader.loadTestsFromTestCase(T))",
    "unittest.TextTestRunner(verbosity=2).run(unittest.defaultTestLoader.loadTestsFromName(__name__))",
    "if __name__ == '__main__':\n    suite = unittest.TestSuite([T('test')])\n    unittest.TextTestRunner().run(suite)",
    "class U(T):\n    pass\nunittest.main()",
]
ASSERTING = [
    *(CASE.format("f(2)") + run for run in RUN),
    "from unittest import TestCase, main\nclass T(TestCase):\n    def test(self):\n        assert f(2) == 5\nmain()",
    "assert f(2) == 5",
    "x = f(2)\nassert x == 5",
    "assert f(2)",
    "assert not f(2)",
    "assert f(2) != f(3)",
    "assert f(f(2)) == f(2)",
    "assert f(2) == f(2) == 5",
    "x = f(2)\nassert x == f(3)",
    "x = f(2)\nassert x == f(2)\nassert x == 5",
    "x = f(2)\nx = g(x)\nassert x == f(2)",
    "assert next(f) <= next(f)",
    "assert sum(f(2)) == 5, 'message'",
    "for a, b in [(2, 5), (0, 1)]:\n    assert f(a) == b",
    "def test():\n    assert f(2) == 5\ntest()",
    "def test():\n    assert f(2) == 5\nfor t in [test]:\n    t()",
    "def same(a, b):\n    if a != b:\n        raise AssertionError(a)\nsame(f(2), 5)",
    "if f(2) != 5:\n    raise ValueError",
    "import sys\nif f(2) != 5:\n    sys.exit(1)",
    "try:\n    f(-1)\n    assert False\nexcept ValueError:\n    pass",
    "try:\n    assert f(2) == 5\nexcept AssertionError:\n    raise ValueError('no')",
    "from numpy.testing import assert_allclose\nassert_allclose(f(2), 5)",
    "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(f(2), 5)\nT().test()",
    "with open('x') as file:\n    assert f(file.read()) == 5",
    "xs = [3, 1]\nf(xs)\nassert xs == [1, 3]",
    "exec('assert f(2) == 5')",
    "f(2) == 5\nassert f(0) == 1",
    "def check(candidate):\n    assert candidate(2) == 5\ncheck(f)",
]
NOT_ASSERTING = [
    *(CASE.replace("self.assertEqual({}, 5)", "f(2)") + run for run in RUN),
    *(CASE.replace("self.assertEqual({}, 5)", "self.assertEqual(f(2), f(2))") + run for run in RUN),
    CASE.format("f(2)"),
    CASE.format("f(2)") + "def main():\n    pass\nmain()",
    "assert f(2) == f(2)",
    "assert f(2) == f(2), 'message'",
    "assert len(f(2)) == len(f(2))",
    "x = f(2)\nassert x == f(2)",
    "x = f(2)\ny = f(2)\nassert x == y",
    "def test():\n    assert f(2) == f(2)\ntest()",
    "for x in [1, 2]:\n    assert f(x) == f(x)",
    "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(f(2), f(2))\nT().test()",
    "from numpy.testing import assert_allclose\nassert_allclose(f(2), f(2))",
    "if f(2) == f(2):\n    pass\nelse:\n    raise ValueError",
    "f(2) == 5",
    "print(f(2) == 5)",
    "assert (f(2) == 5, 'message')",
    "assert [f(2) == 5]",
    "assert f",
    "assert callable(f)",
    "f(2)\nassert f is not None",
    "f(2)\n# assert f(2) == 5",
    "if f(2) != 5:\n    print('no')",
    "assert print(f(2) == 5) or True",
    "assert 'f(2) == 5'; f(2)",
    "assert f(2) == 5 or True",
    "f(2)\nassert True",
    "f(2)\nassert 1 == 1",
    "f(2)\nassert len('abc') == 3",
    "assert (x == 5 for x in f(2))",
    "assert lambda: f(2) == 5",
    "x = f(2) == 5",
    "f(0)\ndef test():\n    assert f(2) == 5",
    "f(0)\nif False:\n    assert f(2) == 5",
    "f(0)\nif __name__ == '__main__':\n    assert f(2) == 5",
    "f(0)\nfor a, b in []:\n    assert f(a) == b",
    "try:\n    assert f(2) == 5\nexcept:\n    print('no')",
    "try:\n    assert f(2) == 5\nexcept (ValueError, AssertionError):\n    pass",
    "from contextlib import suppress\nwith suppress(AssertionError):\n    assert f(2) == 5",
    "def same(a, b):\n    return a == b\nsame(f(2), 5)",
    "def assertion(a, b):\n    ok = a == b\nassertion(f(2), 5)",
    "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(f(2), 5)\nf(0)",
    "check_five(2) == 5",
    "assert f(2) == 5 if False else True",
]
UNFIT = [
    "assert 1 + 1 == 2",
    "x = 3\nassert x == 3",
    "f(2)\nassert False",
    "def f(x):\n    return 5\nassert f(2) == 5",
]  # nothing of the program's, or never right


@pytest.mark.parametrize("tests", ASSERTING)
def test_tests_that_can_fail_are_taken(tests):
    assert compile_exam(Exam.of({"tests": tests}))


@pytest.mark.parametrize("tests", [*NOT_ASSERTING, *UNFIT])
def test_tests_that_pass_or_fail_any_program_are_refused(tests):
    with pytest.raises(UnfitTests):
        compile_exam(Exam.of({"tests": tests}))


def test_a_test_case_that_nothing_runs_is_called_that():
    with pytest.raises(UnfitTests, match=r"that nothing runs: end them with unittest\.main"):
        compile_exam(Exam.of({"tests": CASE.format("f(2)")}))
    with pytest.raises(UnfitTests, match="assert nothing"):
        compile_exam(Exam.of({"tests": CASE.replace("self.assertEqual({}, 5)", "f(2)")}))


def test_humaneval_s_form():
    tests = "def check(candidate):\n    {} candidate(2) == 5\n"
    assert compile_exam(Exam.of({"tests": tests.format("assert"), "entry_point": "f"}))
    for bad in (tests.format("x ="), tests.replace("check", "test").format("assert")):
        with pytest.raises(UnfitTests):
            compile_exam(Exam.of({"tests": bad, "entry_point": "f"}))


@pytest.mark.parametrize(
    "tests",
    [
        "assert g(2) == 4",
        "assert g(2) == 4\nassert h(3) == 9",
        "def check(candidate):\n    assert g(2) == 4",
        "def check(candidate):\n    assert g(2) == 4\ncheck(g)",
        "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(g(2), 4)\nT().test()",
    ],
)
def test_tests_that_never_use_the_entry_point_are_refused(tests):
    with pytest.raises(UnfitTests, match="never use f"):
        compile_exam(Exam.of({"tests": tests, "entry_point": "f"}))


@pytest.mark.parametrize(
    "tests",
    [
        "assert f(2) == 4",
        "g = f\nassert g(2) == 4",
        "def check(candidate):\n    assert candidate(2) == 4",
        "def check(*args):\n    assert args[0](2) == 4",
        "four = 4\nassert eval('f(2)') == four",
        "four = 4\nassert globals()['f'](2) == four",
        "def check(candidate):\n    assert candidate(2) == 4\ncheck(f)",
    ],
)
def test_tests_that_use_the_entry_point_in_some_way_are_taken(tests):
    assert compile_exam(Exam.of({"tests": tests, "entry_point": "f"}))


@pytest.mark.parametrize(
    "name", ["f()", "def f", "Solution().f", "f, g", "2f", "class", "f x", "", "  ", "\n"]
)
def test_an_entry_point_is_a_name(name):
    with pytest.raises(ValueError, match="is no name that a program can define"):
        Exam.of({"tests": "assert f(2) == 5", "entry_point": name})


@pytest.mark.parametrize("name", [["f"], ["f", "g"], [], {"f": 1}, 3, 0, True, False])
def test_an_entry_point_is_one_text(name):
    with pytest.raises(ValueError, match="entry_point must be one name as text, not "):
        Exam.of({"tests": "assert f(2) == 5", "entry_point": name})


@pytest.mark.parametrize("given", [{}, {"entry_point": None}])
def test_an_entry_point_may_be_left_out(given):
    assert Exam.of({"tests": "assert f(2) == 5", **given}).names() == ["f"]


@pytest.mark.parametrize(
    ("tests", "seen"),
    [
        ("out = io.StringIO()\nwith contextlib.redirect_stdout(out):\n    f()\nassert out.getvalue() == 'x'", "captured output"),
        ("import sys, io\nsys.stdout = io.StringIO()\nf()\nassert sys.stdout.getvalue() == 'x'", "a changed sys"),
        ("def test(capsys):\n    f()\n    assert capsys.readouterr().out == 'x'", "captured output"),
        ("from unittest.mock import patch\nwith patch('builtins.print') as p:\n    f()\np.assert_called_once()", "a mock"),
        ("from unittest import mock\nassert f(mock.sentinel) == 5", "a mock"),
        ("import random\nrandom.seed(0)\nassert f() == 5", "a seed"),
        ("import numpy as np\nnp.random.seed(0)\nassert f() == 5", "a seed"),
        ("import random\nrandom.seed(1)\na = random.random()\nrandom.seed(1)\nassert f() == a", "a seed"),
        ("import time\ntime.sleep = lambda s: None\nassert f() == 5", "a changed time"),
        ("import os\nos.environ['X'] = '1'\nassert f() == '1'", "a changed os"),
        ("import builtins\nbuiltins.input = lambda: '5'\nassert f() == 5", "a changed builtins"),
        ("input = lambda: '5'\nassert f() == 5", "another input()"),
        ("setattr(math, 'pi', 3)\nassert f() == 3", "a changed math"),
        ("with open('x', 'w') as file:\n    file.write('5')\nassert f('x') == 5", "files"),
        ("import inspect\nassert 'for' not in inspect.getsource(f)", "the program's code"),
        ("import warnings\nwith warnings.catch_warnings(record=True) as w:\n    f()\nassert len(w) == 1", "captured warnings"),
        ("assert f(2) == 5", ""),
        ("import sys\nsys.setrecursionlimit(5000)\nassert f(2) == 5", ""),
        ("import random\nrandom.seed(0)\nxs = [random.random() for _ in range(9)]\nassert f(xs) == sorted(xs)", ""),
        ("for input, expected in [(2, 5)]:\n    assert f(input) == expected", ""),
        ("d = {}\nd['a'] = 1\nassert f(d) == 5", ""),
        ("patch = 2\nassert f(patch) == 5", ""),
    ],
)  # fmt: skip
def test_what_tests_look_at_besides_values(tests, seen):
    assert find_side_effects(ast.parse(tests)) == seen
