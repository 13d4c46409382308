"""Sums, an engine whose answers depend on how it decodes, and a run's folders: a sweep without a model."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from deimos.engines.base import Job
from deimos.engines.echo import EchoEngine
from deimos.evaluate.outcomes import Outcome
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
from deimos.store.hashing import file_hash
from deimos.store.journal import write_atomic
from deimos.store.sweep_rows import DecodingConfig
from deimos.sweep import stage
from deimos.sweep.space import reduce_to_effective
from deimos.types import Prompt

decoded: list[tuple[str, str, object]] = []
"""(model, prompt id, sampling) of every job that the scripted engine was given."""


def problem(i: int) -> Prompt:
    return Prompt.of(
        task="sums", kind="math", reference=str(2 * i),
        messages=[{"role": "user", "content": f"What is {i} plus {i}?"}],
    )  # fmt: skip


@source("sweep_script_sums")
def sums(*, take: int | None, seed: int, start: int = 0) -> list[Prompt]:
    return [problem(i) for i in range(start, start + (take or 12))]


def says(i: int, job: Job) -> str:
    """Wrong at one sum in four, and at four in five if it is hot; a penalty makes it shorter."""
    s = job.sampling
    wrong = i % 5 != 0 if s.temperature > 1 else i % 4 == 0
    think = "let me see " * (6 if s.repetition_penalty > 1 else 12)
    if s.top_k == 20 and s.temperature > 0:
        wrong, think = wrong or i % 7 == 0, "wait " * 3
    return f"<think>\n{think}\n</think>\n\n\\boxed{{{2 * i + wrong}}}.<|im_end|>"


@engine("sweep_script")
def script_engine(ref: ModelRef, runtime: Runtime) -> EchoEngine:
    tokenizer = load_tokenizer(ref)

    def script(job: Job) -> tuple[int, ...]:
        decoded.append(("tuned" if ref.adapter else "base", job.key.prompt_id, job.sampling))
        i = int(re.findall(r"What is (\d+) plus", tokenizer.decode(job.prompt_ids))[-1])
        return tuple(tokenizer(says(i, job), add_special_tokens=False)["input_ids"])

    return EchoEngine(script, max_batch=runtime.max_batch)


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("model")
    lab_tokenizer.build(["What is 1 plus 2? let me see wait \\boxed{3}."] * 3, folder)
    return str(folder)


@pytest.fixture(scope="session")
def judge() -> Iterator[Judge]:
    with Judge({"math": "math"}) as judge:
        yield judge


@pytest.fixture
def world() -> SimpleNamespace:
    """What the scripted engine was asked."""
    return SimpleNamespace(decoded=decoded, problem=problem)


def write_prompts_stage(folder: Path, dev: Sequence[Prompt]) -> None:
    """A complete prompts stage with these dev prompts."""
    write_prompts(folder / "dev.jsonl", dev)
    files = {"dev.jsonl": {"sha256": file_hash(folder / "dev.jsonl")}}
    write_atomic(folder / "record.json", json.dumps({"stage": "prompts", "files": files}))


@pytest.fixture
def job(tmp_path: Path, model_path: str) -> Callable[..., StageJob]:
    """Makes the job of a sweep over sums; keyword arguments are sweep settings."""
    decoded.clear()
    inputs = {name: tmp_path / name for name in ("prompts", "sample", "train")}
    write_atomic(inputs["sample"] / "constants.json", "{}")
    (inputs["train"] / "adapter").mkdir(parents=True)

    def make(
        items: int = 48, locked: Mapping[str, object] | None = None, **sweep: object
    ) -> StageJob:
        write_prompts_stage(inputs["prompts"], [problem(i) for i in range(items)])
        recipe = parse({
            "name": "t", "model": {"id": "m"}, "prompts": {"sources": [{"source": "sweep_script_sums"}]},
            "bench": {"locked": dict(locked or {"temperature": 1.0}), "budget": 200}, "sweep": sweep,
        })  # fmt: skip
        runtime = Runtime(engine="sweep_script", max_batch=8)
        return StageJob(recipe, runtime, model_path, inputs, tmp_path / "sweep", ProgressBar())

    return make


@pytest.fixture
def run(judge) -> Callable[..., dict]:
    """Carries out a sweep for base and tuned, which are one model here."""

    def carry_out(
        job: StageJob, check: Callable[[Sequence[Prompt]], None] = lambda p: None
    ) -> dict:
        base = ModelRef(job.model_path)
        tuned = ModelRef(job.model_path, adapter=str(job.inputs["train"] / "adapter"))
        return stage.run(job, models={"base": base, "tuned": tuned}, judge=judge, check=check)

    return carry_out


@dataclass
class Table:
    """Answers that are there already: right or wrong, and tokens, by config."""

    right: Callable[[DecodingConfig], Sequence[bool]]
    tokens: Callable[[DecodingConfig], Sequence[int]]
    asked: dict[DecodingConfig, list[Outcome]] = field(default_factory=dict)

    async def of(self, config: DecodingConfig, items: int) -> Sequence[Outcome]:
        config = reduce_to_effective(config)
        pairs = zip(self.right(config)[:items], self.tokens(config)[:items])
        found = [
            Outcome(f"p/{i}", "p", True, 0, bool(ok), "stop", t, 1, t, t, False)
            for i, (ok, t) in enumerate(pairs)
        ]
        if len(found) > len(self.asked.get(config, ())):
            self.asked[config] = found
        return found

    def decoded(self, config: DecodingConfig) -> int:
        return len(self.asked.get(reduce_to_effective(config), ()))


@pytest.fixture
def table() -> type[Table]:
    return Table
