"""Filter 4."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deimos.recipe import Quota, RecipeError
from deimos.select.policy import Chosen, apply_quota, choose, make_chooser, needs_more_decoding
from deimos.types import Completion, Prompt


def candidate(index: int, think: int, answer: int = 3, finish: str = "stop") -> Completion:
    return Completion(
        "p", index, 0, "", "", "", (), (), think, answer, finish, None, 0.0, "test",  # type: ignore[arg-type]
    )  # fmt: skip


POOL = [
    candidate(0, 9),
    candidate(1, 4, 5),
    candidate(2, 4, 2),
    candidate(3, 4, 2),
    candidate(4, 6),
]


def chosen_by(policy: str, min_pass: int = 1, min_think_tokens: int = 0) -> int | None:
    found = choose(POOL, policy, min_pass=min_pass, min_think_tokens=min_think_tokens)
    return found and found.index


@pytest.mark.parametrize(
    ("policy", "index"),
    [("shortest", 2), ("quantile:0", 2), ("median", 1), ("quantile:0.75", 4), ("quantile:1", 0)],
)
def test_policies(policy: str, index: int) -> None:
    assert chosen_by(policy) == index


def test_nothing_is_kept_of_too_few_or_too_short() -> None:
    assert chosen_by("shortest", min_pass=5) == 2
    assert chosen_by("shortest", min_pass=6) is None
    assert chosen_by("shortest", min_think_tokens=5) == 4
    assert chosen_by("shortest", min_think_tokens=10) is None


@pytest.mark.parametrize(
    "policy", ["longest", "quantile", "quantile:x", "quantile:1.5", "median:1"]
)
def test_an_unknown_policy_is_one_sentence(policy: str) -> None:
    with pytest.raises(RecipeError, match="must be shortest, median or quantile"):
        make_chooser(policy)


def test_an_outpaced_candidate_that_could_still_be_kept_needs_more_decoding() -> None:
    stopped = candidate(7, 5, finish="outpaced")
    assert needs_more_decoding(stopped, None, "shortest")
    assert needs_more_decoding(stopped, candidate(0, 5), "shortest")
    assert not needs_more_decoding(stopped, candidate(0, 4), "shortest")
    assert needs_more_decoding(stopped, candidate(0, 4), "median")
    assert not needs_more_decoding(candidate(7, 5), None, "shortest")


def golds(tasks: list[str], rates: list[float | None]) -> list[Chosen]:
    return [
        Chosen(
            Prompt.of(task=task, kind="math", messages=[], reference=str(i)),
            candidate(0, 1), 1, 1, rate,
        )
        for i, (task, rate) in enumerate(zip(tasks, rates, strict=True))
    ]  # fmt: skip


def test_a_task_has_at_most_its_quota_whatever_the_order() -> None:
    pool = golds(["a"] * 5 + ["b"] * 2, [None] * 7)
    kept, gone = apply_quota(pool, Quota(max_per_task=3))
    assert [g.prompt.task for g in kept] == ["a"] * 3 + ["b"] * 2
    again, _ = apply_quota(pool[::-1], Quota(max_per_task=3))
    assert {g.prompt.id for g in again} == {g.prompt.id for g in kept}
    assert set(gone) == {g.prompt.id for g in pool} - {g.prompt.id for g in kept}


@given(st.integers(0, 20), st.integers(0, 20), st.sampled_from([0.1, 0.25, 0.3, 0.5, 0.9, 1.0]))
def test_the_easy_share_is_as_large_as_allowed(easy: int, hard: int, share: float) -> None:
    kept, _ = apply_quota(
        golds(["a"] * (easy + hard), [1.0] * easy + [0.5] * hard), Quota(max_share_easy=share)
    )
    left = sum(g.pass_rate == 1.0 for g in kept)
    assert len(kept) - left == hard
    assert left <= share * len(kept)
    assert left == easy or left + 1 > share * (len(kept) + 1), "one more would be too many"
