"""IFEval's rows become prompts as they are; a rule has its own arguments and no nulls."""

import json
from pathlib import Path

import pytest

from deimos.prompts.sources.ifeval import ifeval
from deimos.recipe import RecipeError

DATA = Path(__file__).parents[4] / "shared" / "data" / "ifeval"
ROW = {
    "key": 1,
    "prompt": "Say so. No commas.",
    "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
    "kwargs": [{"num_words": None}, {"relation": "at least", "num_words": 3, "keyword": None}],
}


def load(tmp_path, row):
    (tmp_path / "input_data.jsonl").write_text(json.dumps(row))
    return ifeval(take=None, seed=0, path=str(tmp_path))


def test_a_row_becomes_a_prompt(tmp_path):
    (prompt,) = load(tmp_path, ROW)
    assert prompt.messages == ({"role": "user", "content": "Say so. No commas."},)
    assert prompt.reference == {
        "instruction_id_list": ROW["instruction_id_list"],
        "kwargs": [{}, {"relation": "at least", "num_words": 3}],
    }
    assert (prompt.kind, prompt.source) == ("instruction", "input_data.jsonl:test")


@pytest.mark.parametrize(
    "change", [{"kwargs": [{}]}, {"kwargs": None}, {"instruction_id_list": []}, {"kwargs": [1, 2]}]
)
def test_faulty_rows_are_told(tmp_path, change):
    with pytest.raises(RecipeError, match="row 1: needs 'instruction_id_list'"):
        load(tmp_path, {**ROW, **change})


@pytest.mark.skipif(not DATA.is_dir(), reason="the real IFEval is not here (../shared/data/ifeval)")
def test_all_541_are_there():
    assert len(ifeval(take=None, seed=0, path=str(DATA))) == 541
