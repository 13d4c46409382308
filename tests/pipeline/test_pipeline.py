"""The whole way, every stage in its own process: real tokenizer, filters, training and bench.

Only the sampler is scripted (a random model answers nothing right): it solves each sum, with
thoughts of several lengths, the tuned model's shorter.
"""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from deimos.pipeline.process import exit_code_of
from deimos.pipeline.stages import STAGES, plan
from deimos.recipe import RecipeError, parse
from deimos.runs.artifacts import load_run
from deimos.runs.folder import RunFolder
from deimos.store.candidates import read_candidates

SCRIPTED = """
import hashlib, re
from deimos.engines.echo import EchoEngine
from deimos.models.loading import load_tokenizer

def scripted(ref, runtime):
    tokenizer = load_tokenizer(ref)

    def script(job):
        a, b = re.findall(r"(\\d+) plus (\\d+)", tokenizer.decode(list(job.prompt_ids)))[-1]
        draw = hashlib.sha256(f"{job.seed}/{job.key.index}".encode()).digest()[0]
        result = int(a) + int(b) + (draw % 5 == 0)
        thought = "so " * ((1 if ref.adapter else 4) + draw % 7) + f"{a} + {b} = {result}"
        text = f"<think>\\n{thought}\\n</think>\\n\\nThe sum is \\\\boxed{{{result}}}.<|im_end|>"
        return tokenizer.encode(text, add_special_tokens=False)

    return EchoEngine(script, max_batch=8)
"""


def question(a, b):
    return {"prompt": f"What is {a} plus {b}?", "kind": "math", "reference": str(a + b)}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a recipe, its data, a tiny random model and the scripted engine."""
    place = tmp_path_factory.mktemp("whole")
    tiny_model(place / "model")
    (place / "scripted.py").write_text(SCRIPTED)
    for name, b in (("train", 3), ("test", 50)):
        rows = [json.dumps(question(a, b)) for a in range(10, 24)]
        (place / f"{name}.jsonl").write_text("\n".join(rows))
    source = {"source": "jsonl", "options": {"path": "train.jsonl"}}
    test = {"source": "jsonl", "options": {"path": "test.jsonl"}}
    recipe = {
        "name": "tiny",
        "model": {"id": "model", "dtype": "float32"},
        "prompts": {"sources": [source], "dev_fraction": 0.2, "dev_min_per_kind": 1},
        "sample": {"n": 4, "sampling": {"max_tokens": 128}},
        "select": {"graders": {"math": "math"}},
        "train": {"lora": {"r": 2, "alpha": 2}, "dtype": "float32", "save_steps": 1},
        "bench": {
            "tasks": [{"name": "sums", "source": test}],
            "budget": 128, "timing_problems": 4, "timing_concurrency": 2,
        },
        "runtime": {"engine": "./scripted.py:scripted", "threads": 1, "device": "cpu"},
    }  # fmt: skip
    (place / "tiny.yaml").write_text(yaml.safe_dump(recipe))
    return place


def tiny_model(folder):
    from transformers import Qwen3Config, Qwen3ForCausalLM

    from deimos.lab import tokenizer

    tokenizer.build(["What is 12 plus 50? The sum is \\boxed{62}. so so so = +"], folder)
    config = Qwen3Config(
        vocab_size=1024, hidden_size=16, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1, head_dim=8, max_position_embeddings=512,
    )  # fmt: skip
    Qwen3ForCausalLM(config).save_pretrained(folder)


def deimos(place, *words):
    source = str(Path(__file__).parents[2] / "src")
    paths = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", "deimos.cli.main", *words],
        cwd=place, capture_output=True, text=True, timeout=280, check=False,
        env={**os.environ, "PYTHONPATH": paths, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def told(place):
    shown = deimos(place, "status", "runs/tiny", "--json")
    assert shown.returncode == 0, shown.stderr
    return {s["stage"]: s for s in json.loads(shown.stdout)["stages"]}


def test_the_whole_way_then_resuming_then_a_changed_filter(place):
    done = deimos(place, "run", "tiny.yaml")
    assert done.returncode == 0, done.stderr
    run = place / "runs" / "tiny"
    assert "next: open runs/tiny/report.html" in done.stdout
    assert {s["state"] for s in told(place).values()} == {"fresh"}
    for name in ("summary.json", "report.html", "MODEL_CARD.md", "recipe.yaml"):
        assert (run / name).is_file(), name
    compare = json.loads((run / "summary.json").read_text())["compare"]
    shipped = next(r for r in compare if (r["setting"], r["task"]) == ("ship", "all"))
    assert shipped["n"] == 14 and shipped["think_tokens_reduction"] > 0.1

    again = deimos(place, "run", "tiny.yaml")
    assert again.returncode == 0
    assert [line for line in again.stderr.splitlines() if "complete" not in line] == []

    stricter = deimos(place, "select", "runs/tiny", "--set", "select.min_pass=3")
    assert stricter.returncode == 0, stricter.stderr
    assert "sample: bringing up to date" in stricter.stderr
    states = told(place)
    assert states["select"]["state"] == "fresh" and states["train"]["state"] == "stale"
    assert len(list(run.glob("sample-*"))) == 1 and len(list(run.glob("select-*"))) == 2
    golds = [len(p.read_text().splitlines()) for p in sorted(run.glob("select-*/gold.jsonl"))]
    assert all(golds), golds


def test_thinking_on_and_off_is_a_stage_between_training_and_bench(place):
    trained = deimos(place, "train", "tiny.yaml", "--set", "route={}")
    assert trained.returncode == 0 and "next: deimos route runs/tiny" in trained.stdout
    done = deimos(place, "route", "runs/tiny")
    assert done.returncode == 0, done.stderr
    assert "next: deimos bench runs/tiny" in done.stdout
    assert told(place)["route"]["state"] == "fresh"
    assert deimos(place, "report", "runs/tiny").returncode == 0
    run = place / "runs" / "tiny"
    rows = load_run(run).routing()
    assert {(r["model"], r["task"]) for r in rows} >= {("tuned", "all"), ("base", "all")}
    assert json.loads((run / "summary.json").read_text())["routing"] == rows
    # The scripted engine says the same whatever it is told, so nothing is shown.
    assert rows[0]["delta"] == 0 and rows[0]["recommended"] == "either" and rows[0]["n"] == 3
    assert "Thinking on or off" in (run / "report.html").read_text()
    refused = deimos(place, "route", "tiny.yaml", "--out", "runs/tiny")
    assert refused.returncode == 2 and "the recipe has no route section" in refused.stderr
    back = deimos(place, "report", "tiny.yaml")
    assert back.returncode == 0 and "route" not in told(place), back.stderr


def tokens(sample):
    return {key: c.completion.completion_ids for key, c in read_candidates(sample).items()}


def contents(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_another_filter_decodes_nothing_and_another_temperature_leaves_the_old_stage_whole(place):
    run = place / "runs" / "tiny"
    assert deimos(place, "run", "tiny.yaml", "--until", "select").returncode == 0
    (sample,) = run.glob("sample-*")
    decoded, selections = tokens(sample), len(list(run.glob("select-*")))
    frozen = (run / "recipe.yaml").read_text()
    preview = deimos(place, "select", "runs/tiny", "--preview", "--set", "select.min_pass=2")
    assert preview.returncode == 0 and "shortest" in preview.stdout, preview.stderr
    assert (run / "recipe.yaml").read_text() == frozen, "a preview changes nothing"
    other = deimos(place, "select", "runs/tiny", "--set", "select.function_words=false")
    assert "select.function_words: true → false" in other.stderr
    assert other.returncode == 0, other.stderr
    assert tokens(sample) == decoded
    assert len(list(run.glob("select-*"))) == selections + 1

    before = contents(sample)
    hotter = ("--set", "sample.sampling.temperature=0.7")
    assert deimos(place, "prompts", "runs/tiny", *hotter).returncode == 0
    state = told(place)["sample"]
    differs = [(d["key"], d["was"], d["now"]) for d in state["differs"]]
    assert (state["state"], differs) == (
        "stale",
        [("recipe.sample.sampling.temperature", 1.0, 0.7)],
    )
    assert "sample.sampling.temperature: 1.0 → 0.7" in deimos(place, "status", "runs/tiny").stdout
    assert deimos(place, "sample", "runs/tiny", *hotter).returncode == 0
    assert len(list(run.glob("sample-*"))) == 2 and contents(sample) == before


def test_faults_of_the_user_end_with_2_and_one_sentence(place):
    for words, sentence in (
        (("run", "tiny.yaml", "--set", "sample.m=3"), "accepted: exhaustive, n,"),
        (("run", "nowhere.yaml"), "does not exist"),
        (("run", "tiny.yaml", "--until", "serve"), "must be one of prompts, sample"),
        (("run", "tiny.yaml", "--out", "model"), "is not empty"),
        (("status", "model"), "not a run folder"),
        (("train", "tiny.yaml", "--out", "runs/new"), "train needs select"),
        (("prompts", "tiny.yaml", "--out", "runs/none", "--set",
          "prompts.sources.0.options.path=no.jsonl"), "'no.jsonl'"),
    ):  # fmt: skip
        done = deimos(place, *words)
        assert done.returncode == 2, (words, done.stderr)
        assert sentence in done.stderr and "Traceback" not in done.stderr, (words, done.stderr)


def test_every_recipe_key_belongs_to_some_stage_or_changes_nothing():
    """A new section or field of the recipe that no fingerprint sees would be a silent bug."""
    recipe = parse({"name": "r", "model": {"id": "m"}, "prompts": {"sources": [{"source": "lab"}]}})
    seen = {key.split(".")[0] for stage in STAGES for key in stage.keys}
    assert set(type(recipe).model_fields) == seen


def test_a_changed_grader_file_changes_selection_not_sampling(tmp_path):
    file = tmp_path / "own.py"
    file.write_text("def own(answer, reference): ...")
    data = {"name": "r", "model": {"id": "m"}, "prompts": {"sources": [{"source": "lab"}]}}
    recipe = parse({**data, "select": {"graders": {"math": f"{file}:own"}}})
    before = {p.stage.name: p.fingerprint for p in plan(recipe)}
    file.write_text("def own(answer, reference): return 1")
    after = {p.stage.name: p.fingerprint for p in plan(recipe)}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"select", "train", "bench", "report"}
    with RunFolder.begin(tmp_path / "run", recipe, {}, plan(recipe)) as run:
        assert {s.state for s in run.status(plan(recipe))} == {"missing"}


def test_only_our_own_errors_are_told_in_one_sentence():
    assert exit_code_of(RecipeError("x")) == 2
    assert exit_code_of(ValueError("x")) is None
    assert exit_code_of(ZeroDivisionError()) is None


@pytest.mark.parametrize(
    "words",
    [["run"], ["report"], ["bench"], ["select", "--preview"]],
    ids=" ".join,
)
def test_a_run_of_an_earlier_version_is_named_and_left_as_it_is(place, old_run, words):
    before = {p: p.read_bytes() for p in old_run.rglob("*") if p.is_file()}
    refused = deimos(place, words[0], "runs/old", *words[1:])
    assert refused.returncode == 2, refused.stderr
    (line,) = refused.stderr.splitlines()
    assert line.startswith("error: 'runs/old' was made by another version of Deimos"), line
    assert {p: p.read_bytes() for p in old_run.rglob("*") if p.is_file()} == before


def test_status_and_load_run_still_read_a_run_of_an_earlier_version(place, old_run):
    shown = deimos(place, "status", "runs/old")
    assert shown.returncode == 0 and "made by another version of Deimos" in shown.stdout
    counts = {
        fields[0]: fields[1] for line in shown.stdout.splitlines() if (fields := line.split())
    }
    assert counts["prompts"] == "stale" and counts["bench"] in ("stale", "missing")
    found = load_run(old_run)
    assert len(list(found.golds())) == len(
        (found.folders["select"] / "gold.jsonl").read_text().splitlines()
    )


def test_the_version_is_named_before_anything_that_the_recipe_names(place, old_run, tmp_path):
    refused = deimos(tmp_path, "report", str(old_run))  # its engine's file is not in this folder
    assert refused.returncode == 2 and "another version of Deimos" in refused.stderr


@pytest.fixture
def old_run(place):
    """A finished run of Deimos 0.1.0's records of format 1, beside the recipe that made it."""
    folder = place / "runs" / "old"
    with tarfile.open(Path(__file__).with_name("run-of-format-1.tar.xz")) as archive:
        archive.extractall(folder, filter="data")
    return folder
