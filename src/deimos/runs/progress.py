"""Saying how far something is: a bar on a terminal, now and then a plain line elsewhere.

Quiet for the first two seconds, so that what is quick stays quiet. Nothing here decides anything.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, TextIO

QUIET_SECONDS = 2.0
LINE_EVERY_SECONDS = 10.0


@dataclass
class _Track:
    since: float
    said: float | None = None
    task: Any = None
    finished: bool = False


class ProgressBar:
    """Call it with a label and how far that is; a context manager.

    Args:
        stream: where to write; standard error unless given.
        clock: seconds, monotonic.
    """

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._tracks: dict[str, _Track] = {}
        self._bar: Any = None

    def __call__(self, label: str, done: int, total: int | None, note: str = "") -> None:
        """Say that ``done`` of ``total`` (None: unknown) are through; cheap to call often."""
        now = self._clock()
        track = self._tracks.setdefault(label, _Track(now))
        if track.finished or now - track.since < QUIET_SECONDS:
            return
        track.finished = total is not None and done >= total
        if self._stream.isatty():
            self._draw(label, track, done, total, note)
        elif track.finished or track.said is None or now - track.said >= LINE_EVERY_SECONDS:
            track.said = now
            self._say(label, now - track.since, done, total, note)

    def close(self) -> None:
        """Take the bar off the screen's last line; harmless where there is none."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _say(self, label: str, seconds: float, done: int, total: int | None, note: str) -> None:
        of = f"/{total} ({done / total:.0%})" if total else ""
        more = f" · {note}" if note else ""
        print(f"{label}: {done}{of} · {seconds:.0f} s{more}", file=self._stream, flush=True)

    def _draw(self, label: str, track: _Track, done: int, total: int | None, note: str) -> None:
        if self._bar is None:
            self._bar = _rich_bar(self._stream)
            self._bar.start()
        if track.task is None:
            track.task = self._bar.add_task(label, total=total, note="")
        self._bar.update(track.task, completed=done, total=total, note=note)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


def _rich_bar(stream: TextIO) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(file=stream),
    )
