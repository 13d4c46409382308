"""Counts of a pool of candidates while it is being sampled, and as it stands at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from deimos.runs.plan import StageJob
from deimos.types import Completion


@dataclass
class PoolCounts:
    """Counts over candidates as they are now, whichever attempt decoded them; shows progress."""

    job: StageJob
    label: str
    total: int
    rows: dict[tuple[str, int], tuple[str, int, bool | None]] = field(default_factory=dict)
    """By prompt id and index: finish, tokens and verdict."""
    passed: int = 0
    outpaced: int = 0

    def add(self, c: Completion) -> None:
        """Count a candidate; what was counted of it before no longer counts."""
        ok = c.verdict.ok if c.verdict else None
        before = self.rows.get((c.prompt_id, c.index), ("", 0, None))
        self.rows[c.prompt_id, c.index] = c.finish, len(c.completion_ids), ok
        self.passed += (ok is True) - (before[2] is True)
        self.outpaced += (c.finish == "outpaced") - (before[0] == "outpaced")
        note = f"{self.passed} passed, {self.outpaced} outpaced"
        self.job.progress(self.label, len(self.rows), self.total, note)

    def summary(self) -> dict[str, Any]:
        """The counts for the stage's record."""
        rows = list(self.rows.values())
        return {
            "completions": len(rows),
            "decoded_tokens": sum(tokens for _, tokens, _ in rows),
            "outpaced": self.outpaced,
            "passed": self.passed,
            "unjudged": sum(ok is None and finish != "outpaced" for finish, _, ok in rows),
        }
