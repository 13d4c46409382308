"""One program out of several blocks: those that define what is asked for, and what they use of others.

Of other blocks only single statements are taken (imports, definitions, assignments), so that their
examples, first tries and prints are not run; and what an earlier one sets for the whole program
(``sys.setrecursionlimit(5000)``).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from deimos.sandbox.fences import parse
from deimos.sandbox.names import STAR, find_bound, find_changed, find_defined, globals_of
from deimos.sandbox.working_order import put_in_working_order

_SETTINGS = frozenset(
    [
        "setrecursionlimit", "set_int_max_str_digits", "setswitchinterval", "stack_size", "setrlimit", "setlocale", "setcontext",
        "seed", "filterwarnings", "simplefilter", "seterr", "set_printoptions", "disable",
    ]
)  # fmt: skip
"""Functions of modules that set something for the whole program."""


@dataclass(frozen=True)
class CodeBlock:
    """A text that may be Python, and its names."""

    text: str
    tree: ast.Module
    """Without statements if the text is no Python."""
    makes: frozenset[str]
    """Names that it defines or assigns at its top level."""

    @classmethod
    def of(cls, text: str) -> CodeBlock:
        """Parse a text."""
        tree = parse(text) or ast.Module([], [])
        return cls(text, tree, frozenset(find_defined(tree)))

    @cached_property
    def binds(self) -> set[str]:
        """What it makes, and what it imports."""
        return {name for statement in self.tree.body for name in find_bound(statement)}

    @cached_property
    def needs(self) -> set[str]:
        """Names that it looks up at its top level, and does not bind there."""
        return globals_of(self.text) - self.binds


def assemble(blocks: Sequence[CodeBlock], chosen: set[int], known: Iterable[str] = ()) -> list[str]:
    """The chosen blocks, in order, and the statements of others that bind what these need.

    What is used while a block is loaded (a decorator) comes before it. A name comes from the nearest block before the first chosen one, else from the nearest behind it.

    Args:
        blocks: of an answer, in order.
        chosen: their numbers.
        known: names that are there already.
    """
    if len(blocks) == 1:
        return [block.text for block in blocks]
    first = min(chosen)
    bound = set().union(*(blocks[n].binds for n in chosen))
    found = {*known, *bound}
    missing = set().union(*(blocks[n].needs for n in chosen)) - found
    others = [n for n in (*reversed(range(first)), *range(first, len(blocks))) if n not in chosen]
    taken = {n: _settings_in(blocks[n]) if n < first else set[int]() for n in others}
    for n, numbers in taken.items():
        missing |= set().union(*(_needs_of(blocks[n].tree.body[i]) for i in numbers)) - found
    while missing:
        name = missing.pop()
        found.add(name)
        source = next((n for n in others if blocks[n].binds & {name, STAR}), None)
        if source is None:
            continue
        for number, statement in enumerate(blocks[source].tree.body):
            needed = _needs_of(statement) if number not in taken[source] else None
            if needed is not None and _makes(statement, name, needed, bound):
                taken[source].add(number)
                missing |= needed - found
    units = (
        blocks[n].text if n in chosen else _source(blocks[n], taken[n]) for n in range(len(blocks))
    )
    return put_in_working_order([unit for unit in units if unit], known)


def _settings_in(block: CodeBlock) -> set[int]:
    """Numbers of the statements that set something for the whole program, and of the imports that these use."""
    imports = {
        n: set(find_bound(statement))
        for n, statement in enumerate(block.tree.body)
        if isinstance(statement, ast.Import | ast.ImportFrom)
    }
    imported = set().union(*imports.values())
    setting = {
        n: needed
        for n, statement in enumerate(block.tree.body)
        if _is_setting(statement) and (needed := _needs_of(statement)) and needed <= imported
    }
    used = set().union(*setting.values())
    return {*setting, *(n for n, names in imports.items() if setting and names & used)}


def _is_setting(statement: ast.stmt) -> bool:
    """Whether it is ``sys.setrecursionlimit(5000)`` or its like, or ``getcontext().prec = 50``."""
    if isinstance(statement, ast.Assign):
        return all(isinstance(target, ast.Attribute) for target in statement.targets)
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return False
    function = statement.value.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in _SETTINGS


def _makes(statement: ast.stmt, name: str, needed: set[str], bound: set[str]) -> bool:
    """Whether a statement binds a name, or fills what it stands for without the chosen blocks' help."""
    if {*find_bound(statement)} & {name, STAR}:
        return True
    return name in find_changed(statement) and not needed & bound


def _source(block: CodeBlock, statements: set[int]) -> str:
    kept = [statement for n, statement in enumerate(block.tree.body) if n in statements]
    return ast.unparse(ast.Module(kept, [])) if kept else ""


def _needs_of(statement: ast.stmt) -> set[str]:
    return globals_of(ast.unparse(statement))
