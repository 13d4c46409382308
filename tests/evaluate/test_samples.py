"""Arms decoded over prompts into a folder, as any package does it; cut short and gone on with."""

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deimos.engines.collect import Retries
from deimos.evaluate.arms import Arm
from deimos.evaluate.samples import Evaluator, SampleSet, read_samples
from deimos.store.candidates import record_key, sampled_with
from deimos.store.hashing import derive_seed
from deimos.store.journal import read
from deimos.types import Prompt, Sampling, Verdict

GREEDY, WARM = (Sampling(temperature=t, max_tokens=64) for t in (0.0, 0.7))


async def judge(prompt: Prompt, answer: str) -> Verdict:
    return Verdict.of(f"{{{prompt.reference}}}" in answer)


def test_a_package_decodes_arms_over_prompts_in_a_few_lines(models, model, problems, asked, folder):
    arms = [Arm(model, GREEDY), Arm(model, WARM), Arm(model, GREEDY, config="the same again")]
    evaluator = Evaluator(models, judge)
    found = asyncio.run(evaluator.run(arms, problems(8), folder, repeats=2))

    right = {arm.decoding.temperature: [c.verdict.ok for c in cs] for arm, cs in found.items()}
    assert {t: sum(ok) / len(ok) for t, ok in right.items()} == {0.0: 1.0, 0.7: 0.75}
    assert len(asked) == 2 * 8 * 2  # two arms are the same one
    assert {p.stem for p in folder.iterdir()} == {models.arm_key(arm) for arm in arms}
    asked.clear()
    assert asyncio.run(evaluator.run(arms, problems(8), folder, repeats=2)) == found
    assert asked == []


def test_an_arm_is_its_content_whatever_it_is_called(models, model):
    one = Arm(model, WARM, True, "base", "locked")
    assert one == Arm(model, WARM, True, "tuned", "other")
    others = [
        dataclasses.replace(one, thinking=False),
        dataclasses.replace(one, decoding=dataclasses.replace(WARM, max_tokens=65)),
        dataclasses.replace(one, model=dataclasses.replace(model, dtype="float16")),
    ]
    assert len({models.arm_key(arm) for arm in (one, *others)}) == 4


def test_what_another_stage_decoded_is_judged_and_not_decoded_again(
    models, model, problems, asked, folder, tmp_path
):
    arm = Arm(model, WARM)
    first = Evaluator(models, judge)
    asyncio.run(first.run([arm], problems(4), folder))
    asked.clear()

    async def strict(prompt: Prompt, answer: str) -> Verdict:
        return Verdict.of(False, "another judge")

    second = Evaluator(models, strict, others=list(folder.iterdir()))
    found = asyncio.run(second.run([arm], problems(6), tmp_path / "second"))[arm]
    assert {c.prompt_id for c in found} == {p.id for p in problems(6)}
    assert {c.verdict.because for c in found} == {"another judge"}
    assert {prompt_id for _, prompt_id, _ in asked} == {p.id for p in problems(6)[4:]}


def test_record_keys_and_seeds_are_those_of_every_version(models, model, problems):
    """Rows that an earlier version wrote count, as their keys say the same."""
    (prompt,) = problems(1)
    arm = Arm(model, WARM, None)
    (request,) = SampleSet(arm, "sums", [prompt], Path("x"), seed=3).requests(models)
    assert request.seed == derive_seed(3, prompt.id, 0, "/")
    assert derive_seed(7, "a", 3, "/") == 1766473946
    made_with = sampled_with(
        model.path, revision=None, dtype="auto", sampling=WARM,
        template=str(models.tokenizer.chat_template),
    )  # fmt: skip
    key = record_key(made_with, request.rendered.text, 0, request.seed)
    assert models.record_keys(arm, [request]) == {(prompt.id, 0): key}


def wanted(models, model, prompts, folder: Path) -> SampleSet:
    return SampleSet(Arm(model, WARM), "sums", prompts, folder / "set.jsonl")


class Hangs:
    """A judge that says nothing until it may, and how many it has been asked about."""

    def __init__(self) -> None:
        self.asked = 0
        self.most = 0
        self.waiting = 0
        self.may = asyncio.Event()

    async def __call__(self, prompt: Prompt, answer: str) -> Verdict:
        self.asked += 1
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        await self.may.wait()
        self.waiting -= 1
        return await judge(prompt, answer)


def test_what_waits_for_a_verdict_when_cancelled_is_kept_and_only_judged(
    models, model, problems, asked, folder
):
    want = wanted(models, model, problems(50), folder)

    async def cancelled() -> None:
        slow = Hangs()
        running = asyncio.create_task(Evaluator(models, slow).fill(want))
        while slow.asked < 50:
            await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(cancelled())
    rows = list(read(want.path))
    assert len(rows) == 50 and not any(row["verdict"] for row in rows)
    asked.clear()
    asyncio.run(Evaluator(models, judge).fill(want))
    found = want.read(models)
    assert asked == [] and len(found) == 50 and all(c.verdict for c in found)


def test_no_more_wait_for_a_verdict_than_the_limit_and_a_batch(
    models, model, problems, asked, folder
):
    want = wanted(models, model, problems(40), folder)
    slow = Hangs()

    async def run() -> None:
        running = asyncio.create_task(Evaluator(models, slow, pending=6).fill(want))
        while slow.waiting < 6:
            await asyncio.sleep(0.01)
        for _ in range(50):  # whatever the engine could go on with, it has by now
            await asyncio.sleep(0)
        assert len(asked) <= 6 + 4  # the batch that was running
        slow.may.set()
        await running

    asyncio.run(run())
    assert slow.most <= 6 + 4 and len(want.read(models)) == 40


@pytest.mark.parametrize("tries", [1, 2, 3])
def test_a_judge_that_cannot_say_is_asked_as_often_as_the_policy_says(
    models, model, problems, folder, tries
):
    asked = 0

    async def unsure(prompt: Prompt, answer: str) -> Verdict:
        nonlocal asked
        asked += 1
        return Verdict.of(None, "timeout")

    want = wanted(models, model, problems(1), folder)
    asyncio.run(Evaluator(models, unsure, retries=Retries(verdicts=tries)).fill(want))
    assert asked == tries
    (completion,) = want.read(models)
    assert completion.verdict.ok is None
    size = want.path.stat().st_size
    asyncio.run(Evaluator(models, unsure).fill(want))  # null again is no news
    assert want.path.stat().st_size == size


def test_a_judge_that_fails_ends_the_run_as_itself(models, model, problems, folder):
    async def broken(prompt: Prompt, answer: str) -> Verdict:
        raise RuntimeError("the judging process does not start")

    want = wanted(models, model, problems(3), folder)
    with pytest.raises(RuntimeError, match="does not start"):
        asyncio.run(Evaluator(models, broken).fill(want))
    keys = models.record_keys(want.arm, want.requests(models))
    assert read_samples(want.path, keys)  # what was decoded by then is kept


STAGE = """
import asyncio, sys
sys.path.insert(0, {tests!r})
import conftest
from pathlib import Path
from deimos.evaluate.arms import Arm
from deimos.evaluate.models import Models
from deimos.evaluate.samples import Evaluator, SampleSet
from deimos.models.ref import ModelRef
from deimos.recipe.runtime import Runtime
from deimos.thinking import Tags
from deimos.types import Sampling

model = ModelRef({model!r})
models = Models(model, Runtime(engine="evaluate_script", max_batch=4), Tags())

async def never(prompt, answer):
    await asyncio.Event().wait()

want = SampleSet(Arm(model, Sampling(temperature=0.7, max_tokens=64)), "sums",
                 [conftest.problem(i) for i in range(20)], Path({path!r}))
asyncio.run(Evaluator(models, never).fill(want))
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_process_that_is_ended_leaves_every_completion(
    models, model, problems, asked, folder, how
):
    want = wanted(models, model, problems(20), folder)
    tests = str(Path(__file__).parent)
    code = STAGE.format(tests=tests, model=model.path, path=str(want.path))
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ, stderr=subprocess.DEVNULL
    )
    while not (want.path.is_file() and len(list(read(want.path))) == 20):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(how)
    process.wait()
    asyncio.run(Evaluator(models, judge).fill(want))
    assert asked == [] and all(c.verdict for c in want.read(models))
