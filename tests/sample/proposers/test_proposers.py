"""What each proposer asks and makes, on the real stages with a scripted model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.sample.proposers.mixed import RIGHT, MixedWorld, judge

from deimos.prompts.decontaminate import TestText
from deimos.recipe import RecipeError
from deimos.recipe.proposers import INSTRUCTIONS
from deimos.sample.proposers.exemplars import freeze_brought
from deimos.select.by_proposer import list_subsets, preview_subsets
from deimos.select.filters import gate_for
from deimos.select.judging import judge_candidates
from deimos.store.journal import read
from deimos.thinking import Tags
from deimos.types import Prompt, Verdict

PLAIN = {"kind": "plain", "n": 2}


def world_of(folder: Path, tokenizer: Any, *proposers: dict[str, Any], **more: Any) -> MixedWorld:
    return MixedWorld(folder, tokenizer, proposers=list(proposers), share_right=1.0, **more)


def test_an_instruction_is_there_while_sampling_only(tokenizer: Any, tmp_path: Path) -> None:
    own = {"kind": "instruction", "name": "own", "text": "Be brief about it."}
    fragments = {"kind": "instruction", "n": 2, "text": "fragments"}
    world = world_of(tmp_path, tokenizer, PLAIN, fragments, own)
    counts = world.sample()
    for row in world.rows():
        [said] = world.asked[row["prompt_id"], row["index"]][:1]
        wanted = {
            "plain": "",
            "instruction": INSTRUCTIONS["fragments"],
            "own": "Be brief about it.",
        }
        assert wanted[row["proposer"]] in said
        assert (row["proposer"] == "plain") == (said.count("brief") + said.count("fragments") == 0)
        plain = tokenizer.decode(row["prompt_ids"])
        assert "fragments" not in plain
        assert "brief" not in plain
    assert {name: row["candidates"] for name, row in counts["proposers"].items()} == {
        "plain": 6, "instruction": 6, "own": 3,
    }  # fmt: skip
    world.select()
    for gold in world.golds().values():
        assert gold["ids"] == "sampled"


def test_own_examples_are_golds_of_other_prompts_and_frozen(tokenizer: Any, tmp_path: Path) -> None:
    world = world_of(tmp_path, tokenizer, PLAIN, {"kind": "few_shot", "n": 1, "shots": 2})
    world.sample()
    rows = [
        json.loads(line)
        for line in (tmp_path / "sample/exemplars.jsonl").read_text().split("\n")
        if line
    ]
    assert {row["prompt_id"] for row in rows} == {prompt.id for prompt in world.train}
    lengths = [row["think"].count("=") for row in rows]
    assert lengths == sorted(lengths)
    for prompt in world.train:
        [said] = world.asked[prompt.id, 2]
        question = prompt.messages[0]["content"]
        assert said.count(question) == 1, "asked once, and not shown"
        others = [row for row in rows if row["prompt_id"] != prompt.id][:2]
        assert said.count("Example ") == len(others) == 2
        for row in others:
            assert f"Question: {row['question']}\nThought: {row['think']}\nAnswer: {RIGHT}" in said
    assert {r["proposer"] for r in world.rows()} == {"plain", "few_shot"}


def write_exemplars(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_brought_examples_are_shown_unless_they_are_the_prompts_own(
    tokenizer: Any, tmp_path: Path
) -> None:
    own = "How many apples?"
    path = write_exemplars(
        tmp_path / "shots.jsonl",
        {"question": own, "think": "own thought", "answer": "4"},
        {"question": "What is two and two?", "think": "2+2=4", "answer": "It is 4."},
    )
    shots = {"kind": "few_shot", "n": 1, "shots": 2, "exemplars": str(path)}
    world = world_of(tmp_path, tokenizer, PLAIN, shots)
    counts = world.sample()
    assert (counts["exemplars"], counts["exemplars_dropped"]) == (2, 0)
    for prompt in world.train:
        [said] = world.asked[prompt.id, 2]
        assert "Thought: 2+2=4" in said
        assert ("own thought" in said) == (prompt.messages[0]["content"] != own)


def test_brought_examples_that_overlap_with_a_test_are_dropped(
    tokenizer: Any, tmp_path: Path
) -> None:
    test = "A train leaves the station at noon with forty people and comes back at six with twelve of them."
    path = write_exemplars(
        tmp_path / "shots.jsonl",
        {"question": test, "answer": "4"},
        {"question": "What is two and two?", "answer": "It is 4."},
    )
    shots = {"kind": "few_shot", "n": 1, "exemplars": str(path)}
    world = world_of(tmp_path, tokenizer, PLAIN, shots)
    recipe = world.job("sample").recipe
    settings = recipe.prompts.decontaminate.model_copy(update={"near_duplicates": None})
    found = freeze_brought(
        tmp_path / "sample", recipe.sample, settings, lambda: [TestText("trains", test)]
    )
    assert found == {"exemplars": 2, "exemplars_dropped": 1}
    world.sample()
    for prompt in world.train:
        assert "train leaves" not in world.asked[prompt.id, 2][0]
        assert "two and two" in world.asked[prompt.id, 2][0]
    write_exemplars(path, {"question": test, "answer": "4"})
    (tmp_path / "sample" / "exemplars.jsonl").unlink()
    with pytest.raises(RecipeError, match=r"every example of .* overlaps with a test problem"):
        freeze_brought(
            tmp_path / "sample", recipe.sample, settings, lambda: [TestText("trains", test)]
        )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is empty: one example a line"),
        ("[1]", "line 1 = \\[1\\]: must be a JSON object"),
        ("{", "line 1: must be a JSON object with texts"),
        ('\n{"question": "a", "think": 3, "answer": "b"}', "line 2: think = 3: must be"),
        ('{"question": "a"}', "line 1: answer = null: must be"),
        ('{"question": "a", "answer": ' + "1" * 5000 + "}", "line 1: .* has 5,000 digits: at most"),
    ],
)
def test_a_bad_file_of_examples_is_one_sentence(
    tokenizer: Any, tmp_path: Path, text: str, fault: str
) -> None:
    path = tmp_path / "shots.jsonl"
    path.write_text(text)
    world = world_of(tmp_path, tokenizer, PLAIN, {"kind": "few_shot", "exemplars": str(path)})
    with pytest.raises(RecipeError, match=fault):
        world.sample()


def test_a_pruned_thought_is_the_beginning_of_one_that_passed(
    tokenizer: Any, tmp_path: Path
) -> None:
    world = world_of(tmp_path, tokenizer, PLAIN, {"kind": "prune"}, prompts=4)
    counts = world.sample()
    rows = {(r["prompt_id"], r["index"]): r for r in world.rows()}
    pruned = [r for r in rows.values() if r["proposer"] == "prune"]
    kept = [r for r in pruned if r["finish"] == "stop"]
    assert kept
    assert all(r["verdict"]["ok"] for r in kept)
    for row in kept:
        mine = [rows[row["prompt_id"], i] for i in (0, 1)]
        source = min(
            (r for r in mine if r["finish"] == "stop"),
            key=lambda r: (r["think_tokens"], r["index"]),
        )
        assert row["think_tokens"] < source["think_tokens"]
        assert source["think"].startswith(row["think"])
        assert row["think"].endswith(".")
        spoken = source["completion_ids"][: row["think_tokens"]]
        assert row["completion_ids"][: len(spoken)] == spoken, "its own ids"
        steps = {
            r["step"]: tuple(r["ids"])
            for r in read(tmp_path / "sample/steps.jsonl")
            if r["prompt_id"] == row["prompt_id"]
        }
        answer = tuple(row["completion_ids"][-len(next(iter(steps.values()))) :])
        assert any(steps[at] == steps.get(at + 1) == answer for at in steps if at % 2 == 0), "twice"
    decoded = sum(r["tokens"] for r in read(tmp_path / "sample/steps.jsonl"))
    assert counts["proposers"]["prune"]["decoded_tokens"] == decoded
    world.select()
    assert {g["ids"] for g in world.golds().values()} == {"sampled"}


def test_a_beginning_that_is_answered_right_once_is_not_accepted(
    tokenizer: Any, tmp_path: Path
) -> None:
    world = world_of(tmp_path, tokenizer, {"kind": "plain", "n": 1}, {"kind": "prune"}, prompts=1)
    script = world.script

    def second_is_wrong(job: Any) -> list[int]:
        text = tokenizer.decode(job.prompt_ids)
        if text.endswith("</think>\n\n"):
            answers = len(world.asked.setdefault(job.key, []))
            world.asked[job.key].append(text)
            said = RIGHT if answers % 2 == 0 else "Tom has 5 apples now."
            return tokenizer(f"{said}<|im_end|>", add_special_tokens=False)["input_ids"]
        return tokenizer(
            f"<think>\n2 + 2 = 4. 2 + 2 = 4. 2 + 2 = 4.\n</think>\n\n{RIGHT}<|im_end|>"
            if not text.rstrip().endswith("<think>")
            else f"2 + 2 = 4. 2 + 2 = 4. 2 + 2 = 4.\n</think>\n\n{RIGHT}<|im_end|>",
            add_special_tokens=False,
        )["input_ids"]

    world.script = second_is_wrong  # type: ignore[method-assign]
    world.sample()
    world.script = script  # type: ignore[method-assign]
    [row] = [r for r in world.rows() if r["proposer"] == "prune"]
    assert row["finish"] == "malformed"
    assert row["verdict"]["ok"] is False
    assert row["verdict"]["stage"] == "correctness"
    assert "no shorter beginning" in row["verdict"]["because"]
    counts = world.select()
    assert counts["rejects"]["correctness"] == 1
    assert counts["proposers"]["prune"]["gold"] == 0
    [gold] = world.golds().values()
    assert gold["proposer"] == "plain"


def test_a_rewrite_is_answered_by_the_model_itself(tokenizer: Any, tmp_path: Path) -> None:
    world = world_of(tmp_path, tokenizer, PLAIN, {"kind": "rewrite", "n": 2}, prompts=4)
    counts = world.sample()
    rows = [r for r in world.rows() if r["proposer"] == "rewrite"]
    assert {r["finish"] for r in rows} <= {"stop", "outpaced", "malformed"}
    right = [r for r in rows if r["verdict"] and r["verdict"]["ok"]]
    assert right
    for row in right:
        assert set(row["think"].split("\n")) == {"2 + 2 = 4"}
        assert row["answer"] == RIGHT
        asked = world.asked[row["prompt_id"], row["index"]]
        assert len(asked) == 2
        assert "Reasoning:\n2 + 2 = 4." in asked[0]
        assert asked[1] == tokenizer.decode(
            [*row["prompt_ids"], *row["completion_ids"][: -len(tokenizer(RIGHT)["input_ids"]) - 1]]
        )
    for row in rows:
        if row["finish"] == "malformed":
            assert row["verdict"]["because"] == "the teacher wrote nothing"
    assert counts["proposers"]["rewrite"]["teacher_tokens"] > 0
    world.select()
    for gold in world.golds().values():
        assert gold["ids"] == ("rendered" if gold["proposer"] == "rewrite" else "sampled")


def test_without_a_passing_candidate_nothing_is_made_and_that_is_counted(
    tokenizer: Any, tmp_path: Path
) -> None:
    world = MixedWorld(tmp_path, tokenizer, share_right=0.0)
    counts = world.sample()
    assert counts["without_source"] == 3 * 2
    assert counts["proposers"]["prune"]["candidates"] == 0
    assert world.select()["gold"] == 0


def test_selection_counts_each_proposer(tokenizer: Any, tmp_path: Path) -> None:
    world = MixedWorld(tmp_path, tokenizer, 4, prompts=4)
    sampled = world.sample()
    (tmp_path / "sample" / "record.json").write_text(json.dumps({"counts": sampled}))
    counts = world.select()
    assert list(counts["proposers"]) == ["plain", "instruction", "few_shot", "rewrite", "prune"]
    assert sum(row["gold"] for row in counts["proposers"].values()) == counts["gold"] > 0
    assert sum(row["candidates"] for row in counts["proposers"].values()) == counts["candidates"]
    for name, row in counts["proposers"].items():
        assert row["decoded_tokens"] == sampled["proposers"][name]["decoded_tokens"]
        if row["gold"]:
            assert row["tokens_per_gold"] == row["decoded_tokens"] / row["gold"]
    verdicts = [
        json.loads(line)
        for line in (tmp_path / "select/verdicts.jsonl").read_text().split("\n")
        if line
    ]
    assert {row["proposer"] for row in verdicts} == set(counts["proposers"])


def test_subsets_of_an_exhaustive_pool_are_all_known(tokenizer: Any, tmp_path: Path) -> None:
    rows: list[Any] = []
    for name, exhaustive in (("all", True), ("raced", False)):
        world = MixedWorld(tmp_path / name, tokenizer, 4, prompts=4)
        sets = {"sample": {"proposers": world.proposers, "exhaustive": exhaustive}}
        world.sample(**sets)
        world.select(**sets)
        job = world.job("select", **sets)
        prompts = judge_candidates(job, gate_for(job.recipe.select, Tags(), judge))
        names = [proposer["kind"] for proposer in world.proposers]
        rows.append(
            {
                tuple(r["proposers"]): r
                for r in preview_subsets(prompts, job.recipe.select, job.recipe.sample, names)
            }
        )
        assert rows[-1][tuple(names)]["kept"] == len(world.golds())
    whole, raced = rows
    assert len(whole) == 31
    assert all(row["unknown"] == 0 for row in whole.values())
    assert any(row["unknown"] for row in raced.values())
    for subset, row in raced.items():
        if not row["unknown"]:
            assert row == whole[subset]


def test_of_many_proposers_some_subsets_are_shown() -> None:
    names = [f"p{i}" for i in range(6)]
    subsets = list_subsets(names)
    assert len(subsets) == 13
    assert tuple(names) == subsets[-1]
    assert list_subsets(["a", "b"]) == [("a",), ("b",), ("a", "b")]


async def unsure(prompt: Prompt, answer: str) -> Verdict:
    return Verdict(None, "cannot say")


def test_null_verdicts_are_no_wrong_answers(tokenizer: Any, tmp_path: Path) -> None:
    world = world_of(tmp_path, tokenizer, PLAIN, {"kind": "prune"}, {"kind": "rewrite"})
    counts = world.sample(unsure)
    assert counts["unjudged"] == counts["completions"] == 6
    again = world.sample()
    assert again["unjudged"] == 0
    assert again["completions"] == 12
