"""Do tests look past the call? At what a program prints, at what they put in a module's place, at seeds.

The program runs in another process than its tests: only arguments, return values and exceptions cross.
Tests that look at more are no judges of a program here: what they call wrong may be right. Read from the
parsed tests; a sign that is not known here is missed.
"""

from __future__ import annotations

import ast
import sys

_NAMES = {
    "redirect_stdout": "captured output", "redirect_stderr": "captured output",
    "capsys": "captured output", "capfd": "captured output",
    "caplog": "captured messages", "assertLogs": "captured messages",
    "assertWarns": "captured warnings", "assertWarnsRegex": "captured warnings",
    "MagicMock": "a mock", "AsyncMock": "a mock", "create_autospec": "a mock", "monkeypatch": "a mock",
    "inspect": "the program's code", "getsource": "the program's code",
    "environ": "the environment", "putenv": "the environment", "chdir": "the working directory",
    "tempfile": "files", "tmp_path": "files", "write_text": "files", "write_bytes": "files",
    "subprocess": "other processes", "popen": "other processes",
}  # fmt: skip
"""Names by which tests look past a call, and what they look at."""
_IMPORTS = _NAMES | {"mock": "a mock", "Mock": "a mock", "patch": "a mock"}
_REPLACED = frozenset({"input", "print", "open"})
_SEEDS = frozenset({"seed", "manual_seed", "set_seed"})
_DRAWS = frozenset(
    [
        "random",
        "randint",
        "randrange",
        "uniform",
        "choice",
        "choices",
        "sample",
        "shuffle",
        "gauss",
        "normalvariate",
        "betavariate",
        "expovariate",
        "triangular",
        "getrandbits",
        "randbytes",
        "rand",
        "randn",
        "normal",
        "permutation",
        "integers",
    ]
)
"""Functions that draw; tests that seed once and draw themselves only make their inputs so."""


def find_side_effects(tests: ast.Module) -> str:
    """What tests look at besides arguments, return values and exceptions; empty: nothing."""
    modules = {*sys.stdlib_module_names, "builtins", "__builtins__"}
    seeds = draws = 0
    for node in ast.walk(tests):
        if isinstance(node, ast.Constant):
            continue
        if isinstance(node, ast.alias):
            modules.add(node.asname or node.name.partition(".")[0])
        if sign := _named(node) or _replaced(node, modules):
            return sign
        if isinstance(node, ast.Call) and (name := _called(node)):
            seeds += name in _SEEDS
            draws += name in _DRAWS
    return "a seed" if seeds > 1 or (seeds and not draws) else ""


def _named(node: ast.AST) -> str:
    """What a name, an import or a call says is looked at."""
    if isinstance(node, ast.Name):
        return _NAMES.get(node.id, "")
    if isinstance(node, ast.arg | ast.Attribute):
        return _NAMES.get(_last(node), "")
    if isinstance(node, ast.alias | ast.ImportFrom):
        parts = (node.name if isinstance(node, ast.alias) else node.module or "").split(".")
        return next((_IMPORTS[part] for part in parts if part in _IMPORTS), "")
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open":
        return "files"
    if isinstance(node, ast.Call) and _called(node) in ("catch_warnings", "warns"):
        recorded = _called(node) == "warns" or any(k.arg == "record" for k in node.keywords)
        return "captured warnings" if recorded else ""
    return ""


def _replaced(node: ast.AST, modules: set[str]) -> str:
    """What tests replace where the program cannot see it."""
    if isinstance(node, ast.FunctionDef) and node.name in _REPLACED:
        return f"another {node.name}()"
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
        named = (target.id for target in node.targets if isinstance(target, ast.Name))
        return next((f"another {name}()" for name in named if name in _REPLACED), "")
    place = None
    if isinstance(node, ast.Call) and _called(node) in ("setattr", "delattr") and node.args:
        place = node.args[0]
    elif isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
        place = node.value
    root = _root(place) if place else ""
    return f"a changed {root}" if root in modules else ""


def _root(node: ast.AST) -> str:
    """The name that a chain of attributes, items and calls begins with."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else _last(call.func)


def _last(node: ast.AST) -> str:
    if isinstance(node, ast.arg):
        return node.arg
    return node.attr if isinstance(node, ast.Attribute) else ""
