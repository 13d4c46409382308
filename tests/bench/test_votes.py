"""Votes of several samples, and the rows that are made of them, on a scripted engine."""

import asyncio
import contextlib
import dataclasses
import re

import pytest

from deimos.bench import stage
from deimos.bench.votes import count_votes
from deimos.engines.base import Job
from deimos.engines.echo import EchoEngine
from deimos.graders.same_answer import AnswerComparer
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef
from deimos.recipe.runtime import Runtime
from deimos.registry import engine
from deimos.store.journal import read_rows
from deimos.types import Completion, Finish, Prompt, Verdict


@pytest.fixture(scope="module")
def compare():
    with contextlib.closing(AnswerComparer({"math": "math"})) as made:
        yield made


def sample(index: int, answer: str, ok: bool, finish: Finish = "stop") -> Completion:
    verdict = Verdict.of(ok)
    return Completion(
        "p", index, 0, "", answer, answer, (), (), 1, 1, finish, None, 0.0, "e", verdict
    )


def test_wrong_answers_of_one_value_vote_together(compare):
    prompt = Prompt.of(
        task="t", kind="math", messages=[{"role": "user", "content": "?"}], reference="12"
    )
    samples = [
        sample(0, "\\boxed{12}", True),
        sample(1, "\\boxed{7}", False),
        sample(2, "It is 7.", False),
        sample(3, "\\boxed{8}", False),
        sample(4, "no idea, sorry, I was never good at this", False),
        sample(5, "\\boxed{7}", False, "length"),
        sample(6, "#### 12.0", True),
    ]
    votes = asyncio.run(count_votes(prompt, samples, compare))
    assert [votes["p", i] for i in range(7)] == ["=", "0", "0", "1", "", "", "="]
    code = dataclasses.replace(prompt, kind="code")
    assert asyncio.run(count_votes(code, samples, compare)) == {}


@engine("bench_votes")
def scripted(ref: ModelRef, runtime: Runtime) -> EchoEngine:
    """Of three samples the base is right in one, wrong twice alike; the tuned one right in two."""
    tokenizer = load_tokenizer(ref)

    def script(job: Job) -> tuple[int, ...]:
        i = int(re.findall(r"What is (\d+) plus", tokenizer.decode(job.prompt_ids))[-1])
        wrong = job.key.index >= (2 if ref.adapter else 1)
        text = f"<think>\nwait\n</think>\n\nThe answer is \\boxed{{{2 * i + wrong}}}.<|im_end|>"
        return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])

    return EchoEngine(script, max_batch=runtime.max_batch)


def test_rows_have_what_k_samples_come_to(job, judge, compare):
    j = job(repeats=3, timing_problems=0, baselines=["budget"])
    j = dataclasses.replace(j, runtime=Runtime(engine="bench_votes", max_batch=8))
    stage.run(j, judge=judge, compare=compare)
    rows = {(r["setting"], r["task"], r["model"]): r for r in read_rows(j.out / "bench.jsonl")}
    base, tuned = (rows["equal", "all", m] for m in ("base", "tuned"))
    assert (base["k"], base["k_n"], base["config"]["at_k"]) == (3, 12, "recommended")
    assert (base["pass_at_k"], base["maj_at_k"]) == (1.0, 0.0)
    assert (tuned["pass_at_k"], tuned["maj_at_k"]) == (1.0, 1.0)
    assert base["avg_at_k"] == pytest.approx(1 / 3) and tuned["avg_at_k"] == pytest.approx(2 / 3)
    assert rows["equal", "all", "base+budget"]["k"] == 3
    ship = rows["ship", "sums", "base"]
    assert ship["avg_at_k"] == ship["accuracy"] and "k" not in rows["ship", "sums", "tuned"]
    compared = {
        (r["setting"], r["task"], r["against"]): r for r in read_rows(j.out / "compare.jsonl")
    }
    row = compared["equal", "all", "base"]
    assert (row["k"], row["pass_at_k_delta"], row["maj_at_k_delta"]) == (3, 0.0, 1.0)
    assert row["maj_at_k_delta_ci"][0] > 0.5
    assert "k" not in compared["ship", "all", "base"], "one has three samples, the other one"
    tight = rows["tight", "all", "tuned"]
    assert tight["k"] == 3 and tight["maj_at_k"] == 1.0, "short enough for the tight budget"


def test_without_repeats_there_are_no_such_fields(job, judge, compare):
    j = job(repeats=1, timing_problems=0, settings=["equal"])
    stage.run(j, judge=judge, compare=compare)
    for name in ("bench", "compare"):
        assert all("k" not in row for row in read_rows(j.out / f"{name}.jsonl"))
