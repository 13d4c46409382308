"""The select stage over pools written by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deimos.engines.collect import RETRIES
from deimos.recipe import Recipe, RecipeError, parse
from deimos.recipe.runtime import Runtime
from deimos.runs.artifacts import write_prompts
from deimos.runs.plan import StageJob
from deimos.runs.progress import ProgressBar
from deimos.select.filters import gate_for
from deimos.select.preview import preview
from deimos.select.stage import run
from deimos.store.candidates import filters_of, journal_for
from deimos.store.journal import Journal
from deimos.store.schema import completion_row
from deimos.thinking import Tags
from deimos.types import Completion, Prompt, SecondOpinion, Verdict

RIGHT, WRONG, UNSURE = "The sum of it is 4.", "The sum of it is 5.", "The sum of it is what?"
GOLD_FIELDS = "id prompt_id index kind task messages prompt_ids completion_ids ids"
GOLD_FIELDS += " think_tokens answer_tokens passed judged pass_rate proposer"


@dataclass(frozen=True)
class One:
    """A candidate, as far as selection looks at it."""

    think: int
    answer: str = RIGHT
    finish: str = "stop"
    answer_tokens: int = 8
    stored: Verdict | None = None


asked: list[str] = []


async def judge(prompt: Prompt, answer: str) -> Verdict:
    """Right is right; some answers it can't say."""
    asked.append(answer)
    return Verdict(None if answer == UNSURE else answer == RIGHT, "compared")


def make(folder: Path, pools: Sequence[Sequence[One]], **sets: Mapping[str, Any]) -> StageJob:
    """A run folder with these candidates, and the job to select from them."""
    recipe: Recipe = parse(
        {
            "name": "t",
            "model": {"id": "lab"},
            "prompts": {"sources": [{"source": "jsonl"}]},
            "sample": {"n": len(pools[0]), **sets.get("sample", {})},
            "select": dict(sets.get("select", {})),
        }
    )
    prompts = [
        Prompt.of(task=f"task{i % 2}", kind="math", messages=[], reference=str(i))
        for i in range(len(pools))
    ]
    sample, out = folder / "sample", folder / "select"
    out.mkdir(parents=True)
    write_prompts(folder / "prompts" / "train.jsonl", prompts)
    with Journal(journal_for(sample, filters_of(recipe.select))) as journal:
        for prompt, pool in zip(prompts, pools, strict=True):
            for index, one in enumerate(pool):
                journal.append(completion_row(completion(prompt, index, one)))
    constants = {"function_word_rate_p5": 0.2, "shape": "free", "ids": "sampled"}
    (sample / "constants.json").write_text(json.dumps(constants))
    inputs = {"prompts": folder / "prompts", "sample": sample}
    return StageJob(recipe, Runtime(), "lab", inputs, out, ProgressBar())


def completion(prompt: Prompt, index: int, one: One) -> Completion:
    return Completion(
        prompt.id, index, 0, "t", one.answer, f"<think>t</think>\n\n{one.answer}", (1, 2),
        (3, index, one.think), one.think, one.answer_tokens, one.finish,  # type: ignore[arg-type]
        0 if one.finish == "outpaced" else None, 0.0, "test", one.stored,
    )  # fmt: skip


def select(job: StageJob) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    asked.clear()
    counts = run(job, gate_for=gate_for(job.recipe.select, Tags(), judge))
    rows, golds = (
        [json.loads(line) for line in (job.out / name).read_text().splitlines()]
        for name in ("verdicts.jsonl", "gold.jsonl")
    )
    return counts, rows, golds


POOL = [
    One(9),
    One(4),
    One(4, answer_tokens=600),
    One(2, WRONG),
    One(1, finish="length"),
    One(3, UNSURE),
    One(5, finish="outpaced"),
]


def test_every_candidate_has_a_verdict_and_the_shortest_is_gold(tmp_path: Path) -> None:
    counts, rows, golds = select(make(tmp_path, [POOL]))
    assert [(r["index"], r["ok"], r["stage"]) for r in rows] == [
        (0, False, "length"),
        (1, True, "length"),
        (2, False, "presentation"),
        (3, False, "correctness"),
        (4, False, "structure"),
        (5, None, "correctness"),
        (6, False, "length"),
    ]
    assert all(r["because"] for r in rows)
    assert counts["rejects"] == {"structure": 1, "correctness": 1, "presentation": 1, "length": 1}
    assert [counts[k] for k in ("gold", "outpaced", "unjudged", "need_decoding")] == [1, 1, 1, 0]
    assert counts["engines"] == {"test": 7}
    assert list(golds[0]) == GOLD_FIELDS.split()
    assert (golds[0]["index"], golds[0]["completion_ids"]) == (1, [3, 1, 4])
    assert (golds[0]["passed"], golds[0]["judged"], golds[0]["pass_rate"]) == (2, 5, None)


def test_judged_candidates_have_a_second_opinion_and_nulls_a_reason(tmp_path: Path) -> None:
    job = make(tmp_path, [POOL])

    async def second(prompt: Prompt, answer: str) -> SecondOpinion:
        return SecondOpinion(answer == RIGHT, None)

    counts = run(job, gate_for=gate_for(job.recipe.select, Tags(), judge, second))
    rows = [json.loads(line) for line in (job.out / "verdicts.jsonl").read_text().splitlines()]
    kept = {"plain": True, "math_verify": None}
    other = {"plain": False, "math_verify": None}
    assert [r["second"] for r in rows][:6] == [kept, kept, kept, other, None, other]
    assert rows[6]["second"] is None, "outpaced: it was not judged"
    assert counts["second"] == {"n": 4, "plain": 0.0, "math_verify": None}
    assert counts["unjudged_because"] == {"unreadable": 1}


def test_a_prompt_whose_candidates_need_more_decoding_has_no_gold(tmp_path: Path) -> None:
    counts, rows, golds = select(make(tmp_path, [[One(9), One(9, finish="outpaced")]]))
    assert (counts["gold"], counts["need_decoding"], golds) == (0, 1, [])
    assert [r["ok"] for r in rows] == [None, None]
    assert all("run `deimos sample`" in r["because"] for r in rows)


def test_a_stored_correctness_verdict_is_used_and_presentation_judged_anew(tmp_path: Path) -> None:
    stored = [
        One(1, WRONG, stored=Verdict(True, "", "presentation")),
        One(2, RIGHT, stored=Verdict(False, "was too long", "presentation")),
        One(3, RIGHT, stored=Verdict(False, "not it", "correctness")),
        One(4, RIGHT, stored=Verdict(None, "timeout", "correctness")),
    ]
    _, rows, golds = select(make(tmp_path, [stored]))
    assert asked == [RIGHT], "only where nothing was known"
    assert [r["ok"] for r in rows] == [True, False, False, False]
    assert [r["stage"] for r in rows] == ["length", "length", "correctness", "length"]
    assert golds[0]["index"] == 0


def test_another_grader_judges_everything_again(tmp_path: Path) -> None:
    job = make(tmp_path, [[One(1, WRONG, stored=Verdict(True, "", "presentation"))]])
    (job.inputs["sample"] / "filters.json").write_text(
        json.dumps({"00000": {"graders": {"math": {"spec": "other", "sha256": None}}}})
    )
    assert select(job)[0]["rejects"]["correctness"] == 1


def test_an_answer_that_could_not_be_judged_is_asked_as_often_as_the_policy_says(
    tmp_path: Path,
) -> None:
    select(make(tmp_path, [[One(3, UNSURE)]]))
    assert asked == [UNSURE] * RETRIES.verdicts


def test_pass_rates_come_from_candidates_that_nothing_could_stop(tmp_path: Path) -> None:
    pool = [One(9), One(4, WRONG), One(2), One(7, finish="outpaced")]
    probed = select(make(tmp_path / "a", [pool], sample={"probe": 2}))[2]
    assert probed[0]["pass_rate"] == 0.5
    full = select(make(tmp_path / "b", [pool[:3]], sample={"exhaustive": True}))[2]
    assert full[0]["pass_rate"] == pytest.approx(2 / 3)


def test_min_pass_and_min_think_say_why_nothing_is_kept(tmp_path: Path) -> None:
    settings = {"min_pass": 2, "min_think_tokens": 5}
    _, rows, golds = select(
        make(
            tmp_path, [[One(3), One(6)], [One(3), One(4)], [One(8), One(9, WRONG)]], select=settings
        )
    )
    assert [g["index"] for g in golds] == [1]
    why = [r["because"] for r in rows]
    assert "fewer than min_think_tokens" in why[0]
    assert "fewer than min_think_tokens" in why[2]
    assert "fewer than min_pass" in why[4]


def test_a_floor_by_the_prompts_own_median_is_progressive(tmp_path: Path) -> None:
    pool = [One(10), One(20, WRONG), One(30), One(5), One(9), One(70, finish="outpaced")]
    settings = {"min_ratio": 0.5}
    _, rows, golds = select(make(tmp_path, [pool], select=settings, sample={"probe": 3}))
    assert [g["index"] for g in golds] == [0], "the median of the probe is 20, of which half is 10"
    assert "fewer than 10: 50% of the prompt's median (min_ratio)" in rows[3]["because"]
    assert "fewer than 10" in rows[4]["because"]


def test_a_floor_by_the_median_needs_candidates_that_nothing_stops(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"select\.min_ratio = 0\.5: needs .* sample\.probe"):
        make(tmp_path, [[One(3)]], select={"min_ratio": 0.5})


def test_a_quota_takes_golds_back_and_says_so(tmp_path: Path) -> None:
    job = make(tmp_path, [[One(3)]] * 6, select={"quota": {"max_per_task": 1}})
    counts, rows, golds = select(job)
    assert counts["gold"] == len(golds) == 2
    assert sum(r["ok"] for r in rows) == 2
    assert counts["rejects"]["length"] == 4
    assert sum("quota" in r["because"] for r in rows) == 4


def test_a_quota_on_difficulty_needs_pass_rates(tmp_path: Path) -> None:
    quota = {"quota": {"max_share_easy": 0.5}}
    with pytest.raises(RecipeError, match=r"set sample\.probe above 0"):
        select(make(tmp_path / "a", [[One(3)]], select=quota))
    job = make(tmp_path / "b", [[One(3)]] * 3, select=quota, sample={"exhaustive": True})
    assert select(job)[0]["gold"] == 0


def test_preview_compares_policies_on_what_is_uncensored(tmp_path: Path) -> None:
    pools = [[One(2), One(6), One(4)], [One(1), One(9), One(5)]]

    def previewed(name: str, **sample: object) -> list[tuple]:
        job = make(tmp_path / name, pools, sample=sample)
        rows = preview(job, gate_for=gate_for(job.recipe.select, Tags(), judge))
        return [(r["policy"], r["pool"], r["kept"], r["think_tokens_median"]) for r in rows[::2]]

    assert previewed("a", exhaustive=True) == [
        ("shortest", "all", 2, 1.5),
        ("median", "all", 2, 4.5),
    ]
    assert previewed("b", probe=2)[0] == ("shortest", "probe", 2, 1.5)
    assert previewed("c") == [("shortest", "raced", 2, 1.5), ("median", "raced", None, None)]
