"""Which config is locked: the cheapest of those that are not shown to be worse than the best. No I/O.

All configs that are compared were judged on the same items. A config is *tied* with the best if the
95% interval of its paired difference to the best reaches 0; of those the one with the fewest tokens
is locked, and all are listed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from deimos.evaluate.outcomes import Outcome, as_list
from deimos.store.sweep_rows import DecodingConfig, LockedModel
from deimos.sweep.score import Score
from deimos.sweep.trials import measure


class TiedConfigs(NamedTuple):
    """The configs that are not shown to be worse than the best, the best first."""

    best: DecodingConfig
    tied: Sequence[DecodingConfig]
    locked: DecodingConfig


def find_cluster(whole: Mapping[DecodingConfig, Sequence[Outcome]], score: Score) -> TiedConfigs:
    """The best config, those tied with it and the cheapest of them.

    Args:
        whole: outcomes of every config on the same items, in the order of trial.
        score: the objective.

    Raises:
        ValueError: there is no config.
    """
    if not whole:
        raise ValueError("no config was judged on all items")
    ranked = sorted(whole, key=lambda c: (-score.mean(whole[c]), mean_tokens(whole[c])))
    best = ranked[0]
    tied = [c for c in ranked if is_tied(whole[c], whole[best], score)]
    return TiedConfigs(best, tied, min(tied, key=lambda c: mean_tokens(whole[c])))


def is_tied(outcomes: Sequence[Outcome], best: Sequence[Outcome], score: Score) -> bool:
    """Whether a config is not shown to be worse than the best; too few items show nothing."""
    interval = score.interval(outcomes, best)
    return interval is None or interval[1] >= 0


def mean_tokens(outcomes: Sequence[Outcome]) -> float:
    """Completion tokens of an item."""
    return float(np.mean([o.total_tokens for o in outcomes]))


def locked_model(whole: Mapping[DecodingConfig, Sequence[Outcome]], score: Score) -> LockedModel:
    """One model's part of ``locked.yaml``."""
    cluster = find_cluster(whole, score)

    def describe(config: DecodingConfig) -> dict[str, Any]:
        measured = measure(whole[config])
        differences = score.differences(whole[config], whole[cluster.best])
        return {
            **config.values(),
            **{key: measured[key] for key in ("accuracy", "accuracy_ci", "tokens_mean")},
            "n": sum(o.ok is not None for o in whole[config]),
            "objective_delta": float(np.mean(differences)) if differences else None,
            "objective_delta_ci": as_list(score.interval(whole[config], whole[cluster.best])),
        }

    values = describe(cluster.locked)
    decoding = {k: v for k, v in cluster.locked.values().items() if k != "think_budget"}
    return {
        "decoding": decoding,
        "think_budget": cluster.locked.think_budget,
        "accuracy": values["accuracy"],
        "accuracy_ci": values["accuracy_ci"],
        "n": values["n"],
        "tokens_mean": values["tokens_mean"],
        "tied": [describe(config) for config in cluster.tied],
    }
