"""Finding the program in an answer: the last fenced block that defines what is asked for.

Runs in the candidate's box: parsing alone can exhaust memory or the stack.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from deimos.sandbox.assemble import CodeBlock, assemble
from deimos.sandbox.fences import NOT_PARSED, parse, texts_of
from deimos.sandbox.names import find_defined


def program(answer: str, names: Sequence[str], prompt: str = "") -> list[str] | None:
    """The units of code to execute in turn, or None if nothing defines the names.

    The last block that defines the names, or the blocks that do so together; and from other blocks the
    statements that make what those use and don't make (imports, helpers, constants). Without such
    blocks, text outside blocks, or the whole answer.

    Args:
        answer: the whole answer.
        names: what the tests call.
        prompt: code that the answer may go on from (HumanEval's signature and docstring); its
            imports and helpers come first in any case.
    """
    begun = parse(prompt) if prompt else None
    before = [prompt] if begun and set(names) <= find_defined(begun) else []
    texts = texts_of(answer)
    blocks = [CodeBlock.of(text) for text in texts.blocks]
    joined = "\n\n".join(texts.blocks)
    for wanted in dict.fromkeys([tuple(names), *((name,) for name in names)]):
        if chosen := _defining(blocks, wanted):
            return [*before, *assemble(blocks, chosen, find_defined(begun) if begun else set())]
        others = (CodeBlock.of(text) for text in (joined, *texts.others))  # parsed if needed
        if found := next((b for b in others if set(wanted) <= b.makes), None):
            return [*before, found.text]
    if begun and before:
        for text in (*reversed(texts.blocks), joined, *texts.others):
            for whole in (f"{prompt}{text}", f"{prompt}    {text.lstrip()}"):
                if text.strip() and _goes_on(whole, _statements(begun, names), names):
                    return [whole]
    return None


def _defining(blocks: Sequence[CodeBlock], names: Sequence[str]) -> set[int]:
    """Which blocks define the names: the last that has them all, else the last of each; empty: none."""
    for number in reversed(range(len(blocks))):
        if set(names) <= blocks[number].makes:
            return {number}
    last = {name: number for number, block in enumerate(blocks) for name in block.makes}
    return {last[name] for name in names} if set(names) <= set(last) else set()


def _goes_on(whole: str, begun: int, names: Sequence[str]) -> bool:
    """Whether the text behind a prompt adds to the body of the function that it begins."""
    try:
        tree = ast.parse(whole)
        compile(tree, "<answer>", "exec", dont_inherit=True)  # finds what parsing lets through
        return _statements(tree, names) > begun
    except NOT_PARSED:
        return False


def _statements(tree: ast.Module, names: Sequence[str]) -> int:
    found = (n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return sum(len(node.body) for node in found if node.name in names)
