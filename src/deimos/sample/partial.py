"""What interrupted candidates had decoded: their ids, a stretch a row, to be gone on from.

``partial.jsonl`` grows while the race runs and is removed when it is over: by then every candidate
stands in ``completions/``. Rows: ``key prompt_id index start ids``. Not covered: engines that can't
go on from given ids (their candidates start again).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from deimos.engines.base import Key
from deimos.journal import Journal, read

FILE = "partial.jsonl"
KeyOf = Callable[[Key], str | None]
"""The record key that a candidate must have; None: no such candidate is wanted."""


class Partials:
    """The ids so far of a sample folder's unfinished candidates; a context manager.

    Args:
        folder: the sample stage's.
        key_of: rows whose record key differs are left alone.
    """

    def __init__(self, folder: Path, key_of: KeyOf) -> None:
        self._path = folder / FILE
        self._key_of = key_of
        self._journal = Journal(self._path)
        self.ids = self._read()
        """By candidate, as an interrupted race left them."""

    def write(self, key: Key, ids: tuple[int, ...]) -> None:
        """Note what a candidate has decoded by now."""
        known = self.ids.get(key, ())
        start = len(known) if ids[: len(known)] == known else 0
        if len(ids) > start:
            self._journal.append(
                {
                    "key": self._key_of(key),
                    "prompt_id": key.prompt_id,
                    "index": key.index,
                    "start": start,
                    "ids": ids[start:],
                }
            )
            self.ids[key] = ids

    def settle(self, key: Key) -> None:
        """The candidate stands in the completions now."""
        self.ids.pop(key, None)

    def remove(self) -> None:
        """The race is over: nothing is unfinished."""
        self._journal.close()
        self._path.unlink()

    def _read(self) -> dict[Key, tuple[int, ...]]:
        found: dict[Key, tuple[int, ...]] = {}
        for row in read(self._path):
            key = Key(row["prompt_id"], row["index"])
            known = found.get(key, ())
            # A stretch behind a damaged row does not join on.
            if row["start"] <= len(known) and row["key"] == self._key_of(key):
                found[key] = known[: row["start"]] + tuple(row["ids"])
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._journal.close()
