"""One job while its tokens come in: its ids so far, the events that are due, how it may continue.

Not covered: asking for tokens, and what goes wrong on the way (each engine's own).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from deimos.engines.base import Done, Event, Job, Progress, Token, lower_cap
from deimos.thinking import Shape, ThinkCounter


class StreamState:
    """A job in flight.

    Args:
        job: what is asked.
        eos_ids: ids that end a turn.
        now: the event loop's time, for ``seconds``.
    """

    def __init__(self, job: Job, eos_ids: Collection[int], now: float) -> None:
        self.job = job
        self.started = now
        self.cap = job.think_cap
        self.closed_sent = False
        """Whether an event has said that the thought has closed."""
        self.ids: list[int] = []
        self.counter = ThinkCounter(job.think)
        self._eos_ids = eos_ids
        self._checkpointed = 0
        """Ids that a checkpoint has sent."""
        self.streamed = 0
        """Ids (or characters, without ids) that ``Token`` events have sent."""
        if self.resumable:
            self.push(job.done_ids)
            self._checkpointed = self.streamed = len(self.ids)

    @property
    def resumable(self) -> bool:
        """Whether it can continue from ids.

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
    def over_cap(self) -> bool:
        """Whether its thought is longer than its cap."""
        return self.cap is not None and self.counter.think_tokens > self.cap

    @property
    def prompt(self) -> list[int]:
        """The ids before the next token."""
        return [*self.job.prompt_ids, *self.ids]

    @property
    def left(self) -> int:
        """Tokens left of the budget."""
        return self.job.sampling.max_tokens - len(self.ids)

    @property
    def seed(self) -> int:
        """The next request's seed: the job's own, behind kept ids, would draw the same ones again."""
        if not self.ids:
            return self.job.seed
        digest = hashlib.sha256(f"{self.job.seed}+{len(self.ids)}".encode()).digest()
        return int.from_bytes(digest[:4], "big") >> 1

    def lower(self, think_tokens: int) -> None:
        """Lower the think cap."""
        self.cap = lower_cap(self.cap, think_tokens)

    def push(self, ids: Collection[int]) -> None:
        """Take the next tokens."""
        for token in ids:
            self.ids.append(token)
            if token not in self._eos_ids:
                self.counter.push(token)

    def recount(self) -> None:
        """Count the thought from the first id on: ids were taken back or replaced."""
        self.counter = ThinkCounter(self.job.think, [i for i in self.ids if i not in self._eos_ids])

    def progress(self, *, checkpoint: bool = False) -> Progress | None:
        """The event that is due, if any: a thought has closed; at a checkpoint, there are new ids."""
        closes = self.counter.closed and not self.closed_sent
        is_new = checkpoint and self.resumable and len(self.ids) > self._checkpointed
        if not (closes and self.job.think.shape is not Shape.SHUT) and not is_new:
            return None
        self.closed_sent = self.counter.closed
        ids = None
        if is_new:
            self._checkpointed = len(self.ids)
            ids = tuple(self.ids)
        return Progress(
            self.job.key, len(self.ids), self.counter.closed, self.counter.think_tokens, ids
        )

    def token(self, *, last: bool = False) -> Token | None:
        """What has come since the last ``Token`` of a job with ``stream``; ``last``: nothing follows."""
        if not self.job.stream or len(self.ids) <= self.streamed:
            return None
        ids, self.streamed = tuple(self.ids[self.streamed :]), len(self.ids)
        return Token(self.job.key, ids)

    def done(self, finish: str, error: str, now: float) -> Done:
        """The job's end."""
        seconds = now - self.started
        return Done(self.job.key, tuple(self.ids), finish, seconds, error)  # pyright: ignore[reportArgumentType]

    def events(self) -> list[Event]:
        """The events that are due after new ids, in order."""
        return [event for event in (self.token(), self.progress()) if event is not None]

    def last_events(self, finish: str, error: str, now: float) -> list[Event]:
        """The events of the job's end, in order."""
        done = self.done(finish, error, now)
        token = self.token(last=True)
        return [done] if token is None else [token, done]
