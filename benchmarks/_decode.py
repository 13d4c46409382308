"""Prompts decoded by a named engine, as a process that another Python can run.

Not a benchmark: `engines.py`, `vllm_overhead.py` and the real tests of engines start it with the
Python of an engine's environment. Reads JSON requests from standard input, one a line, and writes as
many JSON answers as the last lines of standard output. The engine is opened once, as the first request
has it: engine, model, dtype, adapter and runtime of the others are not read.

Request: engine (a spec), model, dtype, adapter, runtime ({device, max_batch, engine_options …}),
source ({name, take, seed, options}), thinking, tags (whether there are any), n, sampling, seed,
think_cap, stop_after (ends until all others are stopped). Answer: name, capabilities, seconds (of
decoding), facts (of the engine since it was opened), rows ({prompt_id, index, prompt_ids, ids, finish,
error, think_tokens}), progress (how many closed thoughts were told).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import json
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from deimos import engines
from deimos.engines.base import Done, Engine, Job, Key, Progress
from deimos.engines.ray.cluster import ActorPool, connect
from deimos.engines.ray.engine import ClusterEngine
from deimos.evaluate.ray import open_engines
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef
from deimos.recipe.runtime import Runtime
from deimos.registry import resolve
from deimos.thinking import Tags, ThinkCounter, render
from deimos.types import Sampling


def jobs_of(request: Mapping[str, Any], tokenizer: Any) -> list[Job]:
    """The request's candidates, prompt by prompt."""
    source = request["source"]
    prompts = resolve("source", source["name"])(
        take=source["take"], seed=source.get("seed", 0), **source.get("options", {})
    )
    sampling = Sampling(**request["sampling"])
    tags = Tags() if request.get("tags", True) else None
    jobs = []
    for prompt in prompts:
        rendered = render(tokenizer, prompt.messages, tags=tags, thinking=request.get("thinking"))
        jobs += [
            Job(
                Key(prompt.id, index), rendered.ids, sampling, request.get("seed", 0) + index,
                rendered.think, think_cap=request.get("think_cap"),
            )
            for index in range(request.get("n", 1))
        ]  # fmt: skip
    return jobs


@contextlib.contextmanager
def opened(ref: ModelRef, runtime: Runtime) -> Iterator[Engine]:
    """The engine that the runtime names; on the cluster, as the benchmark opens it, if it names one."""
    if runtime.cluster is None:
        yield engines.open(ref, runtime)
        return
    opener = functools.partial(open_engines, {"model": ref}, runtime, False)
    with connect(runtime.cluster) as ray:
        pool = ActorPool(ray, runtime.cluster, opener, runtime.max_batch)
        try:
            yield ClusterEngine(pool, "model")
        finally:
            pool.close()


async def decode(
    engine: Engine, jobs: list[Job], stop_after: int | None
) -> tuple[list[Done], list[Progress], float]:
    """Every job's end, what was told on the way, and the seconds that it took."""
    ends: list[Done] = []
    told: list[Progress] = []

    async def feed() -> AsyncIterator[Job]:
        for job in jobs:
            yield job

    started = time.perf_counter()
    async for event in engine.sample(feed()):
        if isinstance(event, Progress):
            told.append(event)
        elif isinstance(event, Done):
            ends.append(event)
            if len(ends) == stop_after:
                for job in jobs:
                    engine.stop(job.key)
    return ends, told, time.perf_counter() - started


def rows_of(ends: list[Done], jobs: list[Job]) -> list[dict[str, Any]]:
    """Ends as JSON, in the jobs' order."""
    found = {end.key: end for end in ends}
    rows = []
    for job in jobs:
        end = found[job.key]
        rows.append(
            {
                "prompt_id": job.key.prompt_id, "index": job.key.index,
                "prompt_ids": list(job.prompt_ids), "ids": list(end.completion_ids),
                "finish": end.finish, "error": end.error,
                "think_tokens": ThinkCounter(job.think, end.completion_ids).think_tokens,
            }
        )  # fmt: skip
    return rows


async def answer_all(
    engine: Engine, requests: list[dict[str, Any]], tokenizer: Any
) -> list[dict[str, Any]]:
    """The answers to all requests, one request after another."""
    answers = []
    for request in requests:
        jobs = jobs_of(request, tokenizer)
        ends, told, seconds = await decode(engine, jobs, request.get("stop_after"))
        answers.append(
            {
                "name": engine.name,
                "capabilities": dataclasses.asdict(engine.capabilities),
                "seconds": seconds,
                "facts": getattr(engine, "facts", dict)(),
                "rows": rows_of(ends, jobs),
                "progress": len({event.key for event in told if event.think_closed}),
            }
        )
    return answers


def main() -> None:
    requests = [json.loads(line) for line in sys.stdin if line.strip()]
    first = requests[0]
    ref = ModelRef(
        first["model"], dtype=first.get("dtype", "float32"), adapter=first.get("adapter")
    )
    runtime = Runtime.model_validate({"engine": first["engine"], **first.get("runtime", {})})
    with opened(ref, runtime) as engine:
        answers = asyncio.run(answer_all(engine, requests, load_tokenizer(ref)))
    for answer in answers:
        print(json.dumps(answer))


if __name__ == "__main__":
    main()
