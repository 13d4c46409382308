"""A sweep in report and card: what was tried and locked, as the files have it."""

import dataclasses
import json

import pytest
import runfolder
import yaml
from card_reader import read_card

from deimos.report import stage, sweep
from deimos.store.sweep_rows import TrialRow
from deimos.types import Sampling

GREEDY = {**dataclasses.asdict(Sampling(temperature=0.0, max_tokens=512)), "think_budget": None}
WARM = {**GREEDY, "temperature": 0.6, "top_p": 0.9, "think_budget": 300}
HOSTILE = "worse | `x` <b>|"


def trial(model, config, **more):
    row = {
        "model": model, "round": 1, "parameter": "temperature", "value": config["temperature"],
        "config": config, "items": 48, "accuracy": 0.8125, "accuracy_ci": [0.68, 0.9], "tokens_mean": 141.25,
        "tokens_median": 133.0, "e_value": 0.375, "dropped_at": None, "because": "", "decoded": 48,
        "pareto": True,
    }  # fmt: skip
    assert set(row) == set(TrialRow.__annotations__)
    return row | more


def locked_model(config, **more):
    tied = {**config, "accuracy": 0.8125, "accuracy_ci": [0.68, 0.9], "tokens_mean": 141.25, "n": 48,
            "objective_delta": -0.0208, "objective_delta_ci": [-0.07, 0.03]}  # fmt: skip
    part = {k: tied[k] for k in ("accuracy", "accuracy_ci", "n", "tokens_mean")}
    decoding = {k: v for k, v in config.items() if k != "think_budget"}
    budget = config["think_budget"]
    return {"decoding": decoding, "think_budget": budget, **part, "tied": [tied, tied], **more}


def write_sweep(folder):
    """The two files of a sweep stage."""
    folder.mkdir()
    rows = [
        trial("tuned", GREEDY, parameter="", value=None, round=0, e_value=None),
        trial("tuned", WARM, accuracy=0.6, tokens_mean=250.5, pareto=False, dropped_at=32, items=32,
              e_value=45.6, because=HOSTILE),
        trial("base", GREEDY, accuracy=None, accuracy_ci=None, tokens_mean=None),
    ]  # fmt: skip
    (folder / "trials.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    locked = {
        "version": 1, "base": locked_model(GREEDY), "tuned": locked_model(WARM), "strategy": "coordinate",
        "objective": "accuracy", "price": None, "items": 48, "evaluations": 417,
        "skipped": [{"parameter": "top_k", "because": "inert at temperature 0"}],
    }  # fmt: skip
    (folder / "locked.yaml").write_text(yaml.safe_dump(locked))


@pytest.fixture
def swept(tmp_path):
    """A run with a sweep and no benchmark yet."""
    folders = runfolder.write_run(tmp_path / "run", problems=12)
    del folders["bench"]
    folders["sweep"] = tmp_path / "run" / "sweep-01234567"
    write_sweep(folders["sweep"])
    return tmp_path, folders


def test_a_run_without_a_sweep_says_so(reported):
    for name in ("report.html", "MODEL_CARD.md"):
        assert "Decodings swept on dev prompts: not measured." in reported.text(name), name


def test_what_was_tried_and_locked_stands_in_report_and_card(swept):
    top, folders = swept
    stage.run(top, folders, runfolder.recipe())
    page = " ".join((top / "report.html").read_text().split())
    card = read_card((top / "MODEL_CARD.md").read_text())
    for text in (page, card.text):
        assert "Chosen on 48 dev prompts" in text and "417 evaluations" in text
        assert "Not tried: top_k, inert at temperature 0." in text
        assert "temperature 0.6, top p 0.9, max tokens 512, think budget 300" in text
        assert "81.2% [68.0, 90.0]" in text and "141.2" in text
    assert "−2.1 [−7.0, +3.0]" in page and "45.6" in page and "250.5" in page
    assert "worse | `x` &lt;b&gt;|" in page and "<b>|" not in page
    assert yaml.safe_load(card.blocks("yaml")[0]) == {
        k: v for k, v in WARM.items() if v is not None
    }
    assert "what the sweep locked; no benchmark has run at it yet" in card.text
    assert "# think_budget 300: this program closes no thought" in card.blocks("python")[0]


def test_the_fronts_chart_says_its_numbers_in_words(swept):
    top, folders = swept
    stage.run(top, folders, runfolder.recipe())
    page = (top / "report.html").read_text()
    assert "of 2 configs, tuned. On the front: 81.2% at 141.2 tokens." in page
    assert page.count("Tuned: accuracy against tokens on dev") == 1
    assert "Base: accuracy against tokens" not in page  # nothing was measured of it


def test_every_trial_is_a_row(swept):
    top, folders = swept
    stage.run(top, folders, runfolder.recipe())
    page = (top / "report.html").read_text()
    table = page.split("<summary>Every value that was tried</summary>")[1].split("</table>")[0]
    assert table.count("<tr>") == 1 + 3


def test_a_priced_objective_says_its_price(swept):
    top, folders = swept
    path = folders["sweep"] / "locked.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"price": 2.5}))
    stage.run(top, folders, runfolder.recipe())
    assert "accuracy less 2.5 points for 1,000 tokens" in (top / "report.html").read_text()


def test_a_config_in_words_names_what_is_not_usual():
    assert sweep.describe_config(GREEDY) == "temperature 0, max tokens 512"
    changed = {**GREEDY, "presence_penalty": 1.5, "top_k": 20, "max_tokens": 8192}
    assert sweep.describe_config(changed) == (
        "temperature 0, top k 20, presence penalty 1.5, max tokens 8,192"
    )
