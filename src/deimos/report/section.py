"""A part of report and card that is the same in both: sentences, tables of text, charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deimos.report.charts import Figure


@dataclass(frozen=True)
class TextTable:
    """A table of text; no cell is markup."""

    title: str
    """Empty if the section's own says it."""
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    folded: bool = False
    """In the report it is shown only when asked for; the card leaves it to the report."""


@dataclass(frozen=True)
class ReportSection:
    """What one part of a run has to show."""

    sentences: tuple[str, ...]
    """Before the tables; what was not measured says so here."""
    tables: tuple[TextTable, ...] = ()
    figures: tuple[Figure, ...] = ()
    """Of the report; the card has none."""
