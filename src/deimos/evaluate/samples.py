"""Decoding and grading the sample sets of a bench, one journal each.

A set is one task, one model and one decoding config. What is in its journal is never decoded
again, so an interrupted bench goes on where it stopped. Grading runs beside decoding.
A completion that was cut, or whose thought never closed, is wrong without asking a grader.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import gc
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from deimos import engines
from deimos.bench.tables import MODELS, SHIP, Arm
from deimos.bench.tasks import Judge, TestTask
from deimos.engines.base import Engine
from deimos.engines.collect import Request, collect
from deimos.evaluate.outcomes import Grammar
from deimos.models.loading import eos_ids_of, load_tokenizer
from deimos.models.ref import ModelRef
from deimos.recipe import Bench
from deimos.runs import artifacts
from deimos.runs.folder import StageJob
from deimos.store.candidates import record_key, sampled_with
from deimos.store.journal import Journal
from deimos.store.merge import merge_completions
from deimos.store.schema import BenchSample, bench_sample_row
from deimos.store.template_date import read_template_date
from deimos.thinking import Rendered, Tags, render
from deimos.types import Completion, Prompt, Sampling, Verdict

TRIES = 3
"""Rounds of decoding until an engine's errors end the bench."""


class BenchError(RuntimeError):
    """An engine failed on some completions again and again; what is done is kept."""


def arms_of(bench: Bench) -> list[Arm]:
    """The sample sets that the settings need, one model's after the other's."""
    if set(bench.settings) <= {"ship"}:
        return [Arm(m, SHIP[m]) for m in MODELS] if bench.settings else []
    return [Arm(m, c) for m in MODELS for c in ("recommended", "locked")]


def sampling_of(bench: Bench, config: str) -> Sampling:
    """A config's sampler, with the bench's budget in place of its own ``max_tokens``."""
    chosen = bench.recommended if config == "recommended" else bench.locked
    return dataclasses.replace(chosen.value(), max_tokens=bench.budget)


def repeats_of(bench: Bench, config: str) -> int:
    """Samples a problem; greedy decoding is never repeated."""
    return bench.repeats if config == "recommended" and bench.recommended.temperature > 0 else 1


def stored(bench: Bench, arm: Arm) -> Arm:
    """Whose file holds an arm's samples: two configs that draw alike share one set."""
    recommended, locked = (sampling_of(bench, c) for c in ("recommended", "locked"))
    alike = recommended == locked and repeats_of(bench, "recommended") == 1
    return Arm(arm.model, "locked") if alike else arm


def seed_of(seed: int, prompt_id: str, index: int) -> int:
    """A completion's own seed, the same for base and tuned; 31 bits."""
    digest = hashlib.sha256(f"{seed}/{prompt_id}/{index}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


EngineFor = Callable[..., Engine]
"""``(model, alone=False) -> Engine``, of one elsewhere; ``alone``: nothing decodes beside it."""


def refs_of(job: StageJob) -> dict[str, ModelRef]:
    """Base and tuned."""
    model = job.recipe.model
    base = ModelRef(job.model_path, model.revision, model.dtype)
    adapter = str(artifacts.adapter_path(job.inputs["train"].resolve()))
    return {"base": base, "tuned": dataclasses.replace(base, adapter=adapter)}


class Models:
    """Base and tuned, opened when first asked for, and the tokenizer they share.

    Args:
        job: the stage's.
        elsewhere: makes their engines on a cluster; None: they are loaded here.
    """

    def __init__(self, job: StageJob, elsewhere: EngineFor | None = None) -> None:
        model = job.recipe.model
        self._job = job
        self._elsewhere = elsewhere
        self._refs = refs_of(job)
        base = self._refs["base"]
        self._today = read_template_date(job.inputs["sample"])
        self._open: dict[str, Engine] = {}
        self._made_with: dict[tuple[str, Sampling], str] = {}
        self.tokenizer: Any = load_tokenizer(base)
        self.eos_ids = eos_ids_of(self.tokenizer, base)
        self.tags = Tags(open=model.tags.open, close=model.tags.close) if model.tags else None

    def engine(self, name: str, *, alone: bool = False) -> Engine:
        """The engine of ``base`` or ``tuned``; ``alone``: one process decodes, to be timed."""
        if self._elsewhere:
            return self._elsewhere(name, alone=alone)
        if name not in self._open:
            self._open[name] = engines.open(self._refs[name], self._job.runtime)
        return self._open[name]

    def key(self, name: str, request: Request) -> str:
        """The record key of a completion by ``base`` or ``tuned``."""
        ref, sampling = self._refs[name], request.sampling
        if (name, sampling) not in self._made_with:
            self._made_with[name, sampling] = sampled_with(
                ref.path,
                revision=ref.revision,
                dtype=ref.dtype,
                template=str(self.tokenizer.chat_template),
                sampling=sampling,
                adapter=Path(ref.adapter) if ref.adapter else None,
            )
        made_with = self._made_with[name, sampling]
        return record_key(made_with, request.rendered.text, request.index, request.seed)

    def keys(self, name: str, requests: Iterable[Request]) -> dict[tuple[str, int], str]:
        """Record keys by prompt id and index."""
        return {(r.prompt.id, r.index): self.key(name, r) for r in requests}

    def close(self, name: str) -> None:
        """Let a model's memory go."""
        self._open.pop(name, None)
        gc.collect()

    def render(self, prompt: Prompt, thinking: bool | None) -> Rendered:
        """A prompt as both models see it."""
        return render(
            self.tokenizer, prompt.messages, tags=self.tags, thinking=thinking, today=self._today
        )

    def grammar(self, rendered: Rendered) -> Grammar:
        """What cutting a completion of this prompt takes."""
        decode = functools.partial(self.tokenizer.decode, skip_special_tokens=False)
        return Grammar(rendered.think, rendered.tags, self.eos_ids, decode)


def requests_of(
    bench: Bench, task: TestTask, config: str, rendered: dict[str, Rendered]
) -> list[Request]:
    """Everything that one sample set of a task is to hold."""
    sampling = sampling_of(bench, config)
    return [
        Request(p, rendered[p.id], index, seed_of(bench.seed, p.id, index), sampling)
        for index in range(repeats_of(bench, config))
        for p in task.prompts
    ]


def samples_path(out: Path, task: str, arm: Arm) -> Path:
    """Where a sample set stands."""
    return artifacts.samples_path(out, f"{task}-{arm.model}-{arm.config}")


def sampled(path: Path, keys: Mapping[tuple[str, int], str]) -> list[Completion]:
    """A sample set's completions, each wanted one once, in the file's order; see ``store.merge``.

    Args:
        path: the set's journal.
        keys: prompt id and index to the record key that a row must have.
    """
    return list(merge_completions([path], keys.get).values())


def unjudged(completion: Completion) -> bool:
    """Whether a completion's judge could not say."""
    return completion.verdict is None or completion.verdict.ok is None


@dataclasses.dataclass(frozen=True)
class Sampler:
    """Fills sample sets."""

    job: StageJob
    models: Models
    judge: Judge

    async def fill(self, task: str, arm: Arm, requests: Sequence[Request]) -> None:
        """Decode and grade what a sample set lacks.

        Raises:
            BenchError: some completions ended in errors, again and again.
        """
        path = samples_path(self.job.out, task, arm)
        done = {
            (c.prompt_id, c.index): c for c in sampled(path, self.models.keys(arm.model, requests))
        }
        await self._judge_again(task, arm, requests, done, path)
        todo = [r for r in requests if (r.prompt.id, r.index) not in done]
        for _ in range(TRIES if todo else 0):
            with Journal(path) as journal:
                todo = await self._round(task, arm, todo, len(requests), journal)
            if not todo:
                return
        if todo:
            raise BenchError(
                f"bench: {len(todo)} of {len(requests)} completions of {task} ({arm.model}, {arm.config}) "
                f"failed {TRIES} times in the engine: what is done is kept, run again to resume"
            )

    async def _judge_again(
        self,
        task: str,
        arm: Arm,
        requests: Sequence[Request],
        done: Mapping[tuple[str, int], Completion],
        path: Path,
    ) -> None:
        """Ask once more about what an earlier attempt could not judge; nothing is decoded."""
        again = [
            (r, c) for r in requests if (c := done.get((r.prompt.id, r.index))) and unjudged(c)
        ]
        if not again:
            return
        with Journal(path) as journal:
            for request, completion in again:
                verdict = await grade(self.judge, request.prompt, completion)
                if verdict.ok is not None:
                    journal.append(self._row(task, arm, request, completion, verdict))

    def _row(
        self, task: str, arm: Arm, request: Request, completion: Completion, verdict: Verdict
    ) -> dict[str, Any]:
        judged = dataclasses.replace(completion, verdict=verdict)
        key = self.models.key(arm.model, request)
        return bench_sample_row(BenchSample(judged, key, task, arm.model, arm.config))

    async def _round(
        self, task: str, arm: Arm, todo: Sequence[Request], total: int, journal: Journal
    ) -> list[Request]:
        """Try each request once; returns those that ended in an error."""
        by_key = {(r.prompt.id, r.index): r for r in todo}
        failed: list[Request] = []
        label = f"bench {task} {arm.model} {arm.config}"
        before = total - len(todo)

        async def keep(request: Request, completion: Completion) -> None:
            verdict = await grade(self.judge, request.prompt, completion)
            journal.append(self._row(task, arm, request, completion, verdict))

        engine, models = self.models.engine(arm.model), self.models
        decoding = collect(engine, models.tokenizer, models.eos_ids, todo)
        self.job.progress(label, before, total)
        n = 0
        async with asyncio.TaskGroup() as grading, contextlib.aclosing(decoding):  # pyright: ignore[reportArgumentType]
            async for completion in decoding:
                request = by_key[completion.prompt_id, completion.index]
                if completion.finish == "error":
                    failed.append(request)
                    continue
                n += 1
                grading.create_task(keep(request, completion))
                self.job.progress(label, before + n, total)
        return failed


async def grade(judge: Judge, prompt: Prompt, completion: Completion) -> Verdict:
    """A completion's verdict; null is asked once more, then stays null."""
    if completion.finish != "stop":
        return Verdict.of(False, f"did not finish: {completion.finish}", "structure")
    if not completion.answer.strip():
        return Verdict.of(
            False, "no answer: the thought never closed, or nothing follows it", "structure"
        )
    verdict = await judge(prompt, completion.answer)
    return verdict if verdict.ok is not None else await judge(prompt, completion.answer)
