"""Which names code reads and binds."""

from __future__ import annotations

import ast
import builtins
import symtable
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from deimos.sandbox.fences import NOT_PARSED

STAR = "*"
"""What ``from math import *`` binds."""


@dataclass(frozen=True)
class Names:
    """The names that a data set's code takes from elsewhere."""

    free: list[str]
    """Names that it reads and neither it nor Python defines, in order of appearance."""
    modules: list[str]
    """Modules of the standard library that it uses (``sys.…``) without importing them."""
    builtin: list[str]
    """The built-in that it calls first, if any: MBPP asks for a ``sum``."""
    read: frozenset[str]
    """All names that it reads."""

    @property
    def wanted(self) -> list[str]:
        """What the program under test must define, if no entry point says it."""
        return self.free or self.builtin


def names_of(tree: ast.AST) -> Names:
    """Read the names of parsed code, in one walk: tests can be megabytes of literals."""
    read: dict[str, None] = {}
    bound: set[str] = set()
    called: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            continue
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                read[node.id] = None
            else:
                bound.add(node.id)
            continue
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            called[node.func.id] = None
        bound.update(_bound(node))
    loose = [name for name in read if name not in bound]
    modules = [n for n in loose if n in sys.stdlib_module_names and n not in called]
    free = [n for n in loose if n not in modules and not hasattr(builtins, n)]
    return Names(
        free,
        modules,
        [n for n in called if n in loose and hasattr(builtins, n)][:1],
        frozenset(read),
    )


def find_defined(tree: ast.Module) -> set[str]:
    """Names that code makes at its top level; imports make none."""
    imports = ast.Import | ast.ImportFrom
    return {n for node in tree.body if not isinstance(node, imports) for n in find_bound(node)}


def find_bound(node: ast.stmt) -> Iterable[str]:
    """Names that a statement binds where it stands."""
    if isinstance(node, ast.Expr):
        yield from _named_inside(node)
    elif isinstance(node, ast.Assign | ast.AnnAssign | ast.If | ast.Try | ast.With | _LOOPS):
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                yield inner.id
            elif inner is not node:
                yield from _bound(inner)
    elif isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            yield from _bound(alias)
    else:
        yield from _bound(node)


_LOOPS = ast.For | ast.AsyncFor | ast.While


def _named_inside(node: ast.AST) -> Iterable[str]:
    """Names that ``:=`` binds in an expression, those in its functions left out."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.Lambda):
            continue
        if isinstance(inner, ast.NamedExpr):
            yield inner.target.id
        yield from _named_inside(inner)


def globals_of(code: str) -> set[str]:
    """Names that code looks up among its globals, at its top level or inside functions and classes."""
    try:
        top = symtable.symtable(code, "<answer>", "exec")
    except NOT_PARSED:
        return set()
    found = {s.get_name() for s in top.get_symbols() if s.is_referenced()}
    inner = list(top.get_children())
    while inner:
        scope = inner.pop()
        found |= {
            s.get_name()
            for s in scope.get_symbols()
            if s.is_global() and (s.is_referenced() or s.is_declared_global())
        }
        inner += scope.get_children()
    return found


def find_changed(node: ast.stmt) -> set[str]:
    """Names whose value a statement rebinds or fills: ``x += 1``, ``x[1] = 2``, ``x.append(1)``."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return set()
    found: set[str] = set()
    for inner in ast.walk(node):
        place = inner
        if isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Call):
            place = inner.value.func if isinstance(inner.value.func, ast.Attribute) else inner
        elif not isinstance(getattr(inner, "ctx", None), ast.Store | ast.Del):
            continue
        while isinstance(place, ast.Attribute | ast.Subscript | ast.Starred):
            place = place.value
        found |= {place.id} if isinstance(place, ast.Name) else set()
    return found


def _bound(node: ast.AST) -> Iterable[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.alias):
        yield (node.asname or node.name).split(".")[0]
    elif (isinstance(node, ast.ExceptHandler) and node.name) or (
        isinstance(node, ast.MatchAs | ast.MatchStar) and node.name
    ):
        yield node.name
    elif isinstance(node, ast.Global | ast.Nonlocal):
        yield from node.names
