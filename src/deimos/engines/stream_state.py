"""One candidate whose tokens come from another process: what it has said, and how it may go on.

Not covered: asking for tokens, and what goes wrong on the way (the engines').
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from deimos.engines.base import Done, Job, Progress
from deimos.thinking import Shape, ThinkCounter


class RemoteRow:
    """A job in flight."""

    def __init__(self, job: Job, eos_ids: Collection[int], now: float) -> None:
        """Take a job up; ``now`` is the loop's time, for ``seconds``."""
        self.job = job
        self.started = now
        self.cap = job.think_cap
        self.told_closed = False
        """Whether it has been told that its thought has closed."""
        self.ids: list[int] = []
        self.counter = ThinkCounter(job.think)
        self._eos_ids = eos_ids
        self._told = 0
        if self.resumable:
            self.push(job.done_ids)
            self._told = len(self.ids)

    @property
    def resumable(self) -> bool:
        """Whether it can go on from ids.

        Those become part of the prompt. The repetition penalty counts prompt and output alike, so
        it stays as it was; the other two count output only and would begin anew.
        """
        sampling = self.job.sampling
        return sampling.presence_penalty == 0 and sampling.frequency_penalty == 0

    @property
    def ended(self) -> str:
        """The finish of what needs no further request; else empty."""
        if self.ids and self.ids[-1] in self._eos_ids:
            return "stop"
        return "length" if len(self.ids) >= self.job.sampling.max_tokens else ""

    @property
    def outgrown(self) -> bool:
        """Whether its thought is longer than it may be."""
        return self.cap is not None and self.counter.think_tokens > self.cap

    @property
    def prompt(self) -> list[int]:
        """Ids that the next token stands behind."""
        return [*self.job.prompt_ids, *self.ids]

    @property
    def left(self) -> int:
        """Tokens that the budget still holds."""
        return self.job.sampling.max_tokens - len(self.ids)

    @property
    def seed(self) -> int:
        """The next request's seed: with the job's own behind kept ids, the same would be drawn again."""
        if not self.ids:
            return self.job.seed
        digest = hashlib.sha256(f"{self.job.seed}+{len(self.ids)}".encode()).digest()
        return int.from_bytes(digest[:4], "big") >> 1

    def lower(self, think_tokens: int) -> None:
        """Lower the think cap."""
        self.cap = think_tokens if self.cap is None else min(self.cap, think_tokens)

    def push(self, ids: Collection[int]) -> None:
        """Take the next tokens."""
        for token in ids:
            self.ids.append(token)
            if token not in self._eos_ids:
                self.counter.push(token)

    def recount(self) -> None:
        """Read the thought anew: ids were taken back or replaced."""
        self.counter = ThinkCounter(self.job.think, [i for i in self.ids if i not in self._eos_ids])

    def progress(self, *, checkpoint: bool = False) -> Progress | None:
        """What there is to tell: a thought that has closed; at a checkpoint, new ids."""
        closes = self.counter.closed and not self.told_closed
        news = checkpoint and self.resumable and len(self.ids) > self._told
        if not (closes and self.job.think.shape is not Shape.SHUT) and not news:
            return None
        self.told_closed = self.counter.closed
        ids = None
        if news:
            self._told = len(self.ids)
            ids = tuple(self.ids)
        return Progress(
            self.job.key, len(self.ids), self.counter.closed, self.counter.think_tokens, ids
        )

    def done(self, finish: str, error: str, now: float) -> Done:
        """The job's end."""
        seconds = now - self.started
        return Done(self.job.key, tuple(self.ids), finish, seconds, error)  # pyright: ignore[reportArgumentType]
