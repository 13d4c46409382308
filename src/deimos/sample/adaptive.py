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

The estimates. A race does not show the spread: candidates that think longer than the winner are
stopped. What it shows are the lowest order statistics, one after another: the shortest thought of k
right candidates, of more, of more. Their fall in logarithms by the fall of z is s, with ``PRIOR_SPREAD`` worth a fall of
z of ``PRIOR_WEIGHT``. The pass rate p is by Laplace's rule of succession, over those whose thought is
no longer than the winner's; the others are unknown and count as p right ones each.

None of this depends on timing: a candidate that thinks no longer than the winner is never stopped,
and what a slow race also learnt of longer ones is not used. So on a seeded engine N is a function of
the seeds and the verdicts, interrupted or not. The price is that a prompt's candidates wait for one
another, and the first ones run without a cap; with many prompts under way the engine stays busy.
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
class CandidateResult:
    """How one candidate ended."""

    ok: bool | None
    """Whether it passed filters 1 to 3; None: it was stopped, or could not be judged."""
    think_tokens: int


def result_of(completion: Completion) -> CandidateResult:
    """How a candidate that has ended counts here."""
    verdict = completion.verdict
    return CandidateResult(verdict.ok if verdict else None, completion.think_tokens)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of a prompt's candidates are to run."""

    unstoppable: int
    """This many first candidates are never stopped."""
    count: int
    """This many first candidates are started."""


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What the candidates so far have shown of a prompt that has a winner."""

    shortest: int
    """Think tokens of the winner."""
    rivals: float
    """Right candidates among which it is the shortest, as far as can be told."""
    pass_rate: float


def decide_wanted(
    settings: Sample,
    results: Mapping[int, CandidateResult],
    *,
    min_pass: int = 1,
    min_think_tokens: int = 0,
) -> Wanted:
    """Which of a prompt's candidates are to run, by what has ended so far.

    Args:
        settings: the recipe's; if n is a number, all of these run.
        results: by index; while one of those started has none yet, no further one is wanted.
        min_pass: how many must pass before there is a winner.
        min_think_tokens: shorter thoughts are never kept.
    """
    rule = settings.n
    if isinstance(rule, int):
        return Wanted(rule if settings.exhaustive else settings.probe, rule)
    first: _Evidence | None = None
    started = rule.min
    while all(index in results for index in range(started)):
        known = [results[index] for index in range(started)]
        more = min(rule.min, rule.max - started)
        now = _evidence_of(known, min_pass, min_think_tokens)
        failed = sum(result.ok is False for result in known)
        if now is None and rule.give_up is not None and failed >= rule.give_up:
            break
        first = first or now
        if first and now and more:
            spread = estimate_spread(first.rivals, first.shortest, now.rivals, now.shortest)
            gain = expect_shortening(spread, now.rivals, now.pass_rate * more)
            if gain / more < rule.stop_when.gain_below:
                break
        if not more:
            break
        started += more
    return Wanted(settings.probe, started)


def _evidence_of(
    known: Sequence[CandidateResult], min_pass: int, min_think_tokens: int
) -> _Evidence | None:
    passed = [result.think_tokens for result in known if result.ok]
    right = [tokens for tokens in passed if tokens >= min_think_tokens]
    if not right or len(passed) < min_pass:
        return None
    shortest = min(right)
    judged = sum(result.ok is not None and result.think_tokens <= shortest for result in known)
    ties = right.count(shortest)
    pass_rate = (ties + 1) / (judged + 2)
    return _Evidence(shortest, ties + pass_rate * (len(known) - judged), pass_rate)


def expect_shortening(spread: float, rivals: float, more: float) -> float:
    """Expected share by which so many more right thoughts shorten the shortest of ``rivals``."""
    return 1 - math.exp(-spread * (_lowest(rivals) - _lowest(rivals + more)))


def estimate_spread(rivals: float, shortest: int, rivals_now: float, shortest_now: int) -> float:
    """Spread of one prompt's right thoughts by how their shortest fell, the prior counted in."""
    fell = math.log(max(1, shortest)) - math.log(max(1, shortest_now))
    expected = max(0.0, _lowest(rivals) - _lowest(rivals_now))
    return (PRIOR_SPREAD * PRIOR_WEIGHT + fell) / (PRIOR_WEIGHT + expected)


def _lowest(draws: float) -> float:
    """Expected lowest of so many standard normal draws (Blom's approximation)."""
    return NormalDist().inv_cdf(0.625 / (draws + 0.25))
