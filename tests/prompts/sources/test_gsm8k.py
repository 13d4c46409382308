"""GSM8K rows become prompts, from a file and by the Hub's own loader."""

import json
from pathlib import Path

import pytest

from deimos.graders import check
from deimos.prompts.sources.gsm8k import gsm8k
from deimos.prompts.splits import find_common, split
from deimos.prompts.text import MATH
from deimos.recipe import RecipeError

DATA = Path(__file__).parents[3].parent / "shared" / "data" / "gsm8k"
ROWS = [
    {"question": f"What is {n}+1?", "answer": f"{n}+1=<<{n}+1={n + 1}>>{n + 1}\n#### {n + 1:,}"}
    for n in range(998, 1010)
]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def test_rows_become_prompts(file):
    prompts = gsm8k(take=None, seed=0, path=str(file))
    assert {p.reference for p in prompts} == {str(n + 1) for n in range(998, 1010)}
    first = next(p for p in prompts if p.reference == "1000")
    assert first.messages == ({"role": "user", "content": f"What is 999+1?\n\n{MATH}"},)
    assert (first.task, first.kind, first.licence, first.source) == (
        "gsm8k",
        "math",
        "MIT",
        "train.jsonl:train",
    )
    plain = gsm8k(take=None, seed=0, path=str(file.parent), instruction="")
    assert all(p.messages[0]["content"].endswith("?") for p in plain)


def test_the_order_is_the_seeds_and_takes_nest(file):
    def ids(take, seed):
        return [p.id for p in gsm8k(take=take, seed=seed, path=str(file))]

    assert ids(5, 0) == ids(None, 0)[:5] == ids(12, 0)[:5]
    assert ids(None, 0) != ids(None, 1)
    assert sorted(ids(None, 0)) == sorted(ids(None, 1))


def test_the_hubs_layout_by_the_hubs_loader(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "hub" / "main").mkdir(parents=True)
    for part in ("train", "test"):
        table = datasets.Dataset.from_list(ROWS if part == "train" else ROWS[:3])
        table.to_parquet(tmp_path / "hub" / "main" / f"{part}-00000-of-00001.parquet")
    (tmp_path / "hub" / "README.md").write_text(
        "---\nconfigs:\n- config_name: main\n  data_files:\n"
        "  - {split: train, path: main/train-*}\n  - {split: test, path: main/test-*}\n---\n"
    )
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    hub = gsm8k(take=None, seed=0, dataset=str(tmp_path / "hub"))
    assert {p.reference for p in hub} == {str(n + 1) for n in range(998, 1010)}
    assert all(p.source == "hub:train" for p in hub), "a folder is no commit of the Hub"
    assert (
        len(hub) == len(ROWS)
        and len(gsm8k(take=None, seed=0, split="test", dataset=str(tmp_path / "hub"))) == 3
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"question": "q"}', "row 1: needs the text 'answer'"),
        ('{"question": "q", "answer": "42"}', "has no '#### '"),
        ('{"question"', "line 1: not valid JSON"),
        ("[1]", "line 1: must be an object"),
        ("", "has no prompts"),
    ],
)
def test_faults_are_told(tmp_path, text, message):
    (tmp_path / "x.jsonl").write_text(text)
    with pytest.raises(RecipeError, match=message):
        gsm8k(take=None, seed=0, path=str(tmp_path / "x.jsonl"))


def test_options_are_checked(file):
    for options, message in (
        ({"split": "dev"}, "accepted: train, test"),
        ({"take": 100}, "take = 100: gsm8k train has only 12 prompts"),
        ({"path": "nowhere.jsonl"}, "'nowhere.jsonl' cannot be read"),
    ):
        with pytest.raises(RecipeError, match=message):
            gsm8k(**({"take": None, "seed": 0, "path": str(file)} | options))


@pytest.mark.skipif(not DATA.is_dir(), reason="the real GSM8K is not here (../shared/data/gsm8k)")
def test_all_real_references_pass_the_math_grader_and_the_splits_are_clean():
    train = gsm8k(take=None, seed=0, path=str(DATA))
    test = gsm8k(take=None, seed=0, split="test", path=str(DATA))
    assert (len(train), len(test)) == (7473, 1319)
    report = check("math", "math", train + test)
    assert report.ok and report.examples == 8792
    kept, dev = split(train, 0.1, 100, 0)
    assert (len(kept), len(dev)) == (6726, 747)
    assert find_common(train, test) == []
