"""The few sentences everything hangs on: what the model does now, and how sure that is.

Pure: benchmark rows in, wording out. The report and the card say the same because both ask here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from deimos.report.records import Row, Run
from deimos.report.words import (
    NOT_MEASURED,
    change,
    change_interval,
    includes_zero,
    interval,
    listed,
    number,
    percent,
    points,
    seconds,
    with_unit,
)

SETTINGS = {
    "ship": "each model as it would be shipped: the base at its recommended sampler, the tuned "
    "model at the locked config",
    "equal": "both models at the same ample budget, at both configs; each number is the less "
    "flattering of the two",
    "tight": "both models cut at the base's 25th-percentile length on dev; each number is the "
    "less flattering of the two configs",
}
CONFIGS = {"recommended": "the base's recommended sampler", "locked": "the locked config"}
_DETECTS = 2.8016 / 1.9600
"""(z.975 + z.80) / z.975: half an interval times this is found four times in five."""


@dataclass(frozen=True)
class Measure:
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

    compare: Row
    base: Row
    tuned: Row


@dataclass(frozen=True)
class Headline:
    """The top of the report."""

    sentence: str
    basis: str
    measures: tuple[Measure, ...]


def pick(run: Run, row: Row) -> Pick:
    """A compare row with the two bench rows behind it (empty where one is missing)."""
    return Pick(row, *(_side(run, row, model) for model in ("base", "tuned")))


def headline_pick(run: Run) -> Pick | None:
    """The comparison the headline stands on, all tasks: ``equal``, else ``ship``, else ``tight``."""
    for setting in ("equal", "ship", "tight"):
        if row := _pooled(run.compare, setting):
            return pick(run, row)
    return None


def headline(run: Run) -> Headline:
    """Say what the tuned model does now, in one sentence and three numbers."""
    at = headline_pick(run)
    if at is None:
        return Headline(f"{run.name}: {NOT_MEASURED}", "No benchmark has run yet.", ())
    thinking, accuracy = thinking_measure(run, at), accuracy_measure(at)
    return Headline(
        f"{_thinks(run, at)}{_answers(at)}",
        basis(at),
        (thinking, accuracy, seconds_measure(run, at)),
    )


def basis(at: Pick) -> str:
    """Setting, n, budget and which config the numbers come from, in one sentence."""
    row = at.compare
    budget = at.base.get("budget")
    parts = [f"Setting {row['setting']}", f"n = {number(row['n'])}"]
    if budget is not None:
        parts.append(f"budget {number(budget)} tokens for both")
    return ", ".join(parts) + config_clause(row) + "."


def config_clause(row: Row) -> str:
    """Which config the numbers of a compare row are taken from, as the end of a sentence."""
    taken = configs_named(row)
    if not taken or row["setting"] == "ship":
        return ""
    if len(set(taken.values())) == 1:
        name = next(iter(taken.values()))
        return f"; numbers from {CONFIGS.get(name, name)}, the less flattering of the two"
    each = [f"{parts} from {CONFIGS.get(name, name)}" for name, parts in _by_config(taken)]
    return f"; each number from the less flattering of the two configs: {'; '.join(each)}"


def configs_named(row: Row) -> dict[str, str]:
    """Each number's config, by a readable name of the number; empty where none is recorded."""
    config = row.get("config") or {}
    if isinstance(config, str):
        return {"every number": config}
    return {part.replace("_", " "): name for part, name in config.items()}


def config_words(row: Row) -> str:
    """The config of a row's numbers, as short as it can be said."""
    taken = configs_named(row)
    if len(set(taken.values())) <= 1:
        return next(iter(taken.values()), "")
    return ", ".join(f"{name} ({parts})" for name, parts in _by_config(taken))


def _by_config(taken: Mapping[str, str]) -> list[tuple[str, str]]:
    """Each config once, with the numbers that come from it."""
    names = dict.fromkeys(taken.values())
    return [(name, listed([part for part in taken if taken[part] == name])) for name in names]


def thinking_measure(run: Run, at: Pick) -> Measure:
    """Think tokens: change, interval, medians, budget and truncation."""
    row = at.compare
    ci = row.get("think_tokens_reduction_ci")
    medians = (
        f"median {number(at.base.get('think_tokens_median'))} → "
        f"{number(at.tuned.get('think_tokens_median'))} tokens"
    )
    return Measure(
        "Tokens written" if run.plain else "Think tokens",
        change(row.get("think_tokens_reduction")),
        change_interval(ci),
        (medians, truncation(at)),
        ci is None or not includes_zero(ci),
    )


def accuracy_measure(at: Pick) -> Measure:
    """Accuracy: difference, interval, both values, n, and what n could show."""
    row = at.compare
    ci = row.get("accuracy_delta_ci")
    values = (
        f"{percent(at.base.get('accuracy'), 1)} → {percent(at.tuned.get('accuracy'), 1)} right, "
        f"n = {number(row['n'])}"
    )
    notes = (values,) if not includes_zero(ci) else (values, f"difference {not_shown(row)}")
    return Measure(
        "Accuracy",
        with_unit(points(row.get("accuracy_delta")), " points"),
        interval(ci, points),
        notes,
        not includes_zero(ci),
    )


def seconds_measure(run: Run, at: Pick) -> Measure:
    """Seconds per problem, timed apart at the locked config."""
    base, tuned = (side.get("seconds_per_problem") for side in (at.base, at.tuned))
    reduction = at.compare.get("seconds_reduction")
    notes: tuple[str, ...] = ()
    if reduction is not None:
        notes = (f"{change(reduction)} against the base's {seconds(base)}", timing(run))
    return Measure("Seconds per problem", seconds(tuned), "", notes, True)


def timing(run: Run) -> str:
    """What the seconds were measured on."""
    timed = run.counts("bench").get("timed_problems")
    return (
        f"{number(timed)} problems timed at the locked config, "
        f"{run.recipe.bench.timing_concurrency} at a time"
    )


def truncation(at: Pick) -> str:
    """Budget and the share unfinished at it, for both models: the small print of every length."""
    base, tuned = (percent(unfinished(side), 1) for side in (at.base, at.tuned))
    return f"budget {number(at.base.get('budget'))}; unfinished {base} → {tuned}"


def unfinished(row: Row) -> float | None:
    """The share of a row's completions that did not end by themselves."""
    return None if row.get("finished") is None else 1 - row["finished"]


def with_own_finish(run: Run, row: Row) -> Row:
    """A bench row whose ``finished`` is that of the config its lengths come from.

    Where the less flattering configs of accuracy and of length differ, the row itself holds the
    accuracy's.
    """
    config = row.get("config")
    name = config.get("think_tokens") if isinstance(config, Mapping) else None
    same = ("model", "setting", "task", "thinking", "budget")
    for full in run.by_config if name else ():
        alike = "accuracy" in full and all(full.get(k) == row.get(k) for k in same)
        if alike and config_words(full) == name:
            return {**row, "finished": full["finished"]}
    return row


def not_shown(row: Row) -> str:
    """Word a null result with the smallest difference this n could show."""
    smallest = detectable(row)
    if smallest is None:
        return "not shown"
    return f"not shown; smallest this n could show: {number(100 * smallest, 1)} points"


def detectable(row: Row) -> float | None:
    """Smallest accuracy difference found with 80% power at this n.

    The benchmark's own figure where its row has one, else from half the interval's width.
    """
    if row.get("smallest_detectable") is not None:
        return row["smallest_detectable"]
    ci = row.get("accuracy_delta_ci")
    return None if ci is None or None in ci else (ci[1] - ci[0]) / 2 * _DETECTS


def configs_of(names: Iterable[str]) -> list[str]:
    """Config names once each, recommended before locked before others."""
    order = ["recommended", "locked"]
    found = set(names)
    return [c for c in order if c in found] + sorted(found - set(order))


def length_config(run: Run) -> str | None:
    """The config whose lengths are drawn: the one the headline's think tokens come from."""
    configs = configs_of(o.config for o in run.outcomes)
    if not configs:
        return None
    at = headline_pick(run)
    named = at.compare.get("config") if at else None
    if isinstance(named, Mapping):
        named = next((c for part, c in named.items() if "think" in part or "token" in part), None)
    return named if named in configs else configs[-1]


def _thinks(run: Run, at: Pick) -> str:
    row = at.compare
    reduction, ci = row.get("think_tokens_reduction"), row.get("think_tokens_reduction_ci")
    if reduction is None:
        return f"Length: {NOT_MEASURED}"
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
        return "; a difference in accuracy is not shown"
    return (
        f", is right {number(abs(100 * delta), 1)} points {'more' if delta > 0 else 'less'} often"
    )


def _side(run: Run, row: Row, model: str) -> Row:
    wanted = {k: row.get(k) for k in ("setting", "task", "thinking")}
    found = next((r for r in run.bench if r["model"] == model and wanted.items() <= r.items()), {})
    return with_own_finish(run, found)


def _pooled(rows: Sequence[Row], setting: str) -> Row | None:
    """The row of all tasks; with thinking on where both on and off were measured."""
    found = [r for r in rows if r["setting"] == setting and r["task"] == "all"]
    return next((r for r in found if r.get("thinking") is not False), next(iter(found), None))
