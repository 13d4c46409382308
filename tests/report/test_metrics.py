"""Derived metrics, other judges and repeats: what the rows hold, with intervals and coefficients."""

import dataclasses
import json

import pytest
import runfolder
from card_reader import read_card
from test_headline import BENCH, COMPARE, run_of

from deimos.report import card, incidents, metrics, snippet, stage
from deimos.runs.artifacts import Artifacts

MODEL = {
    "tokens_per_correct": 212.34, "tokens_per_correct_ci": [198.0, 230.06], "auc_oaa": 0.7216,
    "auc_oaa_ci": [0.70, 0.742], "auc_oaa_most": 1000, "ock_score": 0.611, "ock_score_ci": None,
    "ock_score_coefficients": {"weight": 0.1, "scale": 10000}, "derived": ["tokens_per_correct"],
    "second_accuracy": {"ours": {"accuracy": 0.8, "accuracy_ci": [0.77, 0.83], "n": 900},
                        "plain": {"accuracy": 0.75, "accuracy_ci": [0.72, 0.78], "n": 900},
                        "math_verify": None},
    "k": 4, "avg_at_k": 0.8, "avg_at_k_ci": [0.7, 0.9], "pass_at_k": 0.95, "pass_at_k_ci": None,
    "maj_at_k": None,
}  # fmt: skip
PAIR = {
    "tokens_per_correct_reduction": 0.5, "tokens_per_correct_reduction_ci": [0.4, 0.6],
    "auc_oaa_delta": 0.0312, "auc_oaa_delta_ci": [-0.001, 0.06], "ock_score_delta": -0.02,
    "aes": [{"alpha": 1, "beta": 3, "gamma": 5, "value": 0.5512, "ci": [0.5, 0.6], "source": "A (1)"},
            {"alpha": 1, "beta": 5, "gamma": 10, "value": -0.4, "ci": None, "source": "B (2)"}],
    "second_accuracy_delta": {"ours": {"accuracy_delta": 0.01, "accuracy_delta_ci": [-0.02, 0.04], "n": 900},
                              "plain": {"accuracy_delta": -0.03, "accuracy_delta_ci": None, "n": 900},
                              "math_verify": None, "differ": 0.061},
}  # fmt: skip


def measured(**config):
    run = run_of(**PAIR)
    run.bench[:] = [{**BENCH, "model": "base"}, {**BENCH, **MODEL, "model": "tuned", **config}]
    return run


def rows(section, title):
    return next([*t.rows] for t in section.tables if t.title == title)


def test_without_such_fields_it_is_said_that_they_are_not_measured():
    run = run_of()
    for section in (metrics.efficiency_metrics(run), metrics.accuracy_metrics(run)):
        assert section.tables == () and "not measured" in section.sentences[0]


def test_derived_metrics_have_intervals_and_coefficients():
    section = metrics.efficiency_metrics(measured())
    (row,) = rows(section, "Derived metrics of each model")
    assert row == (
        "equal · all tasks", "tuned", "1,000", "212.3 [198.0, 230.1]", "0.722 [0.700, 0.742]", "0.611",
    )  # fmt: skip
    (change,) = rows(section, "Derived metrics, tuned against base")
    assert change[3:] == ("−50% [−60, −40]", "+0.031 [−0.001, +0.060]", "−0.020")
    assert rows(section, "AES under published coefficients") == [
        ("equal · all tasks", "base", "1,000", "1", "3", "5", "+0.551 [+0.500, +0.600]", "A (1)"),
        ("equal · all tasks", "base", "1,000", "1", "5", "10", "−0.400", "B (2)"),
    ]
    (said,) = section.sentences
    assert "Derived metrics" in said and "up to 1,000" in said and "weight 0.1, scale 10000" in said


def test_each_number_of_a_row_of_several_configs_says_its_own():
    run = measured(config={"accuracy": "locked", "tokens_per_correct": "recommended"})
    (row,) = rows(metrics.efficiency_metrics(run), "Derived metrics of each model")
    assert row[3].endswith("(recommended)") and "(" not in row[4]


def test_three_judges_and_repeats():
    section = metrics.accuracy_metrics(measured())
    (row,) = rows(section, "Accuracy by three judges")
    assert row[2:] == (
        "80.0% [77.0, 83.0], n = 900",
        "not measured",
        "75.0% [72.0, 78.0], n = 900",
        "",
    )
    (row,) = rows(section, "Difference in accuracy by three judges, points")
    assert row[1:] == (
        "base",
        "+1.0 [−2.0, +4.0], n = 900",
        "not measured",
        "−3.0, n = 900",
        "6.1%",
        "recommended",
    )
    (row,) = rows(section, "Several samples of a problem")
    assert row[2:] == ("4", "80.0% [70.0, 90.0]", "95.0%", "not measured")


def test_a_baseline_is_named_beside_its_numbers():
    run = measured()
    run.compare.append({**COMPARE, **PAIR, "against": "base+budget"})
    found = rows(metrics.efficiency_metrics(run), "Derived metrics, tuned against base")
    named = "base with its thought closed at the tuned model's median"
    assert [row[1] for row in found] == ["base", named]


SPLIT = {**COMPARE, "total_tokens_reduction": None, "total_tokens_reduction_ci": None, "config": "locked",
         "finished_more": 0.0, "reasoned_better": 0.0, "split": "difficulty", "value": "some", "n": 321,
         "selected_by": {"config": "recommended", "samples": 4, "held_out": True}}  # fmt: skip


def split_run(folder, *rows):
    (folder / "splits.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return dataclasses.replace(run_of(), artifacts=Artifacts({"bench": folder}))


def test_splits_by_difficulty_and_level(tmp_path):
    level = {**SPLIT, "split": "level", "value": "Level 5 | `x`", "accuracy_delta": None,
             "accuracy_delta_ci": None}  # fmt: skip
    del level["selected_by"]
    section = metrics.split_section(split_run(tmp_path, SPLIT, level))
    some, five = section.tables[0].rows
    assert some == (
        "equal · all tasks", "the base is right in some of its samples", "locked", "321",
        "−0.4 [−1.9, +1.1]", "−62% [−66, −58]", "not measured",
    )  # fmt: skip
    assert five[1] == "level Level 5 | `x`" and five[4] == "not measured"
    assert "chosen by other samples" in section.sentences[0]


def test_a_choice_by_the_compared_samples_is_warned_of(tmp_path):
    chosen = {**SPLIT, "selected_by": {"config": "locked", "samples": 1, "held_out": False}}
    (said,) = metrics.split_section(split_run(tmp_path, chosen)).sentences
    assert "have also chosen the difficulty" in said
    (said,) = metrics.split_section(split_run(tmp_path)).sentences
    assert "not measured" in said


def mode(accuracy):
    return {"accuracy": accuracy, "accuracy_ci": [0.6, 0.95], "think_tokens_median": 61.0, "unjudged": 0,
            "total_tokens_median": 77.0, "total_tokens_mean": 91.5, "finished": 0.875}  # fmt: skip


def write_routing(folder):
    """The file of a route stage."""
    folder.mkdir()
    row = {
        "model": "tuned", "split": "dev", "task": "a|b `c`", "kind": "math", "n": 48, "on": mode(0.8125),
        "off": mode(0.4375), "delta": 0.375, "delta_ci": [0.2, 0.5], "tokens_delta": 45.0,
        "tokens_delta_ci": [20.0, 71.0], "delta_bounds": [0.1, 0.6], "tokens_delta_bounds": [1.0, 90.0],
        "level": 0.9875, "comparisons": 4, "margin": 0.03, "recommended": "on", "because": "shown | more",
        "decoding": {"temperature": 0.0},
    }  # fmt: skip
    (folder / "routing.jsonl").write_text(json.dumps(row) + "\n")


@pytest.fixture
def routed(tmp_path):
    folders = runfolder.write_run(tmp_path / "run", problems=12)
    folders["route"] = tmp_path / "run" / "route-01234567"
    write_routing(folders["route"])
    return tmp_path, folders


def test_the_routing_table_stands_in_the_card(routed):
    top, folders = routed
    stage.run(top, folders, runfolder.recipe("a/b"))
    card = read_card((top / "MODEL_CARD.md").read_text(encoding="utf-8"))
    for part in ("81.2% [60.0, 95.0]", "+37.5 [+20.0, +50.0]", "+45 [+20, +71]", "shown | more"):
        assert part in card.text, part
    assert "a|b `c`" in card.text
    programs = [p for p in card.blocks("python") if "transformers" in p]
    assert len(programs) == 2 and "SystemExit" not in programs[1]  # on and off were both measured


def test_a_template_without_a_switch_is_known_from_the_routing():
    run = run_of()
    records = {"route": {"counts": {"no_switch": "the chat template has no switch"}}}
    settings = runfolder.recipe("a/b")
    run = dataclasses.replace(run, records=records, recipe=settings)
    assert snippet.knows_switch(run) is False
    assert "thinking cannot be turned off" in snippet.say_no_switch(run)


def test_how_the_adapter_was_benched_is_said_in_report_and_card():
    run = dataclasses.replace(
        run_of(), records={"bench": {"counts": {"adapter": "merged in float32"}}}
    )
    said = "The tuned model was decoded with its adapter merged in float32."
    assert said in incidents.benchmark_incidents(run)
    assert ("adapter while benched", "merged in float32") in card.specification(run)
    old = dataclasses.replace(run, records={})
    assert ("adapter while benched", "not recorded") in card.specification(old)
