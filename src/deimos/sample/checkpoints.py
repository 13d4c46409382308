"""The token ids of candidates that are not finished, so that an interrupted race goes on from them.

``partial.jsonl`` (on a cluster ``partial/*.jsonl``) grows while the race runs, a stretch of ids a
row, and is removed when it is over: by then every candidate is in ``completions/``. Rows: ``key prompt_id index start ids``.
Not covered: engines that can't go on from given ids (their candidates start again).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from deimos.engines.base import Key
from deimos.store.merge import KeyOf, merge_partials
from deimos.store.names import PARTIAL, PARTIAL_FOLDER
from deimos.store.schema import PartialRow, row_of


class JournalWriter(Protocol):
    """The methods of a ``Journal`` that a race uses."""

    @property
    def path(self) -> Path | None:
        """The file; None if nothing has been written yet."""
        ...

    def append(self, row: Mapping[str, Any]) -> None:
        """Add one record."""
        ...

    def close(self) -> None:
        """Write everything to disk and close the file."""
        ...


def partial_files(folder: Path) -> list[Path]:
    """The files of unfinished candidates that interrupted races left in a sample folder."""
    return [folder / PARTIAL, *sorted((folder / PARTIAL_FOLDER).glob("*.jsonl"))]


class Partials:
    """The ids so far of unfinished candidates.

    Args:
        journal: where to write them.
        earlier: the files of interrupted races; the journal's own may be among them.
        key_of: rows with another record key do not count.
    """

    def __init__(self, journal: JournalWriter, earlier: Iterable[Path], key_of: KeyOf) -> None:
        self._journal = journal
        self._earlier = [*earlier]
        self._key_of = key_of
        self.ids = {Key(*name): ids for name, ids in merge_partials(self._earlier, key_of).items()}
        """By candidate; at first as interrupted races left them."""

    def read_again(self) -> None:
        """Take in what interrupted races left of candidates whose record keys are known by now."""
        found = merge_partials(self._earlier, self._key_of)
        self.ids = {Key(*name): ids for name, ids in found.items()} | self.ids

    def write(self, key: Key, ids: tuple[int, ...]) -> None:
        """Write what a candidate has decoded since the last call."""
        known = self.ids.get(key, ())
        start = len(known) if ids[: len(known)] == known else 0
        if len(ids) > start:
            record_key = self._key_of(key) or ""
            stretch = PartialRow(record_key, key.prompt_id, key.index, start, ids[start:])
            self._journal.append(row_of(stretch))
            self.ids[key] = ids

    def settle(self, key: Key) -> None:
        """Forget a candidate that is in the completions now."""
        self.ids.pop(key, None)

    def remove(self, earlier: Iterable[Path] = ()) -> None:
        """Delete the journal and ``earlier`` files: the race is over, and nothing is unfinished."""
        self._journal.close()
        for path in (self._journal.path, *earlier):
            if path:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Write everything to disk and close the journal."""
        self._journal.close()
