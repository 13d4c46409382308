"""JSON that every parser reads alike, and JSON schemas that can be handed on.

Nothing is to be read differently behind us. A schema that refers to itself makes some grammar
compilers run without end; one that refers to an address makes them fetch it. Not covered: what an
object may hold (``fields``), whether a schema means anything.
"""

from __future__ import annotations

import graphlib
import json
import math
import re
from collections.abc import Sequence
from typing import Any

from deimos.recipe.errors import show_value
from deimos.serve.http import RequestFault
from deimos.store.json_text import read_integer, read_pairs

DEPTH = 64
"""Levels of lists and objects within each other."""
_UNSENDABLE = re.compile("[\0\ud800-\udfff]")
"""What only an escape can bring into a text, and UTF-8 or C cannot take."""


def parse_strictly(body: bytes) -> dict[str, Any]:
    """A body as a JSON object that every parser reads alike.

    Raises:
        RequestFault: it is not UTF-8, not JSON, names a key twice, holds NaN, infinities, U+0000 or
            half a surrogate pair, is nested more than ``DEPTH`` levels deep, or has an integer of
            more digits than Python reads.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as e:
        raise RequestFault(400, f"the body is not UTF-8: byte {e.start}") from e
    try:
        data = json.loads(
            text, object_pairs_hook=read_pairs, parse_constant=_refuse_constant, parse_int=_integer
        )
    except RecursionError as e:
        raise RequestFault(400, f"the body is nested more than {DEPTH} levels deep") from e
    except ValueError as e:
        raise RequestFault(400, f"the body is not valid JSON: {str(e)[:200]}") from e
    if not isinstance(data, dict):
        raise RequestFault(400, "the body must be a JSON object")
    _walk(data, 1, b"\\u" in body)
    return data


def _integer(digits: str) -> int:
    try:
        return read_integer(digits)
    except ValueError as e:
        raise RequestFault(400, f"the body: {e}") from e


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _walk(value: Any, depth: int, escapes: bool) -> None:
    """Refuse what is too deep, and texts that only an escape can bring in."""
    if isinstance(value, str):
        if escapes and _UNSENDABLE.search(value):
            raise RequestFault(400, "a text of the body holds U+0000 or half a surrogate pair")
    elif isinstance(value, dict | list):
        if depth > DEPTH:
            raise RequestFault(400, f"the body is nested more than {DEPTH} levels deep")
        parts = (*value, *value.values()) if isinstance(value, dict) else value
        for part in parts:
            _walk(part, depth + 1, escapes)
    elif isinstance(value, float) and not math.isfinite(value):
        raise RequestFault(400, "a number of the body is too large")


def find_schema_fault(schema: Any) -> str | None:
    """Why a JSON schema cannot be handed on; None if it can.

    Args:
        schema: anything; what is no object has no fault.
    """
    if not isinstance(schema, dict):
        return None
    targets: dict[str, set[str]] = {"#": {*_references(schema)}}
    waiting = [*targets["#"]]
    while waiting:
        name = waiting.pop()
        if name == "#" or name in targets:
            continue
        if not name.startswith("#/"):
            return f"a schema's $ref = {show_value(name)}: must begin with #/"
        targets[name] = {*_references(_look_up(schema, name))}
        waiting += targets[name]
    try:
        graphlib.TopologicalSorter(targets).prepare()
    except graphlib.CycleError:
        return "a schema's $ref leads back to itself: must not be recursive"
    return None


def _references(schema: Any) -> Sequence[str]:
    """Every ``$ref`` in a schema, those in its own definitions left out."""
    if isinstance(schema, list):
        return [ref for part in schema for ref in _references(part)]
    if not isinstance(schema, dict):
        return []
    own = [schema["$ref"]] if isinstance(schema.get("$ref"), str) else []
    inner = (v for k, v in schema.items() if k not in ("$defs", "definitions"))
    return [*own, *(ref for part in inner for ref in _references(part))]


def _look_up(schema: Any, reference: str) -> Any:
    for part in reference.removeprefix("#/").split("/"):
        schema = schema.get(part) if isinstance(schema, dict) else None
    return schema
