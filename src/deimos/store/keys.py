"""The record keys that count now, written down by the stage that decodes.

A record key is a hash over the rendered prompt, so only who has the model's tokenizer can compute
it. The decoding stage therefore writes ``keys.jsonl``: a row a prompt and sample set, with the key
of each index. With it every later reader tells rows of another rendering or config from those that
count, with neither model nor tokenizer. On a cluster each shard has a file of its own
(``keys/000012.jsonl``), so that nobody holds all prompts. Runs from before these files have none:
``read_keys`` gives None, and what is then not known is that a row is of the rendering that the
stage last used.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from deimos.store.journal import read_rows, write_rows
from deimos.store.merge import Name
from deimos.store.names import COMPLETIONS, KEYS, KEYS_FOLDER
from deimos.store.schema import KeysRow, row_of, value_of


class RecordKeys:
    """Record keys by prompt id and index; compact, as a pool may have millions."""

    def __init__(self) -> None:
        self._keys: dict[str, tuple[str, ...]] = {}

    def add(self, prompt_id: str, keys: tuple[str, ...]) -> None:
        """Put in a prompt's keys, that of index 0 first."""
        self._keys[prompt_id] = keys

    def of(self, name: Name) -> str | None:
        """The key of a prompt's completion; None: no such completion is wanted."""
        keys = self._keys.get(name[0], ())
        return keys[name[1]] if 0 <= name[1] < len(keys) else None

    def __len__(self) -> int:
        return sum(map(len, self._keys.values()))


def write_keys(path: Path, samples: Mapping[str, Mapping[Name, str]]) -> None:
    """Write down which keys count.

    Args:
        path: see ``keys_path``.
        samples: name of the sample set to its keys by prompt id and index; of each prompt all
            indices from 0 on.
    """
    rows: dict[tuple[str, str], dict[int, str]] = {}
    for of, keys in samples.items():
        for (prompt_id, index), key in keys.items():
            rows.setdefault((of, prompt_id), {})[index] = key
    write_rows(
        path,
        (
            row_of(KeysRow(of, prompt_id, tuple(keys[i] for i in range(len(keys)))))
            for (of, prompt_id), keys in rows.items()
        ),
    )


def keys_path(folder: Path, shard: int | None = None) -> Path:
    """The file of a stage's keys, or of one shard's."""
    return folder / KEYS if shard is None else folder / KEYS_FOLDER / f"{shard:06}.jsonl"


def remove_keys(folder: Path) -> None:
    """Remove the files of keys: a stage that begins writes them anew."""
    (folder / KEYS).unlink(missing_ok=True)
    shutil.rmtree(folder / KEYS_FOLDER, ignore_errors=True)


def read_keys(folder: Path) -> dict[str, RecordKeys] | None:
    """The keys of each sample set of a stage's folder; None: they were not written down.

    Raises:
        RowError: a row lacks a field.
    """
    files = [folder / KEYS, *sorted((folder / KEYS_FOLDER).glob("*.jsonl"))]
    files = [path for path in files if path.is_file()]
    if not files:
        return None
    found: dict[str, RecordKeys] = {}
    for path in files:
        for row in read_rows(path):
            keys = value_of(KeysRow, row, path)
            found.setdefault(keys.samples, RecordKeys()).add(keys.prompt_id, keys.keys)
    return found


def read_pool_keys(folder: Path) -> RecordKeys | None:
    """The keys of a sample folder's candidates; None: they were not written down."""
    found = read_keys(folder)
    return None if found is None else found.get(COMPLETIONS, RecordKeys())
