"""Every metric of lm-eval's tasks in the rows: means, lists, cut answers, pooling, paired differences."""

import dataclasses

import pytest

from deimos.bench.task_metrics import metric_deltas, metric_values
from deimos.evaluate.outcomes import Outcome
from deimos.evaluate.stats import tango, wilson

STRICT, FLEXIBLE, RULES = "exact_match,strict-match", "exact_match,flexible-extract", "inst,none"


def made(i: int, metrics: dict | None, ok: bool | None = True, task: str = "t", **more) -> Outcome:
    finish = "stop" if metrics is not None or ok is None else "length"
    found = Outcome(f"{task}/{i}", task, None, 0, ok, finish, 1, 1, 3, 9, None, metrics=metrics)
    return dataclasses.replace(found, **more)


def test_strict_and_flexible_stand_side_by_side():
    outcomes = [made(i, {STRICT: float(i < 3), FLEXIBLE: float(i < 7)}) for i in range(10)]
    found = metric_values(outcomes)
    assert found == {
        STRICT: {"value": 0.3, "value_ci": list(wilson(0.3, 10) or ()), "n": 10},
        FLEXIBLE: {"value": 0.7, "value_ci": list(wilson(0.7, 10) or ()), "n": 10},
    }  # fmt: skip


def test_a_cut_answer_is_0_by_every_metric_and_one_that_nobody_could_judge_is_left_out():
    outcomes = [made(0, {STRICT: 1.0}), made(1, None, False), made(2, None, None)]
    assert (metric_values(outcomes) or {})[STRICT]["value"] == 0.5
    assert (metric_values(outcomes) or {})[STRICT]["n"] == 2


def test_lists_weigh_each_number_as_lm_eval_weighs_them():
    lists = [[1.0, 0.0, 1.0], [1.0]] * 5
    outcomes = [made(i, {RULES: numbers}) for i, numbers in enumerate(lists)]
    found = (metric_values(outcomes) or {})[RULES]
    assert found["value"] == pytest.approx(15 / 20) and found["n"] == 10
    assert 0 <= found["value_ci"][0] < 0.75 < found["value_ci"][1] <= 1
    cut = [made(0, {RULES: [1.0, 1.0]}), made(0, None, False, index=1), made(1, None, False)]
    half = (metric_values(cut) or {})[RULES]
    assert (half["value"], half["n"]) == (0.5, 1), (
        "the other problem's number of rules is not known"
    )


@pytest.mark.parametrize("value", [0.5, [0.5, 1.0], [0.0]])
def test_under_eight_problems_there_is_no_interval_that_is_not_exact(value):
    found = (metric_values([made(i, {"m": value}) for i in range(7)]) or {})["m"]
    assert found["value_ci"] is None or value == [0.0]


def test_rows_that_pool_tasks_have_what_these_have_in_common():
    one = [made(0, {STRICT: 1.0, FLEXIBLE: 1.0}, task="a")]
    other = [made(1, {STRICT: 0.0}, task="b")]
    assert list(metric_values([*one, *other]) or {}) == [STRICT]
    assert metric_values([*one, made(2, None, True, task="ours")]) is None
    assert metric_values([]) is None


def test_differences_are_paired_and_tuned_less_base():
    base = [made(i, {STRICT: float(i < 4)}) for i in range(10)]
    tuned = [made(i, {STRICT: float(2 < i < 9)}) for i in range(10)]
    found = (metric_deltas(base, tuned) or {})[STRICT]
    assert found["delta"] == pytest.approx(0.2) and found["n"] == 10
    assert found["delta_ci"] == list(tango(5, 3, 10) or ())
    lists = [[made(i, {RULES: [a, 1.0]}) for i in range(9)] for a in (0.0, 1.0)]
    rules = (metric_deltas(*lists) or {})[RULES]
    assert rules["delta"] == 0.5 and rules["delta_ci"] == [0.5, 0.5]
    assert metric_deltas(base, [made(i, None, True) for i in range(10)]) is None
