"""A sample folder's candidates as they now stand, and what names one across runs and machines.

The journals only grow: a candidate that went on decoding, or was judged again, has several rows.
The first row that says how a candidate ended settles its tokens: later ones count only as another
verdict on the same text. Each journal file holds verdicts of one set of filters, named in
``filters.json``, so a reader knows which verdicts still count. Nothing is decoded or judged here.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deimos.fingerprint import fingerprint, model_hash
from deimos.journal import read, write_atomic
from deimos.recipe import Select
from deimos.registry import content_hash
from deimos.rows import completion_from
from deimos.types import Completion, Sampling

COMPLETIONS = "completions"
FILTERS = "filters.json"
Filters = dict[str, Any]
"""What a verdict depends on besides the candidate and the constants."""
ENDED = ("stop", "length", "malformed")
"""Finishes that no more decoding changes."""
Key = tuple[str, int]
"""Prompt id and index."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One candidate's last row."""

    completion: Completion
    file: str
    """Name of the journal file without ``.jsonl``: says whose filters judged it."""
    key: str
    """See ``record_key``."""


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


def sampled_with(
    model: str,
    *,
    revision: str | None,
    dtype: str,
    template: str,
    sampling: Sampling,
    adapter: Path | None = None,
) -> str:
    """Fingerprint of what makes completions of rendered prompts.

    Args:
        model: folder (enters by content) or Hub id.
        revision: of a Hub id.
        dtype: of the weights.
        template: the chat template's text.
        sampling: how tokens are drawn.
        adapter: folder of an adapter on the model; engines that load none may go without.
    """
    folder = Path(model)
    return fingerprint(
        {
            "model": model_hash(folder) if folder.is_dir() else [model, revision],
            "dtype": dtype,
            "template": template,
            "sampling": dataclasses.asdict(sampling),
            "adapter": model_hash(adapter) if adapter and adapter.is_dir() else None,
        }
    )


def record_key(made_with: str, prompt: str, index: int, seed: int) -> str:
    """What a completion is a completion of: 32 hex digits that stand in its row.

    A row with another key came from somewhere else and is not gone on from.

    Args:
        made_with: see ``sampled_with``.
        prompt: the rendered prompt.
        index: which of the prompt's candidates.
        seed: the candidate's own.
    """
    return fingerprint([made_with, prompt, index, seed])[:32]


def read_candidates(folder: Path, *, ids: bool = True) -> dict[Key, Candidate]:
    """Every candidate of a sample folder by prompt id and index, in order of first writing.

    Args:
        folder: the sample stage's folder.
        ids: False leaves token ids out (most of a big pool's memory).
    """
    return _standing(_rows(folder), ids=ids)


def read_some(folder: Path, keys: Collection[Key]) -> dict[Key, Completion]:
    """The candidates that ``keys`` names, token ids included."""
    rows = (item for item in _rows(folder) if (item[1]["prompt_id"], item[1]["index"]) in keys)
    return {key: found.completion for key, found in _standing(rows, ids=True).items()}


def _standing(rows: Iterator[tuple[str, dict[str, Any]]], *, ids: bool) -> dict[Key, Candidate]:
    found: dict[Key, Candidate] = {}
    for file, row in rows:
        if not ids:
            row = {**row, "prompt_ids": (), "completion_ids": ()}
        new = Candidate(completion_from(row), file, row.get("key", ""))
        key = new.completion.prompt_id, new.completion.index
        old = found.get(key)
        if old is None or _goes_on(old.completion, new.completion):
            found[key] = new
    return found


def _goes_on(old: Completion, new: Completion) -> bool:
    """Whether a later row says more of the same candidate, instead of decoding it twice."""
    return old.finish not in ENDED or (old.finish, old.text) == (new.finish, new.text)


def _rows(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((folder / COMPLETIONS).glob("*.jsonl")):
        for row in read(path):
            yield path.stem, row
