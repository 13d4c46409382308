"""When a value may be dropped: evidence that can be looked at after every block.

An *e-process* starts at 1 and, as long as what it speaks against is true, is not expected to grow,
however often it is looked at and whatever makes one stop: it reaches 1/a with a chance of at most a
(Ville's inequality). So tests after each block need no correction for their number.

What is tested. Of the values of one parameter (a *line* of configs), the hypothesis about value v is
that no other value of the line is better. The process of v is fed, item by item, with v against the
*leader*, the best of the others on the items before: whoever leads, if v's hypothesis is true then the
leader is not better than v, so the next factor is expected to be at most 1. That the leader is chosen
by the data is no fault, as it is chosen before the items that it is compared on.

How the error is spent. A value is dropped once its process reaches k/a, k being the values of the line
that are not dropped yet: Bonferroni's inequality in Holm's order (S. Holm 1979; the first true
hypothesis to be rejected is rejected while at most k are open). Which line is looked at after the
first one depends on the same items, as answers are shared. So a line's share of alpha is divided by
the number of lines that might have been in its place (``Family``): then it holds for all of them.

Items count as drawn independently from where the dev prompts come from.
Sources: ``sign_evidence`` is the e-process of a uniform mixture over the chance of a loss in (1/2, 1];
``BettingEvidence`` and ``betting_interval`` follow I. Waudby-Smith, A. Ramdas, Estimating means of
bounded random variables by betting, JRSS B 86 (2024), 1-27.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MOST_BET = 0.75
"""Share of the capital that is bet on one item at most."""


def sign_evidence(lost: int, won: int) -> float:
    """E-value that losses are more likely than gains, of discordant pairs.

    Args:
        lost: items that the value gets wrong and the leader right.
        won: items that the value gets right and the leader wrong.
    """
    n = lost + won
    tail = sum(math.comb(n + 1, i) for i in range(lost + 1))
    return tail / ((n + 1) * math.comb(n, lost))


@dataclass
class SignEvidence:
    """The e-process of accuracy: a sign test of discordant pairs."""

    lost: int = 0
    won: int = 0

    def push(self, differences: Sequence[float]) -> None:
        """Take the next items: the value's score less the leader's, each -1, 0 or 1."""
        self.lost += sum(d < 0 for d in differences)
        self.won += sum(d > 0 for d in differences)

    @property
    def e_value(self) -> float:
        """How much speaks for the value being worse."""
        return sign_evidence(self.lost, self.won)


@dataclass
class BettingEvidence:
    """The e-process of a bounded score, such as accuracy less the price of tokens.

    Each item multiplies the capital by 1 + bet x loss; the bet is made before the item is seen.
    """

    bound: float
    """Two scores differ by at most this."""
    e_value: float = 1.0
    _losses: list[float] = field(default_factory=list)

    def push(self, differences: Sequence[float]) -> None:
        """Take the next items: the value's score less the leader's."""
        for difference in differences:
            loss = -difference / self.bound
            self.e_value *= 1 + self._bet() * loss
            self._losses.append(loss)

    def _bet(self) -> float:
        """The approximately growth-optimal share (aGRAPA), by the items so far and a prior one."""
        n = len(self._losses)
        mean = sum(self._losses) / (n + 1)
        spread = (0.25 + sum((x - mean) ** 2 for x in self._losses)) / (n + 1)
        return min(max(mean / (spread + mean * mean), 0.0), MOST_BET)


def betting_interval(
    differences: Sequence[float], bound: float, alpha: float = 0.05, points: int = 401
) -> tuple[float, float]:
    """Interval for a mean difference that holds at every number of items together.

    Two capitals bet against each candidate mean, one that it is larger and one that it is smaller;
    the means against which neither has ever reached 2/alpha are the interval.

    Args:
        differences: one number an item, in order.
        bound: each is at most this far from 0.
        alpha: chance that the interval misses at some time.
        points: candidate means between -bound and bound.
    """
    grid: NDArray[np.float64] = np.linspace(-1, 1, points)
    x = np.asarray(differences, float) / bound
    before = np.concatenate([[0.0], np.cumsum(x)[:-1]]) if len(x) else x
    held = np.ones(points, bool)
    n = np.arange(1, len(x) + 1)
    means = before / n
    squares = np.concatenate([[0.0], np.cumsum((x - means) ** 2)[:-1]]) if len(x) else x
    bets = np.sqrt(2 * math.log(2 / alpha) / ((0.25 + squares) / n * n * np.log1p(n)))
    for sign in (1.0, -1.0):
        room = 1 + sign * grid  # the furthest that a step can fall below the candidate mean
        with np.errstate(divide="ignore"):
            most = np.minimum(1.0, MOST_BET / room)
        shares = np.minimum(bets[:, None], most[None, :])
        capital = np.cumsum(np.log1p(sign * shares * (x[:, None] - grid[None, :])), axis=0)
        held &= ~np.any(capital >= math.log(2 / alpha), axis=0)
    inside = grid[held] if held.any() else np.array([float(np.mean(x)) if len(x) else 0.0])
    step = 2 / (points - 1)
    low, high = max(-1.0, inside[0] - step), min(1.0, inside[-1] + step)
    return float(low * bound), float(high * bound)


@dataclass(frozen=True)
class Family:
    """How much error a line may make."""

    alpha: float
    """Of the whole sweep of a model."""
    lines: int
    """Lines that are visited at most."""
    alternatives: int
    """Lines that might stand in this one's place, whichever values earlier ones end with."""

    def limit(self, left: int) -> float:
        """The e-value at which a value is dropped.

        Args:
            left: values of the line that are not dropped yet.
        """
        return left * self.lines * self.alternatives / self.alpha
