"""Three judges in one sentence, and why a number stands without an interval."""

import pytest
from test_headline import run_of

from deimos.report import headline, judges


def second(ours=0.031, verify=0.029, plain=0.05, *, n=1000, differ=0.04):
    deltas = {"ours": ours, "math_verify": verify, "plain": plain}
    found = {k: {"accuracy_delta": v, "accuracy_delta_ci": None, "n": n} for k, v in deltas.items()}
    return {**found, "answers": 2 * n, "differ": differ}


def test_the_headline_has_the_difference_by_each_judge():
    gain = {"accuracy_delta": 0.031, "accuracy_delta_ci": [0.01, 0.05]}
    said = headline.headline(run_of(**gain, second_accuracy_delta=second())).sentence
    assert said == (
        "Thinks 62% less, is right 3.1 points more often (+3.1 points by our grader, +2.9 by "
        "math-verify alone, +5.0 by plain string match; they differ on 4% of answers)"
    )


def test_math_is_named_where_other_problems_were_asked_too():
    null = headline.headline(run_of(second_accuracy_delta=second(-0.02, None, -0.01, n=300)))
    assert null.sentence.endswith(
        "a difference in accuracy is not shown (on mathematics \N{MINUS SIGN}2.0 points by our grader, "
        "\N{MINUS SIGN}1.0 by plain string match; they differ on 4% of answers)"
    )


def test_a_config_of_their_own_is_named():
    config = {"accuracy": "recommended", "think_tokens": "recommended", "judges": "locked"}
    said = judges.compare_judges(
        {"n": 900, "config": config, "second_accuracy_delta": second(-0.047, None, None, n=300)}
    )
    assert said == (
        " (on mathematics \N{MINUS SIGN}4.7 points by our grader, at the locked config; they differ "
        "on 4% of answers)"
    )


@pytest.mark.parametrize("row", [{}, {"second_accuracy_delta": None}])
def test_without_second_opinions_nothing_is_added(row):
    assert judges.compare_judges({"n": 5, **row}) == ""


def test_a_missing_interval_of_seconds_is_explained():
    few = run_of(seconds_reduction=0.7, seconds_reduction_ci=None, timed=6)
    notes = headline.headline(few).measures[2].notes
    assert "no interval: 6 problems timed, and it takes 8" in notes
    wild = {"seconds_reduction": 0.7, "seconds_reduction_ci": None, "timed": 9}
    assert judges.explain_no_seconds_interval(wild) == "no interval: the times vary too much"
    whole = run_of(seconds_reduction=0.7, seconds_reduction_ci=[0.66, 0.74], timed=48)
    notes = headline.headline(whole).measures[2].notes
    assert notes[0].startswith("\N{MINUS SIGN}70% [\N{MINUS SIGN}74, \N{MINUS SIGN}66] against")
    assert not any("no interval" in note for note in notes)


def test_a_base_that_thinks_nothing_is_said_and_not_called_unmeasured():
    at_zero = {"think_tokens_reduction": None, "think_tokens_reduction_ci": None}
    said = headline.headline(run_of(**at_zero, think_tokens_medians=[0, 12]))
    assert said.sentence.startswith("Length: no reduction: half of the base's have 0 tokens")
    assert "median is 12" in said.sentence
    assert headline.headline(run_of(**at_zero)).sentence.startswith("Length: not measured")
