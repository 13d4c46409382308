"""Blocks of a program in an order in which they can be loaded: what is used while loading comes first.

An answer may explain its helpers last: ``@memo`` stands above ``f`` in its first block, and ``def memo`` in
a later one. Functions look their names up when they are called, so only what runs at once counts: decorators,
defaults, bases, class bodies, top-level calls, and the bodies of what these call. Within one block the order
is the program's own.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator, Sequence

from deimos.sandbox.fences import parse
from deimos.sandbox.names import STAR, find_bound, find_changed, globals_of

_Statements = list[ast.stmt]


def put_in_working_order(units: Sequence[str], known: Iterable[str] = ()) -> list[str]:
    """The same statements, some of later units moved before an earlier one that uses their names at once.

    Args:
        units: pieces of Python, to be run one after the other.
        known: names that are there already.
    """
    trees = [parse(unit) for unit in units]
    left = [list(tree.body) if tree else [] for tree in trees]
    there = {*known, *dir(builtins)}
    bodies: dict[str, set[str]] = {}
    found: list[str] = []
    for number, (unit, tree) in enumerate(zip(units, trees, strict=True)):
        own = left[number]
        bodies |= _bodies_of(own)
        missing = _used_at_once(own, bodies) - there - _bound(own)
        if missing and (moved := _taken(missing, left[number + 1 :], there)):
            texts = [_text_of(statements) for statements in moved]
            found += put_in_working_order(texts, there)
            there |= set().union(*map(_bound, moved))
        whole = tree is None or len(own) == len(tree.body)
        found += [unit] if whole else [_text_of(own)] if own else []
        there |= _bound(own)
    return found


def _taken(missing: set[str], later: list[_Statements], there: set[str]) -> list[_Statements]:
    """Takes the statements out of later units that make the names, and what these need."""
    missing, sought = set(missing), set[str]()
    taken: list[_Statements] = [[] for _ in later]
    while missing:
        name = missing.pop()
        sought.add(name)
        source = next((n for n, unit in enumerate(later) if _bound(unit) & {name, STAR}), None)
        if source is None:
            continue
        for statement in later[source]:
            makes = {*find_bound(statement)} & {name, STAR} or name in find_changed(statement)
            if makes and statement not in taken[source]:
                taken[source].append(statement)
                missing |= globals_of(ast.unparse(statement)) - sought - there
    for unit, statements in zip(later, taken, strict=True):
        statements.sort(key=unit.index)
        unit[:] = [statement for statement in unit if statement not in statements]
    return [statements for statements in taken if statements]


def _bound(statements: _Statements) -> set[str]:
    return {name for statement in statements for name in find_bound(statement)}


def _bodies_of(statements: _Statements) -> dict[str, set[str]]:
    """The names that functions and classes look up when they are called, by their own name."""
    return {
        node.name: globals_of(ast.unparse(node))
        for node in statements
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }


def _used_at_once(statements: _Statements, bodies: dict[str, set[str]]) -> set[str]:
    """Names that are looked up while statements run, those in the bodies of what they call among them."""
    waiting = {name for statement in statements for name in _names_at_once(statement)}
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= bodies.get(name, set()) - found
    return found


def _names_at_once(statement: ast.AST) -> Iterator[str]:
    waiting = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += [*node.decorator_list, node.args, *filter(None, [node.returns])]
        elif isinstance(node, ast.Lambda):
            waiting.append(node.args)
        else:
            waiting += ast.iter_child_nodes(node)


def _text_of(statements: _Statements) -> str:
    return ast.unparse(ast.Module(statements, []))
