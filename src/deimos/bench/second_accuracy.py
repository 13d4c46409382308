"""Accuracy of math answers by three judges: the recipe's grader, a plain match, math-verify alone.

All three are of the same answers: those of math problems that the recipe's grader judged and of
which a second opinion was asked. An answer that never ended is wrong whoever judges. Where
math-verify could not say, that answer is left out of its own accuracy only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from deimos.evaluate import stats
from deimos.evaluate.outcomes import Outcome, as_list, group_by_problem

JUDGES: Mapping[str, Callable[[Outcome], bool | None]] = {
    "ours": lambda o: o.ok,
    "plain": lambda o: o.second.plain if o.second else False,
    "math_verify": lambda o: o.second.math_verify if o.second else False,
}
"""What each says of an answer that ``_counted`` takes; ``ours`` is the recipe's grader."""


def second_accuracy(outcomes: Sequence[Outcome]) -> dict[str, Any] | None:
    """Each judge's accuracy of one model: ``{judge: {accuracy, accuracy_ci, n}}``.

    None without a second opinion: no math, or a grader of the recipe's own.
    """
    counted = _counted(outcomes)
    if not counted:
        return None
    found = {}
    for name, says in JUDGES.items():
        right, samples = _fractions(counted, says)
        value, ci = stats.accuracy(list(right.values()), samples)
        found[name] = {"accuracy": value, "accuracy_ci": as_list(ci), "n": len(right)}
    return found


def second_accuracy_delta(
    base: Sequence[Outcome], tuned: Sequence[Outcome]
) -> dict[str, Any] | None:
    """Each judge's paired difference, tuned - base, and on which share of answers judges differ.

    Returns:
        ``{judge: {accuracy_delta, accuracy_delta_ci, n}, "answers", "differ", "plain_differs",
        "math_verify_differs"}``: how many answers of both models, the fraction on which either check
        differs from the recipe's grader, and each check's own; None as in ``second_accuracy``.
    """
    counted = _counted(base), _counted(tuned)
    if not all(counted):
        return None
    found: dict[str, Any] = {}
    for name, says in JUDGES.items():
        (b, base_each), (t, tuned_each) = (_fractions(side, says) for side in counted)
        both = sorted(b.keys() & t.keys())
        delta = stats.accuracy_delta(
            [b[p] for p in both], [t[p] for p in both], samples_each=max(base_each, tuned_each)
        )
        found[name] = {
            "accuracy_delta": delta.value, "accuracy_delta_ci": as_list(delta.ci), "n": len(both),
        }  # fmt: skip
    return found | _differing([*counted[0], *counted[1]])


def _differing(answers: Sequence[Outcome]) -> dict[str, Any]:
    differ = {
        name: np.array([JUDGES[name](o) not in (o.ok, None) for o in answers])
        for name in ("plain", "math_verify")
    }
    return {
        "answers": len(answers),
        "differ": float(np.mean(differ["plain"] | differ["math_verify"])),
        **{f"{name}_differs": float(np.mean(found)) for name, found in differ.items()},
    }


def _counted(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Judged math answers; none if no second opinion was asked of any.

    One that never ended has no second opinion and counts as wrong; a whole one without (graders
    that the recipe brings) is no answer that the judges could be compared on.
    """
    math = [o for o in outcomes if o.kind == "math" and o.ok is not None]
    counted = [o for o in math if o.second is not None or (o.ok is False and o.finish != "stop")]
    return counted if any(o.second is not None for o in counted) else []


def _fractions(
    outcomes: Sequence[Outcome], says: Callable[[Outcome], bool | None]
) -> tuple[dict[str, float], float]:
    """Each problem's fraction right by one judge, and samples a problem."""
    found: dict[str, float] = {}
    samples = 0
    for problem, group in group_by_problem(outcomes).items():
        said = [verdict for o in group if (verdict := says(o)) is not None]
        if said:
            found[problem] = sum(said) / len(said)
            samples += len(said)
    return found, samples / max(len(found), 1)
