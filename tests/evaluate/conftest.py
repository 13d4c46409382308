"""Sums, a scripted engine and a real tokenizer: what an evaluation needs but a model."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from deimos.engines.base import Job
from deimos.engines.echo import EchoEngine
from deimos.evaluate.models import Models
from deimos.lab import tokenizer as lab_tokenizer
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef
from deimos.recipe.runtime import Runtime
from deimos.registry import engine
from deimos.thinking import Tags
from deimos.types import Prompt

decoded: list[tuple[float, str, int]] = []
"""(temperature, prompt id, index) of every job that the scripted engine was given."""


def problem(i: int) -> Prompt:
    return Prompt.of(
        task="sums", kind="math", reference=str(2 * i),
        messages=[{"role": "user", "content": f"What is {i} plus {i}?"}],
    )  # fmt: skip


@engine("evaluate_script")
def script_engine(ref: ModelRef, runtime: Runtime) -> EchoEngine:
    """Right, but for every fourth sum at a temperature above 0."""
    tokenizer = load_tokenizer(ref)

    def script(job: Job) -> tuple[int, ...]:
        decoded.append((job.sampling.temperature, *job.key))
        i = int(re.findall(r"What is (\d+) plus", tokenizer.decode(job.prompt_ids))[-1])
        wrong = job.sampling.temperature > 0 and i % 4 == 0
        text = f"<think>\nlet me see\n</think>\n\n\\boxed{{{2 * i + wrong}}}.<|im_end|>"
        return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])

    return EchoEngine(script, max_batch=runtime.max_batch)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    folder = tmp_path_factory.mktemp("model")
    lab_tokenizer.build(["What is 1 plus 2? let me see \\boxed{3}."] * 3, folder)
    return ModelRef(str(folder))


@pytest.fixture
def models(model: ModelRef) -> Models:
    decoded.clear()
    return Models(model, Runtime(engine="evaluate_script", max_batch=4), Tags())


@pytest.fixture
def problems() -> Callable[[int], list[Prompt]]:
    return lambda n: [problem(i) for i in range(n)]


@pytest.fixture
def asked() -> list[tuple[float, str, int]]:
    """What the engine was asked, as a list that the engine goes on filling."""
    return decoded


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "samples"
