"""The lowest reasoning effort that a chat template offers, read from the template itself.

A template that knows ``reasoning_effort`` either compares it with the levels that it has (Qwen3.8's)
or writes whatever it is given into the prompt (gpt-oss'): then the levels are the customary low,
medium and high. Never read from a model's name. Not covered: switches of other names
(``low_effort``), efforts given as numbers, and levels that end thinking altogether (``none``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SCALE = ("minimal", "low", "medium", "high", "xhigh", "max")
"""Levels by their names, the lowest first."""
CUSTOMARY = ("low", "medium", "high")
"""Of a template that writes down whatever it is given."""
ARGUMENT = "reasoning_effort"


def find_lowest_effort(template: str) -> str | None:
    """The lowest level of ``reasoning_effort`` that a chat template offers.

    Args:
        template: its text (Jinja).

    Returns:
        None if it has no such argument, cannot be parsed, or offers nothing below ``high``: then the
        default is its lowest.
    """
    named = find_levels(template)
    lowest = next(iter(named), None)
    return lowest if lowest in SCALE[: SCALE.index("high")] else None


def find_levels(template: str) -> list[str]:
    """The levels of ``reasoning_effort`` that a chat template offers, the lowest first.

    Args:
        template: its text (Jinja).

    Returns:
        None at all if it has no such argument or cannot be parsed.
    """
    tree = _parse(template) if ARGUMENT in template else None
    if tree is None:
        return []
    names = _follow(tree)
    named = {level for node in _looks(tree, names) for level in _levels_in(node)}
    if len(named) < 2 and _writes(tree, names):
        named |= {*CUSTOMARY}
    return sorted(named, key=SCALE.index)


def read_template(folder: Path) -> str | None:
    """The chat template in a model's folder, found as transformers finds it; None: there is none."""
    path = folder / "chat_template.jinja"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    path = folder / "tokenizer_config.json"
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8")).get("chat_template")
    except ValueError:
        return None  # loading the tokenizer says what is wrong with it
    if isinstance(found, list):
        by_name = {each["name"]: each["template"] for each in found}
        found = by_name.get("default")
    return found


def make_extensions() -> list[Any]:
    """The extensions of Jinja that chat templates are written for, as transformers has them."""
    from jinja2 import nodes
    from jinja2.ext import Extension, loopcontrols

    class Generation(Extension):
        """Transformers' own block, which marks what the assistant wrote."""

        tags = {"generation"}

        def parse(self, parser: Any) -> list[nodes.Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    return [Generation, loopcontrols]


def _parse(template: str) -> Any:
    from jinja2 import Environment, TemplateSyntaxError

    try:
        return Environment(extensions=make_extensions()).parse(template)
    except TemplateSyntaxError:
        return None


def _follow(tree: Any) -> set[str]:
    """The argument's name and those of all variables that are made of it."""
    from jinja2 import nodes

    names = {ARGUMENT}
    while True:
        made = {
            name
            for assign in tree.find_all(nodes.Assign)
            if _mentions(assign.node, names) and (name := _name_of(assign.target))
        }
        if made <= names:
            return names
        names |= made


def _looks(tree: Any, names: set[str]) -> Iterator[Any]:
    """The parts of a template that hold levels: comparisons, defaults, look-ups, assignments."""
    from jinja2 import nodes

    kinds = (nodes.Compare, nodes.Test, nodes.Filter, nodes.Getitem, nodes.Assign)
    for node in tree.find_all(kinds):
        if isinstance(node, nodes.Assign) and _name_of(node.target) in names:
            yield node.node
        elif not isinstance(node, nodes.Assign) and _mentions(node, names):
            yield node


def _writes(tree: Any, names: set[str]) -> bool:
    """Whether the value itself is written into the prompt, not only into an error."""
    from jinja2 import nodes

    def is_error(node: Any) -> bool:
        return isinstance(node, nodes.Call) and _name_of(node.node) == "raise_exception"

    return any(
        _mentions(part, names) and not is_error(part)
        for output in tree.find_all(nodes.Output)
        for part in output.nodes
        if not isinstance(part, nodes.CondExpr) or _mentions_values(part, names)
    )


def _mentions_values(node: Any, names: set[str]) -> bool:
    """Whether a conditional writes the value, and does not only look at it."""
    return any(_mentions(part, names) for part in (node.expr1, node.expr2) if part is not None)


def _mentions(node: Any, names: set[str]) -> bool:
    from jinja2 import nodes

    kinds = (nodes.Name, nodes.NSRef, nodes.Getattr)
    own = [node] if isinstance(node, kinds) else []
    return any(_name_of(part) in names for part in (*own, *node.find_all(kinds)))


def _name_of(node: Any) -> str:
    """A variable's name; of a namespace's with its attribute."""
    from jinja2 import nodes

    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.NSRef):
        return f"{node.name}.{node.attr}"
    if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name):
        return f"{node.node.name}.{node.attr}"
    return ""


def _levels_in(node: Any) -> Iterator[str]:
    from jinja2 import nodes

    own = [node] if isinstance(node, nodes.Const) else []
    for part in (*own, *node.find_all(nodes.Const)):
        if isinstance(part.value, str) and part.value in SCALE:
            yield part.value
