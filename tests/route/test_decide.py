"""The rule: each way to a recommendation, and how often it is wrong when it may not be."""

import numpy as np
import pytest

from deimos.evaluate import stats
from deimos.route.decide import decide, joint_level

FEWER_OFF, FEWER_ON, NEITHER = (20.0, 90.0), (-90.0, -20.0), (-5.0, 9.0)


@pytest.mark.parametrize(
    ("accuracy", "tokens", "recommended", "because"),
    [
        ((0.01, 0.2), FEWER_OFF, "on", "more accurate with thinking on"),
        ((-0.2, -0.01), FEWER_ON, "off", "more accurate with thinking off"),
        ((-0.03, 0.02), FEWER_OFF, "off", "takes fewer tokens and is not less accurate"),
        ((-0.03, 0.021), FEWER_OFF, "either", "not ruled out"),
        ((-0.02, 0.3), FEWER_ON, "on", "thinking on takes fewer tokens"),
        ((-0.02, 0.0), FEWER_ON, "on", "thinking on takes fewer tokens"),
        ((-0.021, 0.0), FEWER_ON, "either", "thinking on takes fewer tokens"),
        ((-0.01, 0.01), NEITHER, "either", "no difference is shown in accuracy or in tokens"),
        ((-0.01, 0.01), None, "either", "too few prompts"),
        ((0.1, 0.2), None, "on", "more accurate"),
        (None, FEWER_OFF, "either", "no prompt was judged"),
    ],
)
def test_each_way_to_a_recommendation(accuracy, tokens, recommended, because):
    decision = decide(accuracy, tokens, 0.02)
    assert decision.recommended == recommended and because in decision.because


def test_the_level_of_one_comparison_is_the_usual_one():
    assert joint_level(1) == stats.LEVEL == joint_level(0)
    assert joint_level(5) == pytest.approx(0.99)


def test_tables_in_which_the_modes_are_as_good_seldom_call_one_more_accurate():
    """Five tasks and all of them together, 30% of pairs disagree: 5% of tables at most."""
    rng, level = np.random.default_rng(1), joint_level(6)
    wrong = alone = 0
    for _ in range(400):
        flips = rng.choice([1, -1, 0], p=[0.15, 0.15, 0.7], size=(5, 60))
        parts = [*flips, flips.ravel()]
        pairs = [(int((d > 0).sum()), int((d < 0).sum()), d.size) for d in parts]
        said = [decide(stats.tango(*p, level=level), FEWER_OFF, 0.0).because for p in pairs]
        wrong += any("more accurate with" in because for because in said)
        usual = [decide(stats.tango(*p), FEWER_OFF, 0.0).because for p in pairs]
        alone += any("more accurate with" in because for because in usual)
    assert wrong / 400 <= 0.075, "5%, with three standard errors of 400 tables"
    assert alone > 2 * wrong, "95% intervals would be wrong more often"


def test_a_cheaper_mode_that_loses_as_much_as_the_margin_is_seldom_recommended():
    rng, taken = np.random.default_rng(2), 0
    for _ in range(600):
        gained, lost, _ = rng.multinomial(400, [0.08, 0.05, 0.87])  # on is better by 0.03
        taken += decide(stats.tango(gained, lost, 400), FEWER_OFF, 0.03).recommended == "off"
    assert taken / 600 <= 0.025 + 3 * (0.025 * 0.975 / 600) ** 0.5
