"""The chain of rounds, read from the run folders that a run stands on."""

import dataclasses
import json
from pathlib import Path

from deimos.recipe import parse, write_yaml
from deimos.report.chain import chain_section, find_rounds
from deimos.report.results import RunResults
from deimos.runs.artifacts import load_run
from deimos.store.journal import Journal
from deimos.store.schema import BenchSample, bench_sample_row
from deimos.types import Completion, Verdict

LAB = {"source": "lab", "take": 40}


def leave_round(path: Path, name: str, model: dict, tokens: dict[str, int]) -> None:
    """A run whose benchmark asked ten problems: the base gets five right, the tuned model six."""
    recipe = parse({"name": name, "model": model, "prompts": {"sources": [LAB]}})
    path.mkdir()
    (path / "recipe.yaml").write_text(write_yaml(recipe.model_dump(mode="json")))
    for number, stage in enumerate(("select", "gain", "bench"), 1):
        folder = path / f"{stage}-00000000"
        folder.mkdir()
        counts = {"gold": 30 + number}
        (folder / "record.json").write_text(
            json.dumps({"stage": stage, "number": number, "counts": counts})
        )
    compare = {
        "n": 12, "accuracy_delta": 0.05, "accuracy_delta_ci": [-0.02, 0.12],
        "total_tokens_reduction": 0.3, "total_tokens_reduction_ci": [0.2, 0.4],
    }  # fmt: skip
    gain = {"compare": compare, "verdict": "go on", "because": f"{name} saved 30.0%"}
    (path / "gain-00000000" / "gain.json").write_text(json.dumps(gain))
    samples = path / "bench-00000000" / "samples"
    for at, (which, length) in enumerate(tokens.items()):
        with Journal(samples / f"gsm-{which}-locked.jsonl") as journal:
            for i in range(10):
                ids = tuple(range(length + i % 2))
                completion = Completion(
                    f"p{i}", 0, 0, "", "a", "a", (1,), ids, 1, 1, "stop", None, 0.1, "e",
                    Verdict(i < 5 + at),
                )  # fmt: skip
                journal.append(
                    bench_sample_row(BenchSample(completion, "k", "gsm", which, "locked"))
                )


def results_of(path: Path) -> RunResults:
    artifacts = load_run(path)
    recipe = parse(
        {"name": path.name, "model": {"run": str(path.parent / "a")}, "prompts": {"sources": [LAB]}}
    )
    return RunResults(path.name, recipe, artifacts, {}, [], [], [], [], {}, [])


def test_the_last_report_shows_every_round_and_all_of_them_together(tmp_path):
    leave_round(tmp_path / "a", "first", {"id": "lab"}, {"base": 100, "tuned": 60})
    leave_round(tmp_path / "b", "second", {"run": str(tmp_path / "a")}, {"base": 60, "tuned": 40})
    section = chain_section(results_of(tmp_path / "b"))
    rows = section.tables[0].rows
    assert [row[:3] for row in rows] == [("1", "first", "31"), ("2", "b", "31")]
    assert "first saved 30.0%" in rows[0][-1] and "second saved 30.0%" in rows[1][-1]
    assert "+5" in rows[0][4] and rows[0][3] == "12"
    whole = section.sentences[-1]
    assert "same 10 test problems" in whole and "(50.0% → 60.0%)" in whole
    assert "−60%" in whole, "100 and 101 tokens to 40 and 41"


def test_a_run_by_itself_has_no_chain_and_a_lost_round_is_said(tmp_path):
    leave_round(tmp_path / "b", "second", {"run": str(tmp_path / "a")}, {"base": 60, "tuned": 40})
    run = results_of(tmp_path / "b")
    rounds, lost = find_rounds(run)
    assert len(rounds) == 1 and "is not a run folder" in lost
    assert any("cannot be read" in sentence for sentence in chain_section(run).sentences)
    alone = parse({"name": "t", "model": {"id": "lab"}, "prompts": {"sources": [LAB]}})
    empty = dataclasses.replace(run, recipe=alone, artifacts=type(run.artifacts)({}))
    assert chain_section(empty).tables == ()
