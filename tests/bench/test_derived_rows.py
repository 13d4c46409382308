"""What the stage itself writes of judges, derived metrics and splits: a scripted engine, real graders."""

import math

import pytest

from deimos.bench import stage, tables
from deimos.runs.artifacts import Artifacts


def test_a_bench_has_three_judges_derived_metrics_and_splits(job, judge):
    j = job(settings=["equal"], timing_problems=4)
    stage.run(j, judge=judge.with_second)
    found = Artifacts({"bench": j.out})
    base, tuned = (r for r in found.bench() if r["task"] == "all")
    # The base's endless answers at the locked config have no second opinion and are wrong for all.
    for row in (base, tuned):
        accuracies = {k: v["accuracy"] for k, v in row["second_accuracy"].items()}
        assert accuracies == dict.fromkeys(("ours", "plain", "math_verify"), row["accuracy"])
        assert {v["n"] for v in row["second_accuracy"].values()} == {12}
    compare = next(r for r in found.compare() if r["task"] == "all")
    second = compare["second_accuracy_delta"]
    assert second["differ"] == 0.0
    for name in ("ours", "plain", "math_verify"):
        assert second[name]["accuracy_delta"] == pytest.approx(compare["accuracy_delta"])
        assert second[name]["accuracy_delta_ci"] == pytest.approx(compare["accuracy_delta_ci"])
    for row in (base, tuned, compare):
        for name in row["derived"]:
            assert name in row and row[name] is not None
    assert base["tokens_per_correct"] > tuned["tokens_per_correct"]
    cost = 0.1 * math.log(tuned["tokens_per_correct"] * tuned["accuracy"] / 10_000 + 1)
    if tuned["config"]["ock_score"] == tuned["config"]["tokens_per_correct"]:
        assert tuned["ock_score"] == pytest.approx(tuned["accuracy"] - cost)
    assert compare["seconds_reduction"] is not None and compare["seconds_reduction_ci"] is None
    assert compare["timed"] == 4  # too few for an interval


def test_splits_hold_every_problem_once_for_each_decoding(job, judge):
    j = job(settings=["equal"], timing_problems=0)
    stage.run(j, judge=judge)
    rows = [r for r in Artifacts({"bench": j.out}).splits() if r["task"] == "sums"]
    assert {r["split"] for r in rows} == {"difficulty"}  # these sums have no level
    for config in ("recommended", "locked"):
        own = [r for r in rows if r["config"] == config]
        assert sum(r["n"] for r in own) == 12
        # two samples at the recommended sampler: one of them chooses
        assert {r["selected_by"]["samples"] for r in own} == {1 if config == "recommended" else 2}
        assert all(r["selected_by"]["held_out"] for r in own)
        assert {r["selected_by"]["config"] for r in own} == {"recommended"}


def test_what_is_worst_over_all_tasks_need_not_be_worst_in_mathematics_or_by_aes():
    def row(delta, math_delta, *scores):
        judge = {"accuracy_delta": math_delta, "accuracy_delta_ci": None, "n": 5}
        judged = dict.fromkeys(("ours", "plain", "math_verify"), judge)
        aes = [{"alpha": 1, "value": value} for value in scores]
        return {"accuracy_delta": delta, "n": 20, "second_accuracy_delta": judged, "aes": aes}

    one, two = row(0.02, -0.02, 0.4, 0.5), row(0.03, -0.05, 0.5, 0.3)
    found = tables.pick_least_flattering({"recommended": one, "locked": two})
    assert found["accuracy_delta"] == 0.02
    assert found["second_accuracy_delta"]["ours"]["accuracy_delta"] == -0.05
    assert found["config"] == {"accuracy": "recommended", "judges": "locked"}
    assert [(e["value"], e["config"]) for e in found["aes"]] == [
        (0.4, "recommended"),
        (0.3, "locked"),
    ]
    sides = {"recommended": {"second_accuracy": "a"}, "locked": {"second_accuracy": "b"}}
    assert tables.merge_chosen(sides, found["config"])["second_accuracy"] == "b"
