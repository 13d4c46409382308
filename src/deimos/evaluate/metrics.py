"""Metrics that others define on accuracy and length: tokens per right answer, AUC_OAA, OckScore, AES.

Each is derived: a formula over two things that stand in the same rows, right and tokens, and of no
use without them. All are over judged samples, a problem's samples averaged first; a completion that
was cut counts with the tokens it has, and as wrong. Tokens are those of the completion, tags and end
of turn included. Intervals have no random part: Wilson, Fieller and Student combined by Zou and
Donner's method of recovered variances (Statistics in Medicine 27, 2008, 1693-1702); none is given
under ``stats.LEAST_FOR_T`` problems. How often they hold: ``benchmarks/coverage.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deimos.evaluate import ratios, stats
from deimos.evaluate.outcomes import Outcome, as_list, group_by_problem
from deimos.evaluate.stats import Estimate

Array = NDArray[np.float64]
OAA_MOST = 1000
"""Think tokens up to which AUC_OAA takes thresholds (OptimalThinkingBench's ``t_max``)."""
OCK_WEIGHT = 0.1
OCK_SCALE = 10_000
"""OckBench: accuracy in percent - 10 ln(tokens / 10,000 + 1); here all of it as a fraction."""
BENCH_DERIVED = ("tokens_per_correct", "auc_oaa", "ock_score")
COMPARE_DERIVED = ("tokens_per_correct_reduction", "auc_oaa_delta", "ock_score_delta", "aes")
"""What rows mark as derived."""


class Coefficients(NamedTuple):
    """What AES weighs by."""

    alpha: float
    """Of the reduction in length."""
    beta: float
    """Of a gain in accuracy, relative to the base's."""
    gamma: float
    """Of a loss."""
    source: str


AES = (
    Coefficients(1, 3, 5, "O1-Pruner (arXiv 2501.12570)"),
    Coefficients(1, 5, 10, "S3-CoT (arXiv 2602.01982)"),
)
"""Both sets that are in use; a gain or loss of accuracy weighs more in the second."""


class PerProblem(NamedTuple):
    """One model's judged samples, averaged for each problem; problems in order of name."""

    right: Array
    """(n,) fraction right."""
    tokens: Array
    """(n,) mean total tokens."""
    unspent: Array
    """(n,) mean of right x the share of the thresholds 1 to ``OAA_MOST`` above the think tokens."""
    samples_each: float
    """Samples a problem."""


def average(groups: Sequence[Sequence[Outcome]]) -> PerProblem:
    """Average the judged samples of each problem; every group has at least one."""

    def means(value: Any) -> Array:
        return np.array([np.mean([value(o) for o in group]) for group in groups], float)

    return PerProblem(
        means(lambda o: bool(o.ok)),
        means(lambda o: o.total_tokens),
        means(lambda o: bool(o.ok) * max(OAA_MOST - o.think_tokens, 0) / OAA_MOST),
        sum(map(len, groups)) / max(len(groups), 1),
    )


def bench_metrics(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The derived fields of a bench row."""
    groups = group_by_problem([o for o in outcomes if o.ok is not None])
    one = average(list(groups.values()))
    found = {
        "tokens_per_correct": tokens_per_correct(one),
        "auc_oaa": auc_oaa(one),
        "ock_score": ock_score(one),
    }
    return {
        **_fields(found),
        "auc_oaa_most": OAA_MOST,
        "ock_score_coefficients": {"weight": OCK_WEIGHT, "scale": OCK_SCALE},
        "derived": list(BENCH_DERIVED),
    }


def compare_metrics(pairs: Sequence[tuple[list[Outcome], list[Outcome]]]) -> dict[str, Any]:
    """The derived fields of a compare row, from each problem's judged samples on both sides."""
    base, tuned = (average([pair[side] for pair in pairs]) for side in (0, 1))
    scores = []
    for by in AES:
        value, ci = aes(base, tuned, by)
        scores.append(
            {"alpha": by.alpha, "beta": by.beta, "gamma": by.gamma, "value": value,
             "ci": as_list(ci), "source": by.source}
        )  # fmt: skip
    found = {
        "tokens_per_correct_reduction": tokens_per_correct_reduction(base, tuned),
        "auc_oaa_delta": stats.mean_difference(tuned.unspent - base.unspent),
        "ock_score_delta": ock_score_delta(base, tuned),
    }
    return {**_fields(found), "aes": scores, "derived": list(COMPARE_DERIVED)}


def tokens_per_correct(one: PerProblem) -> Estimate:
    """Tokens spent, on wrong answers too, for each right one: mean tokens / accuracy.

    Value None if nothing is right. OckBench's earlier page calls it reasoning efficiency.
    """
    right = stats.accuracy(one.right, one.samples_each)
    if not right.value or right.ci is None:
        return Estimate(None, None)
    tokens = _mean_tokens(one.tokens)
    value = float(one.tokens.mean()) / right.value
    if tokens.ci is None or right.ci[0] <= 0:
        return Estimate(value, None)
    whole = _log(tokens), _log(right)
    return _exponential(_difference(*whole, _correlation(one.tokens, one.right)))


def auc_oaa(one: PerProblem) -> Estimate:
    """Mean over t of the share of answers that are right with fewer than t think tokens.

    t runs over 1 to 1,000, so a right answer counts max(0, 1 - think tokens / 1,000). Source:
    OptimalThinkingBench (arXiv 2508.13141), as its repository computes it (``eval.py``:
    ``max(0, 1000 - tok) / 1000 * acc``). It takes the mean tokens and the mean verdict of a
    question's samples; here each sample counts by itself, as the formula has it.
    """
    right, n = stats.accuracy(one.right, one.samples_each), len(one.right)
    if right.value is None or right.ci is None:
        return Estimate(None, None)
    value = float(one.unspent.mean())
    if n < stats.LEAST_FOR_T:
        return Estimate(value, None)
    # A product of two uncorrelated parts: accuracy, and what a right answer leaves unspent.
    left = ratios.ratio_of_means(one.unspent, one.right)
    if not left.value or left.ci is None:
        return Estimate(value, stats.wilson(value, n))
    ends = [
        value + sign * math.hypot(left.value * (right.ci[end] - right.value),
                                  right.value * (left.ci[end] - left.value))
        for end, sign in ((0, -1), (1, 1))
    ]  # fmt: skip
    return Estimate(value, (max(ends[0], 0.0), min(ends[1], 1.0)))


def ock_score(one: PerProblem) -> Estimate:
    """Accuracy - 0.1 ln(mean tokens / 10,000 + 1): a hundredth of OckBench's score.

    Source: OckBench (arXiv 2511.05722), as its repository computes it (``src/core/scoring.py``).
    Its tokens are the prompt's too (``total_tokens`` of its schema); here the completion's alone.
    """
    right, tokens = stats.accuracy(one.right, one.samples_each), _mean_tokens(one.tokens)
    if right.value is None or tokens.value is None:
        return Estimate(None, None)
    cost = Estimate(
        _ock_cost(tokens.value), tokens.ci and (_ock_cost(tokens.ci[0]), _ock_cost(tokens.ci[1]))
    )
    return _difference(right, cost, _correlation(one.right, one.tokens))


def ock_score_delta(base: PerProblem, tuned: PerProblem) -> Estimate:
    """Tuned - base of ``ock_score`` on the same problems."""
    each = max(base.samples_each, tuned.samples_each)
    right = stats.accuracy_delta(base.right, tuned.right, samples_each=each)
    ratio = ratios.ratio_of_means(tuned.tokens + OCK_SCALE, base.tokens + OCK_SCALE)
    if right.value is None or not ratio.value:
        return Estimate(None, None)
    low, high = ratio.ci or (0.0, 0.0)
    cost = Estimate(
        OCK_WEIGHT * math.log(ratio.value),
        (OCK_WEIGHT * math.log(low), OCK_WEIGHT * math.log(high)) if low > 0 else None,
    )
    difference = tuned.right - base.right
    return _difference(right, cost, _correlation(difference, tuned.tokens - base.tokens))


def aes(base: PerProblem, tuned: PerProblem, by: Coefficients) -> Estimate:
    """Accuracy-Efficiency Score: alpha x reduction in mean tokens + beta x gain, or - gamma x loss.

    Gain and loss are of accuracy, relative to the base's. The score bends where accuracy is
    unchanged, which its interval follows: the two ends of accuracy's are weighed each by its own
    coefficient. Value None if the base has nothing right. Sources: see ``AES``.
    """
    length = ratios.mean_reduction(base.tokens, tuned.tokens)
    gain = _relative_accuracy(base, tuned)
    if length.value is None or gain.value is None:
        return Estimate(None, None)

    def weigh(ratio: float) -> float:
        return (by.beta if ratio >= 1 else by.gamma) * (ratio - 1)

    saved = Estimate(
        by.alpha * length.value, length.ci and (by.alpha * length.ci[0], by.alpha * length.ci[1])
    )
    won = Estimate(weigh(gain.value), gain.ci and (weigh(gain.ci[0]), weigh(gain.ci[1])))
    return _sum(saved, won, -_paired_correlation(base, tuned))


def tokens_per_correct_reduction(base: PerProblem, tuned: PerProblem) -> Estimate:
    """``1 - tuned / base`` of tokens per right answer; None unless both have something right."""
    length = ratios.ratio_of_means(tuned.tokens, base.tokens)
    gain = _relative_accuracy(base, tuned)
    if not length.value or not gain.value:
        return Estimate(None, None)
    value = 1 - length.value / gain.value
    if length.ci is None or gain.ci is None or min(length.ci[0], gain.ci[0]) <= 0:
        return Estimate(value, None)
    ratio = _exponential(_difference(_log(length), _log(gain), _paired_correlation(base, tuned)))
    return Estimate(value, ratio.ci and (1 - ratio.ci[1], 1 - ratio.ci[0]))


def _relative_accuracy(base: PerProblem, tuned: PerProblem) -> Estimate:
    """Accuracy of tuned / base; no interval where the data set no upper end to it."""
    each = max(base.samples_each, tuned.samples_each)
    found = ratios.accuracy_ratio(base.right, tuned.right, samples_each=each)
    few = len(base.right) < stats.LEAST_FOR_T or (found.ci and math.isinf(found.ci[1]))
    return Estimate(found.value, None) if few else found


def _mean_tokens(tokens: Array) -> Estimate:
    """Student's interval on the logarithm, which keeps it above 0."""
    n = len(tokens)
    if n == 0:
        return Estimate(None, None)
    mean = float(tokens.mean())
    if n < stats.LEAST_FOR_T or mean <= 0:
        return Estimate(mean, None)
    half = stats.t_quantile(n) * float(tokens.std(ddof=1)) / math.sqrt(n) / mean
    return Estimate(mean, (mean * math.exp(-half), mean * math.exp(half)))


def _ock_cost(tokens: float) -> float:
    return OCK_WEIGHT * math.log(tokens / OCK_SCALE + 1)


def _correlation(x: Array, y: Array) -> float:
    """Of two means over the same problems; 0 where either does not vary."""
    spread = float(x.std() * y.std())
    return float(np.mean((x - x.mean()) * (y - y.mean()))) / spread if spread > 0 else 0.0


def _paired_correlation(base: PerProblem, tuned: PerProblem) -> float:
    """Of the ratio of tokens and the ratio of accuracies."""
    tokens, right = (
        t - b * t.mean() / b.mean()
        for b, t in ((base.tokens, tuned.tokens), (base.right, tuned.right))
    )
    return _correlation(tokens, right)


def _sum(first: Estimate, second: Estimate, correlation: float) -> Estimate:
    """The sum of two estimates, its interval from theirs and their correlation."""
    assert first.value is not None and second.value is not None
    value = first.value + second.value
    if first.ci is None or second.ci is None:
        return Estimate(value, None)
    ends = []
    for end, sign in ((0, -1), (1, 1)):
        a, b = first.ci[end] - first.value, second.ci[end] - second.value
        ends.append(value + sign * math.sqrt(max(a * a + b * b + 2 * correlation * a * b, 0.0)))
    return Estimate(value, (ends[0], ends[1]))


def _difference(first: Estimate, second: Estimate, correlation: float) -> Estimate:
    assert second.value is not None
    minus = Estimate(-second.value, second.ci and (-second.ci[1], -second.ci[0]))
    return _sum(first, minus, -correlation)


def _log(of: Estimate) -> Estimate:
    assert of.value is not None and of.ci is not None
    return Estimate(math.log(of.value), (math.log(of.ci[0]), math.log(of.ci[1])))


def _exponential(of: Estimate) -> Estimate:
    assert of.value is not None and of.ci is not None
    return Estimate(math.exp(of.value), (math.exp(of.ci[0]), math.exp(of.ci[1])))


def _fields(found: dict[str, Estimate]) -> dict[str, Any]:
    """``name`` and ``name_ci`` of each."""
    return {
        key: value
        for name, estimate in found.items()
        for key, value in ((name, estimate.value), (f"{name}_ci", as_list(estimate.ci)))
    }
