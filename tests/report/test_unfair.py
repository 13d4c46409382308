"""A comparison that favours one side is named as one, in headline, report and card."""

import dataclasses

import pytest
from test_headline import BENCH, COMPARE, run_of

from deimos.report import headline, unfair

BASE = {**BENCH, "model": "base", "budget": 1024, "finished": 0.9}
TUNED = {**BENCH, "model": "tuned", "budget": 1024, "finished": 1.0}


def test_a_base_that_is_cut_more_often_is_named_with_what_that_explains():
    row = {**COMPARE, "accuracy_delta": 0.08, "finished_more": 0.06}
    (said,) = unfair.say_unfair(row, BASE, TUNED)
    assert said == (
        "Unfair comparison: the budget of 1,024 tokens cut 10.0% of the base's answers and 0.0% of "
        "the tuned model's; of +8.0 points of accuracy, +6.0 come of finishing in time."
    )


def test_a_tuned_model_that_is_cut_more_often_is_named_as_well():
    (said,) = unfair.say_unfair(COMPARE, {**BASE, "finished": 1.0}, {**TUNED, "finished": 0.5})
    assert "cut 50.0% of the tuned model's answers and 0.0% of the base's" in said
    assert "come of finishing" not in said  # not recorded


@pytest.mark.parametrize("base", [1.0, 0.995, 0.9901])
def test_alike_is_fair(base):
    assert unfair.say_unfair(COMPARE, {**BASE, "finished": base}, TUNED) == ()


@pytest.mark.parametrize("base", [0.99, 0.98, 0.5, 0.0])
def test_apart_is_unfair(base):
    assert len(unfair.say_unfair(COMPARE, {**BASE, "finished": base}, TUNED)) == 1


def test_different_budgets_are_named_wherever_they_stand():
    base = {**BASE, "finished": 1.0}
    (said,) = unfair.say_unfair(COMPARE, {**base, "budget": 512}, TUNED)
    assert "a budget of 512 tokens, the tuned model one of 1,024" in said
    decoded = {**TUNED, "decoding": {"temperature": 0.0, "max_tokens": 256}}
    (said,) = unfair.say_unfair(COMPARE, base, decoded)
    assert "a budget of 1,024 tokens, the tuned model one of 256" in said
    parts = {"accuracy": {"max_tokens": 256}, "think_tokens": None}
    assert len(unfair.say_unfair(COMPARE, base, {**TUNED, "decoding": parts})) == 1


def test_a_trace_cut_at_the_tight_budget_was_decoded_at_a_larger_one_on_both_sides():
    rows = ({**r, "finished": 1.0, "decoding": {"max_tokens": 4096}} for r in (BASE, TUNED))
    assert unfair.say_unfair(COMPARE, *rows) == ()


def test_what_was_not_measured_is_no_reason():
    assert unfair.say_unfair(COMPARE, {}, {}) == ()
    assert unfair.say_unfair(COMPARE, {**BASE, "finished": None}, TUNED) == ()


def test_the_headline_says_so_and_a_fair_one_does_not():
    assert headline.headline(run_of()).notes == ()
    run = run_of()
    run = dataclasses.replace(run, bench=[{**run.bench[0], "finished": 0.6}, run.bench[1]])
    (note,) = headline.headline(run).notes
    assert note.startswith("Unfair comparison: the budget of 512 tokens cut 40.0%")


def test_lengths_from_another_config_than_accuracy_are_judged_by_that_ones_cuts():
    full = [{**BENCH, "model": model, "finished": share, "config": "locked"}
            for model, share in (("base", 0.6), ("tuned", 0.97))]  # fmt: skip
    (note,) = headline.headline(run_of(full)).notes
    assert note == (
        "Unfair comparison of lengths: the budget of 512 tokens cut 40.0% of the base's answers and "
        "3.0% of the tuned model's, whose length is a lower bound."
    )
    alike = [{**row, "finished": 0.5} for row in full]
    assert headline.headline(run_of(alike)).notes == ()


def test_of_a_settings_rows_the_first_is_said_in_full_and_the_others_by_name():
    rows = (COMPARE, BASE, TUNED)
    fair = (COMPARE, {**BASE, "finished": 1.0}, TUNED)
    first, also = unfair.list_unfair(
        [("all tasks", *rows), ("a", *rows), ("b", *fair), ("c", *rows)]
    )
    assert "cut 10.0%" in first and also == "So are the rows of a and c."
    (only,) = unfair.list_unfair([("all tasks", *fair), ("a", *rows)])
    assert only.startswith("a: Unfair comparison")
    assert unfair.list_unfair([]) == ()
