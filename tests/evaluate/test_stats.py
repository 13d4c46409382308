"""Intervals, held to published examples and to slow independent computations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from scipy import stats as scipy_stats

from deimos.evaluate import stats


def quartic_limits(n: int, b: int, c: int) -> np.ndarray:
    """Real roots of Yang, Sun & Hardin's quartic (Stat. Med. 2013), whose extremes are Tango's limits."""
    g = scipy_stats.norm.ppf(0.975) ** 2
    d = b - c
    return np.roots(
        [
            n**2 * (n / g + 1) ** 2,
            -n * d * (n / g + 1) * (4 * n / g + 1),
            2 * n * d**2 * (3 * n / g + 2) / g - n**2 * ((b + c) / g + 1),
            n * d * (2 * (b + c) / g + 1) - d**3 * (4 * n / g + 1) / g,
            d**2 * (d**2 / g - (b + c)) / g,
        ]
    )


def brute_score(b: int, c: int, n: int, delta: float) -> float:
    """The score statistic with the nuisance parameter found by numeric maximum likelihood."""

    def minus_log_likelihood(q: float) -> float:
        p = q + delta
        rest = 1 - p - q
        terms = [(b, p), (c, q), (n - b - c, rest)]
        return -sum(k * np.log(max(v, 1e-300)) for k, v in terms if k)

    lo, hi = max(0.0, -delta), (1 - delta) / 2
    q = optimize.minimize_scalar(
        minus_log_likelihood, bounds=(lo, hi), method="bounded", options={"xatol": 1e-12}
    ).x
    return (b - c - n * delta) / np.sqrt(n * (2 * q + delta - delta**2))


def test_tango_agrees_with_the_published_airway_example():
    # Fagerland, Lydersen & Laake 2014 (Bentur's data: 1, 1 / 7, 12): -0.517 to -0.026
    lo, hi = stats.tango(1, 7, 21)
    assert (round(lo, 3), round(hi, 3)) == (-0.517, -0.026)


@given(
    st.integers(1, 400)
    .flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))
    .flatmap(lambda t: st.tuples(st.just(t[0]), st.just(t[1]), st.integers(0, t[0] - t[1])))
)
@settings(max_examples=150, deadline=None)
def test_tango_limits_solve_the_non_iterative_quartic(case: tuple[int, int, int]):
    n, b, c = case
    lo, hi = stats.tango(b, c, n)
    assert -1 <= lo <= (b - c) / n <= hi <= 1
    assert (lo < hi) or n == 0
    roots = quartic_limits(n, b, c)
    real = roots[np.abs(roots.imag) < 1e-4].real
    for limit in (lo, hi):
        if abs(limit) < 1 - 1e-9:  # a limit at the edge of [-1, 1] needs no root
            assert np.min(np.abs(real - limit)) < 1e-4


@pytest.mark.parametrize(
    ("b", "c", "n"), [(40, 20, 160), (1, 7, 21), (12, 9, 1000), (5, 0, 30), (3, 3, 50)]
)
def test_tango_limits_are_where_a_numeric_likelihood_puts_them(b: int, c: int, n: int):
    lo, hi = stats.tango(b, c, n)
    assert brute_score(b, c, n, lo) == pytest.approx(stats.Z, abs=2e-3)
    assert brute_score(b, c, n, hi) == pytest.approx(-stats.Z, abs=2e-3)


@pytest.mark.parametrize("n", [1, 3, 100, 1000])
def test_no_disagreement_is_not_certainty(n: int):
    z2 = stats.Z**2
    assert stats.tango(0, 0, n) == pytest.approx((-z2 / (n + z2), z2 / (n + z2)))


def test_tango_is_antisymmetric_and_handles_the_extremes():
    lo, hi = stats.tango(9, 4, 70)
    assert stats.tango(4, 9, 70) == pytest.approx((-hi, -lo))
    assert stats.tango(1, 0, 1)[1] == pytest.approx(1)
    assert stats.tango(10, 0, 10)[1] == pytest.approx(1)
    assert stats.tango(0, 0, 0) is None
    with pytest.raises(ValueError, match="do not fit"):
        stats.tango(3, 3, 5)


def test_tango_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    p = [0.06, 0.03, 0.91]
    draws = rng.multinomial(120, p, size=1500)
    hit = np.mean(
        [lo <= 0.03 <= hi for b, c, _ in draws for lo, hi in [stats.tango(int(b), int(c), 120)]]
    )
    assert 0.93 <= hit <= 0.975


def test_wilson_is_the_published_one():
    # Newcombe 1998, table I: 81/263, 15/148, 0/20, 1/29
    for k, n, lo, hi in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ]:
        assert stats.wilson(k / n, n) == pytest.approx((lo, hi), abs=6e-5)
    assert stats.wilson(0.5, 0) is None
    assert stats.wilson(1.0, 50)[1] == 1.0


def test_repeats_count_for_no_more_than_they_tell():
    rng = np.random.default_rng(1)
    easy_or_hard = rng.integers(0, 2, 400).astype(
        float
    )  # repeats agree: 400 problems, not 3,200 samples
    assert stats.accuracy(easy_or_hard, 8).ci == pytest.approx(
        stats.accuracy(easy_or_hard, 1).ci, abs=1e-4
    )
    independent = rng.binomial(8, 0.5, 400) / 8
    wide, narrow = stats.accuracy(easy_or_hard, 8).ci, stats.accuracy(independent, 8).ci
    assert (narrow[1] - narrow[0]) < 0.5 * (wide[1] - wide[0])
    assert stats.accuracy([], 1) == (None, None)
    assert stats.accuracy([1, 1, 1], 4).ci == stats.wilson(1, 3)


def slow_medians(values: np.ndarray, problem: np.ndarray, counts: np.ndarray) -> list[float]:
    return [float(np.median(np.repeat(values, row[problem]))) for row in counts]


@given(st.integers(1, 12), st.integers(0, 9999))
@settings(max_examples=40, deadline=None)
def test_clustered_medians_are_medians_of_the_redrawn_samples(n: int, seed: int):
    rng = np.random.default_rng(seed)
    problem = np.concatenate([np.arange(n), rng.integers(0, n, n)])  # ragged: at least one each
    values = rng.integers(0, 30, 2 * n).astype(float)
    counts = np.concatenate(stats._resamples(n, 2 * n, seed, 20))
    assert counts.sum(axis=1).tolist() == [n] * 20
    assert stats.Clustered(values, problem).medians(counts).tolist() == slow_medians(
        values, problem, counts
    )


def flat(values: np.ndarray) -> stats.Clustered:
    return stats.Clustered(np.asarray(values, float), np.arange(len(values)))


def test_median_reduction_is_paired_seeded_and_sane():
    rng = np.random.default_rng(3)
    base = rng.lognormal(5, 1, 300)
    same_share = stats.median_reduction(flat(base), flat(base * 0.4), 300, seed=7)
    assert same_share.value == pytest.approx(0.6)
    assert same_share.ci == pytest.approx((0.6, 0.6))  # problems are redrawn together on both sides
    noisy = base * rng.uniform(0.2, 0.6, 300)
    one, again = (stats.median_reduction(flat(base), flat(noisy), 300, seed=7) for _ in range(2))
    assert one == again
    assert one.ci[0] < one.value < one.ci[1]
    assert stats.median_reduction(flat(np.zeros(5)), flat(np.ones(5)), 5) == (None, None)


def test_a_medians_interval_covers_it_about_as_often_as_it_says():
    rng = np.random.default_rng(7)
    problem = np.arange(51)
    covered = 0
    for _ in range(400):
        drawn = rng.exponential(1.0, 51)
        low, high = stats.median(stats.Clustered(drawn, problem), 51).ci or (1.0, 0.0)
        covered += low <= np.log(2) <= high
    assert 0.94 <= covered / 400 <= 1.0


def test_pairing_refuses_other_problems():
    stats.check_pairing(["a", "b"], ["b", "a"])
    with pytest.raises(stats.PairingError, match=r"tuned lacks 1 \(as b\)"):
        stats.check_pairing(["a", "b"], ["a"])
    with pytest.raises(stats.PairingError, match="base has 1 problem ids more than once"):
        stats.check_pairing(["a", "a"], ["a", "a"])


def test_smallest_detectable_has_its_promised_power():
    n, discordant = 1000, 0.08
    d = np.concatenate([np.ones(40), -np.ones(40), np.zeros(920)])
    least = stats.smallest_detectable(d)
    gained = (discordant + least) / 2
    rng = np.random.default_rng(0)
    draws = rng.multinomial(n, [gained, discordant - gained, 1 - discordant], size=600)
    power = np.mean([stats.tango(int(b), int(c), n)[0] > 0 for b, c, _ in draws])
    assert 0.74 <= power <= 0.88
    assert stats.smallest_detectable(np.zeros(100)) == pytest.approx(
        2.8016 * np.sqrt(0.03 / 100), rel=1e-4
    )
    assert stats.smallest_detectable([]) is None


def test_a_higher_level_gives_a_wider_interval_and_holds_the_truth_more_often():
    wide, usual = stats.tango(12, 5, 100, level=0.99), stats.tango(12, 5, 100)
    assert wide is not None and usual is not None and wide[0] < usual[0] < usual[1] < wide[1]
    assert stats.tango(12, 5, 100, level=0.95) == usual
    # z at 99% is 2.5758: where the score is, the limit is
    assert stats._tango_score(12, 5, 100, wide[1]) == pytest.approx(-2.5758, abs=1e-3)


def test_a_mean_differences_interval_covers_it_as_often_as_it_says():
    rng = np.random.default_rng(3)
    inside = {0.95: 0, 0.99: 0}
    for _ in range(2000):
        d = rng.gamma(4.0, 10.0, size=40) - rng.gamma(2.0, 10.0, size=40)
        for level in inside:
            value, ci = stats.mean_difference(d, level=level)
            assert value == pytest.approx(d.mean())
            inside[level] += ci is not None and ci[0] <= 20 <= ci[1]
    assert 0.93 < inside[0.95] / 2000 < 0.97 and 0.98 < inside[0.99] / 2000 <= 1


def test_a_mean_of_few_differences_has_no_interval():
    assert stats.mean_difference([]) == (None, None)
    assert stats.mean_difference([1.0] * 7) == (1.0, None)
    assert stats.mean_difference([1.0] * 8) == (1.0, (1.0, 1.0))


def test_accuracy_delta_is_tangos_and_never_certain():
    base, tuned = np.array([1, 1, 0, 0, 1.0]), np.array([1, 0, 1, 1, 1.0])
    assert stats.accuracy_delta(base, tuned) == (
        pytest.approx(0.2),
        pytest.approx(stats.tango(2, 1, 5)),
    )
    same = stats.accuracy_delta(base, base, samples_each=4)
    assert same == (0.0, pytest.approx(stats.tango(0, 0, 5)))  # never [0, 0]
    with pytest.raises(stats.PairingError):
        stats.accuracy_delta([1, 0], [1])
    assert stats.accuracy_delta([], []) == (None, None)


def test_repeats_narrow_a_difference_by_no_more_than_they_tell():
    rng = np.random.default_rng(4)
    base = rng.integers(0, 2, 300).astype(float)
    tuned = np.where(rng.random(300) < 0.2, 1 - base, base)
    alike = stats.accuracy_delta(base, tuned, samples_each=8)  # a problem's repeats all agree
    assert alike.ci == pytest.approx(stats.accuracy_delta(base, tuned).ci, abs=2e-4)
    chances = np.full(300, 0.5), np.full(300, 0.55)
    b, t = (rng.binomial(8, p) / 8 for p in chances)
    lo, hi = stats.accuracy_delta(b, t, samples_each=8).ci
    assert (hi - lo) / 2 == pytest.approx(stats.Z * (t - b).std() / np.sqrt(300), rel=0.05)


def test_a_difference_with_repeats_holds_at_small_n_where_few_problems_differ():
    """The percentile bootstrap that stood here held 82% of the time on these (1,500 draws)."""
    rng, hits, n, repeats = np.random.default_rng(0), 0, 24, 4
    truth = 0.02 * 0.5  # two problems in a hundred become certain; half were right already
    for _ in range(400):
        base = rng.beta(0.05, 0.05, n)
        tuned = np.where(rng.random(n) < 0.02, 1.0, base)
        b, t = (rng.binomial(repeats, chance) / repeats for chance in (base, tuned))
        lo, hi = stats.accuracy_delta(b, t, samples_each=repeats).ci
        hits += lo <= truth <= hi
    assert hits / 400 >= 0.94


def test_a_median_with_repeats_is_woodruffs_over_problems():
    rng = np.random.default_rng(2)
    problem, hits = np.repeat(np.arange(12), 4), 0
    for _ in range(400):
        level = rng.normal(5, 0.5, 12)
        drawn = np.exp(level[problem] + rng.normal(0, 0.3, 48))
        low, high = stats.median(stats.Clustered(drawn, problem), 12).ci
        hits += low <= np.exp(5) <= high
    assert 0.93 <= hits / 400 <= 0.99
    none = stats.Clustered(np.array([]), np.array([], np.int64))
    assert stats.median(none, 0) == (None, None)


def test_too_few_problems_have_no_interval():
    seven, eight = np.arange(1.0, 8.0), np.arange(1.0, 9.0)
    twice = stats.Clustered(np.repeat(seven, 2), np.repeat(np.arange(7), 2))
    assert stats.median(twice, 7).ci is None
    assert stats.median(flat(np.arange(5.0)), 5).ci is None  # the extremes of five make 94%
    assert stats.median(flat(np.arange(6.0)), 6).ci == (0.0, 5.0)
    assert stats.median_reduction(flat(seven), flat(seven / 2), 7) == (0.5, None)
    assert stats.median_reduction(flat(eight), flat(eight / 2), 8) == (0.5, (0.5, 0.5))
