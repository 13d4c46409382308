"""Intervals for paired benchmarks: Tango, Wilson, Student, order statistics, a problem-clustered bootstrap.

Arrays in, ``(lo, hi)`` out, everything a fraction, 95% throughout. Knows nothing of models, files
or completions. Not covered: corrections for looking at many tasks at once; with several tasks, one
interval in twenty misses by design. Ratios of means: ``ratios.py``.

The unit of sampling is the *problem*: repeats of one problem are correlated, so they are kept
together (one cluster) in every interval here. An interval that rests on how problems spread is given
from ``LEAST_FOR_T`` problems on and is None below. How often each covers the truth:
``benchmarks/coverage.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Z = 1.959963984540054
"""97.5th percentile of the normal distribution: two-sided 95%."""
LEVEL = 0.95
"""Of every interval that names no other."""
Z_POWER = 0.8416212335729143
"""80th percentile: the power that ``smallest_detectable`` promises."""
RESAMPLES = 2000
LEAST_FOR_T = 8
"""Problems below which their spread is too uncertain for an interval that rests on it."""
_CELLS = 2_000_000
"""Resample-by-value cells in memory at once (16 MB of int64)."""

Interval = tuple[float, float]
Draws = NDArray[np.int32]


class PairingError(ValueError):
    """Two sample sets that were to be compared don't hold the same problems."""


class Estimate(NamedTuple):
    """A number and its 95% interval; either is None where the data cannot say."""

    value: float | None
    ci: Interval | None


def check_pairing(
    base: Sequence[Hashable],
    tuned: Sequence[Hashable],
    sides: tuple[str, str] = ("base", "tuned"),
) -> None:
    """Refuse a comparison whose two sides aren't the same problems, each once.

    Args:
        base: what one side answered.
        tuned: what the other did.
        sides: what the two are called.

    Raises:
        PairingError: with how many ids each side lacks, and one of them.
    """
    first, second = sides
    for side, ids in ((first, base), (second, tuned)):
        if len(set(ids)) != len(ids):
            raise PairingError(f"{side} has {len(ids) - len(set(ids))} problem ids more than once")
    lacking = {first: set(tuned) - set(base), second: set(base) - set(tuned)}
    said = [
        f"{side} lacks {len(ids)} (as {min(map(str, ids))[:16]})"
        for side, ids in lacking.items()
        if ids
    ]
    if said:
        raise PairingError(
            f"{first} and {second} must have answered the same problems: " + ", ".join(said)
        )


def wilson(p: float, n: float) -> Interval | None:
    """Wilson's score interval for a proportion ``p`` of ``n`` (may be an effective size); None at 0."""
    if n <= 0:
        return None
    centre = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    lo = 0.0 if p <= 0 else max(0.0, centre - half)
    return lo, 1.0 if p >= 1 else min(1.0, centre + half)


def accuracy(per_problem: ArrayLike, samples_each: float = 1.0) -> Estimate:
    """Mean of per-problem accuracies, with Wilson's interval at the effective sample size.

    With one sample a problem this is plain Wilson. With repeats the size is the one at which a
    simple random sample would have the variance seen between problems (Kish's design effect);
    it lies between the number of problems and the number of samples.

    Args:
        per_problem: (n,) fraction right of each problem's samples.
        samples_each: mean number of samples a problem.
    """
    x = np.asarray(per_problem, float)
    n = len(x)
    if n == 0:
        return Estimate(None, None)
    p = float(x.mean())
    effective = float(n)
    if samples_each > 1 and n > 1 and (variance := float(x.var(ddof=1)) / n) > 0:
        effective = min(max(p * (1 - p) / variance, n), n * samples_each)
    return Estimate(p, wilson(p, effective))


def tango(gained: float, lost: float, n: float, *, level: float = LEVEL) -> Interval | None:
    """Tango's score interval for ``(gained - lost) / n``, a paired difference of proportions.

    Honest where no pair disagrees: ``gained = lost = 0`` gives +- z^2 / (n + z^2), not [0, 0].
    Source: T. Tango, Statistics in Medicine 17 (1998), 891-908.

    Args:
        gained: pairs wrong before, right after.
        lost: pairs right before, wrong after.
        n: all pairs; all three may be effective sizes.
        level: how often such intervals hold the truth; above 95% if several are to hold at once.
    """
    if min(gained, lost) < 0 or gained + lost > n * (1 + 1e-9):
        raise ValueError(f"{gained} gained and {lost} lost do not fit in {n} pairs")
    if n == 0:
        return None
    seen, z = (gained - lost) / n, Z if level == LEVEL else NormalDist().inv_cdf((1 + level) / 2)
    return (
        find_root(lambda d: _tango_score(gained, lost, n, d) - z, -1.0, seen),
        find_root(lambda d: _tango_score(gained, lost, n, d) + z, seen, 1.0),
    )


def _tango_score(gained: float, lost: float, n: float, delta: float) -> float:
    """Standardised distance of the data from a true difference ``delta``; falls as delta grows."""
    # q: probability of a lost pair, by maximum likelihood under gained - lost = delta
    b = -gained - lost + (2 * n - gained + lost) * delta
    c = -lost * delta * (1 - delta)
    q = (math.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
    variance = n * (2 * q + delta * (1 - delta))
    distance = gained - lost - n * delta
    if variance <= 0:
        return math.copysign(math.inf, distance) if distance else 0.0
    return distance / math.sqrt(variance)


def find_root(f: Callable[[float], float], lo: float, hi: float) -> float:
    """Where the falling function ``f`` crosses zero in [lo, hi], by bisection; else the end."""
    for _ in range(60):
        mid = (lo + hi) / 2
        lo, hi = (mid, hi) if f(mid) > 0 else (lo, mid)
    return (lo + hi) / 2


def accuracy_delta(base: ArrayLike, tuned: ArrayLike, *, samples_each: float = 1.0) -> Estimate:
    """Difference of two accuracies on the same problems, tuned - base, with Tango's interval.

    With repeats, each base sample of a problem is paired with each tuned one, and the interval is
    Tango's at the number of pairs that, drawn independently, would have the variance seen between
    problems (Kish's design effect): at least the number of problems, at most that of samples. It is
    never [0, 0], however many problems agree.

    Args:
        base: (n,) fraction right per problem; without repeats 0 or 1.
        tuned: (n,) the same problems, in the same order.
        samples_each: samples a problem, of the side that has more.
    """
    b, t = np.asarray(base, float), np.asarray(tuned, float)
    if b.shape != t.shape:
        raise PairingError(f"base has {len(b)} problems and tuned {len(t)}")
    n = len(b)
    if n == 0:
        return Estimate(None, None)
    gained, lost = float(np.mean(t * (1 - b))), float(np.mean(b * (1 - t)))
    effective = float(n)
    if samples_each > 1 and n > 1 and (variance := float((t - b).var(ddof=1)) / n) > 0:
        one_pair = gained + lost - (gained - lost) ** 2
        effective = min(max(one_pair / variance, n), n * samples_each)
    ci = tango(gained * effective, lost * effective, effective)
    return Estimate(float(np.mean(t - b)), ci)


def t_quantile(n: int, level: float = LEVEL) -> float:
    """The quantile of Student's t for a two-sided interval around a mean of ``n`` values."""
    from scipy.stats import t

    return float(t.ppf((1 + level) / 2, n - 1))


def mean_difference(differences: ArrayLike, *, level: float = LEVEL) -> Estimate:
    """Mean of paired differences with Student's t interval.

    Args:
        differences: (n,) one number a problem.
        level: as in ``tango``.

    Returns:
        No interval under 8 problems: there it would rest on the shape of the distribution.
    """
    d = np.asarray(differences, float)
    if len(d) < LEAST_FOR_T:
        return Estimate(float(d.mean()) if len(d) else None, None)
    mean, spread = float(d.mean()), float(d.std(ddof=1)) / math.sqrt(len(d))
    half = t_quantile(len(d), level) * spread
    return Estimate(mean, (mean - half, mean + half))


def smallest_detectable(differences: ArrayLike) -> float | None:
    """The smallest true accuracy difference that this many paired problems would show.

    ``(z_0.975 + z_0.80) * sqrt(s / n)``: two-sided 5%, power 80%, where ``s`` is the mean squared
    per-problem difference (without repeats: the share of pairs that disagree), taken as at least
    3 / n, since n agreeing pairs only bound it there (the rule of three).
    """
    d = np.asarray(differences, float)
    if len(d) == 0:
        return None
    s = max(float(np.mean(d * d)), 3 / len(d))
    return min(1.0, (Z + Z_POWER) * math.sqrt(s / len(d)))


def _resamples(n: int, width: int, seed: int, resamples: int) -> list[Draws]:
    """How often each of ``n`` problems is drawn, in blocks (rows, n) that bound memory."""
    rng = np.random.default_rng(seed)
    rows = max(1, min(resamples, _CELLS // max(width, 1)))
    blocks = []
    for start in range(0, resamples, rows):
        r = min(rows, resamples - start)
        drawn = rng.integers(n, size=(r, n)) + np.arange(r)[:, None] * n
        blocks.append(np.bincount(drawn.ravel(), minlength=r * n).reshape(r, n).astype(np.int32))
    return blocks


def _percentiles(values: NDArray[np.float64]) -> Interval | None:
    """The middle 95%; None where over 5% of the resamples were undefined."""
    good = values[np.isfinite(values)]
    if len(good) < 0.95 * len(values):
        return None
    lo, hi = np.percentile(good, [2.5, 97.5])
    return float(lo), float(hi)


class Clustered(NamedTuple):
    """Values of many samples with the problem each belongs to (ragged repeats are fine)."""

    values: NDArray[np.float64]
    """(m,) one number a sample."""
    problem: NDArray[np.int64]
    """(m,) index of the sample's problem, 0 to n - 1."""

    def medians(self, counts: Draws) -> NDArray[np.float64]:
        """(rows,) median of all samples of the drawn problems; ``counts`` is (rows, n)."""
        order = np.argsort(self.values, kind="stable")
        cumulative = np.cumsum(counts[:, self.problem[order]], axis=1, dtype=counts.dtype)
        total = cumulative[:, -1:]
        low = np.argmax(cumulative >= (total + 1) // 2, axis=1)
        high = np.argmax(cumulative >= total // 2 + 1, axis=1)
        ranked = self.values[order]
        return (ranked[low] + ranked[high]) / 2


def median(side: Clustered, n: int) -> Estimate:
    """Median of all samples, and an interval over problems.

    With one sample a problem the interval is the distribution-free one of order statistics (David
    and Nagaraja, Order Statistics, 2003, 7.1), which needs six problems. With repeats it is
    Woodruff's (JASA 47, 1952, 635-646): the samples at the ranks to which the share below the median
    could move, by its spread over problems.

    Args:
        side: the samples.
        n: number of problems.
    """
    values = side.values
    if n == 0 or not len(values):
        return Estimate(None, None)
    value = float(np.median(values))
    if len(values) == n:
        return Estimate(value, _order_statistics(np.sort(values)))
    if n < LEAST_FOR_T:
        return Estimate(value, None)
    below = (values < value) + 0.5 * (values == value) - 0.5
    spread = np.bincount(side.problem, below, minlength=n).std(ddof=1) * math.sqrt(n) / len(values)
    half = t_quantile(n) * max(float(spread), 0.5 / math.sqrt(len(values)))
    low = np.quantile(values, max(0.5 - half, 0.0), method="lower")
    return Estimate(
        value, (float(low), float(np.quantile(values, min(0.5 + half, 1.0), method="higher")))
    )


def _order_statistics(ranked: NDArray[np.float64]) -> Interval | None:
    """The distribution-free interval of a median; None where even the extremes do not make 95%."""
    from scipy.stats import binom

    below = int(binom.ppf(0.025, len(ranked), 0.5))
    return (float(ranked[below - 1]), float(ranked[-below])) if below else None


def median_reduction(
    base: Clustered, tuned: Clustered, n: int, *, seed: int = 0, resamples: int = RESAMPLES
) -> Estimate:
    """``1 - median(tuned) / median(base)`` with a bootstrap that redraws problems, both sides alike.

    Args:
        base: the base's samples.
        tuned: the tuned model's, of the same ``n`` problems.
        n: number of problems.
        seed: of the bootstrap.
        resamples: how many redraws.

    Returns:
        value None where the base's median is zero (nothing to reduce).
    """
    if n == 0 or not len(base.values) or not len(tuned.values):
        return Estimate(None, None)
    before, after = float(np.median(base.values)), float(np.median(tuned.values))
    if before == 0:
        return Estimate(None, None)
    if n < LEAST_FOR_T:
        return Estimate(1 - after / before, None)
    width = max(n, len(base.values), len(tuned.values))
    ratios = []
    for counts in _resamples(n, width, seed, resamples):
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios.append(1 - tuned.medians(counts) / base.medians(counts))
    return Estimate(1 - after / before, _percentiles(np.concatenate(ratios)))
