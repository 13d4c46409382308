"""Arms whose thoughts are closed, or that are asked in another way, on the lab model."""

import asyncio
import dataclasses

import pytest

from deimos.engines.collect import collect
from deimos.evaluate.arms import Arm, add_instruction
from deimos.evaluate.models import Models
from deimos.evaluate.samples import Evaluator, SampleSet
from deimos.lab.source import lab
from deimos.lab.weights import lab_path
from deimos.models.ref import ModelRef
from deimos.recipe.runtime import Runtime
from deimos.store.journal import read
from deimos.thinking import Tags
from deimos.types import Sampling, Verdict

BUDGET = 12
SAMPLING = Sampling(temperature=1.0, top_p=0.95, top_k=20, max_tokens=256)


async def judge(prompt, answer):
    return Verdict.of(True)


@pytest.fixture(scope="module")
def lab_models():
    model = ModelRef(str(lab_path()), dtype="float32")
    return model, Models(model, Runtime(max_batch=8), Tags())


@pytest.fixture(scope="module")
def prompts():
    return list(lab(take=6, seed=1, split="train", kinds=["math"], steps=[4]))


def test_a_long_thought_is_closed_and_the_answer_follows(lab_models, prompts, tmp_path):
    model, models = lab_models
    whole, budgeted = Arm(model, SAMPLING, True), Arm(model, SAMPLING, True, think_budget=BUDGET)
    found = asyncio.run(Evaluator(models, judge).run([whole, budgeted], prompts, tmp_path, seed=3))
    free, closed = ({c.prompt_id: c for c in found[arm]} for arm in (whole, budgeted))
    assert any(c.think_tokens > BUDGET for c in free.values()), "else nothing is tested here"
    for prompt in prompts:
        a, b = free[prompt.id], closed[prompt.id]
        if a.think_tokens <= BUDGET:
            assert b.completion_ids == a.completion_ids, "a short thought is left as it was"
            continue
        assert b.think_tokens == BUDGET and b.finish == "stop" and b.answer
        assert b.prompt_ids == a.prompt_ids and b.text.count("</think>") == 1
        before = a.completion_ids[:BUDGET]  # its opening tag makes up for the end of the line
        assert b.completion_ids[:BUDGET] == before and "\n</think>\n\n" in b.text


def test_thoughts_that_are_there_are_taken_over(lab_models, prompts, tmp_path):
    """The same completions as if all were decoded, and only answers are."""
    model, models = lab_models
    arm = Arm(model, SAMPLING, True)
    plain = SampleSet(arm, "sums", prompts, tmp_path / "plain.jsonl", seed=3)
    closed = dataclasses.replace(arm, think_budget=BUDGET)
    alone = SampleSet(closed, "sums", prompts, tmp_path / "alone.jsonl", seed=3)
    taken = dataclasses.replace(alone, path=tmp_path / "taken.jsonl", thoughts=plain)
    for wanted in (plain, alone, taken):
        asyncio.run(Evaluator(models, judge).fill(wanted))
    ids = [{c.prompt_id: c.completion_ids for c in s.read(models)} for s in (alone, taken)]
    assert ids[0] == ids[1] and len(ids[0]) == len(prompts)
    short = {c.prompt_id for c in plain.read(models) if c.think_tokens <= BUDGET}
    assert all(row["verdict"]["ok"] for row in read(taken.path) if row["prompt_id"] in short)
    written = taken.path.read_bytes()
    asyncio.run(Evaluator(models, judge).fill(taken))
    assert taken.path.read_bytes() == written


def test_every_way_of_asking_has_its_own_keys(lab_models):
    model, models = lab_models
    plain = Arm(model, SAMPLING, True)
    others = [
        dataclasses.replace(plain, **{name: value})
        for name, value in (
            ("think_budget", 5),
            ("think_budget", 6),
            ("instruction", "Be brief."),
            ("effort", "low"),
        )
    ]
    assert len({models.arm_key(arm) for arm in (plain, *others)}) == 5


@pytest.mark.parametrize("concurrency", [1, 2, None])
def test_a_closed_loop_of_any_width_ends(lab_models, prompts, tmp_path, concurrency):
    model, models = lab_models
    arm = Arm(model, SAMPLING, True, think_budget=4)
    requests = SampleSet(arm, "sums", prompts, tmp_path).requests(models)

    async def decode():
        engine = models.engine(model)
        run = collect(engine, models.tokenizer, models.eos_ids, requests, concurrency=concurrency)
        return [c async for c in run]

    found = asyncio.run(asyncio.wait_for(decode(), 120))
    assert sorted(c.prompt_id for c in found) == sorted(p.id for p in prompts)
    assert all(c.think_tokens <= 4 and c.seconds > 0 for c in found)


def test_an_instruction_stands_behind_what_the_user_says_last(lab_models, prompts):
    model, models = lab_models
    said = [
        {"role": "system", "content": "You add."},
        {"role": "user", "content": "1+1?"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": "2+2?"},
    ]
    longer = add_instruction(said, "Be brief.")
    assert longer[:3] == said[:3]
    assert longer[3] == {"role": "user", "content": "2+2?\n\nBe brief."}
    assert add_instruction(said, "") == said
    arm = Arm(model, SAMPLING, True, instruction="Be brief.")
    asked, plain = models.render_for(arm, prompts[0]), models.render(prompts[0], True)
    assert asked.text.replace("\n\nBe brief.", "", 1) == plain.text and asked != plain


def test_an_effort_reaches_a_real_template(lab_models, prompts):
    """Qwen3.8's own, at the lowest that is read from it."""
    from tests.models.test_effort import real

    from deimos.models.effort import find_lowest_effort

    model, _ = lab_models
    models = Models(model, Runtime(max_batch=8), Tags())
    models.tokenizer.chat_template = real("qwen3_8")
    plain = Arm(model, SAMPLING, True)
    low = dataclasses.replace(plain, effort=find_lowest_effort(models.tokenizer.chat_template))
    assert "Reasoning effort is set to low." in models.render_for(low, prompts[0]).text
    assert "Reasoning effort is set to xhigh." in models.render_for(plain, prompts[0]).text
    off = [dataclasses.replace(arm, thinking=False) for arm in (plain, low)]
    assert models.render_for(off[0], prompts[0]) == models.render_for(off[1], prompts[0])
