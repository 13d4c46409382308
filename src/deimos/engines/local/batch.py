"""The bookkeeping of a running batch: which job is in which row, and which rows need attention.

Counters are arrays over rows; Python looks at a single row only when something happened to it
(an end-of-turn token, a full budget, a tag token, a think cap within reach). No model in here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from deimos.engines.base import Done, Event, Job, Progress, Token
from deimos.engines.local.noise import make_stream_key
from deimos.engines.local.sampler import FIELDS, make_parameter_row
from deimos.thinking import Shape, ThinkCounter, ThinkIds

NEVER = np.iinfo(np.int64).max
TAG_SLACK = 16
"""Tokens that a ThinkCounter may hold back because they could still become a tag, generously."""


@dataclass
class Waiting:
    """A job that is not in the batch."""

    job: Job
    started: float | None = None
    """When it was first admitted, if memory ran out and it was taken out of the batch again."""


@dataclass
class Slot:
    """One row's candidate."""

    job: Job
    started: float
    cap: int | None
    counter: ThinkCounter
    fed: int = 0
    """Completion tokens that the counter has seen."""
    closed: bool = False
    """Whether an event has said that the thought has closed."""
    stopped: bool = field(default=False)


class Batch:
    """Rows of ids and counters; all arrays have one entry a row."""

    def __init__(
        self, eos_ids: Collection[int], vocabulary: int, context: int | None = None
    ) -> None:
        """Know which ids end a turn, out of ``vocabulary`` columns of logits.

        ``context`` is how many tokens a row may hold, its prompt included; None: as many as asked for.
        """
        self._context = NEVER if context is None else context
        size = max(vocabulary, *(i + 1 for i in eos_ids)) if eos_ids else vocabulary
        self._eos = np.zeros(size, dtype=bool)
        self._eos[list(eos_ids)] = True
        self._tag = np.zeros(size, dtype=bool)
        self._tags_of: set[tuple[int, ...]] = set()
        self.slots: list[Slot] = []
        self.ids = np.zeros((0, 0), dtype=np.int64)
        """Prompt and completion, left-aligned; the last one is not in the cache yet."""
        self.lengths = np.zeros(0, dtype=np.int64)
        """Tokens in the cache: all of a row's ids but the last."""
        self.prompts = np.zeros(0, dtype=np.int64)
        self.limits = np.zeros(0, dtype=np.int64)
        """Ids of prompt and full budget, at most the context's."""
        self.watch = np.zeros(0, dtype=np.int64)
        """Number of ids from which the think cap has to be looked at."""
        self.keys = np.zeros(0, dtype=np.uint64)
        self._streaming: list[int] = []
        """Rows whose tokens are sent one by one."""
        self.parameters = np.zeros((0, len(FIELDS)))

    def __len__(self) -> int:
        return len(self.slots)

    def last_ids(self) -> npt.NDArray[np.int64]:
        """The ids to be run through the model next, [rows]."""
        return self.ids[np.arange(len(self)), self.lengths]

    def positions(self) -> npt.NDArray[np.int64]:
        """Which completion token each row draws next, from 0, [rows]."""
        return self.lengths + 1 - self.prompts

    def history(self) -> npt.NDArray[np.int64]:
        """All ids up to the longest row's last, [rows, longest]."""
        return self.ids[:, : int(self.lengths.max()) + 1]

    def add(self, waiting: Sequence[Waiting], now: float) -> None:
        """Append a row a job, in order; if memory runs out on the way, there is no new row."""
        jobs, rows = [w.job for w in waiting], [w.job.prompt_ids + w.job.done_ids for w in waiting]
        first = len(self)
        longest = max(len(ids) for ids in rows)
        grown = np.zeros((first + len(rows), max(self.ids.shape[1], longest + 1)), dtype=np.int64)
        grown[:first, : self.ids.shape[1]] = self.ids
        for at, ids in enumerate(rows, start=first):
            grown[at, : len(ids)] = ids
        prompts = np.array([len(j.prompt_ids) for j in jobs], dtype=np.int64)
        budgets = np.array([j.sampling.max_tokens for j in jobs], dtype=np.int64)
        joined = {
            "prompts": prompts,
            "lengths": np.array([len(ids) - 1 for ids in rows], dtype=np.int64),
            "limits": np.minimum(prompts + budgets, self._context),
            "keys": np.array([_stream(j) for j in jobs], np.uint64),
            "parameters": np.vstack([make_parameter_row(j.sampling) for j in jobs]),
            "watch": np.full(len(jobs), NEVER),
        }
        joined = {name: np.concatenate([getattr(self, name), new]) for name, new in joined.items()}
        slots = [*self.slots, *(_slot(entry, now) for entry in waiting)]
        self.ids = grown
        for name, values in joined.items():
            setattr(self, name, values)
        self.slots = slots  # last: a row is there once its slot is
        for row in range(first, len(slots)):
            self._learn_tags(slots[row].job.think)
            self._count(row)
            slots[row].closed = slots[row].counter.closed
        self._find_streaming()

    def keep(self, order: Sequence[int]) -> None:
        """Keep the rows of ``order``, in that order."""
        at = np.array(order, dtype=np.int64)
        self.slots = [self.slots[i] for i in order]
        for name in ("ids", "lengths", "prompts", "limits", "watch", "keys", "parameters"):
            setattr(self, name, getattr(self, name)[at])
        self._find_streaming()

    def push(self, tokens: npt.NDArray[np.int64]) -> tuple[list[Event], dict[int, str]]:
        """Append one token a row; returns the events so far, and which rows ended, and how."""
        if int(self.lengths.max()) + 1 >= self.ids.shape[1]:
            wider = np.zeros((len(self), self.ids.shape[1] * 5 // 4 + 64), dtype=np.int64)
            wider[:, : self.ids.shape[1]] = self.ids
            self.ids = wider
        self.lengths += 1  # behind what may run out of memory: without its token no row is longer
        self.ids[np.arange(len(self)), self.lengths] = tokens
        counts = self.lengths + 1
        ended = self._eos[tokens]
        due = ended | (counts >= self.limits) | (counts >= self.watch) | self._tag[tokens]
        events: list[Event] = [
            Token(self.slots[row].job.key, (int(tokens[row]),)) for row in self._streaming
        ]
        ends: dict[int, str] = {}
        for row in np.flatnonzero(due).tolist():
            if ended[row]:
                ends[row] = "stop"
                continue
            over = self._count(row)
            if counts[row] >= self.limits[row]:
                ends[row] = "length"
            elif over:
                ends[row] = "stopped"
            slot = self.slots[row]
            if slot.counter.closed and not slot.closed:
                slot.closed = True
                tokens_so_far = int(counts[row] - self.prompts[row])
                events.append(Progress(slot.job.key, tokens_so_far, think_closed=True))
        return events, ends

    def settled(self) -> dict[int, str]:
        """Rows that end without another token: stopped, or already beyond a cap."""
        return {
            row: "stopped"
            for row, slot in enumerate(self.slots)
            if slot.stopped or (slot.cap is not None and self._count(row))
        }

    def completion(self, row: int) -> tuple[int, ...]:
        """The row's completion ids so far."""
        return tuple(self.ids[row, self.prompts[row] : self.lengths[row] + 1].tolist())

    def checkpoint(self) -> list[Progress]:
        """Every row's ids so far, for a caller that is interrupted and continues from them."""
        events = []
        for row, slot in enumerate(self.slots):
            ids = self.completion(row)
            events.append(Progress(slot.job.key, len(ids), slot.closed, completion_ids=ids))
        return events

    def done(self, row: int, finish: str, now: float, error: str = "") -> Done:
        """The event of a row's end."""
        slot = self.slots[row]
        return Done(slot.job.key, self.completion(row), finish, now - slot.started, error)  # pyright: ignore[reportArgumentType]

    def _count(self, row: int) -> bool:
        """Bring a row's counter up to date; returns whether its thought is longer than its cap."""
        slot = self.slots[row]
        start, count = int(self.prompts[row]), int(self.lengths[row]) + 1
        for token in self.ids[row, start + slot.fed : count].tolist():
            slot.counter.push(token)
        slot.fed = count - start
        think = slot.counter.think_tokens
        if slot.cap is None or (slot.counter.closed and think <= slot.cap):
            self.watch[row] = NEVER
            return False
        # A thought grows by at most one a token, plus what the counter holds back.
        self.watch[row] = count + max(1, slot.cap + 1 - think - TAG_SLACK)
        return think > slot.cap

    def _find_streaming(self) -> None:
        self._streaming = [row for row, slot in enumerate(self.slots) if slot.job.stream]

    def _learn_tags(self, think: ThinkIds) -> None:
        """Remember which tokens can complete a closing tag."""
        if think.shape in (Shape.SHUT, Shape.PLAIN) or think.close_ids in self._tags_of:
            return
        self._tags_of.add(think.close_ids)
        last = think.close_ids[-1]
        end = think.pieces.get(last, "").rstrip()[-1:]
        found = {i for i, piece in think.pieces.items() if end and end in piece} | {last}
        self._tag[[i for i in found if i < len(self._tag)]] = True


def _stream(job: Job) -> int:
    key = job.drawn_as or job.key
    return make_stream_key(job.seed, key.prompt_id, key.index)


def _slot(entry: Waiting, now: float) -> Slot:
    started = now if entry.started is None else entry.started
    return Slot(entry.job, started, entry.job.think_cap, ThinkCounter(entry.job.think))
