"""What a part of a report is made of: sentences, tables, and charts, drawn by ``figures.py``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from deimos.report import decoding_labels, figures
from deimos.report.results import RunResults
from deimos.runs.artifacts import SampleFacts
from deimos.store.schema import AnyRow

WIDTHS = (figures.WIDE, figures.NARROW)


@dataclass(frozen=True)
class Figure:
    """A chart in both drawings, wide and narrow."""

    title: str
    drawings: tuple[Markup, ...]


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


def length_figures(run: RunResults, config: str) -> list[Figure]:
    """Think and answer length distributions of base and tuned at one config."""
    own = [o for o in run.outcomes if o.config == config and o.model in figures.MODELS]
    split: dict[str, list[SampleFacts]] = {
        m: [o for o in own if o.model == m] for m in figures.MODELS
    }
    if not all(split.values()):
        return []
    cut = {m: sum(o.finish == "length" for o in os) / len(os) for m, os in split.items()}
    found = []
    both = (("Think tokens", "think_tokens"), ("Answer tokens", "answer_tokens"))
    for title, field in both if not run.plain else (("Tokens written", "think_tokens"),):
        values = {m: [getattr(o, field) for o in os] for m, os in split.items()}
        drawn = tuple(figures.lengths(title.lower(), values, cut, w) for w in WIDTHS)
        found.append(Figure(title, drawn))
    return found


def curve_figures(run: RunResults) -> list[tuple[str, list[Figure]]]:
    """Accuracy against budget: per task, one figure a config; the pooled task first."""
    tight = run.constants.get("dev_total_tokens_p25")
    parts: dict[tuple[str, bool], list[AnyRow]] = {}
    for row in run.curve:
        if row["accuracy"] is not None:
            parts.setdefault((row["task"], row.get("thinking") is False), []).append(row)
    order = sorted(parts, key=lambda part: (part[0] != "all", part[1], part[0]))
    found = []
    for part in order:
        named = []
        for config in decoding_labels.order_configs(row["config"] for row in parts[part]):
            own = [row for row in parts[part] if row["config"] == config]
            title = decoding_labels.CONFIGS.get(config, config)
            cut = [row for row in own if "think_budget" not in row]
            closed = [row for row in own if "think_budget" in row]
            drawn = tuple(figures.budget_curve(cut, tight, title, w, closed) for w in WIDTHS)
            named.append(Figure(title[0].upper() + title[1:], drawn))
        found.append((name_task(parts[part][0]), named))
    return found


def name_task(row: AnyRow) -> str:
    """A row's task for people, and whether thinking was off."""
    name = "all tasks" if row["task"] == "all" else row["task"]
    return name + (", thinking off" if row.get("thinking") is False else "")
