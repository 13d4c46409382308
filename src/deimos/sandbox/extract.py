"""Finding the program in an answer: the last fenced block that defines what is asked for.

Runs in the candidate's box: parsing alone can exhaust memory or the stack.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_FENCE = re.compile(
    r"^[ \t]*```[ \t]*(\w*)[^\n]*\n(.*?)(?:^[ \t]*```|\Z)", re.MULTILINE | re.DOTALL
)
_PYTHON = {"", "python", "python3", "py"}


def program(answer: str, names: Sequence[str], prompt: str = "") -> list[str] | None:
    """The units of code to execute in turn, or None if nothing defines the names.

    Args:
        answer: the whole answer.
        names: what the tests call.
        prompt: code that the answer may go on from (HumanEval's signature and docstring); its
            imports and helpers come first in any case.
    """
    before = [prompt] if prompt and _defines(prompt, names) else []
    blocks = [
        textwrap.dedent(text) for tag, text in _FENCE.findall(answer) if tag.lower() in _PYTHON
    ]
    texts = [*reversed(blocks), "\n\n".join(blocks), answer]
    for wanted in dict.fromkeys([tuple(names), *((name,) for name in names)]):
        for text in texts:
            if text.strip() and _defines(text, wanted):
                return [*before, text]
    if before:
        begun = _statements(ast.parse(prompt), names)
        for text in texts:
            for whole in (f"{prompt}{text}", f"{prompt}    {text.lstrip()}"):
                if text.strip() and _goes_on(whole, begun, names):
                    return [whole]
    return None


@dataclass(frozen=True)
class Names:
    """The names that a data set's code takes from elsewhere."""

    free: list[str]
    """Names that it reads and neither it nor Python defines, in order of appearance."""
    modules: list[str]
    """Modules of the standard library that it uses (``sys.…``) without importing them."""
    builtin: list[str]
    """The built-in that it calls first, if any: MBPP asks for a ``sum``."""

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
    return Names(free, modules, [n for n in called if n in loose and hasattr(builtins, n)][:1])


def defined(tree: ast.Module) -> set[str]:
    """Names that code binds at its top level."""
    return {name for node in tree.body for name in _top(node)}


def _defines(text: str, names: Iterable[str]) -> bool:
    try:
        return set(names) <= defined(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _goes_on(whole: str, begun: int, names: Sequence[str]) -> bool:
    """Whether the text behind a prompt adds to the body of the function that it begins."""
    try:
        tree = ast.parse(whole)
        compile(tree, "<answer>", "exec", dont_inherit=True)  # finds what parsing lets through
        return _statements(tree, names) > begun
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _statements(tree: ast.Module, names: Sequence[str]) -> int:
    found = (n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return sum(len(node.body) for node in found if node.name in names)


def _top(node: ast.stmt) -> Iterable[str]:
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.If | ast.Try | ast.With):
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                yield inner.id
            elif inner is not node:
                yield from _bound(inner)
    else:
        yield from _bound(node)


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
