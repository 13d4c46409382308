"""The race on a Ray cluster: an engine per actor, a prompt's whole race on one of them.

The driver finds where the shards of the prompts' file begin, hands shards out and adds up counts; its
memory does not grow with the prompts. An actor reads its shard's prompts and what earlier attempts
wrote of them, races several shards at a time in one engine, grades in processes of its own, and
writes segments that no other actor writes.

Guaranteed: each candidate has a seed of its own, so a seeded engine gives the golds of a run without
a cluster (up to its arithmetic's rounding); what a segment holds is not decoded again, whichever
actor dies. Needed: the run folder, the model and the driver's working folder under the same paths on
every node (``shards`` says what storage must do), the same packages, the same Ray. Not covered:
spreading the dev pass (one actor does it).
"""

from __future__ import annotations

import asyncio
import functools
import math
import os
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deimos.engines.multiplex import Shared
from deimos.engines.ray.cluster import ActorPool, connect
from deimos.recipe import Recipe, Sample
from deimos.recipe.runtime import Cluster, Runtime
from deimos.runs.plan import StageJob
from deimos.runs.progress import ProgressBar
from deimos.sample.checkpoints import partial_files
from deimos.sample.counts import add_counts
from deimos.sample.dev_pass import (
    Constants,
    GateFor,
    MeasureFunctionWords,
    measure_constants,
)
from deimos.sample.model import OpenModel, made_with_of, open_model, open_tokenizer
from deimos.sample.pool import RaceFiles, race_prompts
from deimos.sample.proposers.exemplars import LoadTests, check_examples, freeze_brought
from deimos.sample.shards import (
    Shard,
    ShardFiles,
    count_prompts,
    shard_size,
    split_shards,
    wait_until_closed,
)
from deimos.store.candidates import (
    Candidate,
    completion_files,
    filters_of,
    journal_for,
    merge_by_key,
)
from deimos.store.keys import keys_path, remove_keys
from deimos.store.merge import KeyOf, Name, last_keys
from deimos.store.names import DEV, PARTIAL, STEPS, TRAIN
from deimos.types import Prompt


@dataclass(frozen=True)
class WorkerConfig:
    """What an actor needs to open a model and race shards; everything in it can be pickled."""

    recipe: Recipe
    runtime: Runtime
    model_path: str
    prompts: Path
    """Folder of the prompts stage."""
    out: Path
    """The sample stage's own folder."""
    made_with: str
    filters: str
    """Name of the set of filters that judge now."""
    open_gates: Callable[[StageJob], AbstractContextManager[GateFor]]
    """Starts graders, and makes gates of them; of an importable module."""
    function_words: MeasureFunctionWords

    def job(self) -> StageJob:
        """The stage's job for an actor: as the driver's, but it shows no progress."""
        silent = ProgressBar(Path(os.devnull).open("w"))  # noqa: SIM115 - open for the actor's life
        inputs = {"prompts": self.prompts}
        return StageJob(self.recipe, self.runtime, self.model_path, inputs, self.out, silent)


@dataclass(frozen=True, slots=True)
class ShardTask:
    """One request to an actor: a shard to race, or, without one, the dev pass."""

    shard: Shard | None = None
    constants: Constants | None = None

    def __str__(self) -> str:
        if self.shard is None:
            return "the dev pass"
        return f"shard {self.shard.number} ({self.shard.prompts} prompts)"


DEV_PASS = ShardTask()


def run(
    job: StageJob,
    *,
    open_gates: Callable[[StageJob], AbstractContextManager[GateFor]],
    function_words: MeasureFunctionWords,
    load_tests: LoadTests = tuple,
) -> dict[str, Any]:
    """Sample every prompt's candidates on the cluster; returns counts for the record.

    Args:
        job: needs the folder of ``prompts``; its runtime names a cluster.
        open_gates: opens graders in an actor; see ``WorkerConfig``.
        function_words: measures the base's dev answers.
        load_tests: as in ``stage.run``.

    Raises:
        RecipeError: as ``stage.run``, there is no Ray or no such cluster, or examples of few_shot are
            to be the run's own.
        ClusterError: actors die again and again without finishing anything.
    """
    cluster, recipe = job.runtime.cluster, job.recipe
    assert cluster
    check_examples(recipe.sample, on_cluster=True)
    shown = freeze_brought(job.out, recipe.sample, recipe.prompts.decontaminate, load_tests)
    config = WorkerConfig(
        job.recipe, job.runtime, job.model_path, job.inputs["prompts"].resolve(), job.out.resolve(),
        made_with_of(job, open_tokenizer(job)),
        journal_for(job.out, filters_of(job.recipe.select)).stem,
        open_gates, function_words,
    )  # fmt: skip
    with connect(cluster) as ray:
        return {**asyncio.run(_drive(ray, cluster, config, job)), **shown}


async def _drive(ray: Any, cluster: Cluster, config: WorkerConfig, job: StageJob) -> dict[str, Any]:
    started = time.monotonic()
    remove_keys(config.out)
    path, settings = config.prompts / TRAIN, config.recipe.sample
    prompts = count_prompts(path)
    size = shard_size(prompts)
    at_once = shards_at_once(config.runtime.max_batch, settings, size)
    pool = ActorPool(ray, cluster, functools.partial(open_worker, config), at_once)
    job.diagnostics["actors_lost"] = lambda: pool.lost
    try:
        [(_, constants)] = [done async for done in pool.results(_each([DEV_PASS]), total=1)]
        total: dict[str, Any] = {}
        tasks = (ShardTask(shard, constants) for shard in split_shards(path, size))
        async for _, counts in pool.results(_each(tasks), total=math.ceil(prompts / size)):
            add_counts(total, counts)
            note = f"{total['passed']} passed, {total['outpaced']} outpaced"
            job.progress("race", total["completions"], prompts * settings.candidates, note)
    finally:
        pool.close()
    for left in partial_files(config.out):  # of an attempt without a cluster; every shard read it
        left.unlink(missing_ok=True)
    seconds = round(time.monotonic() - started, 3)
    return {"prompts": prompts, **total, "seconds": seconds, "actors_lost": pool.lost}


def shards_at_once(max_batch: int, settings: Sample, size: int) -> int:
    """Shards that an actor has at a time: enough to fill its batch, and one more to follow."""
    return 1 + math.ceil(max_batch / (settings.candidates * size))


async def _each(tasks: Iterable[ShardTask]) -> AsyncIterator[ShardTask]:
    for task in tasks:
        yield task


def open_worker(config: WorkerConfig) -> RaceWorker:
    """Load graders and engine; see ``Opener``."""
    job = config.job()
    gates = config.open_gates(job)
    model = open_model(job)
    return RaceWorker(config, job, replace(model, engine=Shared(model.engine)), gates)


class RaceWorker:
    """What an actor runs: the dev pass, and any number of shards at a time.

    Args:
        config: what is sampled.
        job: the stage's, as it is for this actor.
        model: its engine takes several callers at a time.
        gates: kept open for as long as the actor lives.
    """

    def __init__(
        self,
        config: WorkerConfig,
        job: StageJob,
        model: OpenModel,
        gates: AbstractContextManager[GateFor],
    ) -> None:
        self._config = config
        self._job = job
        self._model = model
        self._gates = gates
        self._gate_for = gates.__enter__()
        self._plain: dict[str, dict[tuple[Name, str], Candidate]] | None = None

    async def __call__(self, task: ShardTask) -> Any:
        """Counts of the shard's candidates; of a task without a shard the constants."""
        config, job = self._config, self._job
        if task.shard is None or task.constants is None:
            await wait_until_closed([job.out / DEV])
            return await measure_constants(
                job, self._model, config.made_with, self._gate_for, config.function_words
            )
        files = ShardFiles(job.out, task.shard.number)
        await wait_until_closed([*files.completions(), *files.partials()])
        prompts = task.shard.read(config.prompts / TRAIN)
        plain = self._read_plain(prompts)
        race_files = RaceFiles(
            filters=config.filters,
            read_earlier=lambda wanted: _read_earlier(files, plain, wanted),
            keys=keys_path(job.out, task.shard.number),
            partials=[job.out / PARTIAL, *files.partials()],
            finished_partials=files.partials(),
            open_completions=lambda: files.new_completions(config.filters),
            open_partial=files.new_partial,
            steps=[job.out / STEPS, *files.steps()],
            open_steps=files.new_steps,
        )
        counts, _ = await race_prompts(
            job, self._model, prompts, config.made_with, task.constants, self._gate_for, race_files
        )
        return counts

    def _read_plain(self, prompts: Sequence[Prompt]) -> dict[tuple[Name, str], Candidate]:
        """Candidates of some prompts that an attempt without a cluster wrote; its files are read once."""
        if self._plain is None:
            self._plain = defaultdict(dict)
            plain = merge_by_key(completion_files(self._job.out, segments=False))
            for pair, candidate in plain.items():
                self._plain[candidate.completion.prompt_id][pair] = candidate
        found: dict[tuple[Name, str], Candidate] = {}
        for prompt in prompts:
            found |= self._plain.pop(prompt.id, {})
        return found


def _read_earlier(
    files: ShardFiles, plain: Mapping[tuple[Name, str], Candidate], wanted: KeyOf
) -> dict[Name, Candidate]:
    """Candidates of a shard that have been written down, with a cluster and without."""
    found = merge_by_key(files.completions(), onto=plain)
    return last_keys({pair: c for pair, c in found.items() if wanted(pair[0]) == pair[1]})
