"""Wall-clock seconds per problem: a closed loop on each model, the models in turn.

A fixed number of requests is in flight; one that ends lets the next in. The models take turns in
blocks (ABBA), so that a machine that slows down slows all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from deimos.engines.collect import Request, collect
from deimos.evaluate import ratios, stats
from deimos.evaluate.arms import Arm
from deimos.evaluate.models import Models
from deimos.evaluate.outcomes import total_tokens
from deimos.evaluate.samples import EvaluationError, ReportProgress
from deimos.models.ref import ModelRef
from deimos.store.journal import Journal
from deimos.store.merge import merge_timing
from deimos.store.schema import Timed, timing_row
from deimos.types import Completion

BLOCKS_OF = 3
"""A block is this many times the concurrency: long beside the drain at its end."""


DecodeAll = Callable[[Sequence[Any]], AsyncIterator[Completion]]
"""Decodes requests in a closed loop on one warm model."""


async def time_models(
    models: Models,
    arms: Mapping[str, Arm],
    requests: Mapping[str, Sequence[tuple[str, Request]]],
    path: Path,
    *,
    concurrency: int,
    label: str,
    progress: ReportProgress,
) -> list[Timed]:
    """Time what is not timed yet; of an interrupted attempt whole blocks are kept.

    A row of another decoding, model or rendering (its record key says) does not count.

    Args:
        models: opened with ``together``.
        arms: those that take turns, by model name; of one decoding.
        requests: by model name, of the same problems in the same order, each of index 0; see
            ``time_in_turns``. A model with tags of its own is asked in its own way.
        path: journal, one row a block.
        concurrency: requests in flight.
        label: what progress calls it.
        progress: called after each block.

    Returns:
        A row for each request on each model.

    Raises:
        EvaluationError: the engine failed on a request.
    """
    own = {name: [request for _, request in requests[name]] for name in arms}
    keys = {name: models.record_keys(arm, own[name]) for name, arm in arms.items()}
    same = next(iter(requests.values()))

    def is_wanted(row: Timed) -> bool:
        # Rows of before keys were noted are of the folder's own config.
        known = keys.get(row.model, {}).get((row.prompt_id, 0))
        return known is not None and row.key in ("", known)

    rows = merge_timing(path, is_wanted)
    count = Counter(row.prompt_id for row in rows)
    left = [each for each in same if count[each[1].prompt.id] < len(arms)]
    if not left:
        return rows
    again = {request.prompt.id for _, request in left}
    first = max((row.block for row in rows), default=-1) + 1
    rows = [row for row in rows if row.prompt_id not in again]
    loops = {n: _closed_loop(models, arm.model, concurrency, own[n]) for n, arm in arms.items()}
    with Journal(path) as journal:
        blocks = time_in_turns(
            loops, left, block=BLOCKS_OF * concurrency, warmup=concurrency, first=first
        )
        async for block in blocks:
            block = [replace(row, key=keys[row.model][row.prompt_id, 0]) for row in block]
            journal.append(timing_row(block))
            rows += block
            progress(label, len(rows), len(same) * len(arms))
    return rows


def _closed_loop(
    models: Models, model: ModelRef, concurrency: int, own: Sequence[Request]
) -> DecodeAll:
    """A model's closed loop; it is given any model's requests and decodes its own of those problems."""
    by_problem = {request.prompt.id: request for request in own}

    def decode(requests: Sequence[Request]) -> AsyncIterator[Completion]:
        engine = models.engine(model, alone=True)
        asked = [by_problem[request.prompt.id] for request in requests]
        return collect(engine, models.tokenizer, models.eos_ids, asked, concurrency=concurrency)

    return decode


async def time_in_turns(
    decoders: Mapping[str, DecodeAll],
    requests: Sequence[tuple[str, Any]],
    *,
    block: int,
    warmup: int,
    first: int = 0,
) -> AsyncIterator[list[Timed]]:
    """Time the same requests on every model, in turn; yields one block's rows when it is done.

    Args:
        decoders: model name to its closed loop.
        requests: task name and request, in fixed order, no prompt twice; each is run once on each
            model.
        block: requests that a model gets before it is the next one's turn.
        warmup: requests that each model runs untimed first.
        first: number of the first block, if earlier ones are already timed.
    """
    for decode in decoders.values():
        async for _ in decode([request for _, request in requests[:warmup]]):
            pass
    for number, start in enumerate(range(0, len(requests), block), first):
        part = requests[start : start + block]
        names = list(decoders)[:: 1 if number % 2 == 0 else -1]
        yield [
            row for name in names for row in await _time_block(number, name, decoders[name], part)
        ]


async def _time_block(
    number: int, model: str, decode: DecodeAll, part: Sequence[tuple[str, Any]]
) -> list[Timed]:
    task_of = {request.prompt.id: task for task, request in part}
    rows = []
    async for c in decode([request for _, request in part]):
        task = task_of[c.prompt_id]
        if c.finish == "error":
            raise EvaluationError(
                f"timing: the engine failed on a problem of {task} ({model}): the blocks before are "
                "kept, run again to resume"
            )
        rows.append(Timed(number, model, task, c.prompt_id, c.seconds, total_tokens(c)))
    return rows


def seconds_reduction_ci(
    rows: Sequence[Timed], tasks: Collection[str]
) -> tuple[stats.Interval | None, int]:
    """Interval of tuned's reduction in seconds over the problems timed on both, and their number.

    None if they are fewer than ``stats.LEAST_FOR_T``.
    """
    seconds: dict[str, dict[str, float]] = {"base": {}, "tuned": {}}
    for row in rows:
        if row.task in tasks and row.model in seconds:
            seconds[row.model][row.prompt_id] = row.seconds
    both = sorted(seconds["base"].keys() & seconds["tuned"].keys())
    sides = ([seconds[model][p] for p in both] for model in ("base", "tuned"))
    return ratios.mean_reduction(*sides).ci, len(both)


def mean_seconds(rows: Sequence[Timed], tasks: Collection[str]) -> dict[str, float]:
    """Mean seconds per problem of each model over the timed problems of some tasks."""
    seconds: dict[str, list[float]] = {}
    for row in rows:
        if row.task in tasks:
            seconds.setdefault(row.model, []).append(row.seconds)
    return {model: float(np.mean(s)) for model, s in seconds.items()}
