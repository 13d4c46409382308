"""A sample folder's candidates as they now stand, and what names one across runs and machines.

The journals only grow: a candidate that went on decoding, or was judged again, has several rows.
The first row that says how a candidate ended settles its tokens: later ones count only as another
verdict on the same text. Each journal file holds verdicts of one set of filters, named in
``filters.json``, so a reader knows which verdicts still count: ``00000.jsonl``, or, of a race on a
cluster, segments ``00000_000012_000.jsonl`` (shard 12, first attempt). Nothing is decoded or judged
here.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deimos.recipe import Select
from deimos.registry import content_hash
from deimos.store.hashing import fingerprint, model_hash
from deimos.store.journal import read, write_atomic
from deimos.store.schema import completion_from
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
    """Name of the journal file without ``.jsonl`` (of a segment: what stands before the shard): says
    whose filters judged it."""
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


def completion_files(folder: Path, *, segments: bool = True) -> list[Path]:
    """The journal files of a sample folder in the order in which they count.

    Args:
        folder: the sample stage's folder.
        segments: False leaves out what a cluster's actors wrote.
    """
    files = sorted((folder / COMPLETIONS).glob("*.jsonl"), key=lambda path: path.stem)
    return [path for path in files if segments or "_" not in path.stem]


def read_candidates(folder: Path, *, ids: bool = True) -> dict[Key, Candidate]:
    """Every candidate of a sample folder by prompt id and index, in order of first writing.

    Args:
        folder: the sample stage's folder.
        ids: False leaves token ids out (most of a big pool's memory).
    """
    return standing(completion_files(folder), ids=ids)


def read_some(folder: Path, keys: Collection[Key]) -> dict[Key, Completion]:
    """The candidates that ``keys`` names, token ids included."""
    found = standing(completion_files(folder), keys=keys)
    return {key: candidate.completion for key, candidate in found.items()}


def standing(
    files: Iterable[Path],
    *,
    ids: bool = True,
    keys: Collection[Key] | None = None,
    onto: Mapping[Key, Candidate] | None = None,
) -> dict[Key, Candidate]:
    """The candidates of journal files by prompt id and index, as they stand after the last row.

    Args:
        files: in the order in which they count.
        ids: False leaves token ids out.
        keys: the candidates that are asked for; None: all.
        onto: candidates of files before these.
    """
    found = dict(onto or {})
    for path in files:
        file = path.stem.partition("_")[0]
        for row in read(path):
            key = row["prompt_id"], row["index"]
            if keys is not None and key not in keys:
                continue
            if not ids:
                row = {**row, "prompt_ids": (), "completion_ids": ()}
            new, old = Candidate(completion_from(row), file, row.get("key", "")), found.get(key)
            if old is None or _goes_on(old.completion, new.completion):
                found[key] = new
    return found


def _goes_on(old: Completion, new: Completion) -> bool:
    """Whether a later row says more of the same candidate, instead of decoding it twice.

    An engine's failure says nothing, wherever it stands: segments need not be in order of time.
    """
    if old.finish in ENDED:
        return (old.finish, old.text) == (new.finish, new.text)
    return new.finish != "error" or old.finish == "error"
