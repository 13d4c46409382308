"""``report.html``: one file that needs nothing else, not even a network.

Everything a model, a task or a recipe wrote goes through the template engine's escaping; only
the drawings of ``figures.py`` (which escape for themselves) are put in as they are. The page has
no script, and its content security policy forbids any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from deimos import __version__
from deimos.lab.traces import LEVELS
from deimos.report import (
    baselines,
    charts,
    decoding_labels,
    figures,
    formatting,
    headline,
    incidents,
    routing,
    side_by_side,
    unfair,
)
from deimos.report.chain import chain_section
from deimos.report.charts import name_task
from deimos.report.markdown import show_hidden
from deimos.report.metrics import accuracy_metrics, efficiency_metrics, split_section
from deimos.report.rejects import Rejects, count_by_stage, proposers_section
from deimos.report.results import RunResults
from deimos.report.summary import environment, sample_counts
from deimos.report.sweep import sweep_section
from deimos.store.schema import AnyRow, Row

TEMPLATES = Path(__file__).parent / "templates"
MEANINGS = {
    "structure": "thought not closed, reopened, or no answer",
    "correctness": "the answer is wrong",
    "presentation": "not a clean answer for its reader",
    "length": "passed, but another of its prompt was kept, or by a quota",
}
NOT_COUNTED = ("engine", "seconds")
"""Shown elsewhere: the engine's diagnostics, and the stage's time, of which this is one attempt's part."""


@dataclass(frozen=True)
class ResultLine:
    """One row of the results table, as text."""

    task: str
    n: str
    accuracy: str
    delta: str
    delta_parts: str
    delta_note: str
    mark: Markup
    think: str
    think_change: str
    total: str
    total_change: str
    seconds: str
    cut: tuple[tuple[str, str], ...]
    """Unfinished shares, each with its config where the row mixes two."""
    config: str
    origin: Mapping[str, str]
    """Each number's config, where the row mixes two."""


@dataclass(frozen=True)
class SettingResults:
    """The rows of one setting."""

    setting: str
    meaning: str
    budget: str
    lines: tuple[ResultLine, ...]
    unfair: tuple[str, ...] = ()
    """Which of these comparisons favour one side, and why."""


def templates() -> Environment:
    """The template engine: escaping on for HTML, undefined names are errors."""
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(enabled_extensions=("html.j2",)),
        finalize=_show_hidden,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    forms = (
        formatting.number,
        formatting.percent,
        formatting.points,
        formatting.change,
        formatting.seconds,
        formatting.plural,
        formatting.null_reasons,
        formatting.second_opinions,
    )
    env.filters.update({form.__name__: form for form in forms})
    return env


def _show_hidden(value: Any) -> Any:
    """Text as it is put in: nothing in it that no reader can see; drawings stay as they are."""
    return show_hidden(value) if type(value) is str else value


def page(run: RunResults, tally: Rejects, made: AnyRow) -> str:
    """Render the report; ``made`` is what ``describe_making`` found."""
    config = headline.length_config(run)
    return (
        templates()
        .get_template("report.html.j2")
        .render(
            run=run,
            recipe=run.recipe,
            recipe_yaml=recipe_yaml(run),
            headline=headline.headline(run),
            groups=groups(run),
            mixed=decoding_labels.MIXED,
            by_config=list_by_config(run),
            routing=routing.table(run),
            routed=routing.routed_section(run),
            lengths=charts.length_figures(run, config) if config else [],
            length_config=decoding_labels.CONFIGS.get(config or "", config),
            curves=charts.curve_figures(run),
            closed_thoughts=any("think_budget" in row for row in run.curve),
            sweep=sweep_section(run),
            chain=chain_section(run),
            proposers=proposers_section(run),
            efficiency=efficiency_metrics(run),
            accuracy=accuracy_metrics(run),
            splits=split_section(run),
            pairs=side_by_side.show_pairs(run, config) if config else [],
            rule=side_by_side.RULE,
            rejects=tally,
            stages=count_by_stage(tally),
            sample=sample_counts(run),
            environment=flatten(environment(run)),
            made=made,
            meanings=MEANINGS,
            lab_levels=LEVELS,
            commands=commands(run),
            version=__version__,
            not_measured=formatting.NOT_MEASURED,
        )
    )


def commands(run: RunResults) -> list[str]:
    """What to type to make this run again, from the recipe it left."""
    return [
        f"pip install 'deimos-llm[all]=={__version__}'   # or: pip install -e '.[all]' in a clone",
        f"deimos run recipe.yaml --out runs/{run.name}-again",
        f"deimos status runs/{run.name}-again",
    ]


def describe_making(run: RunResults) -> Row:
    """How the tuned model was made: stages with counts and seconds, training, versions."""
    return {
        "stages": [
            {
                "name": stage,
                "folder": run.folders[stage].name,
                "seconds": record.get("seconds"),
                "counts": _counts_text(
                    {k: v for k, v in run.counts(stage).items() if k not in NOT_COUNTED}
                ),
            }
            for stage, record in run.records.items()
            if record
        ],
        "training": run.counts("train"),
        "sampling_incidents": incidents.sampling_incidents(run),
        "benchmark_incidents": incidents.benchmark_incidents(run),
        "contamination": contamination(run),
        "sources": [s.source for s in run.recipe.prompts.sources],
        "licences": run.artifacts.licences(),
    }


def contamination(run: RunResults) -> list[str]:
    """What is known of test problems among the training prompts, one sentence each."""
    bench, sentences = run.counts("bench"), []
    if run.recipe.allow_contamination:
        sentences.append("This run was allowed to tune or train on what it reports.")
    if bench.get("contaminated") is None:
        sentences.append(f"The same problem in training and test: {formatting.NOT_MEASURED}.")
    else:
        sentences.append(
            f"{formatting.number(bench['contaminated'])} of {formatting.plural(bench['problems'], 'test problem')} "
            "stand among the training or dev prompts (same content, or same words)."
        )
    found = run.counts("prompts").get("decontamination")
    if found is None:
        return [*sentences, f"Near-duplicates (shared runs of words): {formatting.NOT_MEASURED}."]
    settings = run.recipe.prompts.decontaminate
    rules = [f"{formatting.number(n)} by {rule}" for rule, n in found["by_rule"].items()]
    fate = "kept" if run.recipe.allow_contamination else "dropped"
    sentences.append(
        f"Overlap with one of {formatting.plural(found['tests'], 'test problem')} (the same words, "
        f"{settings.ngram} or {settings.short_ngram} words in a row, near-duplicates): "
        f"{formatting.plural(found['overlaps'], 'prompt')} {fate}{': ' if rules else ''}"
        f"{formatting.join_names(rules)}."
    )
    if found["unchecked"]:
        sentences.append(f"Not compared with: {found['unchecked']}.")
    return sentences


def groups(run: RunResults) -> list[SettingResults]:
    """The results table: one group a setting, its pooled row first."""
    found = []
    for setting in (s for s in headline.SETTINGS if any(r["setting"] == s for r in run.compare)):
        own = [row for row in run.compare if row["setting"] == setting]
        models = list(dict.fromkeys([baselines.BASE, *map(baselines.name_compared, own)]))
        own.sort(key=lambda row: (models.index(baselines.name_compared(row)), row["task"] != "all"))
        budgets = {r["budget"] for r in run.bench if r["setting"] == setting}
        found.append(
            SettingResults(
                setting,
                headline.SETTINGS[setting],
                formatting.join_names([formatting.number(b) for b in sorted(budgets)])
                or formatting.NOT_MEASURED,
                tuple(_line(run, row, _reach(run.compare)) for row in own),
                _unfair(run, baselines.select_against_base(own)),
            )
        )
    return found


def _unfair(run: RunResults, own: Sequence[AnyRow]) -> tuple[str, ...]:
    picks = [(row, headline.pick(run, row)) for row in own]
    return unfair.list_unfair([(name_task(row), row, at.base, at.tuned) for row, at in picks])


def _reach(compare: Sequence[AnyRow]) -> float:
    """One scale for all interval marks: the farthest end outside ``tight``, which is far away."""
    ends = [row.get("accuracy_delta_ci") or [] for row in compare if row["setting"] != "tight"]
    return max([abs(end) for ci in ends for end in ci if end is not None] or [0.1])


def list_by_config(run: RunResults) -> list[Row]:
    """Bench rows at both configs in full, for the table behind the headline."""
    keep = [row for row in run.by_config if "accuracy" in row]
    return [
        {
            "place": f"{row['setting']} · {name_task(row)}",
            "model": row["model"],
            "config": decoding_labels.shorten_config(row),
            "n": formatting.number(row["n"]),
            "accuracy": _with_ci(formatting.percent(row["accuracy"], 1), row.get("accuracy_ci")),
            "think": formatting.number(row.get("think_tokens_median")),
            "answer": formatting.number(row.get("answer_tokens_median")),
            "cut": formatting.percent(headline.share_unfinished(row), 1),
            "empty": formatting.percent(row.get("empty_think"), 1),
        }
        for row in keep
    ]


def recipe_yaml(run: RunResults) -> str:
    """The recipe as it was run, every default written out."""
    return yaml.safe_dump(run.recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def flatten(value: Any, under: str = "") -> list[tuple[str, str]]:
    """Nested settings as dotted names and text values."""
    if isinstance(value, dict):
        return [
            pair for k, v in value.items() for pair in flatten(v, f"{under}.{k}" if under else k)
        ]
    return [(under, formatting.NOT_MEASURED if value is None else str(value))]


def _line(run: RunResults, row: AnyRow, reach: float) -> ResultLine:
    at = headline.pick(run, row)
    ci, delta = row.get("accuracy_delta_ci"), row.get("accuracy_delta")
    fits = ci and None not in ci and max(map(abs, ci)) <= reach
    return ResultLine(
        task=name_task(row) + _against(row),
        n=formatting.number(row["n"]),
        accuracy=_both(
            *(
                _with_ci(formatting.in_percent(side.get("accuracy")), side.get("accuracy_ci"))
                for side in (at.base, at.tuned)
            )
        ),
        delta=f"{formatting.points(delta)} {formatting.interval(ci, formatting.points)}",
        delta_parts=_parts(row),
        delta_note=_delta_note(row),
        mark=figures.interval_mark(delta, ci, reach) if fits else Markup(""),
        think=_arrow(at, "think_tokens_median", formatting.number),
        think_change=_changed(row, "think_tokens_reduction"),
        total=_arrow(at, "total_tokens_median", formatting.number),
        total_change=_changed(row, "total_tokens_reduction"),
        seconds=_arrow(at, "seconds_per_problem", formatting.seconds),
        cut=tuple(_cut(run, at)),
        config=decoding_labels.shorten_config(row),
        origin=decoding_labels.origins(row),
    )


def _against(row: AnyRow) -> str:
    other = baselines.name_compared(row)
    return "" if other == baselines.BASE else f", against {baselines.name_of(other)}"


def _delta_note(row: AnyRow) -> str:
    """What a difference does not show, and whether the tuned model beats what it stands against."""
    unknown = row.get("accuracy_delta") is None
    shown = unknown or not formatting.includes_zero(row.get("accuracy_delta_ci"))
    result = baselines.RESULTS.get(row.get("result", ""), "")
    parts = [
        "" if shown else headline.describe_null_result(row),
        f"the tuned model {result} it" if result else "",
    ]
    return "; ".join(filter(None, parts))


def _cut(run: RunResults, at: headline.Pick) -> Iterator[tuple[str, str]]:
    """The unfinished share; that of the lengths too, where they come from another config."""
    origin, sides = decoding_labels.origins(at.compare), (at.base, at.tuned)
    yield _unfinished(sides), origin.get("finished", "")
    of_lengths = origin.get("think_tokens")
    if of_lengths and of_lengths != origin.get("finished"):
        own = [decoding_labels.put_own_finished(run.by_config, side) for side in sides]
        yield _unfinished(own), f"{of_lengths}, as the think tokens"


def _unfinished(sides: Sequence[AnyRow]) -> str:
    return _both(*(formatting.percent(headline.share_unfinished(side), 1) for side in sides))


def _parts(row: AnyRow) -> str:
    """How much of the difference is finishing in time, and how much reasoning."""
    parts = row.get("finished_more"), row.get("reasoned_better")
    if None in parts:
        return ""
    return f"finishing {formatting.points(parts[0])}, reasoning {formatting.points(parts[1])}"


def _changed(row: AnyRow, name: str) -> str:
    ci = row.get(f"{name}_ci")
    text = f"{formatting.change(row.get(name))} {formatting.change_interval(ci)}"
    return text + (" not shown" if ci is not None and formatting.includes_zero(ci) else "")


def _arrow(at: headline.Pick, name: str, form: Callable[[Any], str]) -> str:
    return _both(form(at.base.get(name)), form(at.tuned.get(name)))


def _both(base: str, tuned: str) -> str:
    return base if base == tuned == formatting.NOT_MEASURED else f"{base} → {tuned}"


def _with_ci(text: str, ci: formatting.Bounds) -> str:
    return f"{text} {formatting.interval(ci, formatting.in_percent)}".strip()


def _counts_text(counts: AnyRow, under: str = "") -> str:
    parts = []
    for name, value in counts.items():
        label = f"{under}{name}".replace("_", " ")
        if isinstance(value, dict):
            parts.append(_counts_text(value, f"{label}: "))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            whole = isinstance(value, int) or abs(value) >= 1000
            parts.append(f"{label} {formatting.number(value) if whole else f'{value:.3g}'}")
        elif value is not None:
            parts.append(f"{label} {value}")
    return ", ".join(filter(None, parts))
