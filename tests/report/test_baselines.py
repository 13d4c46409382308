"""What a user would pick instead, in the headline, in the results table and on the command line."""

import json

import runfolder

from deimos.cli import console
from deimos.report import baselines, headline, html
from deimos.report.results import RunResults
from deimos.runs.artifacts import Artifacts

CONFIG = {"accuracy": "recommended", "think_tokens": "locked", "total_tokens": "locked"}
ROW = {"setting": "equal", "task": "all", "thinking": True, "config": CONFIG}
NUMBERS = {"n": 200, "budget": 512, "finished": 1.0, "accuracy": 0.8, "seconds_per_problem": 2.0,
           "think_tokens_median": 90, "total_tokens_median": 100}  # fmt: skip
COMPARE = {
    "n": 200, "finished_more": 0.0, "reasoned_better": 0.01, "seconds_reduction": 0.5,
    "accuracy_delta": 0.01, "accuracy_delta_ci": [-0.01, 0.03], "smallest_detectable": 0.03,
    "think_tokens_reduction": 0.5, "think_tokens_reduction_ci": [0.4, 0.6],
    "total_tokens_reduction": 0.45, "total_tokens_reduction_ci": [0.4, 0.5],
}  # fmt: skip


def against(name: str, result: str, **changed: object) -> dict:
    own = {"against": name, "result": result, "seconds_reduction": None}
    return {**ROW, **COMPARE, **own, **changed}


def run_of(*rows: dict) -> RunResults:
    models = ["base", "tuned", *(row["against"] for row in rows)]
    bench = [{**ROW, **NUMBERS, "model": model} for model in models]
    for row in bench[2:]:
        row["seconds_per_problem"] = None
    full = [
        {**ROW, **NUMBERS, "model": model, "config": config, "think_tokens_median": think,
         "total_tokens_median": think + 10}
        for model in models
        for config, think in (("recommended", 30), ("locked", 20))
    ]  # fmt: skip
    compare = [*rows, {**ROW, **COMPARE}]  # an old run's row, and not even the first
    recipe = runfolder.recipe()
    return RunResults("lab", recipe, Artifacts({}), {}, bench, compare, full, [], {}, [])


def test_the_headline_says_what_is_not_beaten():
    run = run_of(
        against("base+instruction", "does not beat", total_tokens_reduction=-0.03,
                total_tokens_reduction_ci=[-0.05, -0.01]),
        against("base+low_effort", "undecided"),
        against("base+budget", "beats"),
    )  # fmt: skip
    said = headline.headline(run)
    assert said.sentence == (
        "Thinks 50% less; a difference in accuracy is not shown; does not beat base + terse "
        "instruction; is not shown to beat base at its lowest reasoning effort"
    )
    assert said.notes[-3] == (
        "The tuned model does not beat base + terse instruction: accuracy +1.0 points "
        "[−1.0, +3.0], total tokens +3% [+1, +5], n = 200."
    )
    assert "beats base with its thought closed" in said.notes[-1]


def test_a_headline_without_baselines_is_as_it_was():
    said = headline.headline(run_of())
    assert said.sentence == "Thinks 50% less; a difference in accuracy is not shown"
    assert said.notes == ()


def test_a_tie_between_several_is_one_sentence():
    rows = [against(f"base+{name}", "does not beat") for name in ("instruction", "budget")]
    assert baselines.clause(rows) == (
        "; does not beat base + terse instruction and base with its thought closed at the tuned "
        "model's median"
    )


def test_baselines_stand_in_the_same_table():
    run = run_of(against("base+instruction", "does not beat"))
    (group,) = html.groups(run)
    assert [line.task for line in group.lines] == [
        "all tasks", "all tasks, against base + terse instruction",
    ]  # fmt: skip
    plain, line = group.lines
    assert "the tuned model does not beat it" in line.delta_note and "beat" not in plain.delta_note
    assert line.think == "90 → 20", "the tuned model's at the config that the row's number is from"
    assert line.seconds == "not measured" and plain.seconds == "2.0 s → 2.0 s"


def test_the_command_line_says_it_too(tmp_path):
    run = run_of(against("base+budget", "undecided"))
    (tmp_path / "summary.json").write_text(json.dumps({"compare": run.compare}))
    lines = list(console.headline(tmp_path))
    assert len(lines) == 2 and lines[0].startswith("equal ")
    assert lines[1].startswith("The tuned model is not shown to beat base with its thought closed")


def test_a_report_of_a_run_with_baselines(tmp_path):
    """Written by the report stage itself: a synthetic run's rows, with one against a baseline."""
    from deimos.report import stage

    folders = runfolder.write_run(tmp_path)
    bench = folders["bench"]
    compare = [json.loads(line) for line in (bench / "compare.jsonl").read_text().splitlines()]
    rows = [json.loads(line) for line in (bench / "bench.jsonl").read_text().splitlines()]
    compare += [{**r, "against": "base+budget", "result": "beats"} for r in compare]
    rows += [{**r, "model": "base+budget", "baseline": {"think_budget": 7}}
             for r in rows if r["model"] == "base"]  # fmt: skip
    for name, table in (("compare", compare), ("bench", rows)):
        (bench / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table))
    stage.run(tmp_path, folders, runfolder.recipe())
    page, card = ((tmp_path / name).read_text() for name in ("report.html", "MODEL_CARD.md"))
    for text in (page, card):
        assert "against base with its thought closed at the tuned model" in text
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert {row.get("against") for row in summary["compare"]} == {None, "base+budget"}
