"""The recipe's proposers: what is accepted, and one sentence for what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deimos.pipeline.stages import plan
from deimos.recipe import Recipe, RecipeError, parse
from deimos.recipe.proposers import INSTRUCTIONS


def recipe(
    *proposers: Any,
    model: dict[str, Any] | None = None,
    bench: dict[str, Any] | None = None,
    **sample: Any,
) -> Recipe:
    return parse(
        {
            "name": "t",
            "model": {"id": "lab", **(model or {})},
            "prompts": {"sources": [{"source": "lab"}]},
            "sample": {"proposers": [*proposers], **sample},
            "bench": bench or {},
        }
    )


PLAIN = {"kind": "plain", "n": 4}


def test_candidates_that_start_later_stand_last() -> None:
    found = recipe(
        {"kind": "prune"}, {"kind": "few_shot", "n": 2}, PLAIN, {"kind": "instruction"},
        {"kind": "rewrite", "name": "by hand"}, {"kind": "few_shot", "name": "file", "exemplars": "x"},
    ).sample  # fmt: skip
    names = [proposer.name for proposer in found.proposer_of]
    assert names == ["plain"] * 4 + [
        "instruction",
        "file",
        "few_shot",
        "few_shot",
        "prune",
        "by hand",
    ]
    assert (found.n, found.candidates) == (10, 10)
    assert [found.count_started(stage) for stage in (0, 1, 2)] == [6, 8, 10]


def test_a_resolved_recipe_reads_as_itself() -> None:
    teacher = {"path": "teachers/big", "dtype": "bfloat16"}
    made = recipe(
        PLAIN, {"kind": "rewrite", "teacher": teacher}, {"kind": "instruction", "text": "Be brief."}
    )
    assert parse(made.model_dump(mode="json")) == made


def test_without_proposers_a_recipe_keeps_its_identity() -> None:
    bare = parse({"name": "t", "model": {"id": "lab"}, "prompts": {"sources": [{"source": "lab"}]}})
    assert "proposers" not in bare.model_dump(mode="json")["sample"]
    assert [proposer.name for proposer in bare.sample.proposer_of] == ["plain"] * 8


def test_an_instruction_of_ones_own_may_be_one_word() -> None:
    [proposer] = recipe({"kind": "instruction", "text": "Briefly."}).sample.proposers or []
    assert proposer.kind == "instruction" and proposer.instruction == "Briefly."


def test_instructions_have_names() -> None:
    [proposer] = recipe({"kind": "instruction", "text": "difficulty"}).sample.proposers or []
    assert proposer.kind == "instruction"
    assert proposer.instruction == INSTRUCTIONS["difficulty"]


@pytest.mark.parametrize(
    ("proposers", "more", "fault"),
    [
        ([{"kind": "prun"}], {}, r"sample.proposers.0.kind = 'prun': must be one of .*did you mean 'prune'"),
        ([{"n": 3}], {}, r"sample.proposers.0 = .*must be a section with a kind"),
        ([{"kind": ["plain"]}], {}, r"sample.proposers.0.kind = \['plain'\]: must be one of"),
        ([{"kind": "plain", "n": 0}], {}, r"sample.proposers.0.n = 0: must be at least 1"),
        ([{"kind": "plain", "m": 1}], {}, r"unknown key 'sample.proposers.0.m'"),
        ([PLAIN, PLAIN], {}, r"two are called 'plain'"),
        ([{"kind": "prune"}], {}, r"'prune' starts from candidates that passed"),
        ([], {}, r"sample.proposers = \[\]: must be a list"),
        ([PLAIN], {"n": 8}, r"sample.n = 8: leave it out beside sample.proposers, which make 4"),
        ([PLAIN], {"n": {"max": 8}}, r"sample.n = a rule: leave it out"),
        ([PLAIN, {"kind": "prune"}], {"sampling": {"temperature": 0.0}}, r"temperature = 0: 'prune'"),
        ([PLAIN, {"kind": "prune"}], {"model": {"tags": None}}, r"prune closes a thought"),
        ([PLAIN, {"kind": "rewrite"}], {"model": {"thinking": False}}, r"model.thinking is false"),
        ([PLAIN, {"kind": "rewrite", "teacher": {}}], {}, r"needs either path .* or url and name"),
        ([PLAIN, {"kind": "rewrite", "teacher": {"url": "http://x/v1"}}], {}, r"teacher.name = null: give both"),
        ([{"kind": "instruction", "text": "  "}], {}, r"'instruction': text must say something"),
        ([{"kind": "instruction", "text": "fragment"}], {}, r"text = 'fragment': did you mean 'fragments'"),
        ([{"kind": "instruction", "text": "Difficulty"}], {}, r"did you mean 'difficulty'"),
        ([PLAIN, {"kind": "rewrite", "text": " "}], {}, r"'rewrite': text must say something"),
        ([PLAIN, {"kind": "rewrite", "text": "fragments"}], {}, r"text = 'fragments' names an instruction"),
        ([{"kind": "plain", "name": "  "}], {}, r"name = '  ': must be a text on one line"),
        ([{"kind": "plain", "name": "a\nb"}], {}, r"name = .*: must be a text on one line"),
        ([PLAIN, {"kind": "rewrite", "teacher": {"url": "http://x/v1", "name": "a", "revision": "b"}}], {},
         r"teacher.revision does nothing beside teacher.url"),
        ([PLAIN, {"kind": "rewrite", "teacher": {"path": "a/b", "api_key_env": "K"}}], {},
         r"teacher.api_key_env does nothing beside teacher.path"),
    ],
)  # fmt: skip
def test_bad_proposers_are_one_sentence(proposers: Any, more: dict[str, Any], fault: str) -> None:
    with pytest.raises(RecipeError, match=fault):
        recipe(*proposers, **more)


def test_what_proposers_bring_is_part_of_the_identity(tmp_path: Path) -> None:
    path = tmp_path / "shots.jsonl"
    with pytest.raises(
        RecipeError, match=r"exemplars = .*must be own, or a JSONL file that exists"
    ):
        plan(recipe(PLAIN, {"kind": "few_shot", "exemplars": str(path)}))
    teacher = tmp_path / "teacher"
    teacher.mkdir()
    shots = {"kind": "few_shot", "exemplars": str(path)}
    folders: list[str] = []
    for text, weights in (("a", "1"), ("b", "1"), ("b", "2")):
        path.write_text(text)
        (teacher / "config.json").write_text(weights)
        made = recipe(PLAIN, shots, {"kind": "rewrite", "teacher": {"path": str(teacher)}})
        folders += [
            planned.folder for planned in plan(made, "sample") if planned.stage.name == "sample"
        ]
    assert len(set(folders)) == 3


def test_the_benchs_examples_are_part_of_its_identity(tmp_path: Path) -> None:
    path = tmp_path / "shots.jsonl"
    test = {"name": "t", "source": {"source": "lab", "options": {"kind": "math"}}}
    bench = {"tasks": [test], "baselines": ["few_shot"], "exemplars": str(path)}

    def folders() -> dict[str, str]:
        return {each.stage.name: each.folder for each in plan(recipe(PLAIN, bench=bench))}

    with pytest.raises(RecipeError, match=r"bench.exemplars = .*must be a JSONL file that exists"):
        folders()
    path.write_text("a")
    first = folders()
    path.write_text("b")
    second = folders()
    assert first.pop("bench") != second.pop("bench") and first == second
