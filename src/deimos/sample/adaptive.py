"""Adaptive N: how many candidates of one prompt are worth their cost, by what the first ones show.

A prompt's first ``min`` candidates race. Once all of them have ended it is decided whether ``min``
more start, under the winner's cap, and so on up to ``max``. Without a winner more start until
``give_up`` have failed. With one, they start while they are expected to be worth it:

The rule. Take the thoughts of a prompt's right candidates as lognormal with spread s (standard
deviation of the logarithm). With z(k) the expected lowest of k standard normal draws (Blom 1958:
about the quantile (1 - 3/8) / (k + 1/4)), the logarithm of the shortest of k thoughts is expected
to be m + s z(k), so r more right ones shorten it by the share 1 - exp(-s (z(k) - z(k + r))).
Each candidate costs at most as many tokens of thought as the kept thought has, because the race
stops it there. So that share, divided by the candidates it takes, is at least the tokens saved in the
kept thought for each token decoded; it must be no less than ``gain_below``.

The estimates. A race does not show the spread: whoever thinks longer than the winner is stopped. What
it shows are the lowest order statistics, one after another: the shortest thought after k rivals, after
more, after more. Their fall in logarithms by the fall of z is s, with ``PRIOR_SPREAD`` worth a fall of
z of ``PRIOR_WEIGHT``. The pass rate p is by Laplace's rule of succession, over those whose thought is
no longer than the winner's; the others are unknown and count as p rivals each.

All of these are facts that no timing changes: whoever thinks no longer than the winner is never
stopped, and what a slow race also learnt of longer ones is left aside. So on a seeded engine N is a
function of the seeds and the verdicts, interrupted or not. The price is that a prompt's candidates
wait for one another and the first ones for no cap; many prompts under way hide the wait.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from deimos.recipe import Sample
from deimos.types import Completion

PRIOR_SPREAD = 0.5
"""Of a prompt's right thoughts, before any is seen: they differ by a factor of 1.6 either way."""
PRIOR_WEIGHT = 0.5
"""About the fall of z from the first draw to the second."""


@dataclass(frozen=True, slots=True)
class Fate:
    """How one candidate ended."""

    ok: bool | None
    """Passed filters 1 to 3; None: stopped, or could not be told."""
    think_tokens: int


def fate_of(completion: Completion) -> Fate:
    """How a candidate has ended, by its verdict."""
    verdict = completion.verdict
    return Fate(verdict.ok if verdict else None, completion.think_tokens)


@dataclass(frozen=True, slots=True)
class Line:
    """Which of a prompt's candidates are to run."""

    free: int
    """The first so many are never stopped."""
    wanted: int
    """The first so many are started."""


@dataclass(frozen=True, slots=True)
class _Standing:
    """What the candidates so far have shown of a prompt that has a winner."""

    shortest: int
    """Think tokens of the winner."""
    rivals: float
    """Right candidates among which it is the shortest, as far as can be told."""
    pass_rate: float


def line(
    settings: Sample, fates: Mapping[int, Fate], *, min_pass: int = 1, min_think_tokens: int = 0
) -> Line:
    """Which of a prompt's candidates are to run, by what has ended so far.

    Args:
        settings: the recipe's; where n is a number, that decides.
        fates: by index; where one of those started is not there yet, nobody else is wanted.
        min_pass: passes without which there is no winner.
        min_think_tokens: shorter thoughts are never kept.
    """
    rule = settings.n
    if isinstance(rule, int):
        return Line(rule if settings.exhaustive else settings.probe, rule)
    first: _Standing | None = None
    started = rule.min
    while all(index in fates for index in range(started)):
        known = [fates[index] for index in range(started)]
        more = min(rule.min, rule.max - started)
        now = _standing(known, min_pass, min_think_tokens)
        failed = sum(fate.ok is False for fate in known)
        if now is None and rule.give_up is not None and failed >= rule.give_up:
            break
        first = first or now
        if first and now and more:
            spread = spread_of(first.rivals, first.shortest, now.rivals, now.shortest)
            gain = shortening(spread, now.rivals, now.pass_rate * more)
            if gain / more < rule.stop_when.gain_below:
                break
        if not more:
            break
        started += more
    return Line(settings.probe, started)


def _standing(known: Sequence[Fate], min_pass: int, min_think_tokens: int) -> _Standing | None:
    passed = [fate.think_tokens for fate in known if fate.ok]
    right = [tokens for tokens in passed if tokens >= min_think_tokens]
    if not right or len(passed) < min_pass:
        return None
    shortest = min(right)
    judged = sum(fate.ok is not None and fate.think_tokens <= shortest for fate in known)
    ties = right.count(shortest)
    pass_rate = (ties + 1) / (judged + 2)
    return _Standing(shortest, ties + pass_rate * (len(known) - judged), pass_rate)


def shortening(spread: float, rivals: float, more: float) -> float:
    """Expected share by which so many more right thoughts shorten the shortest of ``rivals``."""
    return 1 - math.exp(-spread * (_lowest(rivals) - _lowest(rivals + more)))


def spread_of(rivals: float, shortest: int, rivals_now: float, shortest_now: int) -> float:
    """Spread of one prompt's right thoughts by how their shortest fell, the prior counted in."""
    fell = math.log(max(1, shortest)) - math.log(max(1, shortest_now))
    expected = max(0.0, _lowest(rivals) - _lowest(rivals_now))
    return (PRIOR_SPREAD * PRIOR_WEIGHT + fell) / (PRIOR_WEIGHT + expected)


def _lowest(draws: float) -> float:
    """Expected lowest of so many standard normal draws (Blom's approximation)."""
    return NormalDist().inv_cdf(0.625 / (draws + 0.25))
