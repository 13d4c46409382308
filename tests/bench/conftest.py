"""A tiny tokenizer, a scripted engine and a run's folders: all a bench needs but a model."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from deimos.engines.base import Done, Job
from deimos.engines.echo import EchoEngine
from deimos.graders.worker.pool import Judge
from deimos.lab import tokenizer as lab_tokenizer
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef
from deimos.recipe import parse
from deimos.recipe.runtime import Runtime
from deimos.registry import engine, source
from deimos.runs.artifacts import write_prompts
from deimos.runs.plan import StageJob
from deimos.runs.progress import ProgressBar
from deimos.store.journal import write_atomic
from deimos.types import Prompt

decoded: list[tuple[str, str, int]] = []
"""(model, prompt id, index) of every job that a scripted engine was given."""
broken: dict[str, int] = {}
"""Prompt id to how many times the scripted engine fails on it."""


BENCH_FIELDS = (
    "model setting thinking budget repeats task n accuracy accuracy_ci think_tokens_median answer_tokens_median "
    "total_tokens_median chars_median finished empty_think seconds_per_problem"
)
COMPARE_FIELDS = (
    "setting thinking task n accuracy_delta accuracy_delta_ci think_tokens_reduction think_tokens_reduction_ci "
    "total_tokens_reduction total_tokens_reduction_ci seconds_reduction finished_more reasoned_better"
)


@pytest.fixture(scope="session")
def contract() -> SimpleNamespace:
    """The fields that other people's scripts read."""
    return SimpleNamespace(bench=set(BENCH_FIELDS.split()), compare=set(COMPARE_FIELDS.split()))


@pytest.fixture
def world() -> SimpleNamespace:
    """What the scripted engine knows and was asked."""
    return SimpleNamespace(decoded=decoded, broken=broken, problem=problem)


def problem(i: int) -> Prompt:
    return Prompt.of(task="sums", kind="math", messages=[{"role": "user", "content": f"What is {i} plus {i}?"}],
                     reference=str(2 * i))  # fmt: skip


@source("bench_script_sums")
def sums(*, take: int | None, seed: int, start: int = 0) -> list[Prompt]:
    return [problem(i) for i in range(start, start + (take or 12))]


def says(model: str, i: int, job: Job) -> str:
    """Base: wordy, wrong at 1 mod 4, endless at 2 mod 4 (greedy only). Tuned: terse, wrong at 3 mod 4."""
    greedy = job.sampling.temperature == 0
    if model == "base" and i % 4 == 2 and greedy:
        return "<think>\n" + "wait " * 500
    wrong = i % 4 == (1 if model == "base" else 3)
    think = "let me see " * ((10 + i + 2 * job.key.index) if model == "base" else 2)
    return f"<think>\n{think}\n</think>\n\nThe answer is \\boxed{{{2 * i + wrong}}}.<|im_end|>"


class ScriptEngine(EchoEngine):
    """An echo engine that fails where it is told to."""

    async def sample(self, jobs):
        async for event in super().sample(jobs):
            if isinstance(event, Done) and broken.get(event.key.prompt_id, 0) > 0:
                broken[event.key.prompt_id] -= 1
                yield Done(event.key, (), "error", 0.0, "told to")
            else:
                yield event


@engine("bench_script")
def script_engine(ref: ModelRef, runtime: Runtime) -> ScriptEngine:
    tokenizer = load_tokenizer(ref)
    model = "tuned" if ref.adapter else "base"
    known: dict[tuple, tuple[int, ...]] = {}

    def script(job: Job) -> tuple[int, ...]:
        key = (*job.key, job.sampling.temperature)
        if key not in known:
            decoded.append((model, *job.key))
            said = re.findall(r"What is (\d+) plus", tokenizer.decode(job.prompt_ids))
            text = says(model, int(said[-1]), job)
            known[key] = tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
        return known[key]

    return ScriptEngine(script, max_batch=runtime.max_batch)


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("model")
    lab_tokenizer.build(["What is 1 plus 2? let me see wait The answer is \\boxed{3}."] * 3, folder)
    return str(folder)


@pytest.fixture(scope="session")
def judge() -> Iterator[Judge]:
    with Judge({"math": "math"}) as judge:
        yield judge


@pytest.fixture
def job(tmp_path: Path, model_path: str) -> Callable[..., StageJob]:
    """Makes the job of a bench over 12 sums; keyword arguments are bench settings."""
    decoded.clear()
    broken.clear()
    inputs = {name: tmp_path / name for name in ("prompts", "sample", "train")}
    write_prompts(inputs["prompts"] / "train.jsonl", [problem(i) for i in range(100, 110)])
    write_prompts(inputs["prompts"] / "dev.jsonl", [problem(i) for i in range(200, 205)])
    write_atomic(inputs["sample"] / "constants.json", json.dumps({"dev_total_tokens_p25": 40}))

    def make(*, allow: bool = False, start: int = 0, **bench: object) -> StageJob:
        task = {
            "name": "sums",
            "source": {"source": "bench_script_sums", "take": 12, "options": {"start": start}},
        }
        settings = {
            "tasks": [task],
            "budget": 400,
            "repeats": 2,
            "timing_problems": 6,
            "timing_concurrency": 2,
        }
        recipe = parse({"name": "t", "model": {"id": "m"}, "prompts": {"sources": [{"source": "bench_script_sums"}]},
                        "bench": settings | bench, "allow_contamination": allow})  # fmt: skip
        runtime = Runtime(engine="bench_script", max_batch=8)
        return StageJob(recipe, runtime, model_path, inputs, tmp_path / "bench", ProgressBar())

    return make
