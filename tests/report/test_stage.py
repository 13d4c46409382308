"""The three files: complete, safe to open, equal to the records."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import runfolder
import yaml

from deimos.recipe import parse
from deimos.report import stage
from deimos.store.journal import Journal, read, read_rows, write_rows
from deimos.store.schema import Row


def unescaped(markdown: str) -> str:
    """Text as a reader of the card sees it."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown)


def test_summary_has_the_contract_fields_and_the_records_numbers(reported):
    summary = json.loads(reported.text("summary.json"))
    assert list(summary) == [
        "prompts", "sample", "select", "bench", "compare", "routing", "routed", "engines",
            "environment",
    ]  # fmt: skip
    assert summary["prompts"] == {
        "train": 60, "dev": 10, "decontaminated": 3, "decontamination": runfolder.OVERLAPS,
    }  # fmt: skip
    record = json.loads((reported.folders["sample"] / "record.json").read_text())
    assert summary["sample"] == {**record["counts"], "seconds": record["seconds"]}
    verdicts = read_rows(reported.folders["select"] / "verdicts.jsonl")
    wrong = Counter(r["stage"] for r in verdicts if r["ok"] is False and r["finish"] != "outpaced")
    assert summary["select"]["rejects"] == {
        stage: wrong[stage] for stage in ("structure", "correctness", "presentation", "length")
    }
    gold = read_rows(reported.folders["select"] / "gold.jsonl")
    assert summary["select"]["gold"] == len(gold) == reported.counts["gold"]
    assert summary["bench"] == read_rows(reported.folders["bench"] / "bench.jsonl")
    assert summary["compare"] == read_rows(reported.folders["bench"] / "compare.jsonl")
    assert summary["environment"]["all stages"]["versions"]["torch"] == "2.13.0"


def test_what_decontamination_dropped_stands_in_report_and_card(reported):
    for name in ("report.html", "MODEL_CARD.md"):
        text = " ".join(reported.text(name).split())
        assert "3 prompts dropped: 2 by 13-gram and 1 by exact." in text, name
        assert "one of 1,500 test problems (the same words, 13 or 8 words in a row" in text, name


def test_what_sampling_did_not_record_is_counted_from_its_rows(reported, tmp_path):
    before = json.loads(reported.text("summary.json"))["sample"]
    record = reported.folders["sample"] / "record.json"
    kept = record.read_text()
    try:
        record.write_text(json.dumps({"counts": {}, "seconds": before["seconds"]}))
        stage.run(tmp_path, reported.folders, reported.recipe)
    finally:
        record.write_text(kept)
    assert json.loads((tmp_path / "summary.json").read_text())["sample"] == before


def test_sampling_has_one_time_and_it_is_of_all_attempts(reported):
    record = json.loads((reported.folders["sample"] / "record.json").read_text())
    assert record["seconds"] != record["counts"]["seconds"]
    text = " ".join(reported.text("report.html").split())
    counts = text.split("<h2>How it was made</h2>")[1].split("</table>")[0]
    assert "prompts" in counts and "seconds" not in counts


def test_incidents_of_the_engine_stand_in_report_and_card(reported, tmp_path):
    record = reported.folders["sample"] / "record.json"
    kept = record.read_text()
    whole = json.loads(kept)
    servers = [
        {"url": "http://one:8000/v1", "state": "up", "requests": 480, "faults": 0, "lost": 0,
         "last_fault": ""},
        {"url": "http://two:8000/v1", "state": "down", "requests": 31, "faults": 4, "lost": 1,
         "last_fault": "refuses the connection"},
    ]  # fmt: skip
    whole["counts"] |= {"actors_lost": 2, "engine": {"servers": servers, "refused": 1}}
    whole["cut_short"] = [
        {"began": "then"},
        {"began": "later", "seconds": 12.3, "whole": False, "engine": {"servers": servers[1:]}},
    ]
    try:
        record.write_text(json.dumps(whole))
        stage.run(tmp_path, reported.folders, reported.recipe)
    finally:
        record.write_text(kept)
    for name in ("report.html", "MODEL_CARD.md"):
        text = unescaped(" ".join((tmp_path / name).read_text().split()))
        assert "2 actors of the cluster were lost" in text, name
        assert "1 attempt at sampling was killed" in text, name
        assert "An attempt at sampling was cut short after 12 s. Server http://two" in text, name
        assert "Server http://one:8000/v1: 480 requests." in text, name
        assert (
            "31 requests, 4 failed and were asked again (the last: refuses the connection), "
            "lost once, down at the end." in text
        ), name
        assert "The engine refused 1 request." in text, name
        assert "Incidents while sampling" not in reported.text(name) and "{'url'" not in text


def test_what_could_not_be_judged_and_second_opinions_stand_in_report_and_card(reported, tmp_path):
    record, verdicts = (
        reported.folders["bench"] / "record.json", reported.folders["select"] / "verdicts.jsonl",
    )  # fmt: skip
    kept = record.read_text(), verdicts.read_text()
    whole = json.loads(kept[0])
    whole["counts"] |= {
        "unjudged_because": {"unreadable": 2, "timeout": 1},
        "second": {"n": 400, "plain": 0.05, "math_verify": 0.01},
    }
    row = {"prompt_id": "p", "index": 90, "stage": "correctness", "finish": "stop"}
    second = {"plain": False, "math_verify": True}
    more = [
        {**row, "ok": None, "because": "timeout: no verdict in 5 s of processor time"},
        {**row, "ok": True, "stage": "length", "because": "", "second": second},
        {**row, "ok": False, "stage": "presentation", "because": "", "second": second},
    ]
    try:
        record.write_text(json.dumps(whole))
        verdicts.write_text(kept[1] + "".join(json.dumps(one) + "\n" for one in more))
        stage.run(tmp_path, reported.folders, reported.recipe)
    finally:
        record.write_text(kept[0])
        verdicts.write_text(kept[1])
    for name in ("report.html", "MODEL_CARD.md"):
        text = " ".join((tmp_path / name).read_text().split())
        assert "3 benchmark answers could not be judged (1 timed out, 2 unreadable)" in text, name
        assert "second opinions on 400 math verdicts differ: plain match on 5.0%" in text, name
        assert "1 timed out" in text, name
    assert "second opinions on 2 math verdicts" in (tmp_path / "report.html").read_text()
    told = json.loads((tmp_path / "summary.json").read_text())["select"]
    assert told["second"] == {"n": 2, "plain": 1.0, "math_verify": 0.0}
    assert told["unjudged_because"]["timeout"] == 1


def test_a_pool_of_two_engines_says_so(reported, tmp_path):
    record = reported.folders["select"] / "record.json"
    kept = record.read_text()
    whole = json.loads(kept)
    whole["counts"]["engines"] = {"local/transformers-1": 1200, "openai/vllm-2": 80}
    try:
        record.write_text(json.dumps(whole))
        stage.run(tmp_path, reported.folders, reported.recipe)
    finally:
        record.write_text(kept)
    said = "decoded by 2 engines: local/transformers-1 (1,200), openai/vllm-2 (80)."
    for name in ("report.html", "MODEL_CARD.md"):
        assert said in " ".join((tmp_path / name).read_text().split()), name
        assert "Candidates were decoded by" not in reported.text(name), name


def rewritten(folders: dict[str, Path], change: Callable[[Path, Row], list[Row]]) -> None:
    """Write the sample sets anew: ``change`` gives the rows that stand for one."""
    for path in sorted((folders["bench"] / "samples").glob("*.jsonl")):
        rows = [new for row in read(path) for new in change(path, row)]
        path.unlink()
        with Journal(path) as journal:
            for row in rows:
                journal.append(row)


def test_rows_of_another_config_are_in_no_number_and_no_trace(reported, tmp_path):
    """A file may hold what was decoded with other settings: neither counted nor shown."""
    folders = runfolder.write_run(tmp_path / "run")
    foreign = {"key": "another", "think": "STALE", "answer": "STALE", "text": "STALE"}
    foreign |= {"think_tokens": 9999, "completion_ids": [], "ok": False}

    def change(path: Path, row: Row) -> list[Row]:
        return [row | foreign, row]

    rewritten(folders, change)
    (folders["bench"] / "samples" / "t-base-removed.jsonl").write_bytes(
        next((folders["bench"] / "samples").glob("*.jsonl")).read_bytes()
    )
    recipe = runfolder.recipe()
    assert stage.run(tmp_path, folders, recipe)["completions"] == reported.counts["completions"]
    for name in ("summary.json", "report.html", "MODEL_CARD.md"):
        found = (tmp_path / name).read_text()
        assert "STALE" not in found, name
        assert found == reported.text(name), name


def test_several_engines_between_base_and_tuned_are_named(reported, tmp_path):
    folders = runfolder.write_run(tmp_path / "run")

    def change(path: Path, row: Row) -> list[Row]:
        moved = "tuned" in path.name and row["prompt_id"].endswith("7")
        return [row | {"engine": "openai/vllm-2"} if moved else row]

    rewritten(folders, change)
    stage.run(tmp_path, folders, runfolder.recipe())
    sentence = (
        "base by local/transformers-5.19.0 (240), tuned by local/transformers-5.19.0 (224) and "
        "openai/vllm-2 (16);"
    )
    for name in ("report.html", "MODEL_CARD.md"):
        assert sentence in " ".join((tmp_path / name).read_text().split()), name
        assert "Several engines decoded" not in reported.text(name), name
    engines = json.loads((tmp_path / "summary.json").read_text())["engines"]["bench"]
    assert engines["tuned"] == {"local/transformers-5.19.0": 224, "openai/vllm-2": 16}


def test_a_run_without_written_keys_is_read_and_says_what_is_not_known(tmp_path):
    folders = runfolder.write_run(tmp_path / "run", problems=12)
    for stage_name in ("sample", "bench"):
        (folders[stage_name] / "keys.jsonl").unlink()
    stage.run(tmp_path, folders, runfolder.recipe())
    found = " ".join((tmp_path / "report.html").read_text().split())
    for what in ("candidates", "benchmark answers"):
        assert f"not written down when the {what} were decoded" in found


def test_nothing_that_a_model_wrote_becomes_markup(reported):
    page = reported.text("report.html")
    assert "&lt;script&gt;" in page  # it is there, as text
    assert "<script" not in page.lower()
    assert "<img" not in page.lower()
    card = reported.text("MODEL_CARD.md")
    assert "<script" not in card


def test_the_page_asks_nothing_of_any_network(reported):
    page = reported.text("report.html")
    assert "default-src 'none'" in page
    assert not re.findall(r"https?://|@import|<link(?! rel=\"icon\" href=\"data:)|url\(", page)
    assert not re.findall(r"\ssrc=", re.sub(r"&lt;.*?&gt;", "", page))


def test_every_number_of_the_headline_is_the_records(reported):
    rows = read_rows(reported.folders["bench"] / "compare.jsonl")
    row = next(r for r in rows if r["setting"] == "equal" and r["task"] == "all")
    wanted = [
        f"−{100 * row['think_tokens_reduction']:.0f}%",
        f"{100 * row['accuracy_delta']:+.1f} points".replace("-", "−"),
        f"n = {row['n']:,}",
        f"budget {runfolder.BUDGET}",
        "the less flattering of the two",
    ]
    for name in ("report.html", "MODEL_CARD.md"):
        text = reported.text(name)
        assert [w for w in wanted if w not in text] == []


def test_a_difference_whose_interval_includes_0_is_not_shown(reported):
    rows = read_rows(reported.folders["bench"] / "compare.jsonl")
    null = [r for r in rows if r["accuracy_delta_ci"][0] <= 0 <= r["accuracy_delta_ci"][1]]
    assert null, "the synthetic run must hold a null result"
    for name in ("report.html", "MODEL_CARD.md"):
        assert reported.text(name).count("not shown; smallest this n could show") >= len(null)


def test_the_lab_says_what_was_authored_and_others_do_not(reported, tmp_path):
    assert "What was authored in the lab" in reported.text("report.html")
    stage.run(tmp_path, reported.folders, runfolder.recipe("Qwen/Qwen3-0.6B"))
    for name in ("report.html", "MODEL_CARD.md"):
        assert "lab model" not in (tmp_path / name).read_text().lower()
        assert "authored" not in (tmp_path / name).read_text()


def test_a_model_without_tags_writes_and_does_not_think(reported, tmp_path):
    settings = reported.recipe.model_dump(mode="json")
    settings["model"]["tags"] = None
    stage.run(tmp_path, reported.folders, parse(settings))
    page = (tmp_path / "report.html").read_text()
    assert "<h1>Writes " in page
    assert "whole text is trace and answer" in page
    assert page.count("<figure") == reported.text("report.html").count("<figure") - 1


def test_the_card_opens_with_front_matter_the_hub_can_read(reported, tmp_path):
    def front(text):
        return yaml.safe_load(text.split("---\n")[1])

    assert "base_model" not in front(reported.text("MODEL_CARD.md"))  # lab is no Hub id
    stage.run(tmp_path, reported.folders, runfolder.recipe("Qwen/Qwen3-0.6B"))
    read = front((tmp_path / "MODEL_CARD.md").read_text())
    assert read["base_model"] == "Qwen/Qwen3-0.6B"
    assert read["base_model_relation"] == "adapter"


def test_the_cards_tables_are_tables(reported):
    card = reported.text("MODEL_CARD.md")
    blocks = re.findall(r"(?:^\|.*\n)+", card, re.M)
    assert len(blocks) == 2 + 3 * 2  # specification, how it was made, and two of each setting
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1
    assert "\n\n\n" not in card


@pytest.mark.parametrize("stages", [(), ("prompts", "sample"), ("prompts", "sample", "select")])
def test_what_has_not_run_is_not_measured(reported, tmp_path, stages):
    folders = {name: reported.folders[name] for name in stages}
    counts = stage.run(tmp_path, folders, reported.recipe)
    assert counts["bench_rows"] == 0
    assert (tmp_path / "report.html").read_text().count("not measured") >= 5
    assert "not measured" in (tmp_path / "MODEL_CARD.md").read_text()
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["compare"] == []
    assert (summary["sample"]["prompts"] is None) == (not stages)


def test_reporting_twice_gives_the_same_bytes(reported, tmp_path):
    stage.run(tmp_path, reported.folders, reported.recipe)
    for name in ("summary.json", "report.html", "MODEL_CARD.md"):
        assert (tmp_path / name).read_bytes() == (reported.top / name).read_bytes()


def test_numbers_that_are_missing_or_not_finite(tmp_path):
    folders = runfolder.write_run(tmp_path / "run", problems=12)
    path = folders["bench"] / "compare.jsonl"
    rows = read_rows(path)
    for name in ("accuracy_delta_ci", "think_tokens_reduction", "think_tokens_reduction_ci"):
        rows = [{**row, name: None} for row in rows]
    write_rows(path, rows)
    bench = folders["bench"] / "bench.jsonl"
    bench.write_text(re.sub(r'"chars_median": [\d.]+', '"chars_median": NaN', bench.read_text()))
    stage.run(tmp_path, folders, runfolder.recipe())
    summary = json.loads((tmp_path / "summary.json").read_text(), parse_constant=pytest.fail)
    assert summary["bench"][0]["chars_median"] is None
    assert "Length: not measured" in (tmp_path / "report.html").read_text()


def test_the_rejects_shown_differ_in_reason_before_they_repeat(reported):
    page = reported.text("report.html")
    shown = {stage: page.split(f"Rejected at {stage}: ")[1] for stage in ("structure",)}
    assert shown["structure"].startswith("3 of ")
    assert page.index("Rejected at structure") < page.index("Rejected at correctness")
