"""What journals say now: the one rule by which later rows of an item count against earlier ones.

Journals only grow, so a completion that went on decoding, was decoded by two processes, or was
judged again has several rows; and rows of another rendering of its prompt, or of another config,
may stand in the same file. The rule:

1. A row counts only if its record key is the wanted one. If no key is known (a run of before keys
   were written down), rows of different keys are still never merged with one another: the key
   that appeared last counts.
2. The first row that says how an item ended settles its tokens. A later row counts only as another
   verdict on the same text; one that could not be judged does not replace a verdict of the same
   filters.
3. A later row of an item that has not ended goes on from it, and counts.
4. An engine's error holds no result: it never replaces a row.

Damaged lines are skipped and counted. Files are given in the order in which they count; rows are
read one at a time, and what is held of each is for the reader to choose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from deimos.store.journal import read
from deimos.store.schema import (
    PartialRow,
    Row,
    RowError,
    Timed,
    completion_from,
    timing_from,
    value_of,
)
from deimos.types import Completion

ENDED = frozenset({"stop", "length", "malformed"})
"""Finishes that no more decoding changes."""
Name = tuple[str, int]
"""Prompt id and index."""
KeyOf = Callable[[Name], str | None]
"""The record key that an item's rows must have; None: no such item is wanted."""
T = TypeVar("T")
K = TypeVar("K")


class RowState(NamedTuple):
    """What the rule looks at in a row."""

    finish: str
    text: object
    """The text, or a hash of it if texts are not held."""
    ok: bool | None
    """None: not judged, or could not be."""
    filters: str = ""
    """Name of the set of filters that judged it."""


class Keyed(NamedTuple):
    """A row of a journal with its record key."""

    name: Name
    key: str
    row: Row
    path: Path


@dataclass
class Skipped:
    """Rows that did not count."""

    damaged: int = 0
    """Lines whose length or checksum does not match."""
    other_keys: int = 0
    """Rows with another record key than the wanted one."""


def counts_now(old: RowState, new: RowState) -> bool:
    """Whether a later row of the same key takes the place of an earlier one."""
    if new.finish == "error":
        return False
    if old.finish not in ENDED:
        return True
    if (old.finish, old.text) != (new.finish, new.text):
        return False
    return new.ok is not None or old.ok is None or old.filters != new.filters


def state_of(completion: Completion) -> RowState:
    """The state of a completion whose verdicts are all of the same filters."""
    ok = completion.verdict.ok if completion.verdict else None
    return RowState(completion.finish, completion.text, ok)


def keyed_rows(
    files: Iterable[Path], wanted: KeyOf | None = None, skipped: Skipped | None = None
) -> Iterator[Keyed]:
    """The rows of journals whose record key is the wanted one, in order.

    Args:
        files: in the order in which they count.
        wanted: None: keys are not known, and every row is given.
        skipped: counts what is left out.

    Raises:
        RowError: a row without ``prompt_id`` or ``index``.
    """
    skipped = skipped or Skipped()

    def note(path: Path, number: int) -> None:
        skipped.damaged += 1

    for path in files:
        for row in read(path, on_damage=note):
            try:
                name = row["prompt_id"], row["index"]
            except KeyError as e:
                raise RowError(f"{path} has a row without {e}") from e
            key = row.get("key", "")
            if wanted is not None:
                expected = wanted(name)
                if expected is None or expected != key:
                    skipped.other_keys += 1
                    continue
                key = expected  # the same text in one place of memory
            yield Keyed(name, key, row, path)


def merge(
    rows: Iterable[tuple[K, T]], state: Callable[[T], RowState], onto: Mapping[K, T] | None = None
) -> dict[K, T]:
    """Fold rows by the rule above.

    Args:
        rows: what names an item, and what is held of a row of it, in order. Rows of different
            record keys must have different names.
        state: what the rule looks at in a row.
        onto: the outcome for rows before these.

    Returns:
        What is held of the row that counts, in order of first appearance.
    """
    found = dict(onto or {})
    for name, new in rows:
        old = found.get(name)
        if old is None or counts_now(state(old), state(new)):
            found[name] = new
    return found


def merge_keyed(
    rows: Iterable[tuple[Name, str, T]], state: Callable[[T], RowState], *, keys_known: bool
) -> dict[Name, T]:
    """Fold rows with their record keys: only wanted ones, or, if those are not known, any."""
    if keys_known:
        return merge(((name, new) for name, _, new in rows), state)
    return last_keys(merge((((name, key), new) for name, key, new in rows), state))


def last_keys(found: Mapping[tuple[Name, str], T]) -> dict[Name, T]:
    """One value a name: that of the key that appeared last, if a name has several."""
    return {name: value for (name, _), value in found.items()}


def merge_files(
    files: Iterable[Path],
    make: Callable[[Keyed], T],
    state: Callable[[T], RowState],
    *,
    wanted: KeyOf | None = None,
    skipped: Skipped | None = None,
) -> dict[Name, T]:
    """What some journals say now, by prompt id and index, in order of first appearance.

    Args:
        files: in the order in which they count.
        make: what is held of a row.
        state: what the rule looks at in it.
        wanted: see ``KeyOf``; None: not known.
        skipped: counts the rows that are left out.
    """
    rows = ((row.name, row.key, make(row)) for row in keyed_rows(files, wanted, skipped))
    return merge_keyed(rows, state, keys_known=wanted is not None)


def merge_partials(files: Iterable[Path], wanted: KeyOf) -> dict[Name, tuple[int, ...]]:
    """The ids so far of unfinished candidates; a stretch behind a damaged row does not join on."""
    found: dict[Name, tuple[int, ...]] = {}
    for name, _, row, path in keyed_rows(files, wanted):
        stretch, known = value_of(PartialRow, row, path), found.get(name, ())
        if stretch.start <= len(known):
            found[name] = known[: stretch.start] + stretch.ids
    return found


def merge_timing(path: Path, wanted: Callable[[Timed], bool] = lambda timed: True) -> list[Timed]:
    """The timed requests of ``timing.jsonl``, the first of each problem and model.

    Args:
        path: the journal.
        wanted: whether a request's record key is one that counts.
    """
    found: dict[tuple[str, str], Timed] = {}
    for row in read(path):
        for timed in timing_from(row, path):
            if wanted(timed):
                found.setdefault((timed.prompt_id, timed.model), timed)
    return list(found.values())


def merge_completions(files: Iterable[Path], wanted: KeyOf) -> dict[Name, Completion]:
    """The completions of journals whose verdicts are all of the same filters."""
    return merge_files(
        files, lambda row: completion_from(row.row, row.path), state_of, wanted=wanted
    )
