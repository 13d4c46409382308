"""The demo for real, made small: lab weights, local engine, TRL, all the way to the report."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deimos.store.journal import read

pytestmark = [pytest.mark.real, pytest.mark.timeout(1200)]  # a hang, not a slow machine
SMALL = (
    "prompts.sources.0.take=80",
    "prompts.dev_min_per_kind=10",
    *(f"bench.tasks.{i}.source.take=10" for i in range(4)),
    "sweep.take=16",
    "bench.timing_problems=8",
)
COMPARE = {
    "setting", "thinking", "task", "n", "accuracy_delta", "accuracy_delta_ci",
    "think_tokens_reduction", "think_tokens_reduction_ci", "total_tokens_reduction",
    "total_tokens_reduction_ci", "seconds_reduction", "finished_more", "reasoned_better",
}  # fmt: skip
BENCH = {
    "model", "setting", "thinking", "budget", "repeats", "task", "n", "accuracy", "accuracy_ci",
    "think_tokens_median", "answer_tokens_median", "total_tokens_median", "chars_median",
    "finished", "empty_think", "seconds_per_problem",
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "lab"
    words = [word for item in SMALL for word in ("--set", item)]
    command = [sys.executable, "-m", "deimos.cli.main", "demo", "--out", str(out), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1100, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert f"next: open {out}/report.html" in done.stdout
    return out


def stage(run: Path, name: str) -> Path:
    (folder,) = run.glob(f"{name}-*")
    assert json.loads((folder / "record.json").read_text())["stage"] == name
    return folder


def test_the_run_folder_holds_what_is_promised(run):
    for name in ("recipe.yaml", "summary.json", "report.html", "MODEL_CARD.md"):
        assert (run / name).stat().st_size > 0
    assert (stage(run, "train") / "adapter" / "adapter_config.json").is_file()
    assert (stage(run, "sweep") / "locked.yaml").is_file()
    summary = json.loads((run / "summary.json").read_text())
    assert summary["sample"]["prompts"] == 40
    assert summary["sample"]["completions"] == 320
    assert summary["select"]["gold"] >= 20
    assert all(row.keys() >= COMPARE for row in summary["compare"])
    assert all(row.keys() >= BENCH for row in summary["bench"])
    assert {row["setting"] for row in summary["compare"]} == {"ship", "equal", "tight"}
    kinds = {"lab_math", "lab_choice", "lab_instruction", "lab_code"}
    assert {row["task"] for row in summary["compare"]} == {"all", *kinds}


def test_golds_are_the_shortest_that_passed_by_ids_that_were_sampled(run):
    pool: dict[str, list[dict]] = {}
    for row in read(stage(run, "sample") / "completions"):
        pool.setdefault(row["prompt_id"], []).append(row)
    for line in (stage(run, "select") / "gold.jsonl").read_text().splitlines():
        gold = json.loads(line)
        passed = [r for r in pool[gold["prompt_id"]] if r["verdict"] and r["verdict"]["ok"]]
        best = min(passed, key=lambda r: (r["think_tokens"], r["answer_tokens"], r["index"]))
        assert (gold["index"], gold["completion_ids"]) == (best["index"], best["completion_ids"])
        outpaced = [r for r in pool[gold["prompt_id"]] if r["finish"] == "outpaced"]
        assert all(r["think_tokens"] > gold["think_tokens"] for r in outpaced)


def test_running_again_does_nothing_again(run):
    before = {p: p.stat().st_mtime_ns for p in run.glob("*-*/record.json")}
    command = [sys.executable, "-m", "deimos.cli.main", "run", str(run)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert {p: p.stat().st_mtime_ns for p in run.glob("*-*/record.json")} == before
