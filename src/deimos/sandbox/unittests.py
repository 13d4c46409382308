"""Inside the tests' box: ``unittest`` with a runner that raises, so that a failed test fails the check.

The tests run as a module ``tests``, where ``unittest.main()`` would look into ``__main__``, find nothing and
exit; and a runner prints failures and goes on. Here both run what the tests define, stop at the first fault
and raise it, as a plain ``assert`` would. ``unittest`` is loaded only for tests that use it: it takes as long
as a check.
"""

from __future__ import annotations

import importlib
from types import ModuleType, SimpleNamespace
from typing import Any


def raise_failures(tests: ModuleType) -> None:
    """Let ``unittest.main`` run the test cases of a module, and let it and the text runner raise what fails."""
    unittest: Any = importlib.import_module("unittest")

    def run(suite: Any) -> Any:
        result, faults = unittest.TestResult(), []
        _stop_at_faults(result, faults)
        suite(result)
        if faults:
            raise faults[0]
        if not result.testsRun:
            raise LookupError("unittest finds no test in them")
        return result

    def main(*args: Any, **named: Any) -> SimpleNamespace:
        cases = [
            v for v in vars(tests).values() if _is_class(v) and issubclass(v, unittest.TestCase)
        ]
        load = unittest.defaultTestLoader.loadTestsFromTestCase
        return SimpleNamespace(result=run(unittest.TestSuite(map(load, cases))))

    unittest.main = unittest.TestProgram = main
    unittest.TextTestRunner.run = lambda self, test: run(test)


def _stop_at_faults(result: Any, faults: list[BaseException]) -> None:
    """Keep a run's exceptions themselves, where a result would keep their description, and end the run."""

    def keep(*event: Any) -> None:
        if (error := event[-1]) is not None:  # of a sub-test that holds there is none
            faults.append(error[1])
            result.stop()

    result.failfast = True  # in the middle of sub-tests too
    result.addError = result.addFailure = result.addSubTest = keep
    result.addUnexpectedSuccess = lambda test: keep((None, AssertionError("unexpected success")))


def _is_class(value: Any) -> bool:
    """Whether a value is a class; of a value out of the program ``isinstance`` would ask too much."""
    return issubclass(type(value), type)
