"""What the headline may say, and what it must say beside it."""

import dataclasses

import runfolder

from deimos.report import headline
from deimos.report.results import RunResults
from deimos.runs.artifacts import Artifacts

BENCH = {"setting": "equal", "task": "all", "thinking": True, "budget": 512, "n": 1000}
BENCH |= {"think_tokens_median": 100, "finished": 0.97, "accuracy": 0.8}
COMPARE = {
    "setting": "equal",
    "task": "all",
    "thinking": True,
    "n": 1000,
    "accuracy_delta": -0.004,
    "accuracy_delta_ci": [-0.019, 0.011],
    "smallest_detectable": 0.021,
    "think_tokens_reduction": 0.62,
    "think_tokens_reduction_ci": [0.58, 0.66],
    "seconds_reduction": None,
    "config": {"accuracy": "recommended", "think_tokens": "locked", "total_tokens": "locked"},
}


def run_of(by_config=(), **changed):
    bench = [{**BENCH, "model": model, "config": COMPARE["config"]} for model in ("base", "tuned")]
    compare = [{**COMPARE, **changed}]
    recipe = runfolder.recipe()
    return RunResults("lab", recipe, Artifacts({}), {}, bench, compare, list(by_config), [], {}, [])


def test_a_null_result_says_so_and_what_it_could_have_shown():
    said = headline.headline(run_of())
    assert said.sentence == "Thinks 62% less; a difference in accuracy is not shown"
    thinking, accuracy, seconds = said.measures
    assert (thinking.value, thinking.ci) == ("−62%", "[−66, −58]")
    assert (accuracy.value, accuracy.ci, accuracy.shown) == ("−0.4 points", "[−1.9, +1.1]", False)
    assert "smallest this n could show: 2.1 points" in " ".join(accuracy.notes)
    assert "n = 1,000" in " ".join(accuracy.notes)
    assert seconds.value == "not measured"


def test_a_loss_is_said_as_plainly_as_a_gain():
    lost = run_of(accuracy_delta=-0.03, accuracy_delta_ci=[-0.05, -0.01])
    assert headline.headline(lost).sentence == "Thinks 62% less, is right 3.0 points less often"
    longer = run_of(think_tokens_reduction=-0.1, think_tokens_reduction_ci=[-0.2, -0.05])
    assert headline.headline(longer).sentence.startswith("Thinks 10% more")
    unsure = run_of(think_tokens_reduction=0.1, think_tokens_reduction_ci=[-0.1, 0.2])
    assert headline.headline(unsure).sentence.startswith("No shorter thinking shown")


def test_nothing_benched_is_not_measured():
    empty = dataclasses.replace(run_of(), bench=[], compare=[])
    assert "not measured" in headline.headline(empty).sentence
    assert headline.headline(empty).measures == ()


def test_budget_and_unfinished_stand_beside_the_length():
    notes = " ".join(headline.headline(run_of()).measures[0].notes)
    assert "budget 512" in notes
    assert "unfinished 3.0% → 3.0%" in notes


def test_the_unfinished_share_is_that_of_the_config_the_length_is_from():
    full = [{**BENCH, "model": "base", "finished": 0.5, "config": "locked"}]
    notes = " ".join(headline.headline(run_of(full)).measures[0].notes)
    assert "unfinished 50.0% → 3.0%" in notes


def test_the_less_flattering_config_is_named_for_each_number():
    basis = headline.headline(run_of()).basis
    assert "accuracy from the base's recommended sampler" in basis
    assert "think tokens and total tokens from the locked config" in basis
    assert headline.length_config(run_of()) is None  # no completions, so no lengths to draw


def test_thinking_on_is_the_headline_where_both_were_measured():
    both = run_of()
    both.compare.insert(0, {**COMPARE, "thinking": False, "n": 7})
    picked = headline.headline_pick(both)
    assert picked and picked.compare["n"] == 1000


def test_detectable_from_the_interval_where_the_row_has_none():
    row = {"accuracy_delta_ci": [-0.02, 0.02]}
    assert abs(headline.find_detectable(row) - 0.02 * 2.8016 / 1.96) < 1e-12
    assert headline.find_detectable({"accuracy_delta_ci": None}) is None
