"""ARC and MMLU-Pro become prompts with their own labels, three to ten options."""

import json
from pathlib import Path

import pytest

from deimos.graders import check
from deimos.prompts.sources.choice import arc, mmlu_pro
from deimos.recipe import RecipeError

DATA = Path(__file__).parents[4] / "shared" / "data"
real = pytest.mark.skipif(not DATA.is_dir(), reason="no real data here (../shared/data)")


def write(tmp_path, *rows):
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(tmp_path / "x.jsonl")


def arc_row(labels="ABCD", key="B", texts=("fog", "rain", "snow", "sun")):
    return {
        "question": "What falls?",
        "choices": {"text": list(texts), "label": list(labels)},
        "answerKey": key,
    }


def test_options_stand_behind_their_labels(tmp_path):
    (lettered,) = arc(take=None, seed=0, path=write(tmp_path, arc_row()))
    question, instruction = lettered.messages[0]["content"].rsplit("\n\n", 1)
    assert question == "What falls?\n\nA. fog\nB. rain\nC. snow\nD. sun"
    assert "the letter of the right option" in instruction
    assert lettered.reference == {"letter": "B", "options": ["fog", "rain", "snow", "sun"]}
    assert (lettered.task, lettered.licence) == ("arc_challenge", "CC-BY-SA-4.0")
    (numbered,) = arc(
        take=None, seed=0, path=write(tmp_path, arc_row("1234", "3")), subset="ARC-Easy"
    )
    assert "3. snow" in numbered.messages[0]["content"] and numbered.task == "arc_easy"
    assert "the number of the right option" in numbered.messages[0]["content"]
    assert numbered.reference["letter"] == "3"


def test_the_same_question_is_asked_once(tmp_path):
    assert len(arc(take=None, seed=0, path=write(tmp_path, arc_row(), arc_row()))) == 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (arc_row(key="E"), "the answer 'E' is none of A, B, C, D"),
        (arc_row(labels="ABDC"), "labelled"),
        (arc_row(labels="AB", texts=("fog", "rain")), "needs 3-10 options, all strings"),
        ({"question": "Q", "choices": [], "answerKey": "A"}, "'choices' must be an object"),
        ({"choices": {"text": [], "label": []}, "answerKey": "A"}, "needs the text 'question'"),
    ],
)
def test_faulty_rows_are_told(tmp_path, row, message):
    with pytest.raises(RecipeError, match=message):
        arc(take=None, seed=0, path=write(tmp_path, row))


def test_mmlu_pro_has_up_to_ten_options_of_some_category(tmp_path):
    row = {"question": "Which?", "options": [f"o{n}" for n in range(10)], "answer": "J"}
    path = write(
        tmp_path, {**row, "category": "law"}, {**row, "question": "Q?", "category": "math"}
    )
    (law,) = mmlu_pro(take=None, seed=0, path=path, categories=["law"])
    assert "J. o9" in law.messages[0]["content"] and law.reference["letter"] == "J"
    with pytest.raises(RecipeError, match="categories has 'laws': accepted: law, math"):
        mmlu_pro(take=None, seed=0, path=path, categories=["laws"])


@real
def test_the_real_ones_are_complete_and_their_golds_pass():
    train = arc(take=None, seed=0, path=str(DATA / "arc"))
    dev = arc(take=None, seed=0, split="validation", path=str(DATA / "arc"))
    pro = mmlu_pro(take=None, seed=0, path=str(DATA / "mmlu_pro"))
    # One ARC question stands twice among 1,119 training rows, one of MMLU-Pro's twice among 504.
    assert (len(train), len(dev), len(pro)) == (1118, 299, 503)
    assert max(len(p.reference["options"]) for p in pro) == 10
    assert {len(p.reference["options"]) for p in train} == {3, 4, 5}
    assert any(p.reference["letter"].isdigit() for p in train)
    assert check("choice", "choice", train + dev + pro).ok
