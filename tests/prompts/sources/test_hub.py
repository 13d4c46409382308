"""Any data set by naming its columns, from a folder laid out like the Hub's."""

import json

import pytest

from deimos.prompts.sources.hub import hub
from deimos.prompts.text import MATH
from deimos.recipe import RecipeError

datasets = pytest.importorskip("datasets")


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Writes rows as a data set's test split and loads them through the source."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")

    def load(*rows, **options):
        folder = tmp_path / "sums"
        folder.mkdir(exist_ok=True)
        (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        given = {
            "kind": "math",
            "licence": "MIT",
            "split": "test",
            "dataset": str(folder),
        } | options
        return hub(take=None, seed=0, **given)

    return load


def test_columns_are_mapped_also_deeper_ones(load):
    row = {"problem": "1+1?", "extra": {"gold": 2}}
    (prompt,) = load(row, columns={"question": "problem", "answer": "extra.gold"})
    assert prompt.messages[0]["content"] == f"1+1?\n\n{MATH}"
    assert (prompt.reference, prompt.task, prompt.source) == ("2", "sums", "sums:test")
    (named,) = load(
        row, columns={"question": "problem", "answer": "extra.gold"}, task="t", instruction=""
    )
    assert (named.task, named.messages[0]["content"]) == ("t", "1+1?")


@pytest.mark.parametrize(
    ("options", "answer", "letter"),
    [
        (["a", "b", "c"], 2, "C"),
        (["a", "b", "c"], "B", "B"),
        ({"text": ["a", "b", "c"], "label": ["1", "2", "3"]}, "3", "3"),
    ],
)
def test_options_and_their_key(load, options, answer, letter):
    row = {"question": "Which?", "options": options, "answer": answer}
    (prompt,) = load(row, kind="choice")
    assert prompt.reference == {"letter": letter, "options": ["a", "b", "c"]}


def test_instructions_and_code(load):
    rules = {"question": "Q", "instruction_id_list": ["a:b"], "kwargs": [{"n": 1}]}
    assert load(rules, kind="instruction")[0].reference["kwargs"] == [{"n": 1}]
    code = {"question": "Q", "tests": ["assert f() == 1"], "name": "f"}
    (prompt,) = load(code, kind="code", columns={"entry_point": "name"})
    assert prompt.reference == {"tests": ["assert f() == 1"], "entry_point": "f"}


@pytest.mark.parametrize(
    ("row", "options", "message"),
    [
        ({"q": "Q"}, {}, "has no column 'question' for question: has q; name it under columns"),
        (
            {"question": "Q"},
            {"columns": {"qestion": "q"}},
            "columns has 'qestion': accepted for kind",
        ),
        ({"question": "Q", "options": "abc", "answer": "A"}, {"kind": "choice"}, "must be a list"),
        ({"question": "Q", "options": ["a", "b", "c"], "answer": 3}, {"kind": "choice"}, "none of"),
        ({"question": "Q", "tests": 3}, {"kind": "code"}, "tests must be code"),
        ({"question": "Q", "answer": "1"}, {"split": "dev"}, "cannot be loaded"),
    ],
)
def test_faults_are_told(load, row, options, message):
    with pytest.raises(RecipeError, match=message):
        load(row, **options)


def test_a_hub_id_needs_its_commit():
    with pytest.raises(RecipeError, match="'a/b' needs the option revision"):
        hub(take=None, seed=0, dataset="a/b", kind="math", split="test", licence="MIT")
