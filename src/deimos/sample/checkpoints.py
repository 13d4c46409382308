"""What interrupted candidates had decoded: their ids, a stretch a row, to be gone on from.

``partial.jsonl`` (on a cluster ``partial/*.jsonl``) grows while the race runs and is removed when it
is over: by then every candidate stands in ``completions/``. Rows: ``key prompt_id index start ids``.
Not covered: engines that can't go on from given ids (their candidates start again).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from deimos.engines.base import Key
from deimos.store.merge import KeyOf, merge_partials
from deimos.store.names import PARTIAL, PARTIAL_FOLDER
from deimos.store.schema import PartialRow, row_of

FILE = PARTIAL


class Writer(Protocol):
    """What is needed of a ``Journal``."""

    @property
    def path(self) -> Path | None:
        """The file; None while there is none."""
        ...

    def append(self, row: Mapping[str, Any]) -> None:
        """Add one record."""
        ...

    def close(self) -> None:
        """Let the file go."""
        ...


def partial_files(folder: Path) -> list[Path]:
    """What interrupted races left in a sample folder."""
    return [folder / FILE, *sorted((folder / PARTIAL_FOLDER).glob("*.jsonl"))]


class Partials:
    """The ids so far of unfinished candidates; a context manager.

    Args:
        journal: where to note them.
        earlier: files in which interrupted races did; the journal's own may be among them.
        key_of: rows whose record key differs are left alone.
    """

    def __init__(self, journal: Writer, earlier: Iterable[Path], key_of: KeyOf) -> None:
        self._journal = journal
        self._earlier = [*earlier]
        self._key_of = key_of
        self.ids = {Key(*name): ids for name, ids in merge_partials(self._earlier, key_of).items()}
        """By candidate, as an interrupted race left them."""

    def write(self, key: Key, ids: tuple[int, ...]) -> None:
        """Note what a candidate has decoded by now."""
        known = self.ids.get(key, ())
        start = len(known) if ids[: len(known)] == known else 0
        if len(ids) > start:
            record_key = self._key_of(key) or ""
            stretch = PartialRow(record_key, key.prompt_id, key.index, start, ids[start:])
            self._journal.append(row_of(stretch))
            self.ids[key] = ids

    def settle(self, key: Key) -> None:
        """The candidate stands in the completions now."""
        self.ids.pop(key, None)

    def remove(self, earlier: Iterable[Path] = ()) -> None:
        """The race is over: nothing is unfinished, neither here nor in ``earlier`` files of it."""
        self._journal.close()
        for path in (self._journal.path, *earlier):
            if path:
                path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._journal.close()
