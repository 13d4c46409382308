"""Do tests assert anything? Tests that don't pass every program.

Read from the parsed tests, without running them: which statements can run (also in functions that they
call), and whether one of them can fail because of what a program returned. Generous where code alone
does not say it: an imported ``assert_…``, ``exec`` of a text that isn't there.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Collection, Iterable, Iterator

_SWALLOW = frozenset({"AssertionError", "Exception", "BaseException"})
_FAILING = ("assert", "fail", "raises", "warns", "expect")
"""How functions of libraries begin that fail by raising: ``assertEqual``, ``pytest.raises``."""
_RUNNER = "TextTestRunner"
_LOADERS = frozenset(
    ["main", "TestProgram", "loadTestsFromModule", "loadTestsFromName", "loadTestsFromNames"]
)
"""Functions of ``unittest`` that run or load all test cases of a module."""
_EXITS = frozenset({"exit", "quit", "_exit", "abort"})


def assert_something(tests: ast.Module, wanted: Collection[str], called: str = "") -> bool:
    """Whether some statement of the tests can fail.

    Args:
        tests: parsed.
        wanted: names that they take from the program.
        called: a function of theirs that is called from outside (``check``), or empty.
    """
    return _FailureSearch(tests, wanted, called).finds()


def never_hold(tests: ast.Module) -> bool:
    """Whether the tests fail whatever a program does: ``assert False`` on a line of its own."""
    return any(isinstance(n, ast.Assert) and _always(n.test) is False for n in tests.body)


class _FailureSearch:
    def __init__(self, tests: ast.Module, wanted: Collection[str], called: str) -> None:
        self.wanted = wanted
        self.functions: dict[str, list[ast.stmt]] = {}
        self.cases = _test_cases(tests)
        self.swallowing = self.cases if _uses_other_runner(tests) else set()
        """Classes whose methods a runner calls, which reports failures and does not raise them."""
        for node in _definitions(tests):
            self.functions[node.name] = node.body
        body = self.functions.get(called, [])
        self.values = _named_values(tests)
        self.left = [(body, False), (tests.body, False)]
        self.seen: set[tuple[str, bool]] = set()
        self.later: list[tuple[ast.AST, bool]] = []
        """Assigned values, which may be megabytes of literals: looked at last."""

    def finds(self) -> bool:
        while self.left or self.later:
            if self.left:
                body, caught = self.left.pop(0)
                if any(self._fails(statement, caught) for statement in body):
                    return True
            elif self._calls(*self.later.pop(0)):
                return True
        return False

    def _fails(self, node: ast.stmt, caught: bool) -> bool:
        """Whether a statement can fail; notes what else it runs."""
        if isinstance(node, ast.Assert | ast.Raise) and not caught:
            asserting = isinstance(node, ast.Raise) or self._can_fail(node.test)
            return asserting or self._calls(node, caught)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return False
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and node.value:
            self.later.append((node.value, caught))
            return False
        for body, inside in _bodies(node):
            self.left.append((body, caught or inside))
        return any(self._calls(part, caught) for part in _expressions(node))

    def _calls(self, node: ast.AST, caught: bool) -> bool:
        """Whether an expression calls what can fail; notes the tests' own functions in it."""
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and part.id in self.functions:
                self._run(part.id, caught)
            elif isinstance(part, ast.Call):
                for case in self.cases if self._loads_all(part) else ():
                    self._run(case, caught)
                if not caught and self._fails_by_name(part):
                    return True
        return False

    def _run(self, name: str, caught: bool) -> None:
        """Note a function or class of the tests as one that is run."""
        inside = caught or name in self.swallowing
        if (name, inside) not in self.seen:
            self.seen.add((name, inside))
            self.left += [(body, inside) for body in self._run_by(name)]

    def _loads_all(self, call: ast.Call) -> bool:
        """Whether a call runs or loads every test case of the tests: ``unittest.main()``."""
        first, _, name = _name(call.func).rpartition(".")
        return name in _LOADERS and (bool(first) or name not in {*self.functions, *self.wanted})

    def _run_by(self, name: str) -> Iterator[list[ast.stmt]]:
        body = self.functions[name]
        yield body
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node.body

    def _fails_by_name(self, call: ast.Call) -> bool:
        first, _, name = _name(call.func).rpartition(".")
        if first.partition(".")[0] in self.wanted or (not first and name in self.functions):
            return False
        if name in ("exec", "eval"):
            given = call.args[0] if call.args else None
            return not isinstance(given, ast.Constant) or "assert" in str(given.value)
        if name.lower().startswith("assert") and len(call.args) >= 2 and self._same(*call.args[:2]):
            return "not" in name.lower()  # assertEqual(f(2), f(2))
        return name not in self.wanted and (name in _EXITS or name.lower().startswith(_FAILING))

    def _can_fail(self, test: ast.expr) -> bool:
        """Whether an assertion can fail, and is about more than constants, built-ins and modules."""
        if (truth := _always(test)) is not None:
            return not truth
        if self._asks_for_a_name(test) or self._compares_with_itself(test):
            return False
        names = {n.id for n in ast.walk(test) if isinstance(n, ast.Name)}
        known = (
            n in sys.stdlib_module_names or hasattr(builtins, n) for n in names - {*self.wanted}
        )
        return bool(names & {*self.wanted}) or not all(known)

    def _compares_with_itself(self, test: ast.expr) -> bool:
        """``x = f(2)`` and then ``assert x == f(2)``: says nothing of what is returned."""
        if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], ast.Eq | ast.Is):
            return False
        return len(test.ops) == 1 and self._same(test.left, test.comparators[0])

    def _same(self, one: ast.expr, other: ast.expr) -> bool:
        """Whether two expressions are one and the same call, given directly or by a name."""
        ours, theirs = (self.values.get(_name(e), e) for e in (one, other))
        if type(ours) is not type(theirs) or not _calls_something(ours):
            return False
        return ast.dump(ours) == ast.dump(theirs)

    def _asks_for_a_name(self, test: ast.expr) -> bool:
        """``assert f``, ``assert callable(f)``, ``assert f is not None``: true of whatever defines it."""
        if isinstance(test, ast.Call) and _name(test.func) == "callable":
            test = test.args[0] if test.args else test
        if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Is | ast.IsNot):
            test = test.left
        return isinstance(test, ast.Name) and test.id in self.wanted


def _named_values(tests: ast.Module) -> dict[str, ast.expr]:
    """Names that the tests set once, at their top level, to what a call returns."""
    found: dict[str, ast.expr] = {}
    often: set[str] = set()
    for node in tests.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            name = _name(node.targets[0])
            often |= {name} & set(found)
            if _calls_something(node.value):
                found[name] = node.value
        elif isinstance(node, ast.AugAssign | ast.For):
            often |= {n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)}
    return {name: value for name, value in found.items() if name and name not in often}


def _calls_something(node: ast.expr) -> bool:
    """Whether a call is in it; not in literals, which may be megabytes."""
    if isinstance(node, ast.Constant | ast.List | ast.Tuple | ast.Dict | ast.Set):
        return False
    return any(isinstance(n, ast.Call) for n in ast.walk(node))


def imports_unittest(tests: ast.Module) -> bool:
    """Whether code imports ``unittest``, at its top level."""
    for node in tests.body:
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if any(name.partition(".")[0] == "unittest" for name in names):
            return True
    return False


def keep_main(tests: ast.Module) -> ast.Module:
    """The tests with what they run under ``if __name__ == "__main__":`` by ``unittest``, which else nothing runs."""
    body: list[ast.stmt] = []
    for node in tests.body:
        guarded = isinstance(node, ast.If) and "__main__" in ast.dump(node.test)
        inside = node.body if isinstance(node, ast.If) and guarded else []
        runs = any(_runs_unittest(n) for s in inside for n in ast.walk(s))
        body += inside if runs else [node]
    return ast.Module(body, tests.type_ignores)


def _runs_unittest(node: ast.AST) -> bool:
    name = _name(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
    return name in ("main", "TestProgram", _RUNNER)


def _test_cases(tests: ast.Module) -> set[str]:
    """Classes that are derived from ``unittest.TestCase``, also from one another."""
    classes = [node for node in _definitions(tests) if isinstance(node, ast.ClassDef)]
    found: set[str] = set()
    for _ in classes:
        more = {
            c.name
            for c in classes
            if any("TestCase" in _name(b) or _name(b) in found for b in c.bases)
        }
        if more == found:
            break
        found = more
    return found


def _uses_other_runner(tests: ast.Module) -> bool:
    """Whether a runner is used that isn't made to raise, as that of ``unittests`` is."""
    names = (n.attr if isinstance(n, ast.Attribute) else _name(n) for n in ast.walk(tests))
    return any("Runner" in name and name != _RUNNER for name in names)


def _definitions(
    tests: ast.Module,
) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Functions and classes that statements define, however deep, without a look into expressions."""
    left: list[ast.AST] = [tests]
    while left:
        node = left.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node
        left += [n for n in ast.iter_child_nodes(node) if isinstance(n, _HOLDERS)]


_HOLDERS = (ast.stmt, ast.ExceptHandler, ast.match_case)


def _bodies(node: ast.stmt) -> Iterator[tuple[list[ast.stmt], bool]]:
    """The statements inside a statement that can run, and whether a failure there is swallowed."""
    if isinstance(node, ast.If | ast.While):
        truth = _always(node.test)
        truth = False if "__main__" in ast.dump(node.test) else truth
        yield from [(node.body, False)] if truth is not False else []
        yield from [(node.orelse, False)] if truth is not True else []
    elif isinstance(node, ast.For | ast.AsyncFor):
        yield from [(node.body, False)] if _always(node.iter) is not False else []
        yield node.orelse, False
    elif isinstance(node, ast.Try | ast.TryStar):
        yield node.body, any(_swallows(handler) for handler in node.handlers)
        yield from ((handler.body, False) for handler in node.handlers)
        yield node.orelse, False
        yield node.finalbody, False
    elif isinstance(node, ast.With | ast.AsyncWith):
        calls = [i.context_expr for i in node.items if isinstance(i.context_expr, ast.Call)]
        suppressed = [c for c in calls if _name(c.func).rpartition(".")[2] == "suppress"]
        yield node.body, any(_name(kind) in _SWALLOW for c in suppressed for kind in c.args)
    elif isinstance(node, ast.Match):
        yield from ((case.body, False) for case in node.cases)


def _swallows(handler: ast.ExceptHandler) -> bool:
    """Whether a failed assertion ends in a handler that goes on as if nothing was."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    caught = any(kind is None or _name(kind) in _SWALLOW for kind in kinds)
    raising = (ast.Raise, ast.Assert)
    return caught and not any(isinstance(n, raising) for s in handler.body for n in ast.walk(s))


def _expressions(node: ast.stmt) -> Iterable[ast.AST]:
    return (n for n in ast.iter_child_nodes(node) if not isinstance(n, _HOLDERS))


def _always(test: ast.expr) -> bool | None:
    """The truth of an expression that is the same whatever a program does; None: it depends."""
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if isinstance(test, ast.Tuple | ast.List | ast.Set):
        if any(not isinstance(element, ast.Starred) for element in test.elts):
            return True
        return None if test.elts else False
    if isinstance(test, ast.Dict):
        return True if any(test.keys) else None if test.values else False
    if isinstance(test, ast.JoinedStr):
        return True if any(isinstance(part, ast.Constant) for part in test.values) else None
    if isinstance(test, ast.Lambda | ast.GeneratorExp):
        return True
    if isinstance(test, ast.NamedExpr):
        return _always(test.value)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _always(test.operand)
        return None if inner is None else not inner
    if isinstance(test, ast.BoolOp):
        return _joined(test)
    if isinstance(test, ast.IfExp):
        truth, then, other = _always(test.test), _always(test.body), _always(test.orelse)
        return (then if then is other else None) if truth is None else then if truth else other
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        left, right = test.left, test.comparators[0]
        alike = isinstance(test.ops[0], ast.Eq | ast.Is | ast.LtE | ast.GtE)
        if not alike or type(left) is not type(right) or ast.dump(left) != ast.dump(right):
            return None
        # A call is made to return the same again, NaN aside; a counter's next value may be no less.
        calls = any(isinstance(n, ast.Call) for n in ast.walk(left))
        return None if calls and not isinstance(test.ops[0], ast.Eq) else True
    return None


def _joined(test: ast.BoolOp) -> bool | None:
    truths = [_always(value) for value in test.values]
    decides = isinstance(test.op, ast.Or)
    if decides in truths:
        return decides
    return None if None in truths else not decides


def _name(node: ast.AST | None) -> str:
    """A dotted name as text; empty for other expressions."""
    if isinstance(node, ast.Name):
        return node.id
    return f"{_name(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""
