"""Rows of ``bench.jsonl`` and ``compare.jsonl`` from outcomes. No I/O, no model.

Field names are a contract. Everything is a fraction; deltas are tuned - base; reductions are
1 - tuned / base. Lengths are over all problems, right or wrong; ``budget`` and ``finished`` stand
beside them. Accuracy leaves out what could not be judged (``unjudged`` says how many samples);
``second`` says on which share of the math answers two simpler checks differ from the verdict.

``config`` names a row's decoding, and ``decoding`` gives its sampler values. ``equal`` and ``tight``
are run at several decodings, and each number of their one row is the least flattering one's: both
then map each part of the row to where its numbers come from. What each decoding gave in full is in
``by_config``.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from deimos.bench.second_accuracy import second_accuracy, second_accuracy_delta
from deimos.bench.suites import MODELS, SHIPS, TIMED, ArmName
from deimos.bench.task_metrics import metric_deltas, metric_values
from deimos.evaluate import stats
from deimos.evaluate.at_k import NAMES as AT_K
from deimos.evaluate.at_k import at_k_deltas, at_k_part
from deimos.evaluate.metrics import bench_metrics, compare_metrics
from deimos.evaluate.outcomes import Outcome, as_list, fractions_right, group_by_problem
from deimos.graders.second import count_differences
from deimos.store.schema import Row

ACCURACY = (
    "n",
    "accuracy_delta",
    "accuracy_delta_ci",
    "finished_more",
    "reasoned_better",
    "smallest_detectable",
    "metric_deltas",
)
THINK = ("think_tokens_reduction", "think_tokens_reduction_ci", "think_tokens_medians")
TOTAL = ("total_tokens_reduction", "total_tokens_reduction_ci", "total_tokens_medians")
COMPARE_GROUPS = {
    "accuracy": ("accuracy_delta", ACCURACY),
    "think_tokens": ("think_tokens_reduction", THINK),
    "total_tokens": ("total_tokens_reduction", TOTAL),
    "tokens_per_correct": (
        "tokens_per_correct_reduction",
        ("tokens_per_correct_reduction", "tokens_per_correct_reduction_ci"),
    ),
    "auc_oaa": ("auc_oaa_delta", ("auc_oaa_delta", "auc_oaa_delta_ci")),
    "ock_score": ("ock_score_delta", ("ock_score_delta", "ock_score_delta_ci")),
    "at_k": (
        "avg_at_k_delta",
        ("k", "k_n", *(f"{name}_delta{end}" for name in AT_K for end in ("", "_ci"))),
    ),
}
"""Of each choice of decoding, the number that it is made by, and a compare row's numbers that go with it."""
BENCH_GROUPS = {
    "at_k": ("k", "k_n", *(f"{name}{end}" for name in AT_K for end in ("", "_ci"))),
    "accuracy": (
        "repeats",
        "n",
        "unjudged",
        "second",
        "accuracy",
        "accuracy_ci",
        "finished",
        "metrics",
    ),
    "judges": ("second_accuracy",),
    "think_tokens": ("think_tokens_median", "think_tokens_median_ci", "empty_think", "baseline"),
    "total_tokens": (
        "total_tokens_median",
        "total_tokens_median_ci",
        "answer_tokens_median",
        "answer_tokens_median_ci",
        "chars_median",
    ),
    **{name: (name, f"{name}_ci") for name in ("tokens_per_correct", "auc_oaa", "ock_score")},
}
"""Which of a bench row's numbers go with which choice of decoding."""


@dataclass(frozen=True)
class Slice:
    """The part of a bench that a row is about."""

    setting: str
    thinking: bool | None
    task: str
    budget: int
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Model to mean seconds per problem; absent: not measured."""
    seed: int = 0
    seconds_ci: Sequence[float] | None = None
    """Of the reduction in seconds, over the timed problems."""
    timed: int = 0
    """How many problems were timed."""
    decodings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Sampler values by decoding name."""


def pair_up(
    base: Sequence[Outcome], tuned: Sequence[Outcome]
) -> Iterator[tuple[list[Outcome], list[Outcome]]]:
    """The judged samples of each problem on both sides, of problems that both sides have some of.

    Raises:
        PairingError: the two sides don't hold the same problems.
    """
    b, t = group_by_problem(base), group_by_problem(tuned)
    stats.check_pairing(list(b), list(t))
    for problem in b:
        judged = [[o for o in side[problem] if o.ok is not None] for side in (b, t)]
        if judged[0] and judged[1]:
            yield judged[0], judged[1]


def bench_row(outcomes: Sequence[Outcome], arm: ArmName, where: Slice) -> Row:
    """One model at one decoding."""
    fractions = list(fractions_right(outcomes).values())
    judged = sum(o.ok is not None for o in outcomes)
    value, ci = stats.accuracy(fractions, judged / max(len(fractions), 1))
    empty = [o.empty_think for o in outcomes if o.empty_think is not None]
    problems = len(group_by_problem(outcomes))
    medians = {
        f"{name}_median_ci": as_list(stats.median(side, problems).ci)
        for name in ("think_tokens", "answer_tokens", "total_tokens")
        for side in _clustered(outcomes, (), name)[:1]
    }
    return {
        "model": arm.model,
        "setting": where.setting,
        "thinking": where.thinking,
        "budget": where.budget,
        "repeats": max((len(g) for g in group_by_problem(outcomes).values()), default=0),
        "task": where.task,
        "n": len(fractions),
        "accuracy": value,
        "accuracy_ci": as_list(ci),
        "think_tokens_median": _median([o.think_tokens for o in outcomes]),
        "answer_tokens_median": _median([o.answer_tokens for o in outcomes]),
        "total_tokens_median": _median([o.total_tokens for o in outcomes]),
        "chars_median": _median([o.chars for o in outcomes]),
        "finished": _mean([o.finish == "stop" for o in outcomes]),
        "empty_think": _mean(empty),
        "seconds_per_problem": where.seconds.get(arm.model),
        **medians,
        "unjudged": len(outcomes) - judged,
        "second": count_differences((o.ok, o.second) for o in outcomes),
        "second_accuracy": second_accuracy(outcomes),
        **_named("metrics", metric_values(outcomes)),
        **bench_metrics(outcomes),
        **at_k_part(outcomes),
        "config": arm.config,
        "decoding": where.decodings.get(arm.config),
    }


def _named(name: str, value: Row | None) -> Row:
    """A field that only rows of lm-eval's tasks have."""
    return {} if value is None else {name: value}


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if len(values) else None


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def compare_row(
    base: Sequence[Outcome], tuned: Sequence[Outcome], config: str | None, where: Slice
) -> Row:
    """Tuned against base on the same problems.

    Args:
        base: the base's outcomes.
        tuned: the tuned model's.
        config: both sides' decoding; None if they differ, as in ``ship``.
        where: the slice.
    """
    lengths = {
        name: stats.median_reduction(
            *_clustered(base, tuned, name), len(group_by_problem(base)), seed=where.seed
        )
        for name in ("think_tokens", "total_tokens")
    }
    return {
        "setting": where.setting,
        "against": "base",
        "thinking": where.thinking,
        "task": where.task,
        **accuracy_part(base, tuned),
        "second_accuracy_delta": second_accuracy_delta(base, tuned),
        **_named("metric_deltas", metric_deltas(base, tuned)),
        **{k: v for name, e in lengths.items()
           for k, v in ((f"{name}_reduction", e.value), (f"{name}_reduction_ci", as_list(e.ci)))},
        **{f"{name}_medians": [_median([getattr(o, name) for o in side]) for side in (base, tuned)]
           for name in lengths},
        **compare_metrics(list(pair_up(base, tuned))),
        **at_k_deltas(base, tuned),
        "seconds_reduction": _reduction(where.seconds),
        "seconds_reduction_ci": where.seconds_ci and [*where.seconds_ci],
        "timed": where.timed,
        "budget": where.budget,
        "config": config,
    }  # fmt: skip


def accuracy_part(base: Sequence[Outcome], tuned: Sequence[Outcome]) -> Row:
    """The paired accuracy difference, and how much of it is finishing and how much reasoning.

    With repeats every base sample of a problem is paired with every tuned one, each problem
    weighing the same; ``finished_more + reasoned_better == accuracy_delta``.
    """
    matched = list(pair_up(base, tuned))
    sides = [np.array([np.mean([bool(o.ok) for o in pair[s]]) for pair in matched]) for s in (0, 1)]
    each = max(sum(len(pair[s]) for pair in matched) for s in (0, 1)) / max(len(matched), 1)
    delta = stats.accuracy_delta(sides[0], sides[1], samples_each=each)
    parts = np.array([_parts(b, t) for b, t in matched]).reshape(-1, 2)
    return {
        "n": len(matched),
        "accuracy_delta": delta.value,
        "accuracy_delta_ci": as_list(delta.ci),
        "finished_more": _mean(parts[:, 0].tolist()),
        "reasoned_better": _mean(parts[:, 1].tolist()),
        "smallest_detectable": stats.smallest_detectable(sides[1] - sides[0]),
    }


def _parts(base: Sequence[Outcome], tuned: Sequence[Outcome]) -> tuple[float, float]:
    """A problem's share of the difference over pairs whose finish differs, and over the rest."""
    differing = same = 0
    for b in base:
        for t in tuned:
            gain = bool(t.ok) - bool(b.ok)
            differing, same = (
                (differing + gain, same) if b.finish != t.finish else (differing, same + gain)
            )
    every = len(base) * len(tuned)
    return differing / every, same / every


def _clustered(
    base: Sequence[Outcome], tuned: Sequence[Outcome], name: str
) -> tuple[stats.Clustered, stats.Clustered]:
    number = {problem: i for i, problem in enumerate(group_by_problem(base))}

    def one(side: Sequence[Outcome]) -> stats.Clustered:
        values = np.array([getattr(o, name) for o in side], float)
        return stats.Clustered(values, np.array([number[o.problem] for o in side], np.int64))

    return one(base), one(tuned)


def _reduction(seconds: Mapping[str, float]) -> float | None:
    base, tuned = seconds.get("base"), seconds.get("tuned")
    return 1 - tuned / base if base and tuned is not None else None


def pick_least_flattering(rows: Mapping[str, Row]) -> Row:
    """One compare row of several decodings': each number, with its interval, from where it is worst.

    A decoding at which the base's median length is 0 counts too: as no reduction if the tuned
    model's is 0 as well, and else as worse than any. Its number is null, its medians say why.
    """
    merged = dict(next(iter(rows.values())))
    chosen: dict[str, str] = {}
    for name, (by, fields) in COMPARE_GROUPS.items():
        worth = {config: _flattery(row, by) for config, row in rows.items() if by in row}
        known = {config: value for config, value in worth.items() if value is not None}
        if not worth:
            continue
        chosen[name] = min(known or worth, key=lambda c: known.get(c, 0.0))
        merged |= {f: rows[chosen[name]][f] for f in fields if f in rows[chosen[name]]}
    judged = {c: row.get("second_accuracy_delta") for c, row in rows.items()}
    if known := {c: found for c, found in judged.items() if found}:
        # Of mathematics alone: what is worst over all tasks need not be worst there.
        chosen["judges"] = min(known, key=lambda c: known[c]["ours"]["accuracy_delta"])
        merged["second_accuracy_delta"] = known[chosen["judges"]]
    if "aes" in merged:
        by_set = zip(*([each | {"config": c} for each in row["aes"]] for c, row in rows.items()))
        merged["aes"] = [_lowest(scores) for scores in by_set]
    return merged | {"config": chosen}


def _flattery(row: Row, by: str) -> float | None:
    """What a row's number is worth to the tuned model; None: it says nothing."""
    if row[by] is not None:
        return row[by]
    base, tuned = row.get(by.replace("_reduction", "_medians")) or (None, None)
    if base == 0 and tuned is not None:
        return -math.inf if tuned > 0 else 0.0
    lost = by == "tokens_per_correct_reduction" and (row["accuracy_delta"] or 0) < 0
    return -math.inf if lost else None  # the tuned model has nothing right


def _lowest(scores: Sequence[Row]) -> Row:
    known = [score for score in scores if score["value"] is not None]
    return min(known, key=lambda score: score["value"]) if known else scores[0]


def merge_chosen(rows: Mapping[str, Row], chosen: Mapping[str, str]) -> Row:
    """One bench row of several decodings', its numbers from where the compare row's come."""
    merged = dict(next(iter(rows.values())))
    for name, fields in BENCH_GROUPS.items():
        row = rows[chosen.get(name, chosen["accuracy"])]
        merged |= {f: row[f] for f in fields if f in row}
    decoding = {part: rows[name].get("decoding") for part, name in chosen.items()}
    return merged | {"config": dict(chosen), "decoding": decoding}


class Tables(NamedTuple):
    """What the stage writes."""

    bench: list[Row]
    compare: list[Row]
    by_config: list[Row]


def tabulate_ship(samples: Mapping[ArmName, Sequence[Outcome]], where: Slice) -> Tables:
    """Each model at the decoding that it ships with.

    A model that ships with another decoding than the timed one has no seconds here, and then there
    is no reduction in seconds.
    """
    own = {model: samples[ArmName(model, SHIPS[model])] for model in MODELS}
    seconds = {m: s for m, s in where.seconds.items() if SHIPS[m] == TIMED}
    where = replace(where, seconds=seconds, seconds_ci=None, timed=0)
    rows = []
    for model in MODELS:
        shipped = (where.decodings.get(SHIPS[model]) or {}).get("max_tokens", where.budget)
        arm, at = ArmName(model, SHIPS[model]), replace(where, budget=shipped)
        rows.append(bench_row(own[model], arm, at))
    return Tables(rows, [compare_row(own["base"], own["tuned"], None, where)], [])


def tabulate_all(samples: Mapping[ArmName, Sequence[Outcome]], where: Slice) -> Tables:
    """Both models at the same decoding, at each decoding; the headline row is the least flattering."""
    names = list(dict.fromkeys(arm.config for arm in samples))
    rows = {m: {c: bench_row(samples[ArmName(m, c)], ArmName(m, c), where) for c in names}
            for m in MODELS}  # fmt: skip
    compared = {
        c: compare_row(samples[ArmName("base", c)], samples[ArmName("tuned", c)], c, where)
        for c in names
    }
    headline = pick_least_flattering(compared)
    bench = [merge_chosen(rows[m], headline["config"]) for m in MODELS]
    full = [rows[m][c] for m in MODELS for c in names]
    return Tables(bench, [headline], [*full, *compared.values()])


def select_slice(
    samples: Mapping[ArmName, Sequence[Outcome]], thinking: bool | None, tasks: Collection[str]
) -> dict[ArmName, list[Outcome]]:
    """The outcomes of some tasks with the same thinking switch."""
    return {
        arm: [o for o in outcomes if o.thinking is thinking and o.task in tasks]
        for arm, outcomes in samples.items()
    }
