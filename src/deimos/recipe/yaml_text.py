"""YAML in which every scalar means what it looks like, and every key stands once.

YAML 1.1 readers take ``010`` for 8, ``1:00`` for 60, ``yes`` for true and ``1e-4`` for text. Here
``1e-4`` is a number and ``yes`` is text; what looks like a number but would be another one in some
reader is refused, as are keys that stand twice, custom tags, and files that are nested or expanded
without end. Dates are text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from typing import Any

import yaml

from deimos.recipe.errors import RecipeError, describe_yaml_fault

_TAG = "tag:yaml.org,2002:"
_UNCLEAR = "tag:deimos,2024:unclear"
_SCALARS = {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?(?:0|[1-9][0-9]*)",
    "float": r"[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+"
    r"|\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN",
    "merge": r"<<",
}
_ODD = (
    r"[-+]?(?:0[0-9_]+|0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|[0-9][0-9_]*_[0-9_.]*"
    r"|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?)"
)
"""Octal, hexadecimal, binary, grouped and base-60 numbers of the one or the other YAML."""
DEEPEST = 100
LARGEST = 100_000
"""Values in one file, aliases expanded."""


class _StrictLoader(yaml.SafeLoader):
    """PyYAML's loader with the scalars above."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


class _StrictDumper(yaml.SafeDumper):
    """PyYAML's dumper: what ``_StrictLoader`` would not read as text is quoted."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {
        first: list(known) for first, known in yaml.SafeDumper.yaml_implicit_resolvers.items()
    }


for _name, _pattern in {**_SCALARS, _UNCLEAR: _ODD}.items():
    for _class in (_StrictLoader, _StrictDumper):
        _whole = re.compile(rf"(?:{_pattern})\Z")
        _class.add_implicit_resolver(_name if ":" in _name else _TAG + _name, _whole, None)


def read_yaml(text: str, what: str) -> Any:
    """The value that a YAML text stands for.

    Args:
        text: one document.
        what: how messages call it, e.g. ``recipe 'mine.yaml'``.

    Raises:
        RecipeError: not YAML, or one of what the module refuses; names line and key.
    """
    try:
        node = yaml.compose(text, Loader=_StrictLoader)
        return None if node is None else _Values(what).value(node, "", ())
    except yaml.YAMLError as e:
        raise RecipeError(f"{what} cannot be read: {describe_yaml_fault(e)}") from e
    except RecursionError as e:
        raise RecipeError(f"{what} cannot be read: it is nested too deeply") from e


def write_yaml(data: Any) -> str:
    """The YAML text that ``read_yaml`` reads as ``data``, in the order of its keys."""
    return yaml.dump(data, Dumper=_StrictDumper, sort_keys=False, allow_unicode=True)


class _Values:
    """Turns the nodes of one document into values."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._count = 0

    def value(self, node: yaml.Node, key: str, above: tuple[int, ...]) -> Any:
        """What a node stands for; ``key`` is its dotted place, ``above`` the nodes around it."""
        self._count += 1
        if id(node) in above:
            raise self._fault(node, key, "an alias inside the value that it stands for")
        if len(above) >= DEEPEST or self._count > LARGEST:
            many = f"more than {LARGEST:,} values" if self._count > LARGEST else "nested too deeply"
            raise self._fault(node, key, many)
        inside = (*above, id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key, inside)
        if isinstance(node, yaml.SequenceNode):
            items = enumerate(node.value)
            return [self.value(item, f"{key}.{i}".lstrip("."), inside) for i, item in items]
        return self._scalar(node, key)

    def _mapping(self, node: yaml.MappingNode, key: str, above: tuple[int, ...]) -> dict[Any, Any]:
        found: dict[Hashable, Any] = {}
        merged: dict[Hashable, Any] = {}
        lines: dict[Hashable, int] = {}
        for name_node, value_node in node.value:
            if name_node.tag == _TAG + "merge":
                merged = {**self._merged(value_node, key, above), **merged}
                continue
            if not isinstance(name_node, yaml.ScalarNode):
                raise self._fault(name_node, key, "a list or a mapping as a key")
            name = self._scalar(name_node, key)
            place = f"{key}.{name}".lstrip(".")
            line = name_node.start_mark.line + 1
            if name in found:
                raise RecipeError(
                    f"{self._what}: the key {place!r} stands twice, on lines {lines[name]} and "
                    f"{line}: keep one of them"
                )
            lines[name] = line
            found[name] = self.value(value_node, place, above)
        return {**merged, **found}

    def _merged(self, node: yaml.Node, key: str, above: tuple[int, ...]) -> dict[Any, Any]:
        value = self.value(node, key, above)
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, dict) for part in parts):
            raise self._fault(node, key, "<< with something else than mappings")
        return {name: item for part in reversed(parts) for name, item in part.items()}

    def _scalar(self, node: yaml.Node, key: str) -> Any:
        text, kind = str(node.value), node.tag.removeprefix(_TAG)
        if kind == "str":
            if re.search("[\ud800-\udfff]", text):
                raise self._fault(node, key, f"{text!a}, half a surrogate pair: no character")
            return text
        if kind not in _SCALARS or not re.fullmatch(_SCALARS[kind], text):
            if kind == _UNCLEAR:
                odd = f"{text!r} is read as different numbers by different programs"
                raise self._fault(node, key, odd, "write a plain number, or put text in quotes")
            raise self._fault(node, key, f"the tag {node.tag!r} is not accepted")
        if kind in ("null", "merge"):
            return None if kind == "null" else text
        if kind == "bool":
            return text.lower() == "true"
        return self._number(node, key, kind)

    def _number(self, node: yaml.Node, key: str, kind: str) -> int | float:
        text = str(node.value)
        try:
            if kind == "int":
                return int(text)
            number = float(text.replace(".inf", "inf"))
        except ValueError:  # .nan and other spellings of infinity; an integer
            number = math.nan
        if kind == "int":
            many = (
                f"{text[:20]}…, a number of {len(text):,} digits, which are more than Python reads"
            )
            raise self._fault(node, key, many)
        if not math.isfinite(number):
            raise self._fault(node, key, f"{text[:40]!r}, which is not a finite number")
        return number

    def _fault(self, node: yaml.Node, key: str, found: str, hint: str = "") -> RecipeError:
        where = f"line {node.start_mark.line + 1}" + (f", {key}" if key else "")
        return RecipeError(f"{self._what}: {where}: {found}" + (f": {hint}" if hint else ""))
