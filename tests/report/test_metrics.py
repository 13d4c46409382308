"""Derived metrics, other judges and repeats: what the rows hold, with intervals and coefficients."""

from test_headline import BENCH, COMPARE, run_of

from deimos.report import metrics

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
        ("equal · all tasks", "base", "1", "3", "5", "+0.551 [+0.500, +0.600]", "A (1)"),
        ("equal · all tasks", "base", "1", "5", "10", "−0.400", "B (2)"),
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
    assert row[2:] == ("80.0% [77.0, 83.0], n = 900", "75.0% [72.0, 78.0], n = 900", "not measured")
    (row,) = rows(section, "Difference in accuracy by three judges, points")
    assert row[1:] == (
        "base",
        "+1.0 [−2.0, +4.0], n = 900",
        "−3.0, n = 900",
        "not measured",
        "6.1%",
    )
    (row,) = rows(section, "Several samples of a problem")
    assert row[2:] == ("4", "80.0% [70.0, 90.0]", "95.0%", "not measured")


def test_a_baseline_is_named_beside_its_numbers():
    run = measured()
    run.compare.append({**COMPARE, **PAIR, "against": "base+budget"})
    found = rows(metrics.efficiency_metrics(run), "Derived metrics, tuned against base")
    assert [row[1] for row in found] == ["base", "base+budget"]
