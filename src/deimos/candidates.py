"""A sample folder's candidates as they now stand: the last row that was written of each.

The journals only grow: a candidate that went on decoding, or was judged again, has several rows.
Each journal file holds verdicts of one set of filters, named in ``filters.json``, so a reader
knows which verdicts still count. Nothing is decoded, judged or written here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deimos.journal import read, write_atomic
from deimos.recipe import Select
from deimos.registry import content_hash
from deimos.rows import completion_from
from deimos.types import Completion

COMPLETIONS = "completions"
FILTERS = "filters.json"
Filters = dict[str, Any]
"""What a verdict depends on besides the candidate and the constants."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One candidate's last row."""

    completion: Completion
    file: str
    """Name of the journal file without ``.jsonl``: says whose filters judged it."""


def rank(completion: Completion) -> tuple[int, int, int]:
    """Order of merit: fewer think tokens, fewer answer tokens, lower index."""
    return completion.think_tokens, completion.answer_tokens, completion.index


def filters_of(select: Select) -> Filters:
    """The settings of filters 1 to 3; a grader brought as a file enters by its content."""
    return {
        "graders": {
            kind: {"spec": spec, "sha256": content_hash(spec)}
            for kind, spec in sorted(select.graders.items())
        },
        "answer_max": dict(sorted(select.answer_max.items())),
        "function_words": select.function_words,
    }


def read_filters(folder: Path) -> dict[str, Filters]:
    """Journal file to the filters that its verdicts came from; empty before the first race."""
    path = folder / FILTERS
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def journal_for(folder: Path, filters: Filters) -> Path:
    """The journal file to append to: the last one, or a new one where the filters have changed."""
    known = read_filters(folder)
    name = max(known, default="")
    if not name or known[name] != filters:
        name = f"{len(known):05}"
        write_atomic(folder / FILTERS, json.dumps({**known, name: filters}, indent=1) + "\n")
    return folder / COMPLETIONS / f"{name}.jsonl"


def read_candidates(folder: Path, *, ids: bool = True) -> dict[tuple[str, int], Candidate]:
    """Every candidate of a sample folder by prompt id and index, in order of first writing.

    Args:
        folder: the sample stage's folder.
        ids: False leaves token ids out (most of a big pool's memory).
    """
    found: dict[tuple[str, int], Candidate] = {}
    for file, row in _rows(folder):
        if not ids:
            row = {**row, "prompt_ids": (), "completion_ids": ()}
        completion = completion_from(row)
        found[completion.prompt_id, completion.index] = Candidate(completion, file)
    return found


def read_some(
    folder: Path, keys: Mapping[tuple[str, int], Any]
) -> dict[tuple[str, int], Completion]:
    """The candidates that ``keys`` names, token ids included."""
    return {
        (row["prompt_id"], row["index"]): completion_from(row)
        for _, row in _rows(folder)
        if (row["prompt_id"], row["index"]) in keys
    }


def _rows(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((folder / COMPLETIONS).glob("*.jsonl")):
        for row in read(path):
            yield path.stem, row
