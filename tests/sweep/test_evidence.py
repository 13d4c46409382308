"""Evidence that may be looked at after every block: exact by enumeration, and by simulation."""

import itertools
import math

import numpy as np
import pytest

from deimos.sweep.evidence import (
    BettingEvidence,
    Family,
    SignEvidence,
    betting_interval,
    sign_evidence,
)


def test_the_sign_e_value_is_the_mixture_that_its_docstring_names():
    q = np.linspace(0.5, 1, 200_001)
    for lost, won in [(0, 0), (1, 0), (0, 3), (7, 2), (20, 20), (40, 3)]:
        density = 2 * (2 * q) ** lost * (2 * (1 - q)) ** won
        integral = np.trapezoid(density, q)
        assert sign_evidence(lost, won) == pytest.approx(integral, rel=1e-6)


def test_under_equal_chances_the_next_sign_changes_nothing_on_average_or_lowers_it():
    for lost, won in itertools.product(range(12), repeat=2):
        after = (sign_evidence(lost + 1, won) + sign_evidence(lost, won + 1)) / 2
        assert after == pytest.approx(sign_evidence(lost, won), rel=1e-12)


def test_more_losses_are_more_evidence_and_thousands_of_items_are_no_trouble():
    values = [sign_evidence(lost, 20) for lost in range(60)]
    assert values == sorted(values) and sign_evidence(1500, 1400) > 0
    assert math.isfinite(sign_evidence(5000, 4000))


def test_betting_is_fair_whatever_the_items_before_were():
    rng = np.random.default_rng(0)
    for _ in range(200):
        evidence = BettingEvidence(bound=1.5)
        evidence.push(rng.uniform(-1.5, 1.5, rng.integers(0, 30)).tolist())
        before = evidence.e_value
        step, after = rng.uniform(0.1, 1.5), []
        for sign in (-1, 1):
            other = BettingEvidence(1.5, before, [*evidence._losses])
            other.push([sign * step])
            after.append(other.e_value)
        assert sum(after) / 2 == pytest.approx(before) and min(after) > 0


def test_both_find_a_clear_loss_and_no_gain():
    signs, betting = SignEvidence(), BettingEvidence(1.0)
    for evidence in (signs, betting):
        evidence.push([-1.0, 0.0, -1.0] * 20)
        assert evidence.e_value > 10_000
    better = BettingEvidence(1.0)
    better.push([1.0, 0.0] * 30)
    assert better.e_value <= 1


def test_a_betting_interval_holds_at_every_time_together():
    rng = np.random.default_rng(1)
    missed, widths = 0, []
    for _ in range(300):
        d = rng.choice([-1.0, 0.0, 1.0], size=160, p=[0.3, 0.6, 0.1]) * 2
        intervals = [betting_interval(d[:n], 2.0) for n in (16, 48, 96, 160)]
        missed += any(not lo <= -0.4 <= hi for lo, hi in intervals)
        widths.append([hi - lo for lo, hi in intervals])
    assert missed <= 0.05 * 300 + 3 * math.sqrt(300 * 0.05 * 0.95)
    assert np.mean(widths, axis=0)[-1] < np.mean(widths, axis=0)[0] < 4


def test_a_line_that_might_have_been_another_needs_more():
    first, later = Family(0.05, 4, 1), Family(0.05, 4, 9)
    assert first.limit(3) == pytest.approx(240) and later.limit(3) == pytest.approx(9 * 240)
    assert first.limit(2) < first.limit(3), "what is dropped is no longer counted"
