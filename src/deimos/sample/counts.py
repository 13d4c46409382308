"""Counts of a pool of candidates while it is being sampled, and as it stands at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
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
    proposers: dict[tuple[str, int], str] = field(default_factory=dict)
    """By prompt id and index: the name of the proposer, if the recipe names any."""
    by_teachers: Counter[str] = field(default_factory=Counter)
    """Tokens that teachers decoded, by the name of the proposer."""
    passed: int = 0
    outpaced: int = 0

    def add(self, c: Completion, tokens: int | None = None) -> None:
        """Count a candidate; what was counted of it before no longer counts.

        Args:
            c: as it is now.
            tokens: decoded for it; None: its own.
        """
        decoded = len(c.completion_ids) if tokens is None else tokens
        if self.job.recipe.sample.proposers:
            self.proposers[c.prompt_id, c.index] = c.proposer
        ok = c.verdict.ok if c.verdict else None
        before = self.rows.get((c.prompt_id, c.index), ("", 0, None))
        self.rows[c.prompt_id, c.index] = c.finish, decoded, ok
        self.passed += (ok is True) - (before[2] is True)
        self.outpaced += (c.finish == "outpaced") - (before[0] == "outpaced")
        note = f"{self.passed} passed, {self.outpaced} outpaced"
        self.job.progress(self.label, len(self.rows), self.total, note)

    def summary(self) -> dict[str, Any]:
        """The counts for the stage's record."""
        rows = list(self.rows.values())
        by_proposer = self._by_proposer()
        return {
            "completions": len(rows),
            "decoded_tokens": sum(tokens for _, tokens, _ in rows),
            "outpaced": self.outpaced,
            "passed": self.passed,
            "unjudged": sum(ok is None and finish != "outpaced" for finish, _, ok in rows),
            **({"proposers": by_proposer} if by_proposer else {}),
        }

    def _by_proposer(self) -> dict[str, dict[str, int]]:
        """Candidates, passes and tokens of each proposer of the recipe, in its order."""
        names = [proposer.name for proposer in self.job.recipe.sample.proposers or []]
        found: dict[str, Counter[str]] = {name: Counter() for name in names}
        for name, proposer in self.proposers.items():
            finish, tokens, ok = self.rows[name]
            found[proposer].update(
                candidates=1,
                passed=ok is True,
                outpaced=finish == "outpaced",
                decoded_tokens=tokens,
            )
        keys = ("candidates", "passed", "outpaced", "decoded_tokens")
        return {
            name: {**{key: counts[key] for key in keys}, "teacher_tokens": self.by_teachers[name]}
            for name, counts in found.items()
        }


def add_counts(total: dict[str, Any], counts: Mapping[str, Any]) -> None:
    """Add the counts of a part to those of the whole, nested ones too."""
    for key, value in counts.items():
        if isinstance(value, Mapping):
            add_counts(total.setdefault(key, {}), value)
        else:
            total[key] = total.get(key, 0) + value
