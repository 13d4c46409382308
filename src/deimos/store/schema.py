"""Records as JSON rows and back: the one place that says how a value stands in a file.

Rows are plain dicts of JSON values; unknown keys of a row (a checksum, a later version's extra
field) are ignored on reading. Nothing here opens a file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from deimos.types import Completion, Prompt, Verdict

Row = dict[str, Any]
T = TypeVar("T")


def completion_row(completion: Completion) -> Row:
    """The row of a completion: its fields by name, ids as lists, the verdict a mapping or null."""
    row = _fields_of(completion)
    row["prompt_ids"] = list(completion.prompt_ids)
    row["completion_ids"] = list(completion.completion_ids)
    row["verdict"] = None if completion.verdict is None else verdict_row(completion.verdict)
    return row


def completion_from(row: Mapping[str, Any]) -> Completion:
    """The completion that a row was made of; KeyError where a field is missing."""
    known = _known(Completion, row)
    known["prompt_ids"] = tuple(row["prompt_ids"])
    known["completion_ids"] = tuple(row["completion_ids"])
    known["verdict"] = verdict_from(row.get("verdict"))
    return Completion(**known)


def prompt_row(prompt: Prompt) -> Row:
    """The row of a prompt: its fields by name, messages as a list of mappings."""
    row = _fields_of(prompt)
    row["messages"] = [dict(message) for message in prompt.messages]
    return row


def prompt_from(row: Mapping[str, Any]) -> Prompt:
    """The prompt that a row was made of; KeyError where a field is missing."""
    known = _known(Prompt, row)
    known["messages"] = tuple(dict(message) for message in row["messages"])
    return Prompt(**known)


def verdict_row(verdict: Verdict) -> Row:
    """The row of a verdict: ``ok``, ``because``, ``stage``."""
    return _fields_of(verdict)


def verdict_from(row: Mapping[str, Any] | None) -> Verdict | None:
    """The verdict that a row was made of; None stays None."""
    return None if row is None else Verdict(**_known(Verdict, row))


def _fields_of(value: Any) -> Row:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _known(kind: Any, row: Mapping[str, Any]) -> Row:
    """The row's entries that ``kind`` has fields for; a required one that is absent raises."""
    known: Row = {}
    for field in dataclasses.fields(kind):
        if field.name in row:
            known[field.name] = row[field.name]
        elif field.default is dataclasses.MISSING:
            raise KeyError(f"{kind.__name__} row without {field.name!r}")
    return known
