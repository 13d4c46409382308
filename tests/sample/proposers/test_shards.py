"""Proposers on a cluster's shards: several engines keep what one process keeps."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.sample.proposers.mixed import MIXED, MixedWorld, judge

from deimos.engines.multiplex import Shared
from deimos.recipe import RecipeError
from deimos.recipe.runtime import Cluster
from deimos.runs.plan import StageJob
from deimos.sample import ray
from deimos.sample.counts import add_counts
from deimos.sample.model import made_with_of
from deimos.sample.shards import split_shards
from deimos.select.filters import gate_for
from deimos.store.candidates import filters_of, journal_for
from deimos.thinking import Tags

ALL_BUT_OWN = [proposer for proposer in MIXED if proposer["kind"] != "few_shot"]


def world_of(folder: Path, tokenizer: Any) -> MixedWorld:
    return MixedWorld(folder, tokenizer, 4, prompts=4, proposers=list(ALL_BUT_OWN))


@contextlib.contextmanager
def open_gates(job: StageJob) -> Iterator[Any]:
    yield gate_for(job.recipe.select, Tags(), judge)


def worker_of(world: MixedWorld, job: StageJob) -> ray.RaceWorker:
    config = ray.WorkerConfig(
        job.recipe, job.runtime, job.model_path, job.inputs["prompts"], job.out,
        made_with_of(job, world.tokenizer),
        journal_for(job.out, filters_of(job.recipe.select)).stem,
        open_gates, lambda answer, kind: None,
    )  # fmt: skip
    model = world.model()
    shared = replace(model, engine=Shared(model.engine))
    return ray.RaceWorker(config, job, shared, open_gates(job))


async def race_shards(world: MixedWorld, job: StageJob) -> dict[str, Any]:
    """Each shard to one of two actors, all at once; the counts added up as the driver does."""
    workers = [worker_of(world, job) for _ in range(2)]
    constants = await workers[0](ray.DEV_PASS)
    shards = split_shards(job.inputs["prompts"] / "train.jsonl", 1)
    tasks = [ray.ShardTask(shard, constants) for shard in shards]
    total: dict[str, Any] = {}
    for counts in await asyncio.gather(*(workers[i % 2](task) for i, task in enumerate(tasks))):
        add_counts(total, counts)
    return total


def kept(world: MixedWorld) -> dict[str, Any]:
    return {name: (g["index"], g["completion_ids"]) for name, g in world.golds().items()}


def test_shards_keep_what_one_process_keeps(tokenizer: Any, tmp_path: Path) -> None:
    alone = world_of(tmp_path / "alone", tokenizer)
    before = alone.sample()
    alone.select()
    world = world_of(tmp_path / "shards", tokenizer)
    job = world.job("sample")
    counts = asyncio.run(race_shards(world, job))
    world.select()
    assert kept(world) == kept(alone)
    assert len(kept(world)) == 4
    assert counts["completions"] == before["completions"]
    for name, row in counts["proposers"].items():
        assert row["candidates"] == before["proposers"][name]["candidates"]
    files = [*(tmp_path / "shards" / "sample" / "steps").glob("*.jsonl")]
    assert files
    decoded = world.tokens
    asyncio.run(race_shards(world, job))
    assert world.tokens == decoded, "the steps of earlier attempts are found"


def test_own_examples_are_refused_on_a_cluster(tokenizer: Any, tmp_path: Path) -> None:
    world = MixedWorld(tmp_path, tokenizer)
    job = world.job("sample")
    on_ray = replace(job, runtime=job.runtime.model_copy(update={"cluster": Cluster()}))
    with pytest.raises(
        RecipeError, match=r"'few_shot': exemplars: own are the golds of all prompts"
    ):
        ray.run(on_ray, open_gates=open_gates, function_words=lambda answer, kind: None)
