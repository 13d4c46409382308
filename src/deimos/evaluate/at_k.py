"""What k samples of a problem come to: their mean, whether any is right, whether the majority is.

Outcomes in, rows out. The unit is the problem in every interval: its samples are one value. Where
models have not both k samples of every problem there is no difference.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from deimos.evaluate import stats
from deimos.evaluate.outcomes import Outcome, as_list, fractions_right, group_by_problem

RIGHT = "="
"""The vote of every right answer."""
NAMES = ("avg_at_k", "pass_at_k", "maj_at_k")


def pass_at_k(samples: int, right: int, k: int) -> float:
    """The chance that at least one of k samples is right, estimated without bias from more.

    ``1 - C(samples - right, k) / C(samples, k)``; source: Chen et al. 2021 (arXiv:2107.03374).

    Raises:
        ValueError: fewer samples than k.
    """
    if not 0 <= right <= samples or not 1 <= k <= samples:
        raise ValueError(f"pass@{k} of {right} right among {samples} samples")
    return 1 - math.comb(samples - right, k) / math.comb(samples, k)


def majority_right(votes: Sequence[str]) -> float:
    """Whether the most frequent vote is ``RIGHT``; of several as frequent, its share of them.

    Args:
        votes: of all samples of a problem; "" votes for nothing. If all do, nothing is right.
    """
    counted = Counter(vote for vote in votes if vote)
    most = max(counted.values(), default=0)
    tied = [vote for vote, count in counted.items() if count == most]
    return (RIGHT in tied) / len(tied) if tied else 0.0


def samples_of(outcomes: Sequence[Outcome]) -> int:
    """k: samples of a problem, the most that any has."""
    return max((len(group) for group in group_by_problem(outcomes).values()), default=0)


def at_k_part(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """``avg_at_k pass_at_k maj_at_k``, each with ``_ci``, ``k`` and ``k_n``; empty if k is 1.

    ``pass_at_k`` and ``maj_at_k`` are of the ``k_n`` problems all whose k samples were judged;
    ``maj_at_k`` is null if the answers of any cannot be compared.
    """
    k = samples_of(outcomes)
    if k < 2:
        return {}
    fractions = fractions_right(outcomes)
    judged = sum(o.ok is not None for o in outcomes)
    found = {"avg_at_k": stats.accuracy([*fractions.values()], judged / max(len(fractions), 1))}
    for name, values in _per_problem(outcomes, k).items():
        found[name] = stats.accuracy([] if values is None else [*values.values()])
    whole = _per_problem(outcomes, k)["pass_at_k"] or {}
    fields = {name: value for name, (value, _) in found.items()}
    intervals = {f"{name}_ci": as_list(ci) for name, (_, ci) in found.items()}
    return {"k": k, "k_n": len(whole), **fields, **intervals}


def at_k_deltas(base: Sequence[Outcome], tuned: Sequence[Outcome]) -> dict[str, Any]:
    """``k k_n avg_at_k_delta pass_at_k_delta maj_at_k_delta``, each with ``_ci``, tuned - base.

    Over the problems all whose k samples were judged on both sides; empty unless both models have
    the same k above 1.
    """
    k = samples_of(base)
    if k < 2 or samples_of(tuned) != k:
        return {}
    sides = [{"avg_at_k": fractions_right(o), **_per_problem(o, k)} for o in (base, tuned)]
    shared = [p for p in sides[0]["pass_at_k"] or {} if p in (sides[1]["pass_at_k"] or {})]
    row: dict[str, Any] = {"k": k, "k_n": len(shared)}
    for name in NAMES:
        one, other = (side[name] for side in sides)
        value, ci = None, None
        if one is not None and other is not None:
            samples = float(k) if name == "avg_at_k" else 1.0
            value, ci = stats.accuracy_delta(
                [one[p] for p in shared], [other[p] for p in shared], samples_each=samples
            )
        row |= {f"{name}_delta": value, f"{name}_delta_ci": as_list(ci)}
    return row


def _per_problem(outcomes: Sequence[Outcome], k: int) -> dict[str, Mapping[str, float] | None]:
    """``pass_at_k`` and ``maj_at_k`` of each problem all whose k samples were judged."""
    whole = {
        problem: group
        for problem, group in group_by_problem(outcomes).items()
        if sum(o.ok is not None for o in group) >= k
    }
    passed = {p: pass_at_k(len(g), sum(bool(o.ok) for o in g), k) for p, g in whole.items()}
    if any(o.vote is None for group in whole.values() for o in group):
        return {"pass_at_k": passed, "maj_at_k": None}
    voted = {p: majority_right([o.vote or "" for o in g]) for p, g in whole.items()}
    return {"pass_at_k": passed, "maj_at_k": voted}
