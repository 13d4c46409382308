"""What each proposer came to, in report, card and summary; nothing of it without proposers."""

import json
import shutil

import runfolder

from deimos.recipe import parse
from deimos.report import stage
from deimos.report.rejects import proposers_section
from deimos.report.results import read_results

COUNTS = {
    "plain": {
        "candidates": 40, "judged": 22, "passed": 11, "outpaced": 18, "gold": 7,
        "think_tokens_median": 31.0, "decoded_tokens": 4321, "teacher_tokens": 0,
        "tokens_per_gold": 617.3,
    },
    "prune": {
        "candidates": 9, "judged": 9, "passed": 0, "outpaced": 0, "gold": 0,
        "think_tokens_median": None, "decoded_tokens": 800, "teacher_tokens": 0,
        "tokens_per_gold": None,
    },
}  # fmt: skip


def recipe_of(*proposers):
    data = runfolder.recipe().model_dump(mode="json")
    data["sample"] |= {"proposers": [*proposers]} if proposers else {}
    data["sample"].pop("n") if proposers else None
    return parse(data)


def test_report_card_and_summary_have_a_row_a_proposer(reported, tmp_path):
    folders = dict(reported.folders)
    folders["select"] = shutil.copytree(folders["select"], tmp_path / "select-00000000")
    record = json.loads((folders["select"] / "record.json").read_text())
    record["counts"]["proposers"] = COUNTS
    (folders["select"] / "record.json").write_text(json.dumps(record))
    stage.run(tmp_path, folders, recipe_of({"kind": "plain", "n": 4}, {"kind": "prune"}))
    page = " ".join((tmp_path / "report.html").read_text().split())
    assert "By proposer" in page
    assert "4,321" in page
    card = (tmp_path / "MODEL_CARD.md").read_text()
    assert "| plain | 40 | 18 | 22 | 11 | 50% | 31 | 7 | 4,321 | 617 |" in card
    assert "| prune | 9 | 0 | 9 | 0 | 0% | not measured | 0 | 800 |  |" in card
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["select"]["proposers"] == COUNTS


def test_without_proposers_nothing_is_said_of_them(reported, tmp_path):
    run = read_results(tmp_path, reported.folders, recipe_of())
    assert proposers_section(run) is None
    stage.run(tmp_path, reported.folders, recipe_of())
    assert "By proposer" not in (tmp_path / "report.html").read_text()
    assert "proposers" not in json.loads((tmp_path / "summary.json").read_text())["select"]
