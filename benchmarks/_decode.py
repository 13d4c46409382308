"""Prompts decoded by a named engine, as a process that another Python can run.

Not a benchmark: `engines.py`, `vllm_overhead.py` and the real tests of engines start it with the
Python of an engine's environment. Reads one JSON request from standard input, writes one JSON answer
as the last line of standard output.

Request: engine (a spec), model, dtype, adapter, runtime ({device, max_batch, engine_options …}),
source ({name, take, seed, options}), thinking, tags (whether there are any), n, sampling, seed, think_cap, stop_after (ends until
all others are stopped). Answer: name, capabilities, seconds (of decoding), facts, rows ({prompt_id,
index, prompt_ids, ids, finish, error, think_tokens}), progress (how many closed thoughts were told).
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


def main() -> None:
    request = json.loads(sys.stdin.read())
    ref = ModelRef(
        request["model"], dtype=request.get("dtype", "float32"), adapter=request.get("adapter")
    )
    runtime = Runtime.model_validate({"engine": request["engine"], **request.get("runtime", {})})
    jobs = jobs_of(request, load_tokenizer(ref))
    with opened(ref, runtime) as engine:
        ends, told, seconds = asyncio.run(decode(engine, jobs, request.get("stop_after")))
    answer = {
        "name": engine.name,
        "capabilities": dataclasses.asdict(engine.capabilities),
        "seconds": seconds,
        "facts": getattr(engine, "facts", dict)(),
        "rows": rows_of(ends, jobs),
        "progress": len({event.key for event in told if event.think_closed}),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
