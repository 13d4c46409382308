"""The sweep over decodings: what was tried on dev prompts, what was locked, and what it cost.

Every number is one of ``trials.jsonl`` and ``locked.yaml``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from deimos.report import figures
from deimos.report.charts import WIDTHS, Figure, ReportSection, TextTable
from deimos.report.formatting import NOT_MEASURED, in_percent, interval, number, plural, points
from deimos.report.results import RunResults
from deimos.store.schema import AnyRow
from deimos.store.sweep_rows import LockedFile, LockedModel
from deimos.types import Sampling

_ALWAYS = ("temperature", "max_tokens")
"""Named also at their defaults."""
_DEFAULTS = dataclasses.asdict(Sampling())
_PARAMETERS = (*_DEFAULTS, "think_budget")


def sweep_section(run: RunResults) -> ReportSection:
    """The whole sweep: locked configs, the front of accuracy and tokens, every trial."""
    locked = run.artifacts.locked()
    if locked is None:
        return ReportSection((f"Decodings swept on dev prompts: {NOT_MEASURED}.",))
    trials = run.artifacts.trials()
    tables = (_locked_table(locked), _tied_table(locked), _trial_table(trials))
    return ReportSection(
        _sentences(locked), tuple(t for t in tables if t.rows), tuple(_fronts(trials))
    )


def describe_config(config: Mapping[str, Any]) -> str:
    """A config in one line: temperature and max tokens, and what is not at its default."""
    named = [
        f"{name.replace('_', ' ')} {_value(value)}"
        for name in _PARAMETERS
        if (value := config.get(name)) is not None
        and (name in _ALWAYS or value != _DEFAULTS.get(name))
    ]
    return ", ".join(named)


def _sentences(locked: LockedFile) -> tuple[str, ...]:
    price = locked.get("price")
    objective = f"accuracy less {price:g} points for 1,000 tokens" if price else "accuracy"
    return (
        f"Chosen on {plural(locked['items'], 'dev prompt')}, never on test problems, by "
        f"{locked['strategy']} for {objective}: {number(locked['evaluations'])} evaluations of an item "
        "by both models together. Locked is the cheapest config that is not shown to be worse than "
        "the best; `locked.yaml` lists every config tied with it.",
        *(
            f"Not tried: {part.get('parameter')}, {part.get('because')}."
            for part in locked["skipped"]
        ),
    )


def _locked_table(locked: LockedFile) -> TextTable:
    sides: list[tuple[str, LockedModel]] = [("base", locked["base"]), ("tuned", locked["tuned"])]
    rows = [
        (
            model,
            describe_config({**part["decoding"], "think_budget": part["think_budget"]}),
            number(part["n"]),
            _accuracy(part),
            number(part["tokens_mean"], 1),
            number(len(part["tied"])),
        )
        for model, part in sides
    ]
    columns = ("model", "locked config", "n", "accuracy", "tokens, mean", "configs tied")
    return TextTable("Locked", columns, rows)


def _tied_table(locked: LockedFile) -> TextTable:
    rows = [
        (
            model,
            describe_config({name: tied[name] for name in _PARAMETERS if name in tied}),
            number(tied.get("n")),
            _accuracy(tied),
            number(tied.get("tokens_mean"), 1),
            f"{points(tied.get('objective_delta'))} "
            f"{interval(tied.get('objective_delta_ci'), points)}".strip()
            if at
            else "the best",
        )
        for model, part in (("base", locked["base"]), ("tuned", locked["tuned"]))
        for at, tied in enumerate(part["tied"])
    ]
    columns = (
        "model", "config", "n", "accuracy", "tokens, mean", "objective against the best, points"
    )  # fmt: skip
    return TextTable("Tied with the best", columns, rows, folded=True)


def _trial_table(trials: list[Any]) -> TextTable:
    columns = (
        "model", "round", "tried", "config", "items", "accuracy", "tokens, mean", "tokens, median",
        "evidence (e)", "dropped at", "on the front", "because",
    )  # fmt: skip
    rows = [
        (
            row["model"],
            number(row["round"]),
            _tried(row),
            describe_config(row["config"]),
            number(row["items"]),
            _accuracy(row),
            number(row["tokens_mean"], 1),
            number(row["tokens_median"]),
            "–"
            if row["e_value"] is None
            else number(row["e_value"], 0 if row["e_value"] >= 100 else 2),
            "–" if row["dropped_at"] is None else number(row["dropped_at"]),
            "yes" if row["pareto"] else "no",
            row["because"],
        )
        for row in trials
    ]
    return TextTable("Every value that was tried", columns, rows, folded=True)


def _fronts(trials: list[Any]) -> Iterator[Figure]:
    """Accuracy against mean tokens, one chart a model."""
    for model in figures.MODELS:
        own = [
            r
            for r in trials
            if r["model"] == model and None not in (r["accuracy"], r["tokens_mean"])
        ]
        if own:
            drawn = tuple(figures.front(own, model, width) for width in WIDTHS)
            yield Figure(f"{model.capitalize()}: accuracy against tokens on dev", drawn)


def _tried(row: AnyRow) -> str:
    """The parameter and its value; a row of no single parameter is the start, or another strategy's."""
    parameter = row["parameter"].replace("_", " ")
    return f"{parameter} {_value(row['value'])}" if parameter else "–"


def _accuracy(row: AnyRow) -> str:
    text = in_percent(row.get("accuracy"))
    return f"{text} {interval(row.get('accuracy_ci'), in_percent)}".strip()


def _value(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
