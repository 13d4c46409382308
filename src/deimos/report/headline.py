"""The headline: what the tuned model does now, and how sure that is.

Pure: benchmark rows in, wording out. Report and card take it from here, so they agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deimos.report import baselines, decoding_labels, judges, unfair
from deimos.report.formatting import (
    NOT_MEASURED,
    change,
    change_interval,
    in_percent,
    includes_zero,
    interval,
    number,
    percent,
    points,
    seconds,
    with_unit,
)
from deimos.report.results import RunResults
from deimos.store.schema import AnyRow

SETTINGS = {
    "ship": "each model as it would be shipped: the base at its recommended sampler, the tuned "
    "model at the locked config",
    "equal": "both models at the same ample budget, at both configs; each number is the less "
    "flattering of the two",
    "tight": "both models cut at the base's 25th-percentile length on dev; each number is the "
    "less flattering of the two configs",
}
_DETECTS = 2.8016 / 1.9600
"""(z.975 + z.80) / z.975: half an interval times this is found four times in five."""


@dataclass(frozen=True)
class HeadlineNumber:
    """One headline number."""

    label: str
    value: str
    ci: str
    notes: tuple[str, ...]
    shown: bool
    """The interval excludes 0 (always so for a number without one)."""


@dataclass(frozen=True)
class Pick:
    """A compare row with the two bench rows behind it."""

    compare: AnyRow
    base: AnyRow
    tuned: AnyRow


@dataclass(frozen=True)
class Headline:
    """The top of the report."""

    sentence: str
    basis: str
    measures: tuple[HeadlineNumber, ...]
    notes: tuple[str, ...] = ()
    """What a reader has to know before believing it, one sentence each."""


def pick(run: RunResults, row: AnyRow) -> Pick:
    """A compare row with the two bench rows behind it (empty where one is missing)."""
    other = baselines.name_compared(row)
    base, tuned = (_side(run, row, model) for model in (other, "tuned"))
    if other != baselines.BASE:
        tuned = baselines.tuned_side(run.by_config, row, tuned)
    return Pick(row, base, tuned)


def headline_pick(run: RunResults) -> Pick | None:
    """The comparison the headline stands on, all tasks: ``equal``, else ``ship``, else ``tight``."""
    for setting in ("equal", "ship", "tight"):
        if row := _pooled(run.compare, setting):
            return pick(run, row)
    return None


def headline(run: RunResults) -> Headline:
    """Say what the tuned model does now, in one sentence and three numbers."""
    at = headline_pick(run)
    if at is None:
        return Headline(f"{run.name}: {NOT_MEASURED}", "No benchmark has run yet.", ())
    thinking, accuracy = thinking_measure(run, at), accuracy_measure(at)
    others = baselines.rows_of(run.compare, at.compare)
    return Headline(
        f"{_thinks(run, at)}{_answers(at)}{baselines.clause(others)}",
        basis(at),
        (thinking, accuracy, seconds_measure(run, at)),
        headline_notes(run, at) + baselines.sentences(others),
    )


def headline_notes(run: RunResults, at: Pick) -> tuple[str, ...]:
    """What qualifies the headline: each is a sentence, the gravest first."""
    said = unfair.say_unfair(at.compare, at.base, at.tuned)
    sides = (at.base, at.tuned)
    own = [decoding_labels.put_own_finished(run.by_config, side) for side in sides]
    if all(a.get("finished") == b.get("finished") for a, b in zip(sides, own, strict=True)):
        return said
    return said + unfair.say_unfair_lengths(*own)


def basis(at: Pick) -> str:
    """Setting, n, budget and which config the numbers come from, in one sentence."""
    row = at.compare
    budget = at.base.get("budget")
    parts = [f"Setting {row['setting']}", f"n = {number(row['n'])}"]
    if budget is not None:
        parts.append(f"budget {number(budget)} tokens for both")
    return ", ".join(parts) + decoding_labels.clause(row) + "."


def thinking_measure(run: RunResults, at: Pick) -> HeadlineNumber:
    """Think tokens: change, interval, medians, budget and truncation."""
    row = at.compare
    ci = row.get("think_tokens_reduction_ci")
    medians = (
        f"median {number(at.base.get('think_tokens_median'))} → "
        f"{number(at.tuned.get('think_tokens_median'))} tokens"
    )
    unmeasured = judges.explain_no_reduction(row, "think_tokens")
    notes = (medians, unmeasured, truncation(run, at), *_origin(row, "think_tokens"))
    return HeadlineNumber(
        "Tokens written" if run.plain else "Think tokens",
        change(row.get("think_tokens_reduction")),
        change_interval(ci),
        tuple(filter(None, notes)),
        ci is None or not includes_zero(ci),
    )


def accuracy_measure(at: Pick) -> HeadlineNumber:
    """Accuracy: difference, interval, both values, n, and what n could show."""
    row = at.compare
    ci = row.get("accuracy_delta_ci")
    sides = [
        f"{percent(side.get('accuracy'), 1)} {interval(side.get('accuracy_ci'), in_percent)}".strip()
        for side in (at.base, at.tuned)
    ]
    values = f"{' → '.join(sides)} right, n = {number(row['n'])}"
    notes = (
        (values,) if not includes_zero(ci) else (values, f"difference {describe_null_result(row)}")
    )
    notes += _origin(row, "accuracy")
    return HeadlineNumber(
        "Accuracy",
        with_unit(points(row.get("accuracy_delta")), " points"),
        interval(ci, points),
        notes,
        not includes_zero(ci),
    )


def seconds_measure(run: RunResults, at: Pick) -> HeadlineNumber:
    """Seconds per problem, timed apart at the locked config."""
    base, tuned = (side.get("seconds_per_problem") for side in (at.base, at.tuned))
    reduction = at.compare.get("seconds_reduction")
    notes: tuple[str, ...] = ()
    if reduction is not None:
        ci = change_interval(at.compare.get("seconds_reduction_ci"))
        changed = f"{change(reduction)} {ci}".rstrip()
        why = judges.explain_no_seconds_interval(at.compare)
        notes = (f"{changed} against the base's {seconds(base)}", why, timing(run))
        notes = tuple(filter(None, notes))
    return HeadlineNumber("Seconds per problem", seconds(tuned), "", notes, True)


def timing(run: RunResults) -> str:
    """What the seconds were measured on."""
    timed = run.counts("bench").get("timed_problems")
    return (
        f"{number(timed)} problems timed at the locked config, "
        f"{run.recipe.bench.timing_concurrency} at a time"
    )


def truncation(run: RunResults, at: Pick) -> str:
    """Budget and the share unfinished at it, for both models: the small print of every length."""
    sides = (decoding_labels.put_own_finished(run.by_config, side) for side in (at.base, at.tuned))
    base, tuned = (percent(share_unfinished(side), 1) for side in sides)
    return f"budget {number(at.base.get('budget'))}; unfinished {base} → {tuned}"


def share_unfinished(row: AnyRow) -> float | None:
    """The share of a row's completions that did not end by themselves."""
    return None if row.get("finished") is None else 1 - row["finished"]


def describe_null_result(row: AnyRow) -> str:
    """Word a null result with the smallest difference this n could show."""
    smallest = find_detectable(row)
    if smallest is None:
        return "not shown"
    return f"not shown; smallest this n could show: {number(100 * smallest, 1)} points"


def find_detectable(row: AnyRow) -> float | None:
    """Smallest accuracy difference found with 80% power at this n.

    The benchmark's own figure where its row has one, else from half the interval's width.
    """
    if row.get("smallest_detectable") is not None:
        return row["smallest_detectable"]
    ci = row.get("accuracy_delta_ci")
    return None if ci is None or None in ci else (ci[1] - ci[0]) / 2 * _DETECTS


def length_config(run: RunResults) -> str | None:
    """The config whose lengths are drawn: the one the headline's think tokens come from."""
    found = decoding_labels.order_configs(o.config for o in run.outcomes)
    if not found:
        return None
    at = headline_pick(run)
    named = at.compare.get("config") if at else None
    if isinstance(named, Mapping):
        named = next((c for part, c in named.items() if "think" in part or "token" in part), None)
    return named if named in found else found[-1]


def _origin(row: AnyRow, number: str) -> tuple[str, ...]:
    """Where a headline number comes from, where they come from different configs."""
    name = decoding_labels.origins(row).get(number)
    return (f"from {decoding_labels.CONFIGS.get(name, name)}",) if name else ()


def _thinks(run: RunResults, at: Pick) -> str:
    row = at.compare
    reduction, ci = row.get("think_tokens_reduction"), row.get("think_tokens_reduction_ci")
    if reduction is None:
        return f"Length: {judges.explain_no_reduction(row, 'think_tokens') or NOT_MEASURED}"
    if includes_zero(ci):
        return f"No shorter {'writing' if run.plain else 'thinking'} shown"
    verb = "Writes" if run.plain else "Thinks"
    return f"{verb} {percent(abs(reduction))} {'less' if reduction > 0 else 'more'}"


def _answers(at: Pick) -> str:
    row = at.compare
    delta, ci = row.get("accuracy_delta"), row.get("accuracy_delta_ci")
    if delta is None:
        return f"; accuracy: {NOT_MEASURED}"
    if includes_zero(ci):
        return f"; a difference in accuracy is not shown{judges.compare_judges(row)}"
    more = "more" if delta > 0 else "less"
    said = f", is right {number(abs(100 * delta), 1)} points {more} often"
    return said + judges.compare_judges(row)


def _side(run: RunResults, row: AnyRow, model: str) -> AnyRow:
    wanted = {k: row.get(k) for k in ("setting", "task", "thinking")}
    return next((r for r in run.bench if r["model"] == model and wanted.items() <= r.items()), {})


def _pooled(rows: Sequence[AnyRow], setting: str) -> AnyRow | None:
    """The row of all tasks; with thinking on where both on and off were measured."""
    own = baselines.select_against_base(rows)
    found = [r for r in own if r["setting"] == setting and r["task"] == "all"]
    return next((r for r in found if r.get("thinking") is not False), next(iter(found), None))
