"""Rows from synthetic outcomes: identities, pairing, less flattering, nulls."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deimos.bench.suites import ArmName
from deimos.bench.tables import (
    Slice,
    accuracy_part,
    bench_row,
    compare_row,
    select_slice,
    tabulate_all,
    tabulate_ship,
)
from deimos.evaluate import stats
from deimos.evaluate.outcomes import Outcome, accuracy_curve, budgets_between

EQUAL = Slice("equal", True, "all", 100)


def made(
    problem: int,
    ok: bool | None,
    think: int = 10,
    *,
    finish: str = "stop",
    index: int = 0,
    answer: int = 5,
) -> Outcome:
    return Outcome(
        f"t/{problem:04}",
        "t",
        True,
        index,
        ok,
        finish,
        think,
        answer,
        think + answer + 3,
        4 * think,
        think == 0,
    )


outcomes_of = st.lists(
    st.tuples(
        st.lists(
            st.tuples(st.sampled_from([True, False, None]), st.sampled_from(["stop", "length"])),
            min_size=1,
            max_size=3,
        ),
        st.lists(
            st.tuples(st.sampled_from([True, False, None]), st.sampled_from(["stop", "length"])),
            min_size=1,
            max_size=3,
        ),
    ),
    min_size=1,
    max_size=12,
)


@given(outcomes_of)
@settings(max_examples=150, deadline=None)
def test_finishing_and_reasoning_add_up_to_the_difference(problems: list):
    base = [
        made(p, ok, finish=f, index=i)
        for p, (b, _) in enumerate(problems)
        for i, (ok, f) in enumerate(b)
    ]
    tuned = [
        made(p, ok, finish=f, index=i)
        for p, (_, t) in enumerate(problems)
        for i, (ok, f) in enumerate(t)
    ]
    part = accuracy_part(base, tuned)
    if part["n"] == 0:
        assert part["accuracy_delta"] is None
        return
    assert part["finished_more"] + part["reasoned_better"] == pytest.approx(
        part["accuracy_delta"], abs=1e-12
    )
    assert part["accuracy_delta_ci"][0] <= part["accuracy_delta"] <= part["accuracy_delta_ci"][1]


def test_the_difference_is_split_by_finish_as_defined():
    base = [made(0, False, finish="length"), made(1, False), made(2, True), made(3, True)]
    tuned = [made(0, True), made(1, True), made(2, True), made(3, False, finish="length")]
    part = accuracy_part(base, tuned)
    assert part["finished_more"] == 0.0  # one gained by finishing, one lost by not
    assert part["reasoned_better"] == 0.25
    assert part["accuracy_delta_ci"] == list(stats.tango(2, 1, 4))


def test_unjudged_is_left_out_never_wrong():
    base = [made(0, True), made(1, None), made(2, False)]
    tuned = [made(0, True), made(1, False), made(2, True)]
    assert accuracy_part(base, tuned)["n"] == 2
    row = bench_row(base, ArmName("base", "locked"), EQUAL)
    assert (row["n"], row["accuracy"], row["unjudged"]) == (2, 0.5, 1)


def test_rows_have_the_contract_fields_and_plain_json_values(contract):
    base = [made(i, i % 2 == 0, 100) for i in range(10)]
    tuned = [made(i, True, 40) for i in range(10)]
    where = Slice("equal", True, "all", 100, {"base": 2.0, "tuned": 1.0})
    row = bench_row(tuned, ArmName("tuned", "locked"), where)
    compared = compare_row(base, tuned, "locked", where)
    assert contract.bench <= set(row) and contract.compare <= set(compared)
    assert compared["think_tokens_reduction"] == pytest.approx(0.6)
    assert compared["total_tokens_reduction"] == pytest.approx(1 - 48 / 108)
    assert compared["seconds_reduction"] == 0.5
    assert (row["seconds_per_problem"], row["finished"], row["empty_think"]) == (1.0, 1.0, 0.0)
    for value in [*row.values(), *compared.values()]:
        assert not isinstance(value, np.generic)
        assert not (isinstance(value, float) and math.isnan(value))


def test_other_problems_are_refused():
    with pytest.raises(stats.PairingError, match="tuned lacks 1"):
        accuracy_part([made(0, True), made(1, True)], [made(0, True)])


def four_sets() -> dict[ArmName, list[Outcome]]:
    """Locked: accuracy falls, thoughts shrink most. Recommended: accuracy rises, thoughts shrink less."""
    return {
        ArmName("base", "recommended"): [
            made(i, i < 5, 100, answer=20, index=r) for i in range(10) for r in range(2)
        ],
        ArmName("tuned", "recommended"): [
            made(i, i < 8, 50, answer=50, index=r) for i in range(10) for r in range(2)
        ],
        ArmName("base", "locked"): [made(i, i < 6, 200, answer=10) for i in range(10)],
        ArmName("tuned", "locked"): [made(i, i < 5, 20, answer=10) for i in range(10)],
    }


def test_each_headline_number_is_the_less_flattering_configs():
    tables = tabulate_all(four_sets(), EQUAL)
    (headline,) = tables.compare
    assert headline["config"] == {
        "accuracy": "locked",
        "think_tokens": "recommended",
        "total_tokens": "recommended",
        "tokens_per_correct": "recommended",
        "auc_oaa": "locked",
        "ock_score": "locked",
        "at_k": "recommended",
    }
    assert headline["accuracy_delta"] == pytest.approx(-0.1)
    assert headline["accuracy_delta_ci"] == list(stats.tango(0, 1, 10))
    assert headline["think_tokens_reduction"] == pytest.approx(0.5)
    assert headline["reasoned_better"] == pytest.approx(-0.1)
    base, tuned = tables.bench
    assert tuned["accuracy"] - base["accuracy"] == pytest.approx(headline["accuracy_delta"])
    assert 1 - tuned["think_tokens_median"] / base["think_tokens_median"] == pytest.approx(
        headline["think_tokens_reduction"]
    )
    assert 1 - tuned["total_tokens_median"] / base["total_tokens_median"] == pytest.approx(
        headline["total_tokens_reduction"]
    )
    assert [(r.get("model"), r["config"]) for r in tables.by_config] == [
        (m, c) for m in ("base", "tuned", None) for c in ("recommended", "locked")
    ]


def test_ship_is_each_model_at_its_own_config():
    tables = tabulate_ship(
        four_sets(), Slice("ship", True, "all", 100, {"base": 2.0, "tuned": 1.0})
    )
    base, tuned = tables.bench
    assert (base["think_tokens_median"], tuned["think_tokens_median"]) == (100, 20)
    assert (base["repeats"], tuned["repeats"]) == (2, 1)
    assert base["seconds_per_problem"] is None and tuned["seconds_per_problem"] == 1.0
    assert tables.compare[0]["accuracy_delta"] == pytest.approx(0.0)
    assert tables.compare[0]["seconds_reduction"] is None  # the base's own config was not timed


def test_pooling_keeps_thinking_on_and_off_apart():
    on, off = made(0, True), Outcome("u/1", "u", False, 0, True, "stop", 0, 5, 6, 9, None)
    samples = {ArmName("base", "locked"): [on, off]}
    assert select_slice(samples, True, ["t", "u"]) == {ArmName("base", "locked"): [on]}
    assert select_slice(samples, False, ["u"]) == {ArmName("base", "locked"): [off]}
    assert bench_row([off], ArmName("base", "locked"), EQUAL)["empty_think"] is None


def test_nothing_to_reduce_is_null_not_zero():
    base, tuned = [made(0, True, 0)], [made(0, True, 0)]
    row = compare_row(base, tuned, "locked", EQUAL)
    assert row["think_tokens_reduction"] is None and row["think_tokens_reduction_ci"] is None


def test_the_curve_rises_with_the_budget_and_ends_at_the_accuracy():
    outcomes = [made(i, i % 3 > 0, 10 * i) for i in range(12)]
    budgets = budgets_between(outcomes, 500, 77)
    assert budgets == sorted(set(budgets)) and 77 in budgets and budgets[-1] == 500
    rows = accuracy_curve(outcomes, budgets)
    accuracies = [r["accuracy"] for r in rows]
    assert accuracies == sorted(accuracies)
    assert accuracies[-1] == bench_row(outcomes, ArmName("base", "locked"), EQUAL)["accuracy"]
    assert {r["n"] for r in rows} == {12}


def both(base_lengths: tuple[int, int], tuned_lengths: tuple[int, int]) -> dict:
    """Think tokens of base and tuned at two decodings, accuracy alike."""
    return {
        ArmName(model, config): [made(i, True, length) for i in range(9)]
        for model, lengths in (("base", base_lengths), ("tuned", tuned_lengths))
        for config, length in zip(("recommended", "locked"), lengths, strict=True)
    }


@pytest.mark.parametrize(("tuned", "picked"), [(0, "recommended"), (30, "recommended")])
def test_a_base_that_thinks_nothing_at_one_decoding_is_not_left_out(tuned: int, picked: str):
    (row,) = tabulate_all(both((0, 100), (tuned, 40)), EQUAL).compare
    assert row["config"]["think_tokens"] == picked
    assert row["think_tokens_reduction"] is None
    assert row["think_tokens_medians"] == [0, tuned]


def test_no_reduction_is_more_flattering_than_a_growth():
    (row,) = tabulate_all(both((0, 100), (0, 120)), EQUAL).compare
    assert row["config"]["think_tokens"] == "locked"
    assert row["think_tokens_reduction"] == pytest.approx(-0.2)


def test_a_tuned_model_with_nothing_right_is_the_worst_at_tokens_per_right_answer():
    samples = {
        ArmName("base", "recommended"): [made(i, True, 100) for i in range(9)],
        ArmName("tuned", "recommended"): [made(i, True, 40) for i in range(9)],
        ArmName("base", "locked"): [made(i, True, 100) for i in range(9)],
        ArmName("tuned", "locked"): [made(i, False, 1) for i in range(9)],
    }
    tables = tabulate_all(samples, EQUAL)
    assert tables.compare[0]["config"]["tokens_per_correct"] == "locked"
    assert tables.compare[0]["tokens_per_correct_reduction"] is None
    assert tables.bench[1]["tokens_per_correct"] is None
    assert all(score["value"] < 0 for score in tables.compare[0]["aes"])
