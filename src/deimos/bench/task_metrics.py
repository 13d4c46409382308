"""What every metric of an lm-eval task says, beside the one that decides: strict and flexible, prompt and rule.

A metric gives each answer a number, or a list of them (IFEval's, one a rule); a task's value is
their mean, of lists over all their numbers, as lm-eval aggregates both. An answer that never ended
is 0 by every metric, as it is wrong without asking. Rows that pool tasks have the metrics that all of
those tasks have. Not covered: aggregations that lm-eval's YAML brings as code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from deimos.evaluate import stats
from deimos.evaluate.outcomes import Outcome, as_list, group_by_problem

Means = Mapping[str, tuple[float, float]]
"""By problem: the sum of a metric's numbers, and how many there are, each a mean over samples."""


def metric_values(outcomes: Sequence[Outcome]) -> dict[str, Any] | None:
    """Each metric of one model: ``{metric: {value, value_ci, n}}``; None if the tasks have none.

    Of lists ``n`` counts problems whose number of rules is known: one of their answers was scored.
    """
    found = {}
    for name in _shared_names(outcomes):
        means = _means(outcomes, name)
        estimate = _estimate(list(means.values()))
        found[name] = {
            "value": estimate.value, "value_ci": as_list(estimate.ci), "n": len(means),
        }  # fmt: skip
    return found or None


def metric_deltas(base: Sequence[Outcome], tuned: Sequence[Outcome]) -> dict[str, Any] | None:
    """Each metric's paired difference, tuned - base: ``{metric: {delta, delta_ci, n}}``."""
    names = [name for name in _shared_names(base) if name in _shared_names(tuned)]
    found = {}
    for name in names:
        b, t = _means(base, name), _means(tuned, name)
        both = sorted(b.keys() & t.keys())
        delta = _delta([b[p] for p in both], [t[p] for p in both])
        found[name] = {"delta": delta.value, "delta_ci": as_list(delta.ci), "n": len(both)}
    return found or None


def _shared_names(outcomes: Sequence[Outcome]) -> list[str]:
    """The metrics that every task among the outcomes has."""
    by_task: dict[str, dict[str, None]] = {}
    for o in outcomes:
        by_task.setdefault(o.task, {}).update(dict.fromkeys(o.metrics or ()))
    every = list(by_task.values())
    return [name for name in every[0] if all(name in names for names in every)] if every else []


def _means(outcomes: Sequence[Outcome], name: str) -> dict[str, tuple[float, float]]:
    """A metric by problem, of the answers that could be judged."""
    found: dict[str, tuple[float, float]] = {}
    for problem, group in group_by_problem(outcomes).items():
        given = [_numbers(o, name) for o in group if o.ok is not None]
        sizes = [len(numbers) for numbers in given if numbers]
        # How many numbers there are is the problem's, so one scored answer says it for all.
        if not sizes and any(isinstance(_value(o, name), list) for o in outcomes):
            continue
        if given:
            size = sizes[0] if sizes else 1
            found[problem] = sum(map(sum, given)) / len(given), float(size)
    return found


def _numbers(o: Outcome, name: str) -> list[float]:
    value = _value(o, name)
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


def _value(o: Outcome, name: str) -> Any:
    return (o.metrics or {}).get(name)


def _estimate(means: Sequence[tuple[float, float]]) -> stats.Estimate:
    """The mean of all numbers: Wilson's interval where each is 0 or 1 and stands alone, else Student's."""
    sums, sizes = (np.array([pair[i] for pair in means], float) for i in (0, 1))
    if not len(means) or (np.all(sizes == 1) and np.all((sums == 0) | (sums == 1))):
        return stats.accuracy(sums)
    value = float(sums.sum() / sizes.sum())
    spread = stats.mean_difference((sums - value * sizes) / sizes.mean())
    return stats.Estimate(value, _within(spread.ci, value, 0.0))


def _delta(
    base: Sequence[tuple[float, float]], tuned: Sequence[tuple[float, float]]
) -> stats.Estimate:
    """The difference of two such means on the same problems: Tango's interval, or Student's."""
    (b, sizes), (t, _) = (
        tuple(np.array([pair[i] for pair in side], float) for i in (0, 1)) for side in (base, tuned)
    )
    whole = np.all(np.isin(b, (0, 1))) and np.all(np.isin(t, (0, 1)))
    if not len(b) or (np.all(sizes == 1) and whole):
        return stats.accuracy_delta(b, t)
    value = float((t.sum() - b.sum()) / sizes.sum())
    spread = stats.mean_difference((t - b - value * sizes) / sizes.mean())
    return stats.Estimate(value, _within(spread.ci, value, -1.0))


def _within(ci: stats.Interval | None, value: float, least: float) -> stats.Interval | None:
    """An interval around 0 moved to a value; fractions end at 1."""
    return None if ci is None else (max(least, value + ci[0]), min(1.0, value + ci[1]))
