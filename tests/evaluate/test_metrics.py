"""Derived metrics: their published formulas by hand, their edges, and what their intervals say."""

import math

import numpy as np
import pytest

from deimos.evaluate import metrics, stats
from deimos.evaluate.outcomes import Outcome


def made(problem: int, ok: bool | None, think: int, total: int, *, index: int = 0) -> Outcome:
    return Outcome(f"t/{problem:04}", "t", True, index, ok, "stop", think, 5, total, 9, False)


def model(rights: list[float], tokens: list[float], think: int = 100) -> metrics.PerProblem:
    right = np.array(rights, float)
    return metrics.PerProblem(right, np.array(tokens, float), right * (1 - think / 1000), 1)


def mixed(n: int = 40, *, wrong: int = 10, tokens: float = 200) -> metrics.PerProblem:
    spread = 1 + 0.5 * np.sin(np.arange(n))
    return model([0.0] * wrong + [1.0] * (n - wrong), (tokens * spread).tolist())


def test_each_metric_is_its_published_formula():
    outcomes = [made(0, True, 100, 120), made(1, True, 400, 430), made(2, False, 50, 60)]
    outcomes += [made(3, True, 2000, 2010), made(4, None, 10, 20)]
    row = metrics.bench_metrics(outcomes)
    assert row["tokens_per_correct"] == pytest.approx((120 + 430 + 60 + 2010) / 3)
    # OptimalThinkingBench's eval.py: max(0, 1000 - tokens) / 1000 * right, averaged
    assert row["auc_oaa"] == pytest.approx((0.9 + 0.6 + 0 + 0) / 4)
    # OckBench's scoring.py, a hundredth of it
    assert row["ock_score"] == pytest.approx(0.75 - 0.1 * math.log((2620 / 4) / 10_000 + 1))
    assert row["derived"] == ["tokens_per_correct", "auc_oaa", "ock_score"]
    assert row["auc_oaa_most"] == 1000
    assert row["ock_score_coefficients"] == {"weight": 0.1, "scale": 10_000}
    assert row["auc_oaa_ci"] is None  # four judged problems


def test_auc_oaa_is_the_mean_over_thresholds():
    thinks, rights = [0, 1, 250, 999, 1000, 3000], [True, True, True, True, True, True]
    outcomes = [made(i, ok, t, t + 9) for i, (t, ok) in enumerate(zip(thinks, rights, strict=True))]
    slow = np.mean([np.mean([t < threshold for t in thinks]) for threshold in range(1, 1001)])
    assert metrics.bench_metrics(outcomes)["auc_oaa"] == pytest.approx(slow)


def test_repeats_are_averaged_for_each_problem_first():
    outcomes = [made(0, True, 10, 100), made(1, False, 10, 50), made(1, True, 10, 150, index=1)]
    row = metrics.bench_metrics(outcomes)
    assert row["tokens_per_correct"] == pytest.approx(100 / 0.75)


@pytest.mark.parametrize("by", metrics.AES)
def test_aes_weighs_a_gain_by_beta_and_a_loss_by_gamma(by):
    base, better, worse = mixed(wrong=10), mixed(wrong=4, tokens=80), mixed(wrong=16, tokens=80)
    gained = metrics.aes(base, better, by)
    assert gained.value == pytest.approx(0.6 + by.beta * (36 / 30 - 1))
    lost = metrics.aes(base, worse, by)
    assert lost.value == pytest.approx(0.6 - by.gamma * (1 - 24 / 30))
    assert metrics.aes(base, base, by).value == 0
    for found in (gained, lost):
        assert found.ci[0] < found.value < found.ci[1]


def test_the_two_published_sets_of_coefficients_stand_in_the_row():
    pairs = [([made(i, i > 2, 90, 100)], [made(i, i > 1, 40, 50)]) for i in range(20)]
    row = metrics.compare_metrics(pairs)
    assert [(s["alpha"], s["beta"], s["gamma"]) for s in row["aes"]] == [(1, 3, 5), (1, 5, 10)]
    assert all(s["source"] and s["ci"][0] < s["value"] < s["ci"][1] for s in row["aes"])
    assert row["tokens_per_correct_reduction"] == pytest.approx(1 - (50 / 18) / (100 / 17))
    assert row["auc_oaa_delta"] == pytest.approx((18 * 0.96 - 17 * 0.91) / 20)
    cost = [0.1 * math.log(tokens / 10_000 + 1) for tokens in (100, 50)]
    assert row["ock_score_delta"] == pytest.approx(0.05 + cost[0] - cost[1])
    assert set(row["derived"]) <= set(row)


def test_nothing_right_is_null_not_infinite():
    none, some = mixed(wrong=40), mixed()
    assert metrics.tokens_per_correct(none) == (None, None)
    assert metrics.tokens_per_correct_reduction(none, some) == (None, None)
    assert metrics.tokens_per_correct_reduction(some, none) == (None, None)
    assert metrics.aes(none, some, metrics.AES[0]) == (None, None)
    assert metrics.aes(some, none, metrics.AES[0]).value == pytest.approx(-5)
    empty = metrics.average([])
    assert metrics.tokens_per_correct(empty) == metrics.ock_score(empty) == (None, None)
    assert metrics.auc_oaa(empty) == (None, None)
    assert metrics.compare_metrics([])["ock_score_delta"] is None


def test_all_right_is_not_certain():
    every = mixed(wrong=0)
    tokens = metrics.tokens_per_correct(every)
    assert tokens.ci[1] - tokens.value > tokens.value - tokens.ci[0]
    constant = model([1.0] * 30, [100.0] * 30)
    lo, hi = metrics.tokens_per_correct(constant).ci
    assert lo == pytest.approx(100) and hi == pytest.approx(100 / stats.wilson(1, 30)[0])
    lo, hi = metrics.auc_oaa(constant).ci
    assert lo == pytest.approx(0.9 * stats.wilson(1, 30)[0]) and hi == pytest.approx(0.9)
    spent = model([1.0, 0.0] * 15, [5000.0] * 30, think=1000)
    assert metrics.auc_oaa(spent) == (0, stats.wilson(0, 30))
    assert metrics.ock_score(constant).ci[0] < metrics.ock_score(constant).value
    same = metrics.aes(constant, constant, metrics.AES[1])
    assert same.ci[0] < 0 < same.ci[1]


def test_few_problems_have_values_and_no_intervals():
    few = model([1.0, 0.0, 1.0], [10.0, 20.0, 30.0])
    for found in (
        metrics.tokens_per_correct(few), metrics.auc_oaa(few), metrics.ock_score(few),
        metrics.aes(few, few, metrics.AES[0]), metrics.tokens_per_correct_reduction(few, few),
    ):  # fmt: skip
        assert found.value is not None and found.ci is None


def simulated(rng: np.random.Generator, n: int) -> tuple[metrics.PerProblem, metrics.PerProblem]:
    """Harder problems take more tokens; one in ten changes its verdict."""
    hard = rng.random(n)
    base = hard < 0.6
    tuned = np.where(rng.random(n) < 0.1, rng.random(n) < 0.75, base)
    sides = []
    for right, shift in ((base, 0.0), (tuned, -0.7)):
        tokens = np.exp(5.3 + hard + shift + rng.normal(0, 0.5, n))
        unspent = right * np.maximum(1000 - 0.8 * tokens, 0) / 1000
        sides.append(metrics.PerProblem(right.astype(float), tokens, unspent, 1))
    return sides[0], sides[1]


def test_every_interval_holds_about_as_often_as_it_says():
    rng = np.random.default_rng(11)
    asked = {
        "tokens": lambda b, t: metrics.tokens_per_correct(t), "oaa": lambda b, t: metrics.auc_oaa(t),
        "ock": lambda b, t: metrics.ock_score(t), "ock delta": metrics.ock_score_delta,
        "reduction": metrics.tokens_per_correct_reduction,
        "aes": lambda b, t: metrics.aes(b, t, metrics.AES[0]),
    }  # fmt: skip
    whole = simulated(rng, 300_000)
    truth = {name: ask(*whole).value for name, ask in asked.items()}
    hits = dict.fromkeys(asked, 0)
    for _ in range(500):
        pair = simulated(rng, 200)
        for name, ask in asked.items():
            lo, hi = ask(*pair).ci
            hits[name] += lo <= truth[name] <= hi
    assert all(0.925 <= hit / 500 <= 0.985 for hit in hits.values()), hits
