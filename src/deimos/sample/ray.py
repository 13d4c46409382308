"""The race on a Ray cluster: an engine per actor, a prompt's whole race on one of them.

The driver reads the prompts' file for where its shards begin, hands shards out, adds up counts, and
holds nothing else: its memory does not grow with the prompts. An actor reads its shard's prompts and
what earlier attempts wrote of them from the sample folder, races them beside its other shards in one
engine, grades in processes of its own, and writes segments that nobody else writes.

Guaranteed: seeds are the candidate's own, so that a seeded engine gives the golds of a run without a
cluster (up to its arithmetic's rounding); what a segment holds is not decoded again, whoever died;
``read_candidates`` merges the segments by the rule of ``store.merge``. Needed: the run
folder, the model and the driver's working folder under the same paths on every node (``cluster_files.py``
says what storage must do), the same packages, the same Ray. Not covered: spreading the dev pass (one
actor does it).
"""

from __future__ import annotations

import asyncio
import functools
import math
import os
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deimos.engines.multiplex import Shared
from deimos.engines.ray.cluster import Pool, connected
from deimos.recipe import Recipe, Sample
from deimos.recipe.runtime import Cluster, Runtime
from deimos.runs.folder import StageJob
from deimos.runs.progress import Progress
from deimos.sample.checkpoints import partial_files
from deimos.sample.shards import (
    Shard,
    ShardFiles,
    count_prompts,
    shard_size,
    shards,
    until_closed,
)
from deimos.sample.stage import (
    Constants,
    GateFor,
    Ground,
    Measure,
    Sampler,
    constants_of,
    made_with_of,
    open_sampler,
    open_tokenizer,
    race_all,
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
from deimos.store.names import DEV, PARTIAL, TRAIN
from deimos.types import Prompt


@dataclass(frozen=True)
class Course:
    """What an actor has to know; everything in it can be pickled."""

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
    function_words: Measure

    def job(self) -> StageJob:
        """The stage's job as an actor sees it: it tells its progress to nobody."""
        silent = Progress(Path(os.devnull).open("w"))  # noqa: SIM115 - open for the actor's life
        inputs = {"prompts": self.prompts}
        return StageJob(self.recipe, self.runtime, self.model_path, inputs, self.out, silent)


@dataclass(frozen=True, slots=True)
class Leg:
    """What an actor is given: a shard to race, or, without one, the dev pass."""

    shard: Shard | None = None
    constants: Constants | None = None

    def __str__(self) -> str:
        if self.shard is None:
            return "the dev pass"
        return f"shard {self.shard.number} ({self.shard.prompts} prompts)"


DEV_PASS = Leg()


def run(
    job: StageJob,
    *,
    open_gates: Callable[[StageJob], AbstractContextManager[GateFor]],
    function_words: Measure,
) -> dict[str, Any]:
    """Sample every prompt's candidates on the cluster; returns counts for the record.

    Args:
        job: needs the folder of ``prompts``; its runtime names a cluster.
        open_gates: opens graders in an actor; see ``Course``.
        function_words: measures the base's dev answers.

    Raises:
        RecipeError: as ``stage.run``, or there is no Ray or no such cluster.
        ClusterError: actors die without getting anywhere.
    """
    cluster = job.runtime.cluster
    assert cluster
    course = Course(
        job.recipe, job.runtime, job.model_path, job.inputs["prompts"].resolve(), job.out.resolve(),
        made_with_of(job, open_tokenizer(job)),
        journal_for(job.out, filters_of(job.recipe.select)).stem,
        open_gates, function_words,
    )  # fmt: skip
    with connected(cluster) as ray:
        return asyncio.run(_drive(ray, cluster, course, job))


async def _drive(ray: Any, cluster: Cluster, course: Course, job: StageJob) -> dict[str, Any]:
    started = time.monotonic()
    remove_keys(course.out)
    path, settings = course.prompts / TRAIN, course.recipe.sample
    prompts = count_prompts(path)
    size = shard_size(prompts)
    at_once = shards_at_once(course.runtime.max_batch, settings, size)
    pool = Pool(ray, cluster, functools.partial(open_racer, course), at_once)
    job.tell["actors_lost"] = lambda: pool.lost
    try:
        [(_, constants)] = [done async for done in pool.results(_each([DEV_PASS]), total=1)]
        total: Counter[str] = Counter()
        legs = (Leg(shard, constants) for shard in shards(path, size))
        async for _, counts in pool.results(_each(legs), total=math.ceil(prompts / size)):
            total.update(counts)
            note = f"{total['passed']} passed, {total['outpaced']} outpaced"
            job.progress("race", total["completions"], prompts * settings.candidates, note)
    finally:
        pool.close()
    for left in partial_files(course.out):  # an attempt's without the cluster, read by every shard
        left.unlink(missing_ok=True)
    seconds = round(time.monotonic() - started, 3)
    return {"prompts": prompts, **total, "seconds": seconds, "actors_lost": pool.lost}


def shards_at_once(max_batch: int, settings: Sample, size: int) -> int:
    """Shards that an actor has at a time: enough to fill its batch, and one more to follow."""
    return 1 + math.ceil(max_batch / (settings.candidates * size))


async def _each(legs: Iterable[Leg]) -> AsyncIterator[Leg]:
    for leg in legs:
        yield leg


def open_racer(course: Course) -> Racer:
    """Load graders and engine; see ``Opener``."""
    job = course.job()
    gates = course.open_gates(job)
    sampler = open_sampler(job)
    return Racer(course, job, replace(sampler, engine=Shared(sampler.engine)), gates)


class Racer:
    """What an actor does: the dev pass, and any number of shards beside one another.

    Args:
        course: what is sampled.
        job: the stage's, here.
        sampler: its engine may be sampled from by many at once.
        gates: kept open for as long as the actor lives.
    """

    def __init__(
        self,
        course: Course,
        job: StageJob,
        sampler: Sampler,
        gates: AbstractContextManager[GateFor],
    ) -> None:
        self._course = course
        self._job = job
        self._sampler = sampler
        self._gates = gates
        self._gate_for = gates.__enter__()
        self._whole: dict[str, dict[tuple[Name, str], Candidate]] | None = None

    async def __call__(self, leg: Leg) -> Any:
        """The constants where there is no shard, else counts of the shard's candidates."""
        course, job = self._course, self._job
        if leg.shard is None or leg.constants is None:
            await until_closed([job.out / DEV])
            return await constants_of(
                job, self._sampler, course.made_with, self._gate_for, course.function_words
            )
        files = ShardFiles(job.out, leg.shard.number)
        await until_closed([*files.completions(), *files.partials()])
        prompts = leg.shard.read(course.prompts / TRAIN)
        ground = Ground(
            filters=course.filters,
            standing=lambda wanted: self._standing(files, prompts, wanted),
            keys=keys_path(job.out, leg.shard.number),
            partials=[job.out / PARTIAL, *files.partials()],
            spent=files.partials(),
            completions=lambda: files.new_completions(course.filters),
            unfinished=files.new_partial,
        )
        counts, _ = await race_all(
            job, self._sampler, prompts, course.made_with, leg.constants, self._gate_for, ground
        )
        return counts

    def _standing(
        self, files: ShardFiles, prompts: Sequence[Prompt], wanted: KeyOf
    ) -> dict[Name, Candidate]:
        """Candidates of earlier attempts at a shard, with a cluster and without."""
        found = merge_by_key(files.completions(), onto=self._whole_of(prompts))
        return last_keys({pair: c for pair, c in found.items() if wanted(pair[0]) == pair[1]})

    def _whole_of(self, prompts: Sequence[Prompt]) -> dict[tuple[Name, str], Candidate]:
        """What a run without a cluster has left of some prompts; read once, and kept."""
        if self._whole is None:
            self._whole = defaultdict(dict)
            whole = merge_by_key(completion_files(self._job.out, segments=False))
            for pair, candidate in whole.items():
                self._whole[candidate.completion.prompt_id][pair] = candidate
        found: dict[tuple[Name, str], Candidate] = {}
        for prompt in prompts:
            found |= self._whole.pop(prompt.id, {})
        return found
