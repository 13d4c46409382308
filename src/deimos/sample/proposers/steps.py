"""What was decoded on the way to candidates that are made of others, so that it is decoded once.

``steps.jsonl`` (on a cluster ``steps/*.jsonl``) grows with each rewrite and each answer that was
tried. Run again, the same search asks for the same steps and finds them here; verdicts are not kept,
as other filters may judge.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from deimos.sample.checkpoints import JournalWriter
from deimos.store.journal import read
from deimos.store.names import STEPS, STEPS_FOLDER
from deimos.store.schema import StepRow, row_of, value_of


def step_files(folder: Path) -> list[Path]:
    """The files of steps of a sample folder, in the order in which they count."""
    return [folder / STEPS, *sorted((folder / STEPS_FOLDER).glob("*.jsonl"))]


class Steps:
    """The steps of some prompts' candidates.

    Args:
        journal: where new ones are written.
        earlier: the files of earlier attempts; the journal's own may be among them.
    """

    def __init__(self, journal: JournalWriter, earlier: Iterable[Path]) -> None:
        self._journal = journal
        self._known: dict[str, dict[int, StepRow]] = {}
        for path in earlier:
            for row in read(path):
                step = value_of(StepRow, row, path)
                self._known.setdefault(step.key, {}).setdefault(step.step, step)

    def find(self, key: str, step: int) -> StepRow | None:
        """A step that was decoded already."""
        return self._known.get(key, {}).get(step)

    def write(self, row: StepRow) -> None:
        """Write down a step."""
        self._journal.append(row_of(row))
        self._known.setdefault(row.key, {})[row.step] = row

    def tokens(self, key: str) -> tuple[int, int]:
        """Tokens that the model and the teacher have decoded for a candidate."""
        rows = self._known.get(key, {}).values()
        by_teacher = sum(row.tokens for row in rows if row.by == "teacher")
        return sum(row.tokens for row in rows) - by_teacher, by_teacher

    def close(self) -> None:
        """Write everything to disk and close the journal."""
        self._journal.close()
