"""Which config a number comes from, and that it stands beside the number."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from deimos.report import decoding_labels
from deimos.store.journal import read_rows

MIXED = {"accuracy": "recommended", "think_tokens": "locked", "total_tokens": "locked"}
ONE = dict.fromkeys(MIXED, "recommended")


def test_each_number_of_a_mixed_row_has_its_config():
    assert decoding_labels.origins({"config": MIXED}) == {
        "accuracy": "recommended",
        "finished": "recommended",
        "think_tokens": "locked",
        "total_tokens": "locked",
        "answer_tokens": "locked",
    }


def test_a_row_of_one_config_needs_no_names_unless_its_seconds_are_of_another():
    assert decoding_labels.origins({"config": ONE}) == {}
    assert decoding_labels.origins({"config": ONE, "seconds_per_problem": None}) == {}
    timed = decoding_labels.origins({"config": ONE, "seconds_reduction": 0.5})
    assert (timed["seconds"], timed["accuracy"]) == ("locked", "recommended")
    locked = dict.fromkeys(MIXED, "locked")
    assert decoding_labels.origins({"config": locked, "seconds_reduction": 0.5}) == {}
    assert (
        decoding_labels.origins({"config": "locked"})
        == decoding_labels.origins({"config": None})
        == {}
    )


def test_ship_says_which_side_is_at_which_config():
    row = {"setting": "ship", "config": None}
    assert decoding_labels.shorten_config(row) == "recommended → locked"
    assert "base at the base's recommended sampler, tuned at the locked" in decoding_labels.clause(
        row
    )


def mixed_rows(reported):
    rows = read_rows(reported.folders["bench"] / "compare.jsonl")
    found = [row for row in rows if decoding_labels.origins(row)]
    assert found, "the synthetic run must hold a row that mixes configs"
    return found


@pytest.mark.parametrize("name", ["report.html", "MODEL_CARD.md"])
def test_it_is_said_once_that_rows_may_mix_configs(reported, name):
    assert reported.text(name).count(decoding_labels.MIXED) == 1


def test_every_number_of_a_mixed_row_says_its_config_in_the_card(reported):
    lines = [
        line for line in reported.text("MODEL_CARD.md").splitlines() if "locked (think" in line
    ]
    rows = len(mixed_rows(reported))
    assert len(lines) == 2 * rows  # of efficiency, then of accuracy
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split("|")][2:-1]
        named = [re.findall(r"\((recommended|locked)[,)]", cell) for cell in cells]
        if len(cells) == 6:
            seconds = ["locked"] if "not measured" not in cells[4] else []
            assert named == [*[["locked"]] * 4, seconds, ["recommended", "locked"]]
        else:
            assert named == [["recommended"]] * 3


def test_every_number_of_a_mixed_row_says_its_config_on_the_page(reported):
    rows = re.findall(r"<tr>.*?</tr>", reported.text("report.html"), re.S)
    rows = [row for row in rows if "locked (think" in row]
    assert len(rows) == len(mixed_rows(reported))
    for row in rows:
        cells = re.findall(r"<td data-label=\"([^\"]*)\">(.*?)</td>", row, re.S)
        named = {label: re.findall(r"class=\"origin\">(\w+)", cell) for label, cell in cells}
        assert named.pop("Numbers from") == []
        assert all(named.values()), named


def test_the_results_table_names_the_config_of_each_number(reported, tmp_path, capsys, monkeypatch):
    path = Path(__file__).parents[2] / "benchmarks/run_table.py"
    spec = importlib.util.spec_from_file_location("run_table_benchmark", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    out = tmp_path / "table.md"
    words = [str(reported.top), "--title", "A run", "--command", "deimos run", "--out", str(out)]
    monkeypatch.setattr("sys.argv", ["run_table.py", *words])
    module.main()
    assert set(json.loads(capsys.readouterr().out.splitlines()[-1])) == {"ship", "equal", "tight"}
    text = out.read_text()
    assert text.count(decoding_labels.MIXED) == 1
    equal = next(line for line in text.splitlines() if line.startswith("| equal | all |"))
    assert re.findall(r" \((recommended|locked)\)", equal) == [
        "recommended", "locked", "locked", "locked", "recommended",
    ]  # fmt: skip
    base = next(line for line in text.splitlines() if line.startswith("| base | equal | all |"))
    assert re.findall(r" \((recommended|locked)\)", base) == [
        "recommended", "locked", "locked", "recommended", "locked",
    ]  # fmt: skip
    assert re.search(r"of budget 512 \(recommended\)", base)
