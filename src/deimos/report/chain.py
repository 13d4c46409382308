"""The chain of rounds: what each run on the way to this one gained, and all of them together.

A run that starts from another (``model.run``) is the round after it. Rounds are read from their own run
folders; each compares with its own base, and the last tuned model also with the first base, on the
problems that both benchmarks asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deimos.evaluate import stats
from deimos.recipe import Recipe
from deimos.report import formatting
from deimos.report.charts import ReportSection, TextTable
from deimos.report.results import RunResults
from deimos.runs.artifacts import ArtifactError, Artifacts, SampleFacts, load_run
from deimos.runs.folder import RunFolder
from deimos.store.schema import AnyRow, Row

LOCKED = "locked"
COLUMNS = (
    "round", "run", "golds", "dev: n", "accuracy, dev", "tokens, dev", "test: n", "accuracy, test",
    "tokens, test (median)", "then",
)  # fmt: skip


@dataclass(frozen=True)
class Round:
    """One run of a chain."""

    name: str
    recipe: Recipe
    artifacts: Artifacts


def chain_section(run: RunResults) -> ReportSection:
    """The chain that this run ends; nothing if it neither starts from a run nor measured its gain."""
    rounds, lost = find_rounds(run)
    if len(rounds) == 1 and not lost and not rounds[0].artifacts.gain():
        return ReportSection(())
    rows = [_row(at, each) for at, each in enumerate(rounds, 1)]
    sentences = [
        "Every round starts from what the one before has trained, and compares with that; differences "
        "on dev prompts decide whether another round follows.",
        *([f"Earlier rounds cannot be read: {lost}."] if lost else []),
        *_overall(rounds),
    ]
    return ReportSection(tuple(sentences), (TextTable("Rounds", COLUMNS, rows),))


def find_rounds(run: RunResults) -> tuple[list[Round], str]:
    """The runs of the chain, the first one first, and why earlier ones cannot be read, if so."""
    rounds = [Round(run.name, run.recipe, run.artifacts)]
    seen: set[Path] = set()
    while (before := rounds[0].recipe.model.run) is not None:
        path = Path(before)
        if path.resolve() in seen:
            return rounds, f"{before} starts from itself"
        seen.add(path.resolve())
        try:
            recipe = RunFolder.open(path).settings()[0]
            rounds.insert(0, Round(recipe.name, recipe, load_run(path)))
        except (ArtifactError, ValueError) as e:
            return rounds, str(e)
    return rounds, ""


def _row(at: int, each: Round) -> tuple[str, ...]:
    gain, golds = each.artifacts.gain(), each.artifacts.record("select").get("counts", {})
    dev: AnyRow = gain.get("compare", {})
    bench = {r["model"]: r for r in each.artifacts.bench() if _is_whole(r)}
    test: Row = next(({**r} for r in each.artifacts.compare() if _is_whole(r)), {})
    medians = [bench.get(model, {}).get("total_tokens_median") for model in ("base", "tuned")]
    return (
        str(at),
        each.name,
        formatting.number(golds.get("gold")),
        formatting.number(dev.get("n")),
        _delta(dev),
        _saved(dev),
        formatting.number(test.get("n")),
        _delta(test),
        f"{formatting.number(medians[0])} → {formatting.number(medians[1])}, {_saved(test)}",
        gain.get("because") or formatting.NOT_MEASURED,
    )


def _is_whole(row: AnyRow) -> bool:
    """The pooled row at the equal budget, against the base."""
    return (row["setting"], row["task"], row.get("against", "base")) == ("equal", "all", "base")


def _delta(row: AnyRow) -> str:
    ci = row.get("accuracy_delta_ci")
    return f"{formatting.points(row.get('accuracy_delta'))} {formatting.interval(ci, formatting.points)}".strip()


def _saved(row: AnyRow) -> str:
    ci = row.get("total_tokens_reduction_ci")
    return f"{formatting.change(row.get('total_tokens_reduction'))} {formatting.change_interval(ci)}".strip()


def _overall(rounds: list[Round]) -> Iterator[str]:
    """The last tuned model against the first base, on the problems that both were asked."""
    if len(rounds) < 2:
        return
    first, last = (
        {(f.task, f.prompt_id): f for f in each.artifacts.sample_facts() if _counts(f, model)}
        for each, model in ((rounds[0], "base"), (rounds[-1], "tuned"))
    )
    both = sorted(first.keys() & last.keys())
    if not both:
        yield f"The whole chain, last tuned model against first base: {formatting.NOT_MEASURED}."
        return
    sides = [[each[name] for name in both] for each in (first, last)]
    delta = stats.accuracy_delta(*([float(bool(f.ok)) for f in side] for side in sides))
    base, tuned = (
        stats.Clustered(
            np.array([f.total_tokens for f in side], float), np.arange(len(side), dtype=np.int64)
        )
        for side in sides
    )
    saved = stats.median_reduction(base, tuned, len(both))
    yield (
        f"The whole chain, last tuned model against first base, at the locked config on the same "
        f"{formatting.number(len(both))} test problems: accuracy {formatting.points(delta.value)} points "
        f"{formatting.interval(delta.ci and [*delta.ci], formatting.points)} "
        f"({_mean(sides[0]):.1%} → {_mean(sides[1]):.1%}), total tokens "
        f"{formatting.change(saved.value)} {formatting.change_interval(saved.ci and [*saved.ci])}."
    )


def _counts(facts: SampleFacts, model: str) -> bool:
    right_model = facts.model == model and facts.config == LOCKED
    return right_model and facts.index == 0 and facts.ok is not None


def _mean(side: list[SampleFacts]) -> float:
    return sum(bool(f.ok) for f in side) / len(side)
