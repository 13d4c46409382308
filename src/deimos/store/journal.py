"""An append-only log of JSON records that survives being killed, and writing files whole.

A journal is JSONL with one writer; each line ends with ``bytes`` and ``crc32``, length and checksum
of the line's JSON without the two. Every append is one write to the operating system (a killed
process loses nothing) and records are synced to disk in groups (a power cut loses at most the last
quarter of a second). What a crash tore off is cut into a ``*.quarantine`` file on the next open; a
line whose length or checksum does not match is skipped and reported. No keys are known here: where
a key was written twice, it is the reader's business which record counts. Not for network file
systems (``deimos doctor`` names a folder that lies on one).
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from deimos.store.locks import Locked, take_lock

GROUP_RECORDS = 64
GROUP_SECONDS = 0.25
"""Appends are synced together: after this many, or this long after the first of them."""
SEAL = frozenset({"bytes", "crc32"})
"""Keys that the journal puts behind a row's own."""

_TAIL = re.compile(rb',"bytes":(\d+),"crc32":"([0-9a-f]{8})"\}$')
_log = logging.getLogger(__name__)


class JournalError(RuntimeError):
    """The journal cannot be written; the message says why."""


class Journal:
    """The one writer of a journal file; a context manager.

    Args:
        path: the file; it and its folder are made where they don't exist.

    Raises:
        JournalError: another process is writing this file.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._broken = ""
        self._pending = 0
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            take_lock(self._fd)
            self._end = _cut_torn_tail(self._fd, path)
            _sync_folder(path.parent)
        except Locked as e:
            os.close(self._fd)
            raise JournalError(f"{path} is being written by another process") from e
        except BaseException:
            os.close(self._fd)
            raise

    def append(self, row: Mapping[str, Any]) -> None:
        """Add one record; it is on disk ``GROUP_SECONDS`` later at the latest, or after ``flush``.

        Raises:
            ValueError: the row is empty, has one of the ``SEAL`` keys or holds what JSON cannot
                (NaN too).
            JournalError: this write or an earlier sync failed (a full disk); nothing of the
                record stays behind.
        """
        line = encode(row)
        with self._lock:
            if self._broken:
                raise JournalError(self._broken)
            try:
                _write_all(self._fd, line)
            except OSError as e:
                self._undo(e)
                raise JournalError(f"cannot write {self.path}: {e.strerror}") from e
            self._end += len(line)
            self._pending += 1
            if self._pending >= GROUP_RECORDS:
                self._sync()
            elif self._timer is None:
                self._timer = threading.Timer(GROUP_SECONDS, self._sync_late)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Wait until every record so far is on disk.

        Raises:
            JournalError: the disk did not take them.
        """
        with self._lock:
            self._sync()

    def close(self) -> None:
        """Flush and let the file go; closing twice does nothing."""
        with self._lock:
            if self._fd < 0:
                return
            try:
                if not self._broken:
                    self._sync()
            finally:
                os.close(self._fd)
                self._fd = -1

    def _sync(self) -> None:
        """Sync what is pending; the lock is held."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if not self._pending:
            return
        try:
            os.fdatasync(self._fd)
        except OSError as e:
            # The kernel may have dropped the pages: syncing again would only seem to succeed.
            self._broken = f"{self.path}: syncing to disk failed ({e.strerror}); re-run to resume"
            raise JournalError(self._broken) from e
        self._pending = 0

    def _sync_late(self) -> None:
        """A group's time is up; a failure is raised by the next call."""
        with self._lock, contextlib.suppress(JournalError):
            if self._fd >= 0:
                self._sync()

    def _undo(self, cause: OSError) -> None:
        """Drop a half-written record, so that the next one does not stick to it."""
        try:
            os.ftruncate(self._fd, self._end)
        except OSError:
            self._broken = f"{self.path}: a write failed half-way ({cause.strerror})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


def encode(row: Mapping[str, Any]) -> bytes:
    """The line of a row, length, checksum and newline included.

    ASCII only: no line separator of Unicode's and no lone surrogate can trouble a reader.
    """
    if not row or not SEAL.isdisjoint(row):
        raise ValueError(f"a journal row must not be empty nor have a key of {sorted(SEAL)}")
    body = _dumps(row)
    return b'%s,"bytes":%d,"crc32":"%08x"}\n' % (body[:-1], len(body), zlib.crc32(body))


def decode(line: bytes) -> dict[str, Any] | None:
    """The row of a line (without its newline), or None where length or checksum don't match."""
    body = _body(line)
    return None if body is None else json.loads(body)


def _body(line: bytes) -> bytes | None:
    """A line's JSON without its seal, or None where that does not match."""
    tail = _TAIL.search(line, max(0, len(line) - 64))
    if not tail:
        return None
    body = line[: tail.start()] + b"}"
    sound = len(body) == int(tail.group(1)) and zlib.crc32(body) == int(tail.group(2), 16)
    return body if sound else None


class Health(NamedTuple):
    """What a journal file holds."""

    records: int
    damaged: int
    """Whole lines whose length or checksum does not match."""
    quarantined: int
    """Bytes that crashes tore off, kept in the ``*.quarantine`` file beside it."""


def health(path: Path) -> Health | None:
    """Count a file's records without parsing them; None where it is no journal."""
    records = damaged = 0
    with path.open("rb") as file:
        for line in file:
            if _body(line.rstrip(b"\n")) is not None:
                records += 1
            elif line.endswith(b"\n"):
                damaged += 1
    if not records:
        return None
    beside = _quarantine(path)
    return Health(records, damaged, beside.stat().st_size if beside.exists() else 0)


def read(
    where: Path, on_damage: Callable[[Path, int], None] | None = None
) -> Iterator[dict[str, Any]]:
    """All valid rows of a journal, or of every ``*.jsonl`` of a folder in order of name.

    Damaged lines are skipped and logged with their number (``health`` counts them). An unfinished
    last line is not damage: somebody may be writing it. A missing file or folder has no rows.

    Args:
        where: a file or a folder.
        on_damage: called with file and line number of each damaged line, after it was logged.
    """
    for path in sorted(where.glob("*.jsonl")) if where.is_dir() else [where]:
        if path.exists():
            yield from _read_file(path, on_damage)


def _read_file(
    path: Path, on_damage: Callable[[Path, int], None] | None
) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            row = decode(line[:-1])
            if row is None:
                _log.warning("%s line %d is damaged and was skipped", path, number)
                if on_damage:
                    on_damage(path, number)
            else:
                yield row


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all, also across a power cut.

    Raises:
        JournalError: it cannot be written (a full disk, a read-only folder).
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    data = content.encode() if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with beside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as e:
        raise JournalError(f"cannot write {path}: {e.strerror}") from e


def sweep(folder: Path) -> None:
    """Remove what killed processes left of ``write_atomic`` in a folder."""
    for left in folder.glob(".*.tmp"):
        if left.is_file():
            left.unlink(missing_ok=True)


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write a finished JSONL file (plain lines, no checksums) whole; returns how many rows."""
    lines = [_dumps(row) + b"\n" for row in rows]
    write_atomic(path, b"".join(lines))
    return len(lines)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a finished JSONL file.

    Raises:
        ValueError: a line is not a JSON object; names file and line.
    """
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as e:
            raise ValueError(f"{path} line {number} is not JSON: {e}") from e
        if not isinstance(row, dict):
            raise ValueError(f"{path} line {number} must be a JSON object")
        rows.append(row)
    return rows


def _dumps(row: Mapping[str, Any]) -> bytes:
    return json.dumps(dict(row), separators=(",", ":"), allow_nan=False).encode("ascii")


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _cut_torn_tail(fd: int, path: Path) -> int:
    """Move what follows the last newline into the quarantine file; returns the size left."""
    size = os.fstat(fd).st_size
    keep, block = size, 1 << 16
    while keep > 0:
        start = max(0, keep - block)
        newline = os.pread(fd, keep - start, start).rfind(b"\n")
        if newline >= 0:
            keep = start + newline + 1
            break
        keep = start
    if keep == size:
        return size
    quarantine = _quarantine(path)
    with quarantine.open("ab") as file:
        file.write(os.pread(fd, size - keep, keep) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    os.ftruncate(fd, keep)
    os.fsync(fd)
    _log.warning("%s: an unfinished last record was moved to %s", path, quarantine.name)
    return keep


def _quarantine(path: Path) -> Path:
    return path.with_name(path.name + ".quarantine")


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder durable: renaming alone is atomic, not durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
