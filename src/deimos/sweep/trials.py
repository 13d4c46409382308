"""Values that were tried, as strategies note them and as ``trials.jsonl`` has them. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from deimos.evaluate import stats
from deimos.evaluate.outcomes import Outcome, as_list
from deimos.store.sweep_rows import DecodingConfig, TrialRow
from deimos.sweep.space import Value, reduce_to_effective


@dataclass
class Trial:
    """A value that was tried."""

    round: int
    parameter: str
    """Empty: the config that the sweep began with, or one of a strategy without parameters."""
    value: Value
    config: DecodingConfig
    """Effective."""
    outcomes: Sequence[Outcome] = ()
    e_value: float | None = None
    dropped_at: int | None = None
    because: str = ""
    decoded: int = 0


@dataclass
class Trials:
    """All that a strategy tried for one model."""

    rows: list[Trial] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    """Parameter to why its values were not tried."""

    def whole(self, items: int) -> dict[DecodingConfig, Sequence[Outcome]]:
        """Configs that were judged on all items and are not dropped, in the order of trial."""
        last = {trial.config: trial for trial in self.rows}
        return {
            config: trial.outcomes
            for config, trial in last.items()
            if len(trial.outcomes) == items and trial.dropped_at is None
        }


def pareto_front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Which points no other beats: more accuracy at no more tokens, or fewer tokens at no less.

    Args:
        points: accuracy and mean tokens of each.
    """
    return [
        not any((a >= accuracy and t <= tokens) and (a > accuracy or t < tokens) for a, t in points)
        for accuracy, tokens in points
    ]


def measure(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """Accuracy with its interval, and tokens, as rows have them."""
    right = [bool(o.ok) for o in outcomes if o.ok is not None]
    value, ci = stats.accuracy(right)
    tokens = [o.total_tokens for o in outcomes]
    return {
        "accuracy": value,
        "accuracy_ci": as_list(ci),
        "tokens_mean": float(np.mean(tokens)) if tokens else None,
        "tokens_median": float(np.median(tokens)) if tokens else None,
    }


def trial_rows(model: str, trials: Trials, items: int) -> list[TrialRow]:
    """The rows of one model, with its Pareto front marked.

    Args:
        model: ``base`` or ``tuned``.
        trials: what was tried.
        items: how many a config that was not dropped is judged on.
    """
    measured = {config: measure(o) for config, o in trials.whole(items).items()}
    points = [(m["accuracy"], m["tokens_mean"]) for m in measured.values()]
    complete = [(a, t) for a, t in points if isinstance(a, float) and isinstance(t, float)]
    best = dict(zip(measured, pareto_front(complete))) if len(complete) == len(points) else {}
    return [
        {
            "model": model,
            "round": trial.round,
            "parameter": trial.parameter,
            "value": trial.value,
            "config": reduce_to_effective(trial.config).values(),
            "items": len(trial.outcomes),
            **measure(trial.outcomes),
            "e_value": trial.e_value,
            "dropped_at": trial.dropped_at,
            "because": trial.because,
            "decoded": trial.decoded,
            "pareto": trial.dropped_at is None and best.get(trial.config, False),
        }  # pyright: ignore[reportReturnType]
        for trial in trials.rows
    ]
