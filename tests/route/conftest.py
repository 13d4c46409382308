"""A tiny tokenizer with the lab's template, a scripted engine and a run's folders."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deimos.engines.base import Job
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

decoded: list[tuple[str, str, str]] = []
"""(model, mode, prompt id) of every job that the scripted engine was given."""


def problem(i: int) -> Prompt:
    return Prompt.of(
        task="odd" if i % 2 else "even", kind="math", reference=str(2 * i),
        messages=[{"role": "user", "content": f"What is {i} plus {i}?"}],
    )  # fmt: skip


@source("route_script_sums")
def sums(*, take: int | None, seed: int, start: int = 0) -> list[Prompt]:
    return [problem(i) for i in range(start, start + (take or 12))]


@engine("route_script")
def script_engine(ref: ModelRef, runtime: Runtime) -> EchoEngine:
    """With thinking on all is right. Off it is short, and the tuned model wrong on odd numbers."""
    tokenizer = load_tokenizer(ref)
    model = "tuned" if ref.adapter else "base"

    def script(job: Job) -> tuple[int, ...]:
        asked = tokenizer.decode(job.prompt_ids)
        mode = "off" if asked.rstrip().endswith("</think>") else "on"
        decoded.append((model, mode, job.key.prompt_id))
        i = int(re.findall(r"What is (\d+) plus", asked)[-1])
        said = f"The answer is \\boxed{{{2 * i + (mode == 'off' and model == 'tuned' and i % 2)}}}."
        thought = f"<think>\n{'let me see ' * (i % 7 + 9)}\n</think>\n\n" if mode == "on" else ""
        return tuple(tokenizer(f"{thought}{said}<|im_end|>", add_special_tokens=False)["input_ids"])

    return EchoEngine(script, max_batch=runtime.max_batch)


@pytest.fixture
def asked() -> list[tuple[str, str, str]]:
    """What the engine was asked, as a list that the engine goes on filling."""
    return decoded


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    lab_tokenizer.build(["What is 1 plus 2? let me see The answer is \\boxed{3}."] * 3, folder)
    return folder


@pytest.fixture(scope="session")
def judge() -> Iterator[Judge]:
    with Judge({"math": "math"}) as judge:
        yield judge


@pytest.fixture
def job(tmp_path: Path, model_path: Path) -> Callable[..., StageJob]:
    """Makes a job over 40 dev sums; keyword arguments are recipe sections and ``path``."""
    decoded.clear()
    inputs = {name: tmp_path / name for name in ("prompts", "sample", "train")}
    write_prompts(inputs["prompts"] / "dev.jsonl", [problem(i) for i in range(100, 140)])
    write_atomic(inputs["sample"] / "constants.json", json.dumps({}))
    # Its content is a part of record keys: without it base and tuned would share their answers.
    write_atomic(inputs["train"] / "adapter" / "adapter_config.json", "{}")

    def make(*, path: Path = model_path, **sections: object) -> StageJob:
        given = {
            "name": "t", "model": {"id": "m"}, "route": {},
            "prompts": {"sources": [{"source": "route_script_sums"}]},
            "bench": {"budget": 200}, **sections,
        }  # fmt: skip
        runtime = Runtime(
            engine="route_script", max_batch=8, grader_timeout=120.0
        )  # a busy machine
        return StageJob(parse(given), runtime, str(path), inputs, tmp_path / "route", ProgressBar())

    return make
