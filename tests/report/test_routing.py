"""The routing table as text: every number of the row, hostile names as text, a sentence without rows."""

import json
import shutil

import pytest
import runfolder

from deimos.report import routing, stage
from deimos.report.results import read_results
from deimos.route.tables import Modes, group_prompts, tabulate
from deimos.store.journal import write_rows
from deimos.types import Prompt


def rows(task="sums", prompts=40):
    """Rows as the stage makes them: thinking on all right, off half."""
    from deimos.evaluate.outcomes import Outcome

    asked = [
        Prompt.of(task=task, kind="math", messages=[{"role": "user", "content": str(i)}],
                  reference="1")
        for i in range(prompts)
    ]  # fmt: skip

    def answers(thinking):
        return [
            Outcome(f"{task}/{p.id}", task, thinking, 0, thinking or i % 2 == 0,
                    "stop" if thinking or i else "length", 900 * thinking, 9,
                    1200 + i if thinking else 30, 99, False)
            for i, p in enumerate(asked)
        ]  # fmt: skip

    both = Modes(answers(True), answers(False), {"temperature": 0.0})
    return tabulate({"tuned": both, "base": both}, group_prompts(asked), 0.02)


@pytest.fixture
def routed(reported, tmp_path):
    def make(found, counts=None):
        folder = tmp_path / "route-00000000"
        folder.mkdir()
        write_rows(folder / "routing.jsonl", map(dict, found))
        (folder / "record.json").write_text(json.dumps({"counts": counts or {}}))
        return {**reported.folders, "route": folder}

    return make


def test_a_line_has_the_rows_numbers(routed, tmp_path):
    found = rows()
    shown = routing.table(read_results(tmp_path, routed(found), runfolder.recipe()))
    assert [(line.model, line.task) for line in shown.lines] == [
        ("tuned", "all tasks"), ("tuned", "sums"), ("base", "all tasks"), ("base", "sums"),
    ]  # fmt: skip
    line = shown.lines[1]
    assert (line.n, line.on_tokens, line.off_tokens) == ("40", "1,220", "30")
    assert line.on_accuracy.startswith("100.0% [") and line.off_accuracy.startswith("50.0% [")
    assert line.delta.startswith("+50.0 [+") and line.tokens_delta.startswith("+1,190 [+1,18")
    assert (line.unfinished, line.recommended) == ("0.0% / 2.5%", "on")
    assert shown.sentence == "" and "lower by 2.0 points at most" in shown.rule
    assert "hold together" not in shown.rule, "one set of prompts: one comparison"


def test_a_task_of_several_kinds_names_them(routed, tmp_path):
    found = rows()
    found[2] = {**found[2], "task": "all", "kind": "math"}
    found[3] = {**found[3], "task": "mixed", "kind": "all"}
    found.append({**found[3], "kind": "code"})
    shown = routing.table(read_results(tmp_path, routed(found), runfolder.recipe()))
    names = [line.task for line in shown.lines]
    assert names == ["all tasks", "sums", "all math tasks", "mixed", "mixed (code)"]


def test_several_comparisons_say_at_which_level_they_decide(routed, tmp_path):
    found = [*rows("a"), *rows("b")]
    for row in found:
        row["comparisons"], row["level"] = 3, 1 - 0.05 / 3
    shown = routing.table(read_results(tmp_path, routed(found), runfolder.recipe()))
    assert "3 comparisons hold together at 95%" in shown.rule and "98.33%" in shown.rule


def test_several_engines_and_answers_without_a_verdict_are_named(routed, tmp_path):
    counts = {"engines": {"local/1": 150, "vllm/2": 10}, "unjudged_because": {"timeout": 2}}
    shown = routing.table(read_results(tmp_path, routed(rows(), counts), runfolder.recipe()))
    engines, judges = shown.notes
    assert "local/1 (150) and vllm/2 (10)" in engines
    assert judges.startswith("2 answers could not be judged (2 timed out)")


def test_a_run_without_the_stage_is_not_measured(reported, tmp_path):
    shown = routing.table(read_results(tmp_path, reported.folders, reported.recipe))
    assert shown.lines == () and shown.sentence == "Thinking on against off: not measured."
    assert "Thinking on against off: not measured." in reported.text("report.html")
    assert json.loads(reported.text("summary.json"))["routing"] == []


def test_a_model_without_a_switch_is_one_sentence(routed, tmp_path):
    folders = routed([], {"no_switch": "the model does not think in tags"})
    shown = routing.table(read_results(tmp_path, folders, runfolder.recipe()))
    assert shown.sentence == "There is nothing to route: the model does not think in tags."


def test_the_report_has_it_and_a_hostile_task_stays_text(routed, tmp_path):
    folders = routed(rows(runfolder.HOSTILE))
    shutil.rmtree(tmp_path / "top", ignore_errors=True)
    (tmp_path / "top").mkdir()
    stage.run(tmp_path / "top", folders, runfolder.recipe())
    page = (tmp_path / "top" / "report.html").read_text()
    part = page.split('<section id="routing">')[1].split("</section>")[0]
    assert "<script>" not in part and "&lt;script&gt;" in part
    assert part.count("<strong>on</strong>") == 4 and "1,190" in part
