"""MATH, MATH-500 and AIME become prompts with the answers that stand in their rows."""

import json
from pathlib import Path

import pytest

from deimos.prompts.sources.aime import aime
from deimos.prompts.sources.math import math, math500
from deimos.prompts.text import MATH
from deimos.recipe import RecipeError

DATA = Path(__file__).parents[4] / "shared" / "data"
real = pytest.mark.skipif(not DATA.is_dir(), reason="no real data here (../shared/data)")
ROWS = [
    {"problem": "One?", "level": "Level 1", "type": "Algebra", "solution": r"\boxed{1}"},
    {"problem": "Two?", "level": "Level 5", "type": "Number Theory", "solution": r"a \boxed{2} b"},
    {"problem": "Three?", "level": "Level ?", "type": "Counting & Probability", "answer": "3"},
    {"problem": "Void?", "level": "Level 5", "type": "Number Theory", "solution": r"\boxed{}"},
    {"problem": "One?", "level": "Level 1", "type": "Algebra", "solution": r"\boxed{1}"},
]


@pytest.fixture
def file(tmp_path):
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return str(tmp_path / "train.jsonl")


def found(**options):
    return {p.messages[0]["content"].split("?")[0]: p.reference for p in math(**options)}


def test_rows_become_prompts_each_once_and_none_without_a_gold(file):
    assert found(take=None, seed=0, path=file) == {"One": "1", "Two": "2", "Three": "3"}
    first = math(take=None, seed=0, path=file)[0]
    assert first.messages[0]["content"].endswith(f"\n\n{MATH}")
    assert (first.task, first.kind, first.licence) == ("math", "math", "MIT")


def test_levels_and_subjects(file):
    assert found(take=None, seed=0, path=file, levels=[5]) == {"Two": "2"}
    assert found(take=None, seed=0, path=file, subjects=["counting_and_probability"]) == {
        "Three": "3"
    }
    for options, message in (
        ({"levels": [6]}, "levels has 6: accepted: 1, 2"),
        ({"subjects": ["Algebra"]}, "subjects has 'Algebra': accepted: algebra"),
    ):
        with pytest.raises(RecipeError, match=message):
            math(take=None, seed=0, path=file, **options)


def test_faulty_rows_are_told(tmp_path):
    for row, message in (
        ({"problem": "Q", "solution": "no box"}, "row 1: its solution has no"),
        ({"problem": "Q"}, "row 1: needs the text 'solution'"),
        ({"solution": r"\boxed{1}"}, "row 1: needs the text 'problem'"),
    ):
        (tmp_path / "x.jsonl").write_text(json.dumps(row))
        with pytest.raises(RecipeError, match=message):
            math(take=None, seed=0, path=str(tmp_path / "x.jsonl"))
    (tmp_path / "aime.jsonl").write_text(json.dumps({"problem": "Q", "answer": "1.5"}))
    with pytest.raises(RecipeError, match=r"the answer '1\.5' is not a whole number"):
        aime(take=None, seed=0, path=str(tmp_path / "aime.jsonl"))


def test_the_subjects_are_subsets_on_the_hub(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    hub, head = tmp_path / "hub", "---\nconfigs:\n"
    for name, row in (("algebra", ROWS[0]), ("number_theory", ROWS[1])):
        (hub / name).mkdir(parents=True)
        (hub / name / "train.jsonl").write_text(json.dumps(row))
        head += f"- config_name: {name}\n  data_files:\n  - {{split: train, path: {name}/train.jsonl}}\n"
    (hub / "README.md").write_text(f"{head}---\n")
    two = ["algebra", "number_theory"]
    assert found(take=None, seed=0, dataset=str(hub), subjects=two) == {"One": "1", "Two": "2"}


@real
def test_the_real_ones_are_complete():
    counts = {
        "train": len(math(take=None, seed=0, path=str(DATA / "math"))),
        "test": len(math(take=None, seed=0, split="test", path=str(DATA / "math"))),
        "hard": len(math(take=None, seed=0, split="test", levels=[5], path=str(DATA / "math"))),
        "500": len(math500(take=None, seed=0, path=str(DATA / "math500"))),
        "aime": len(aime(take=None, seed=0, path=str(DATA / "aime"))),
    }
    # Of 7,500 training problems two have an empty box and one stands there twice.
    assert counts == {"train": 7497, "test": 5000, "hard": 1324, "500": 500, "aime": 30}
