"""Rows come from the file that is meant, or from the Hub at a commit that is known."""

import gzip
import json

import pytest

from deimos.prompts.dataset import Dataset, PromptParts, dataset_source
from deimos.prompts.rows import find_file
from deimos.recipe import RecipeError

DATA = Dataset(
    "gsm8k", "math", "owner/some", "0123456789abcdef", "MIT",
    sizes={"train": 1, "validation": 3, "test": 3}, part_sizes={"least": {1: {"validation": 2}}},
)  # fmt: skip
ROWS = [{"n": n} for n in range(3)]


def lines(rows=ROWS):
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize(
    ("files", "split", "config", "found"),
    [
        (["train.jsonl", "test.jsonl"], "test", None, "test.jsonl"),
        (["train.jsonl.gz", "test.jsonl", "test_level5.jsonl"], "train", None, "train.jsonl.gz"),
        (["test.jsonl", "test_level5.jsonl"], "test", None, "test.jsonl"),
        (["Hard-dev.jsonl", "Hard-test.jsonl"], "validation", "Hard", "Hard-dev.jsonl"),
        (["Easy-test.jsonl", "Hard-test.jsonl"], "test", "Hard", "Hard-test.jsonl"),
        (["HumanEval.jsonl"], "test", None, "HumanEval.jsonl"),
        (["input_data.jsonl", "SOURCES.md"], "test", None, "input_data.jsonl"),
    ],
)
def test_a_folders_file_is_the_splits(tmp_path, files, split, config, found):
    for name in files:
        (tmp_path / name).touch()
    assert find_file("some", tmp_path, split, config).name == found


@pytest.mark.parametrize(
    ("files", "split"),
    [
        (["train.jsonl"], "test"),  # the only file, but it says that it is another split's
        (["a-test.jsonl", "b-test.jsonl"], "test"),
        (["a.jsonl", "b.jsonl"], "train"),
        ([], "train"),
    ],
)
def test_a_doubtful_file_is_never_taken(tmp_path, files, split):
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(RecipeError, match=rf"some: path .* needs {split}\.jsonl"):
        find_file("some", tmp_path, split)


@pytest.mark.parametrize("name", ["train.jsonl", "train.jsonl.gz", "train.json"])
def test_rows_of_every_kind_of_file(tmp_path, name):
    text = json.dumps(ROWS) if name == "train.json" else lines()
    content = text.encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    rows = list(DATA.rows("train", path=str(tmp_path)))
    assert [row.data for row in rows] == ROWS
    assert (rows[0].origin, rows[2].where) == (f"{name}:train", f"{name}:train row 3")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"n": 1}\n[2]\n', "x.jsonl line 2: must be an object"),
        (b"{'n'\n", "x.jsonl line 1: not valid JSON"),
        (b"\xff\xfe\xfa", "cannot be read"),
    ],
)
def test_faults_of_a_file_name_its_line(tmp_path, content, message):
    (tmp_path / "x.jsonl").write_bytes(content)
    with pytest.raises(RecipeError, match=message):
        list(DATA.rows("train", path=str(tmp_path / "x.jsonl")))


def test_a_torn_gzip_is_told(tmp_path):
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(lines().encode())[:-9])
    with pytest.raises(RecipeError, match="cannot be read"):
        list(DATA.rows("train", path=str(tmp_path / "x.jsonl.gz")))


def test_another_data_set_needs_its_own_commit():
    with pytest.raises(RecipeError, match=r"'other/set' needs the option revision"):
        list(DATA.rows("train", dataset="other/set"))


def test_an_unknown_split_is_told():
    with pytest.raises(
        RecipeError, match=r"gsm8k: split = 'dev': accepted: train, validation, test"
    ):
        list(DATA.rows("dev", path="x"))


def test_a_folder_laid_out_like_the_hubs(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "some"
    folder.mkdir()
    (folder / "validation.jsonl").write_text(lines())
    (folder / "train.jsonl").write_text(lines(ROWS[:1]))
    rows = list(DATA.rows("validation", dataset=str(folder)))
    assert [row.data for row in rows] == ROWS and rows[0].origin == "some:validation"


def rows_of(read, *, least: int = 0):
    return (row for row in read() if row.data["n"] >= least)


def to_parts(row, *, instruction: str = "Think!") -> PromptParts | None:
    question = [{"role": "user", "content": f"{row.data['n']}? {instruction}"}]
    return PromptParts(question, "7") if row.data["n"] != 2 else None


def test_a_source_is_a_declaration_and_a_function(tmp_path):
    made = dataset_source(DATA, to_parts, rows=rows_of, solution=lambda row: f"it is {row.where}")
    (tmp_path / "validation.jsonl").write_text(lines())
    given = {"split": "validation", "path": str(tmp_path)}
    (prompt,) = made(take=None, seed=0, least=1, **given)
    assert (prompt.messages[0]["content"], prompt.task) == ("1? Think!", "gsm8k")
    assert (prompt.kind, prompt.licence, prompt.source) == (
        "math",
        "MIT",
        "validation.jsonl:validation",
    )
    answer, _ = next(iter(made.solutions(**given)))
    assert answer == "it is validation.jsonl:validation row 1"
    assert set(made.option_names()) == {
        "split",
        "path",
        "dataset",
        "revision",
        "instruction",
        "least",
    }
    assert made.known_size({"split": "validation", "least": 1}) == 2
    assert made.known_size({}) == 1 and made.known_size({"least": 2}) is None
    with pytest.raises(TypeError, match="leest"):
        made(take=None, seed=0, leest=1, **given)
