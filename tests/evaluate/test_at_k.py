"""avg@k, pass@k and maj@k: by hand, by enumeration, and as rows."""

import itertools
from fractions import Fraction

import pytest

from deimos.evaluate.at_k import RIGHT, at_k_deltas, at_k_part, majority_right, pass_at_k
from deimos.evaluate.outcomes import Outcome


def outcome(problem: str, index: int, ok: bool | None, vote: str | None) -> Outcome:
    return Outcome(problem, "t", True, index, ok, "stop", 1, 1, 2, 5, False, vote=vote)


def problem(name: str, votes: str) -> list[Outcome]:
    """One sample a letter: = is right, another letter a wrong answer, - none, ? not judged."""
    return [
        outcome(name, i, None if v == "?" else v == RIGHT, "" if v in "-?" else v)
        for i, v in enumerate(votes)
    ]


@pytest.mark.parametrize(("samples", "right"), [(6, 0), (6, 1), (6, 3), (6, 6), (5, 2)])
def test_pass_at_k_is_the_mean_over_all_choices_of_k(samples, right):
    verdicts = [True] * right + [False] * (samples - right)
    for k in range(1, samples + 1):
        drawn = list(itertools.combinations(verdicts, k))
        expected = Fraction(sum(map(any, drawn)), len(drawn))
        assert pass_at_k(samples, right, k) == pytest.approx(float(expected))


def test_pass_at_more_than_there_are_is_refused():
    with pytest.raises(ValueError, match="pass@5 of 2 right among 4"):
        pass_at_k(4, 2, 5)


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ("==a", 1), ("=aa", 0), ("=a", 0.5), ("=ab", 1 / 3), ("=ab-", 1 / 3), ("==aab", 0.5),
        ("---", 0), ("=--", 1), ("", 0), ("aabb", 0),
    ],
)  # fmt: skip
def test_ties_count_in_part_and_nothing_votes_for_nothing(votes, expected):
    assert majority_right(["" if v == "-" else v for v in votes]) == pytest.approx(expected)


def test_rows_of_several_samples():
    found = at_k_part([*problem("p", "==a"), *problem("q", "=aa"), *problem("r", "ab-")])
    assert (found["k"], found["k_n"]) == (3, 3)
    assert found["avg_at_k"] == pytest.approx((2 / 3 + 1 / 3 + 0) / 3)
    assert found["pass_at_k"] == pytest.approx(2 / 3) and found["maj_at_k"] == pytest.approx(1 / 3)
    for name in ("avg_at_k", "pass_at_k", "maj_at_k"):
        low, high = found[f"{name}_ci"]
        assert 0 <= low <= found[name] <= high <= 1


def test_one_sample_has_no_row():
    assert at_k_part(problem("p", "=")) == {} == at_k_part([])


def test_what_could_not_be_judged_leaves_its_problem_out():
    found = at_k_part([*problem("p", "=?a"), *problem("q", "==a")])
    assert found["k_n"] == 1 and found["pass_at_k"] == 1 == found["maj_at_k"]
    assert found["avg_at_k"] == pytest.approx((1 / 2 + 2 / 3) / 2), "of all that was judged"


def test_a_kind_that_cannot_be_compared_has_no_majority():
    other = [outcome("q", i, True, None) for i in range(3)]
    found = at_k_part([*problem("p", "==a"), *other])
    assert found["maj_at_k"] is None is found["maj_at_k_ci"]
    assert found["pass_at_k"] == 1


def test_differences_are_paired_by_problem():
    base = [*problem("p", "=ab"), *problem("q", "=aa"), *problem("r", "abc")]
    tuned = [*problem("p", "==a"), *problem("q", "==="), *problem("r", "aab")]
    row = at_k_deltas(base, tuned)
    assert (row["k"], row["k_n"]) == (3, 3)
    assert row["avg_at_k_delta"] == pytest.approx((1 / 3 + 2 / 3 + 0) / 3)
    assert row["pass_at_k_delta"] == 0
    assert row["maj_at_k_delta"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    for name in ("avg_at_k", "pass_at_k", "maj_at_k"):
        low, high = row[f"{name}_delta_ci"]
        assert -1 <= low <= row[f"{name}_delta"] <= high <= 1


def test_no_difference_between_different_k():
    assert at_k_deltas(problem("p", "=ab"), problem("p", "=")) == {}
    assert at_k_deltas(problem("p", "="), problem("p", "=")) == {}
