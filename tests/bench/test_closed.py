"""Accuracy against think budgets: thoughts closed there, the answers behind them decoded afresh."""

from __future__ import annotations

import pytest
from tests.bench.test_baselines import asked, bench, of, one  # noqa: F401  # bench is a fixture

from deimos.bench import stage, suites
from deimos.bench.decodings import decodings_of
from deimos.planning.arguments import recipe_file
from deimos.recipe import RecipeError, load
from deimos.store.journal import read_rows


def test_a_closed_thought_answers_where_a_cut_trace_does_not(bench, judge):  # noqa: F811
    j = bench([], think_budgets=[20, 4])
    counts = stage.run(j, judge=judge)
    rows = read_rows(j.out / "budget_curve.jsonl")
    closed = [row for row in rows if "think_budget" in row]
    assert {(r["task"], r["model"], r["think_budget"]) for r in closed} == {
        (task, model, budget)
        for task in ("all", "sums")
        for model in ("base", "tuned")
        for budget in (4, 20)
    }
    # the base thinks 30 words, the tuned model 6; a closed thought is answered wrongly at a quarter
    short, long = (one(closed, task="all", model="base", think_budget=b) for b in (4, 20))
    tuned = one(closed, task="all", model="tuned", think_budget=20)
    assert short["n"] == long["n"] == tuned["n"] == 12
    assert short["accuracy"] == long["accuracy"] == 0.75 and tuned["accuracy"] == 1.0
    assert short["accuracy_ci"][0] < 0.75 < short["accuracy_ci"][1]
    assert short["answered"] == long["answered"] == 1.0
    assert short["total_tokens_mean"] < long["total_tokens_mean"] < short["budget"]
    cut = [
        r for r in of(rows, task="all", model="base", config="locked") if "think_budget" not in r
    ]
    at = max(
        (r for r in cut if r["budget"] <= long["total_tokens_mean"]), key=lambda r: r["budget"]
    )
    assert at["accuracy"] == 0.0, "the same tokens, cut: nothing is answered"
    shut = [prompt for prompt, closed in asked if closed]
    assert len(shut) == 12 * 2 + 12, "only answers behind closed thoughts are decoded"
    assert counts["completions"] == 12 * (2 + 1) * 2, "the benchmark's own, as without"
    assert suites.count_completions(j.recipe.bench, decodings_of(j.recipe.bench), 12) == 12 * 10
    assert stage.run(j, judge=judge) == counts


def test_without_think_budgets_nothing_changes(bench, judge):  # noqa: F811
    j = bench([])
    stage.run(j, judge=judge)
    assert not any("think_budget" in r for r in read_rows(j.out / "budget_curve.jsonl"))
    assert not any(closed for _, closed in asked)
    assert "think_budgets" not in j.recipe.bench.model_dump()


@pytest.mark.parametrize(
    ("bad", "named"),
    [("[5, 5]", "twice"), ("[0]", "at least 1"), ("5", "list"), ("['5']", "whole")],
)
def test_budgets_that_are_none_are_refused(bad, named):
    with pytest.raises(RecipeError, match=named):
        load(recipe_file("lab"), [f"bench.think_budgets={bad}"])


def test_a_model_without_tags_has_no_thought_to_close():
    sets = [
        "bench.think_budgets=[5]",
        "model.tags=null",
        "model.thinking=null",
        "bench.baselines=[]",
    ]
    with pytest.raises(RecipeError, match="think_budgets"):
        load(recipe_file("lab"), sets)
