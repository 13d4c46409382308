"""What the Hub reads by program: front matter, and a score a task whose problems are a Hub data set."""

import re

import pytest
import runfolder
import yaml
from card_reader import read_card
from huggingface_hub import parse_eval_result_entries
from huggingface_hub.repocard_data import ModelCardData

from deimos.recipe import parse
from deimos.report import hub, stage
from deimos.store.journal import read_rows, write_rows

GSM8K = "openai/gsm8k@740312add88f:test"


def written(tmp_path, sources, *, tasks=(), model="Qwen/Qwen3-0.6B", change=None):
    """Report on a run whose test problems of each task came from the source named for it."""
    folders = runfolder.write_run(tmp_path / "run", problems=24)
    path = folders["bench"] / "prompts.jsonl"
    rows = [{**row, "source": sources.get(row["task"], "lab")} for row in read_rows(path)]
    write_rows(path, rows)
    if change:
        change(folders)
    settings = runfolder.recipe(model).model_dump(mode="json")
    settings["bench"]["tasks"] += list(tasks)
    stage.run(tmp_path, folders, parse(settings))
    found = sorted((tmp_path / ".eval_results").glob("*")) if sources else []
    return folders, {path.name: path.read_text(encoding="utf-8") for path in found}


def rows_of(folders, **wanted):
    rows = read_rows(folders["bench"] / "bench.jsonl")
    return [row for row in rows if wanted.items() <= row.items()]


def test_a_score_is_the_records_in_the_hubs_form(tmp_path):
    folders, files = written(tmp_path, {"lab-math": GSM8K})
    assert list(files) == ["lab-math.yaml"]  # the other task's problems are no Hub data set
    (entry,) = parse_eval_result_entries(yaml.safe_load(files["lab-math.yaml"]))
    (row,) = rows_of(folders, model="tuned", setting="ship", task="lab-math")
    assert entry.value == round(100 * row["accuracy"], 2)
    assert (entry.dataset_id, entry.task_id, entry.date) == ("openai/gsm8k", "gsm8k", "2026-11-24")
    assert entry.dataset_revision is None  # the record has its first twelve characters only
    for part in (
        "openai/gsm8k at 740312add88f",
        "split test",
        f"{row['n']} problems",
        "1 sample a",
        "thinking on",
        "setting ship",
        f"budget {row['budget']} tokens",
        "config locked",
    ):
        assert part in entry.notes, part  # fmt: skip
    low, high = (100 * end for end in row["accuracy_ci"])
    assert f"95% interval [{low:.1f}, {high:.1f}]" in entry.notes


def test_a_whole_commit_is_the_revision(tmp_path):
    commit = "0123456789abcdef0123456789abcdef01234567"
    _, files = written(tmp_path, {"lab-math": f"a/b@{commit}:train"})
    (entry,) = parse_eval_result_entries(yaml.safe_load(files["lab-math.yaml"]))
    assert (entry.dataset_revision, entry.task_id) == (commit, "default")


@pytest.mark.parametrize(
    ("source", "dataset"),
    [("lm_eval:openai/gsm8k", "openai/gsm8k"), ("lm_eval:a/b@c0ffee:test", "a/b"), ("a/b:test", "a/b"),
     ("lm_eval:json", None), ("test.jsonl:test", None), ("folder:test", None), ("", None), ("lab", None),
     ("../a/b", None), ("a/b/c", None), ("https://e.example/a/b", None), ("a/b@main:test", None)],
)  # fmt: skip
def test_only_a_hub_data_set_has_a_file(tmp_path, source, dataset):
    _, files = written(tmp_path, {"lab-math": source} if source else {"lab-math": ""})
    entries = [
        e for text in files.values() for e in parse_eval_result_entries(yaml.safe_load(text))
    ]
    assert [entry.dataset_id for entry in entries] == ([dataset] if dataset else [])


def test_problems_of_several_data_sets_are_no_score_of_one(tmp_path):
    def mix(folders):
        path = folders["bench"] / "prompts.jsonl"
        rows = read_rows(path)
        first = next(row for row in rows if row["task"] == "lab-math")
        write_rows(
            path, [{**r, "source": "a/b@c0:test"} if r["id"] == first["id"] else r for r in rows]
        )

    _, files = written(tmp_path, {"lab-math": GSM8K}, change=mix)
    assert files == {}


def test_without_ship_the_score_is_of_equal_and_what_is_not_measured_has_none(tmp_path):
    def without(folders):
        path = folders["bench"] / "bench.jsonl"
        rows = [row for row in read_rows(path) if row["setting"] != "ship"]
        rows = [{**r, "accuracy": None} if r["task"] == "lab-choice" else r for r in rows]
        write_rows(path, rows)

    _, files = written(tmp_path, {"lab-math": GSM8K, "lab-choice": "a/b:test"}, change=without)
    assert list(files) == ["lab-math.yaml"]
    assert "setting equal" in files["lab-math.yaml"]


def test_a_later_report_removes_only_what_deimos_wrote(tmp_path):
    folders, _ = written(tmp_path, {"lab-math": GSM8K})
    own = tmp_path / ".eval_results" / "mine.yaml"
    own.write_text("- dataset: {id: a/b, task_id: c}\n  value: 1\n")
    stage.run(tmp_path, {k: v for k, v in folders.items() if k != "bench"}, runfolder.recipe())
    assert [path.name for path in (tmp_path / ".eval_results").iterdir()] == ["mine.yaml"]


def test_the_subset_is_the_recipes_or_the_data_sets_own(tmp_path):
    settings = runfolder.recipe().model_dump(mode="json")
    settings["bench"]["tasks"][0] = {"name": "lab-math", "source": {"source": "gsm8k"}}
    options = {"dataset": "a/b", "revision": "c0", "config": "algebra", "split": "test"}
    settings["bench"]["tasks"][1] = {
        "name": "lab-choice", "source": {"source": "hub", "options": options},
    }  # fmt: skip
    folders = runfolder.write_run(tmp_path / "run", problems=24)
    path = folders["bench"] / "prompts.jsonl"
    names = {"lab-math": GSM8K, "lab-choice": "a/b@c0:test"}
    write_rows(path, [{**row, "source": names[row["task"]]} for row in read_rows(path)])
    stage.run(tmp_path, folders, parse(settings))
    notes = {p.stem: yaml.safe_load(p.read_text())[0]["notes"] for p in
             (tmp_path / ".eval_results").glob("*.yaml")}  # fmt: skip
    assert "subset main" in notes["lab-math"] and "subset algebra" in notes["lab-choice"]


@pytest.mark.parametrize("name", ["../../x", ".hidden", "a/b", "a\nb", "ü", "x" * 300, "..", ""])
def test_a_tasks_name_is_no_path(name):
    file = hub._file_name(name)
    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}", file)


def test_the_front_matter_is_what_the_hub_reads(tmp_path):
    def train(folders):
        path = folders["prompts"] / "train.jsonl"
        rows = read_rows(path)
        names = ["openai/gsm8k@740312add88f:train", "local.jsonl:train", "a/b@c0:train"]
        write_rows(path, [{**row, "source": names[i % 3]} for i, row in enumerate(rows)])

    written(tmp_path, {}, change=train)
    front = read_card((tmp_path / "MODEL_CARD.md").read_text(encoding="utf-8")).front
    data = ModelCardData(**front).to_dict()
    assert data["base_model"] == "Qwen/Qwen3-0.6B" and front["base_model_relation"] == "adapter"
    assert front["datasets"] == ["a/b", "openai/gsm8k"]
    assert (front["license"], front["license_name"]) == ("other", "as-base-model")
    assert front["license_link"] == "https://huggingface.co/Qwen/Qwen3-0.6B"
    assert "model-index" not in front


@pytest.mark.parametrize(
    "name", ["/models/x", "./a", "a", "a/b/c", "a b/c", "ü/b", "a/b\n", "-a/b"]
)
def test_what_is_no_hub_id_is_named_as_no_base(tmp_path, name):
    written(tmp_path, {}, model=name)
    front = read_card((tmp_path / "MODEL_CARD.md").read_text(encoding="utf-8")).front
    assert not {"base_model", "license", "license_link"} & set(front)


def test_a_local_folder_that_looks_like_a_hub_id_is_a_folder(tmp_path, monkeypatch):
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    written(tmp_path, {}, model="a/b")
    assert "base_model" not in read_card((tmp_path / "MODEL_CARD.md").read_text()).front


def test_the_parts_of_a_data_set_are_one_score_if_a_row_pools_them(tmp_path):
    def group(folders):
        path = folders["bench"] / "bench.jsonl"
        rows = read_rows(path)
        pooled = [
            {**row, "task": "both", "accuracy": 0.625} for row in rows if row["task"] == "all"
        ]
        write_rows(path, rows + pooled)

    sources = {"lab-math": GSM8K, "lab-choice": GSM8K}
    folders, files = written(tmp_path, sources, change=group)
    assert list(files) == ["both.yaml"]
    (entry,) = parse_eval_result_entries(yaml.safe_load(files["both.yaml"]))
    assert entry.value == 62.5 and "24 problems" in entry.notes
    assert len(rows_of(folders, task="both")) > 0


def test_parts_that_no_row_pools_are_no_score_of_the_whole(tmp_path):
    _, files = written(tmp_path, {"lab-math": GSM8K, "lab-choice": GSM8K})
    assert files == {}


def test_thinking_on_and_off_are_two_scores(tmp_path):
    def off(folders):
        path = folders["bench"] / "bench.jsonl"
        write_rows(path, [{**r, "thinking": r["task"] != "lab-choice"} for r in read_rows(path)])

    _, files = written(tmp_path, {"lab-math": GSM8K, "lab-choice": GSM8K}, change=off)
    assert list(files) == ["lab-choice.yaml", "lab-math.yaml"]
    assert "thinking off" in files["lab-choice.yaml"] and "thinking on" in files["lab-math.yaml"]
