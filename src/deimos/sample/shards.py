"""Shards of the prompts, and the files of one shard in a sample folder.

A shard is some consecutive prompts of ``train.jsonl``, determined by the file alone, so with another
number of actors, or a driver started again, its files are found by name. An attempt at a shard has
files of its own, claimed by creating them, so each has one writer even if several actors are given
the same shard:

    completions/00000_000012_001.jsonl      filters 00000, shard 12, second attempt
    partial/000012_001.jsonl                what that attempt had not finished

The folder must be on storage that all nodes share. If its file locks work, an actor that takes over
a shard waits until an earlier writer has ended; if they don't, an earlier writer that is cut off but
alive may decode the same candidates, and then the first ended row of each counts.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deimos.runs.artifacts import prompts_in
from deimos.store.candidates import read_filters
from deimos.store.journal import Journal
from deimos.store.locks import is_locked
from deimos.store.names import COMPLETIONS, PARTIAL_FOLDER, STEPS_FOLDER
from deimos.types import Prompt

ZOMBIE_SECONDS = 60.0
"""How long to wait for a writer that should have ended."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shard:
    """Some consecutive prompts of a file."""

    number: int
    start: int
    stop: int
    """Bytes of the file."""
    prompts: int

    def read(self, path: Path) -> list[Prompt]:
        """The prompts."""
        with path.open("rb") as file:
            file.seek(self.start)
            return prompts_in(file.read(self.stop - self.start).decode().split("\n"))


def shard_size(prompts: int) -> int:
    """Prompts in a shard: small enough to spread and to repeat, large enough that files stay few.

    A quarter of the square root: 7 of 640, 250 of a million, 2,500 of a hundred million.
    """
    return max(1, math.isqrt(prompts) // 4)


def count_prompts(path: Path) -> int:
    """Prompts in a file, which is read once and not kept."""
    with path.open("rb") as lines:
        return sum(1 for line in lines if line.strip())


def split_shards(path: Path, size: int) -> Iterator[Shard]:
    """The file's shards in order, found while iterating."""
    number = start = stop = prompts = 0
    with path.open("rb") as lines:
        for line in lines:
            stop += len(line)
            prompts += bool(line.strip())
            if prompts == size:
                yield Shard(number, start, stop, prompts)
                number, start, prompts = number + 1, stop, 0
    if prompts:
        yield Shard(number, start, stop, prompts)


@dataclass(frozen=True, slots=True)
class ShardFiles:
    """The files of one shard: those of earlier attempts, and those of a new one."""

    folder: Path
    """The sample stage's."""
    number: int

    def completions(self) -> list[Path]:
        """Segments of earlier attempts in the order in which they count."""
        names = (self._segment(filters) for filters in sorted(read_filters(self.folder)))
        return [path for name in names for path in itertools.takewhile(Path.exists, name)]

    def partials(self) -> list[Path]:
        """Ids of the candidates that earlier attempts did not finish."""
        return sorted((self.folder / PARTIAL_FOLDER).glob(f"{self.number:06}_*.jsonl"))

    def steps(self) -> list[Path]:
        """Steps of earlier attempts to candidates that are made of others."""
        return sorted((self.folder / STEPS_FOLDER).glob(f"{self.number:06}_*.jsonl"))

    def new_steps(self) -> Segment:
        """A journal of this attempt's steps."""
        return Segment(self._attempts(STEPS_FOLDER))

    def new_completions(self, filters: str) -> Segment:
        """A journal of this attempt's completions."""
        return Segment(self._segment(filters))

    def new_partial(self) -> Segment:
        """A journal of ids of candidates that this attempt has not finished."""
        return Segment(self._attempts(PARTIAL_FOLDER))

    def _segment(self, filters: str) -> Iterator[Path]:
        stem = f"{filters}_{self.number:06}"
        return (self.folder / COMPLETIONS / f"{stem}_{n:03}.jsonl" for n in itertools.count())

    def _attempts(self, folder: str) -> Iterator[Path]:
        stem = f"{self.number:06}"
        return (self.folder / folder / f"{stem}_{n:03}.jsonl" for n in itertools.count())


class Segment:
    """A journal that creates its file with its first record: an attempt that adds nothing leaves none.

    Args:
        names: names to try; the first one that does not exist is taken.
    """

    def __init__(self, names: Iterator[Path]) -> None:
        self._names = names
        self._journal: Journal | None = None

    @property
    def path(self) -> Path | None:
        """The file; None before the first record."""
        return self._journal.path if self._journal else None

    def append(self, row: Mapping[str, Any]) -> None:
        """Add one record; see ``Journal.append``."""
        self._journal = self._journal or Journal(_claimed(self._names))
        self._journal.append(row)

    def close(self) -> None:
        """Flush and close the file."""
        if self._journal:
            self._journal.close()


def _claimed(names: Iterator[Path]) -> Path:
    for path in names:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644))
        except FileExistsError:
            continue
        return path
    raise AssertionError("names never end")


async def wait_until_closed(paths: Iterable[Path], seconds: float = ZOMBIE_SECONDS) -> None:
    """Wait until no process has these journals open for writing; give up after ``seconds``."""
    deadline = time.monotonic() + seconds
    for path in paths:
        while is_locked(path):
            if time.monotonic() > deadline:
                _log.warning("%s is still being written after %g s", path, seconds)
                return
            await asyncio.sleep(0.1)
