"""A sample folder's candidates as they now stand, and what names one across runs and machines.

The journals only grow; ``merge`` decides which row of a candidate counts. Each journal file
holds verdicts of one set of filters, named in ``filters.json``, so a reader knows which verdicts
still count: ``00000.jsonl``, or, of a race on a cluster, segments ``00000_000012_000.jsonl`` (shard
12, first attempt). Nothing is decoded or judged here.
"""

from __future__ import annotations

import dataclasses
import json
import math
import statistics
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deimos.recipe import Select
from deimos.registry import content_hash
from deimos.store.hashing import fingerprint, model_hash
from deimos.store.journal import write_atomic
from deimos.store.keys import read_pool_keys
from deimos.store.merge import (
    KeyOf,
    Name,
    RowState,
    Skipped,
    keyed_rows,
    merge,
    merge_keyed,
    state_of,
)
from deimos.store.names import COMPLETIONS, FILTERS
from deimos.store.schema import completion_from
from deimos.types import Completion, Sampling

Filters = dict[str, Any]
"""What a verdict depends on besides the candidate and the constants."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One candidate's last row."""

    completion: Completion
    file: str
    """Name of the journal file without ``.jsonl`` (of a segment: the part before the shard): names
    the filters that judged it."""
    key: str
    """See ``record_key``."""


def rank(completion: Completion) -> tuple[int, int, int]:
    """Order of merit: fewer think tokens, fewer answer tokens, lower index."""
    return completion.think_tokens, completion.answer_tokens, completion.index


def least_kept(lengths: Collection[int], min_think_tokens: int, min_ratio: float | None) -> int:
    """Think tokens under which no candidate of a prompt is kept.

    Args:
        lengths: think tokens of those of its candidates that nothing could stop (``has_length``).
        min_think_tokens: the least for any prompt.
        min_ratio: the least as a share of the median of ``lengths``; None: there is none.
    """
    if min_ratio is None or not lengths:
        return min_think_tokens
    return max(min_think_tokens, math.ceil(min_ratio * statistics.median(lengths)))


def has_length(completion: Completion) -> bool:
    """Whether a completion shows how long its model thinks: it ended, or was cut at a budget."""
    return completion.finish in ("stop", "length", "malformed")


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
    """The journal file to append to: the last one, or a new one if the filters have changed."""
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

    A row with another key came from somewhere else and does not count.

    Args:
        made_with: see ``sampled_with``.
        prompt: the rendered prompt.
        index: which of the prompt's candidates.
        seed: the candidate's own.
    """
    return fingerprint([made_with, prompt, index, seed])[:32]


def completion_files(folder: Path, *, segments: bool = True) -> list[Path]:
    """The journal files of a sample folder in the order in which they count.

    Args:
        folder: the sample stage's folder.
        segments: False leaves out what a cluster's actors wrote.
    """
    files = sorted((folder / COMPLETIONS).glob("*.jsonl"), key=lambda path: path.stem)
    return [path for path in files if segments or "_" not in path.stem]


def read_candidates(
    folder: Path, *, ids: bool = True, wanted: KeyOf | None = None, skipped: Skipped | None = None
) -> dict[Name, Candidate]:
    """Every candidate of a sample folder by prompt id and index, in order of first writing.

    Args:
        folder: the sample stage's folder.
        ids: False leaves token ids out (most of a big pool's memory).
        wanted: the record key that a candidate must have; None: as the stage wrote them down.
        skipped: counts the rows that are left out.
    """
    wanted = wanted or _written(folder)
    return merge_candidates(completion_files(folder), ids=ids, wanted=wanted, skipped=skipped)


def read_some(folder: Path, names: Collection[Name]) -> dict[Name, Completion]:
    """The candidates that ``names`` names, token ids included."""
    found = merge_candidates(completion_files(folder), names=names, wanted=_written(folder))
    return {name: candidate.completion for name, candidate in found.items()}


def _written(folder: Path) -> KeyOf | None:
    keys = read_pool_keys(folder)
    return keys.of if keys is not None else None


def merge_candidates(
    files: Iterable[Path],
    *,
    wanted: KeyOf | None,
    ids: bool = True,
    names: Collection[Name] | None = None,
    skipped: Skipped | None = None,
) -> dict[Name, Candidate]:
    """The candidates of journal files by prompt id and index; see ``merge``.

    Args:
        files: in the order in which they count.
        wanted: the record key that a candidate must have; None: not known.
        ids: False leaves token ids out.
        names: the candidates that are asked for; None: all.
        skipped: counts the rows that are left out.
    """
    rows = _rows(files, wanted, ids, names, skipped)
    return merge_keyed(rows, _state, keys_known=wanted is not None)


def merge_by_key(
    files: Iterable[Path], onto: Mapping[tuple[Name, str], Candidate] | None = None
) -> dict[tuple[Name, str], Candidate]:
    """The candidates of journal files, those of each record key apart.

    For who learns later which keys are wanted.

    Args:
        files: in the order in which they count.
        onto: the outcome for files before these.
    """
    rows = _rows(files, None, True, None, None)
    return merge((((name, key), candidate) for name, key, candidate in rows), _state, onto)


def _rows(
    files: Iterable[Path],
    wanted: KeyOf | None,
    ids: bool,
    names: Collection[Name] | None,
    skipped: Skipped | None,
) -> Iterator[tuple[Name, str, Candidate]]:
    for name, key, row, path in keyed_rows(files, wanted, skipped):
        if names is not None and name not in names:
            continue
        if not ids:
            row = {**row, "prompt_ids": (), "completion_ids": ()}
        file = path.stem.partition("_")[0]
        yield name, key, Candidate(completion_from(row, path), file, key)


def _state(candidate: Candidate) -> RowState:
    return state_of(candidate.completion)._replace(filters=candidate.file)
