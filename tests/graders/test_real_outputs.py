"""Verdicts on 1,300 real model outputs, against those of the harness that came with them."""

import json
from pathlib import Path

import pytest

from deimos import Prompt
from deimos.graders import Judge, check

DATA = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the real data is not here (../shared/data)"
)

EXTRACTION_OF_THEIRS = {
    "10{,}000", "4:30p..", "-2+7i", "9", "255", "\\frac{3\\sqrt{3}}{4}", "5x-7y+11z+4=0", "28", "(C)", "4", "12\\pi", "(8,-2)",
    "\\frac{1}{8}", "6", "(-1,6)", "\\frac{7}{4}", "3",
}  # fmt: skip
"""Golds where they say wrong and we right; read by hand: each answer is right, and their extractor
took a piece of it, or words with it (``9customers``)."""


@pytest.mark.parametrize("name", ["qwen25math_math_cot_100x8", "skythought_reasoning_math500"])
def test_we_never_call_right_what_is_wrong(name):
    rows = [json.loads(line) for line in (DATA / "graded_outputs" / f"{name}.jsonl").open()]
    with Judge({"math": "math"}) as judge:
        asked = [
            (row, judge.submit("math", answer_of(row["response"]), row["gold"])) for row in rows
        ]
        judged = [(row, future.result()) for row, future in asked]
    ours_alone = {row["gold"] for row, verdict in judged if verdict.ok and not row["ref_correct"]}
    assert ours_alone <= EXTRACTION_OF_THEIRS
    boxed = [
        (row, v)
        for row, v in judged
        if row["ref_correct"] and "\\boxed{" in answer_of(row["response"])
    ]
    # Golds of theirs that lost a row break or a letter: no grader can find the answer equal to them.
    missed = [row["gold"] for row, v in boxed if not v.ok and "pmatrix" not in row["gold"]]
    assert missed == []


def answer_of(response):
    """What a reader sees: nothing of a thought, nothing at all where it never ended."""
    if "<|begin_of_thought|>" in response:
        return response.partition("<|end_of_thought|>")[2]
    return response


def test_real_choice_references_pass():
    rows = [json.loads(line) for line in (DATA / "arc" / "ARC-Challenge-train.jsonl").open()]
    prompts = [
        Prompt.of(
            task="arc", kind="choice", messages=[],
            reference={"letter": row["answerKey"], "options": row["choices"]["text"]},
        )
        for row in rows
    ]  # fmt: skip
    assert check("choice", "choice", prompts).ok


def test_real_math_references_pass_and_shuffled_ones_do_not():
    for name, key in (("aime/aime24", "expected_answer"), ("math500/test", "answer")):
        rows = [json.loads(line) for line in (DATA / f"{name}.jsonl").open()]
        golds = [row[key] for row in rows[:150]]
        report = check(
            "math",
            "math",
            [Prompt.of(task=name, kind="math", messages=[], reference=g) for g in golds],
        )
        assert not report.rejected_examples and not report.unjudged and not report.accepted_empty
        assert set(report.accepted_shuffled) <= {r"'\\boxed{5}' for 'x=5'"}  # which is right
