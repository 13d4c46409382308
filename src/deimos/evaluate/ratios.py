"""Intervals of ratios over the same problems: of two means (Fieller) and of two accuracies (score).

Arrays in, as in ``stats.py``, whose rules hold here: 95%, the problem is the unit, and no interval
that rests on the spread of fewer than ``stats.LEAST_FOR_T`` problems.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from deimos.evaluate import stats
from deimos.evaluate.stats import Estimate, Interval


def ratio_of_means(top: ArrayLike, bottom: ArrayLike) -> Estimate:
    """``mean(top) / mean(bottom)`` of paired numbers that are not negative, with Fieller's interval.

    Exact for normal means at any n, and holds its level for skewed times far better than a bootstrap
    does (``benchmarks/coverage.py``). Source: E. C. Fieller, JRSS B 16 (1954), 175-185.

    Args:
        top: (n,) one number a problem.
        bottom: (n,) of the same problems in the same order.

    Returns:
        value None where ``bottom`` is all zero; no interval under ``LEAST_FOR_T`` problems, or if they
        are too few to tell the mean of ``bottom`` from zero.
    """
    x, y = np.asarray(top, float), np.asarray(bottom, float)
    n = len(x)
    if n == 0 or y.sum() == 0:
        return Estimate(None, None)
    ratio = float(x.sum() / y.sum())
    if n < stats.LEAST_FOR_T:
        return Estimate(ratio, None)
    mx, my = float(x.mean()), float(y.mean())
    (vx, vxy), (_, vy) = (np.cov(x, y) / n).tolist()
    q = stats.t_quantile(n) ** 2
    a, b, c = my * my - q * vy, mx * my - q * vxy, mx * mx - q * vx
    if a <= 0:
        return Estimate(ratio, None)
    root = math.sqrt(max(b * b - a * c, 0.0))
    return Estimate(ratio, (max((b - root) / a, 0.0), (b + root) / a))


def mean_reduction(base: ArrayLike, tuned: ArrayLike) -> Estimate:
    """``1 - mean(tuned) / mean(base)`` of paired numbers; see ``ratio_of_means``.

    Args:
        base: (n,) one number a problem.
        tuned: (n,) of the same problems in the same order.
    """
    ratio = ratio_of_means(tuned, base)
    if ratio.value is None:
        return ratio
    return Estimate(1 - ratio.value, ratio.ci and (1 - ratio.ci[1], 1 - ratio.ci[0]))


def accuracy_ratio(base: ArrayLike, tuned: ArrayLike, *, samples_each: float = 1.0) -> Estimate:
    """``accuracy(tuned) / accuracy(base)`` on the same problems, with a score interval.

    Never [1, 1], however many problems agree. With repeats at an effective number of pairs, as in
    ``stats.accuracy_delta``.

    Args:
        base: (n,) fraction right per problem.
        tuned: (n,) the same problems, in the same order.
        samples_each: samples a problem, of the side that has more.

    Returns:
        value None if the base has nothing right.
    """
    b, t = np.asarray(base, float), np.asarray(tuned, float)
    n = len(b)
    if n == 0 or b.sum() == 0:
        return Estimate(None, None)
    ratio = float(t.sum() / b.sum())
    both, gained, lost = (float(np.mean(x)) for x in (b * t, t * (1 - b), b * (1 - t)))
    effective = float(n)
    if samples_each > 1 and n > 1 and (spread := float((t - ratio * b).var(ddof=1)) / n) > 0:
        one_pair = both * (1 - ratio) ** 2 + gained + ratio**2 * lost
        effective = min(max(one_pair / spread, n), n * samples_each)
    return Estimate(
        ratio, score_ratio(both * effective, gained * effective, lost * effective, effective)
    )


def score_ratio(both: float, gained: float, lost: float, n: float) -> Interval | None:
    """Score interval of ``(both + gained) / (both + lost)``, a ratio of paired proportions.

    Source: Tang, Tang and Chan, Statistics in Medicine 22 (2003), 1217-1233. The upper end is
    infinite where the data bound it by nothing.

    Args:
        both: pairs right on both sides.
        gained: pairs wrong before, right after.
        lost: pairs right before, wrong after.
        n: all pairs; all four may be effective sizes.
    """
    if both + lost <= 0:
        return None
    ratio = (both + gained) / (both + lost)
    seen = ratio / (1 + ratio)

    def score(share: float) -> float:
        """By the share of the tuned side, which runs over 0 to 1 where the ratio has no end."""
        return _ratio_score(both, gained, lost, n, share / (1 - share))

    low = stats.find_root(lambda s: score(s) - stats.Z, 0.0, seen)
    high = stats.find_root(lambda s: score(s) + stats.Z, seen, 1 - 1e-12)
    return low / (1 - low), high / (1 - high) if high < 1 - 1e-9 else math.inf


def _ratio_score(both: float, gained: float, lost: float, n: float, ratio: float) -> float:
    """Standardised distance of the data from a true ratio; falls as that grows."""
    some = (both + gained + lost) / n
    # q: probability of a lost pair, by maximum likelihood under the ratio
    b = (both + lost) * (1 - ratio * ratio) + gained + lost
    c = 4 * (1 + ratio) * n * lost * (ratio - 1) * some
    q = (b + math.sqrt(max(b * b + c, 0.0))) / (2 * (1 + ratio) * n)
    q = min(max(q, 0.0, (1 - ratio) * some), some / (1 + ratio))
    won = max(((ratio - 1) * some + q) / ratio, 0.0) if ratio > 0 else 0.0
    right = some - q - won
    variance = n * (right * (1 - ratio) ** 2 + won + ratio * ratio * q)
    distance = both + gained - ratio * (both + lost)
    if variance <= 0:
        return math.copysign(math.inf, distance) if distance else 0.0
    return distance / math.sqrt(variance)
