"""Which jobs decode when: the waiting jobs and running rows of one ``sample`` call.

A turn admits waiting jobs, takes out rows that were stopped or are over their cap, and decodes one
token of every row. When memory runs out, all rows leave the batch and continue later from their ids,
half as many at a time. Knows the model only through ``Decoder``; not covered: priorities of jobs.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch

from deimos.engines.base import Done, Event, Job, Key, lower_cap
from deimos.engines.local.batch import Batch, Waiting
from deimos.engines.local.cache import BlockCache, Prefix
from deimos.engines.local.sampler import TokenSampler

KEPT_PREFIX_TOKENS = 8192
"""Tokens of recently used prompts that are kept for candidates still to come."""
WAVE = 16
"""New jobs are asked for once one in this many places is free: a wave shares its prefill."""


class Decoder(Protocol):
    """What a scheduler needs of the engine."""

    max_batch: int
    block_rows: int
    checkpoint_seconds: float
    eos_ids: frozenset[int]
    context: int | None

    def new_batch(self) -> Batch:
        """Empty bookkeeping."""
        ...

    def new_cache(self) -> BlockCache:
        """An empty cache."""
        ...

    def new_sampler(self, batch: Batch) -> TokenSampler:
        """A sampler for the rows as they stand."""
        ...

    def prefill(
        self, sequences: Sequence[tuple[int, ...]], known: Mapping[tuple[int, ...], Prefix]
    ) -> list[Prefix]:
        """Run all but the last token of each sequence; ``known`` have been run already."""
        ...

    def step(self, batch: Batch, cache: BlockCache, sampler: TokenSampler) -> np.ndarray:
        """The next token of every row."""
        ...

    def tidy(self, batch: Batch, cache: BlockCache) -> None:
        """Merge blocks that have grown alike."""
        ...


class Scheduler:
    """One ``sample`` call: what waits, what runs, and its turns."""

    def __init__(self, engine: Decoder) -> None:
        self._engine = engine
        self._waiting: deque[Waiting] = deque()
        self._batch = engine.new_batch()
        self._cache = engine.new_cache()
        self._sampler: TokenSampler | None = None
        self._places = engine.max_batch
        """Rows at a time; fewer than asked for once memory ran out."""
        self._prefixes: OrderedDict[tuple[int, ...], Prefix] = OrderedDict()
        self._room = asyncio.Event()
        self._arrived = asyncio.Event()
        self._dirty = False
        """Whether a stop or cap has come since the last turn."""
        self._events: list[Event] = []
        """What has happened and is not handed on yet."""
        self._checkpoint = time.monotonic()

    @property
    def idle(self) -> bool:
        """Nothing runs, waits or is left to be handed on."""
        return not (self._batch.slots or self._waiting or self._events)

    async def feed(self, jobs: AsyncIterator[Job]) -> None:
        """Pull jobs while there are places for them, until there are no more."""
        source = aiter(jobs)
        while True:
            await self._room.wait()
            try:
                job = await anext(source)
            except StopAsyncIteration:
                return
            self._waiting.append(Waiting(job))
            self._arrived.set()
            if len(self._batch) + len(self._waiting) >= self._places:
                self._room.clear()

    async def arrival(self, feeder: asyncio.Task[None]) -> None:
        """Wait for a job, or for the end of jobs."""
        self._arrived.clear()
        self._room.set()
        waiter = asyncio.create_task(self._arrived.wait())
        await asyncio.wait({waiter, feeder}, return_when=asyncio.FIRST_COMPLETED)
        waiter.cancel()

    def stop(self, key: Key) -> None:
        """Mark a row as stopped, or end a job that is still waiting."""
        for entry in [w for w in self._waiting if w.job.key == key]:
            self._waiting.remove(entry)
            self._end(entry, "stopped")
            self._arrived.set()
        for slot in self._batch.slots:
            if slot.job.key == key:
                slot.stopped = self._dirty = True

    def cap(self, key: Key, think_tokens: int) -> None:
        """Lower a think cap."""
        for entry in self._waiting:
            if entry.job.key == key:
                entry.job = replace(
                    entry.job, think_cap=lower_cap(entry.job.think_cap, think_tokens)
                )
        for slot in self._batch.slots:
            if slot.job.key == key:
                slot.cap = lower_cap(slot.cap, think_tokens)
                self._dirty = True

    @torch.inference_mode()
    def turn(self) -> list[Event]:
        """Admit jobs, apply stops and caps, decode one token of every row; returns the events."""
        try:
            self._admit()
            if self._dirty:
                self._dirty = False
                self._remove(self._batch.settled())
            if self._batch.slots:
                self._step()
        except (torch.OutOfMemoryError, MemoryError) as e:
            self._shed(e)
        except RuntimeError as e:
            if "can't allocate memory" not in str(e):  # how the CPU allocator says it
                raise
            self._shed(e)
        self._make_room()
        if time.monotonic() - self._checkpoint >= self._engine.checkpoint_seconds:
            self._events += self._batch.checkpoint()
            self._checkpoint = time.monotonic()
        events, self._events = self._events, []
        return events

    def _step(self) -> None:
        engine, batch = self._engine, self._batch
        if self._sampler is None:
            self._sampler = engine.new_sampler(batch)
        tokens = engine.step(batch, self._cache, self._sampler)
        events, ends = batch.push(tokens)
        self._events += events
        self._remove(ends)

    def _remove(self, ends: dict[int, str]) -> None:
        if not ends:
            return
        now = time.perf_counter()
        done = [self._batch.done(row, finish, now) for row, finish in ends.items()]
        self._batch.keep(self._cache.keep(list(ends)))
        self._events += done
        self._engine.tidy(self._batch, self._cache)
        self._sampler = None

    def _make_room(self) -> None:
        """Ask for jobs once enough places are free that a wave of them is worth its prefill."""
        free = self._places - len(self._batch) - len(self._waiting)
        if free >= max(1, self._places // WAVE):
            self._room.set()

    def _admit(self) -> None:
        entries: list[Waiting] = []
        while self._waiting and len(self._batch) + len(entries) < self._places:
            entry = self._waiting.popleft()
            finish = _finished_before(entry.job, self._engine.eos_ids, self._engine.context)
            if finish:
                self._end(entry, finish)
            elif unfit := _unfit(entry.job, self._engine.context):
                self._end(entry, "error", unfit)
            else:
                entries.append(entry)
        if not entries:
            return
        now, rows = time.perf_counter(), len(self._batch)
        try:
            self._place(entries, now)
        except BaseException:
            # Whatever blocks of this wave the cache has by now, what has no row in the batch waits.
            if len(self._batch) == rows:
                self._waiting.extendleft(reversed(entries))
            raise
        self._sampler = None
        self._engine.tidy(self._batch, self._cache)

    def _place(self, entries: Sequence[Waiting], now: float) -> None:
        """Make jobs rows: ids into the batch, their prompts' prefixes into the cache."""
        entries = sorted(entries, key=lambda w: -len(w.job.prompt_ids) - len(w.job.done_ids))
        sequences = [w.job.prompt_ids + w.job.done_ids for w in entries]
        prefixes = self._prefixes_of(list(dict.fromkeys(sequences)))
        for start in range(0, len(entries), self._engine.block_rows):
            self._cache.add([prefixes[s] for s in sequences[start:][: self._engine.block_rows]])
        self._batch.add(entries, now)
        # A job may come back with a thought that is already longer than its cap.
        self._dirty = self._dirty or any(w.job.done_ids for w in entries)
        for entry in entries:
            if not entry.job.done_ids and self._places > 1:
                self._prefixes[entry.job.prompt_ids] = prefixes[entry.job.prompt_ids]
                self._prefixes.move_to_end(entry.job.prompt_ids)
        while sum(p.tokens for p in self._prefixes.values()) > KEPT_PREFIX_TOKENS:
            self._prefixes.popitem(last=False)

    def _prefixes_of(self, sequences: list[tuple[int, ...]]) -> dict[tuple[int, ...], Prefix]:
        new = [s for s in sequences if s not in self._prefixes]
        made = dict(zip(new, self._engine.prefill(new, self._prefixes), strict=True))
        return {s: made[s] if s in made else self._prefixes[s] for s in sequences}

    def _shed(self, error: BaseException) -> None:
        """Out of memory: all rows leave the batch; half as many at a time continue from their ids.

        A single sequence ends in an error only if nothing else was in memory beside it.
        """
        batch, alone = self._batch, not self._prefixes
        rows = [
            Waiting(replace(s.job, done_ids=batch.completion(i), think_cap=s.cap), s.started)
            for i, s in enumerate(batch.slots)
        ]
        stopped = {s.job.key for s in batch.slots if s.stopped}
        self._prefixes.clear()
        self._batch, self._cache = self._engine.new_batch(), self._engine.new_cache()
        self._sampler = None
        self._waiting.extendleft(reversed(rows))
        running = min(self._places, len(self._waiting))
        if running == 1 and alone:
            sentence = f"out of memory with one sequence: {str(error).splitlines()[0]}"
            self._end(self._waiting.popleft(), "error", sentence)
        self._places = max(1, running // 2)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        for key in stopped:
            self.stop(key)

    def _end(self, entry: Waiting, finish: str, error: str = "") -> None:
        started = time.perf_counter() if entry.started is None else entry.started
        seconds = time.perf_counter() - started
        ids = entry.job.done_ids
        self._events.append(Done(entry.job.key, ids, finish, seconds, error))  # pyright: ignore[reportArgumentType]


def _finished_before(job: Job, eos_ids: Collection[int], context: int | None) -> str:
    """How a resumed job had already ended; empty if it can continue."""
    done = len(job.done_ids)
    if done and job.done_ids[-1] in eos_ids:
        return "stop"
    full = done > 0 and context is not None and len(job.prompt_ids) + done >= context
    return "length" if full or done >= job.sampling.max_tokens else ""


def _unfit(job: Job, context: int | None) -> str:
    """Why a job cannot be decoded at all; empty if it can."""
    length = len(job.prompt_ids)
    if not length:
        return "the prompt has no tokens"
    if context is not None and length >= context:
        return (
            f"the prompt has {length:,} tokens, and the model's context is {context:,}, prompt and "
            "completion together"
        )
    return ""
