"""What the policy is worth on test, as report and card show it."""

import json
import shutil

import pytest
import runfolder

from deimos.bench.routed import RouteDecision, RoutedProblem, tabulate_routed
from deimos.evaluate.outcomes import Outcome
from deimos.report import stage
from deimos.report.results import read_results
from deimos.report.routing import routed_section
from deimos.store.journal import write_rows
from deimos.store.names import ROUTED


def problems(task="sums", n=40):
    """ON all right in 200 tokens, OFF right on every other one in 20; the policy knows."""

    def outcome(i, ok, tokens):
        return Outcome(f"{task}/{i}", task, True, 0, ok, "stop", 0, tokens, tokens, tokens, None)

    return [
        RoutedProblem(
            task, outcome(i, True, 200), outcome(i, i % 2 == 0, 20),
            RouteDecision(i % 2 == 0, 0.1 if i % 2 == 0 else -0.1),
        )
        for i in range(n)
    ]  # fmt: skip


@pytest.fixture
def folders(reported, tmp_path):
    made = tmp_path / "bench-copied"
    shutil.copytree(reported.folders["bench"], made)
    rows = tabulate_routed([*problems("sums"), *problems("more", 10)], "lab-0123abcd")
    write_rows(made / ROUTED, map(dict, rows))
    return {**reported.folders, "bench": made}


def test_every_way_is_shown(folders, tmp_path):
    shown = routed_section(read_results(tmp_path, folders, runfolder.recipe()))
    assert "lab-0123abcd" in shown.sentences[0] and "oracles have seen" in shown.sentences[0]
    ways, tasks, risks = shown.tables
    assert [row[0] for row in ways.rows] == [
        "by the policy", "by the policy", "always OFF", "better mode of each task (oracle)",
        "cheapest right mode of each prompt (oracle)", "always ON",
    ]  # fmt: skip
    routed = ways.rows[0]
    assert routed[1:3] == ("50", "50.0%") and routed[3].startswith("100.0% [")
    assert (
        routed[5] == "always ON"
        and routed[6].startswith("0.0 [")
        and routed[7].startswith("45.0% [")
    )
    assert ways.rows[-1][5:] == ("", "", "")
    assert [row[0] for row in tasks.rows] == ["sums", "more"] and tasks.rows[1][1] == "10"
    assert risks.folded and risks.rows[0][2] == "–" and risks.rows[-1][2] == "50.0%"


def test_without_rows_one_sentence_says_so(reported, tmp_path):
    shown = routed_section(read_results(tmp_path, reported.folders, runfolder.recipe()))
    assert shown.tables == () and "not measured" in shown.sentences[0]


def test_report_card_and_summary_have_it(folders, tmp_path):
    from test_routing import rows

    route = tmp_path / "route-00000000"
    route.mkdir()
    write_rows(route / "routing.jsonl", map(dict, rows()))
    (route / "record.json").write_text(json.dumps({"counts": {}}))
    stage.run(tmp_path, {**folders, "route": route}, runfolder.recipe())
    for name in ("report.html", "MODEL_CARD.md"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert "by the policy" in text and "lab-0123abcd" in text
    assert json.loads((tmp_path / "summary.json").read_text())["routed"][0]["way"] == "routed"
