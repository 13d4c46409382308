"""What an engine is: the protocol that sampling, the sweep and the benchmark stand on.

An engine turns jobs into tokens. It knows nothing of graders, golds or files.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from deimos.thinking import ThinkIds
from deimos.types import Sampling


class Key(NamedTuple):
    """Names one candidate of one prompt."""

    prompt_id: str
    index: int  # pyright: ignore[reportIncompatibleMethodOverride]  # hides tuple.index, on purpose


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do beyond plain decoding."""

    seeds: bool
    """The same job gives the same tokens, whatever it is batched with."""
    token_ids: bool
    """Completions carry the ids that were sampled (else they are re-rendered and marked)."""
    resumes: bool
    """Can go on from ``Job.done_ids``."""


@dataclass(frozen=True, slots=True)
class Job:
    """One candidate to decode."""

    key: Key
    prompt_ids: tuple[int, ...]
    sampling: Sampling
    seed: int
    think: ThinkIds
    """How to follow the thought while it is being written (shape and tag ids)."""
    done_ids: tuple[int, ...] = ()
    """Completion ids already decoded; decoding goes on behind them (position counts on)."""
    think_cap: int | None = None
    """Stop (finish ``stopped``) once the thought is strictly longer than this many tokens."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A sign of life; an engine sends one when the thought closes and may send more."""

    key: Key
    tokens: int
    """Completion tokens so far, ``done_ids`` included."""
    think_closed: bool
    think_tokens: int | None = None
    """Tokens of the thought so far, tags excluded (``ThinkCounter``'s count); None: not known.
    The race stops a closed thought on this, so it must never be more than the true count."""
    completion_ids: tuple[int, ...] | None = None
    """All ids so far, now and then, from engines that resume: whoever is interrupted goes on from
    there; None: not told this time."""


@dataclass(frozen=True, slots=True)
class Done:
    """The end of one job; every job gets exactly one."""

    key: Key
    completion_ids: tuple[int, ...]
    """All ids of the completion, ``done_ids`` first, the end-of-turn token last if it came."""
    finish: Literal["stop", "length", "stopped", "error"]
    """``stopped``: by ``stop()`` or a think cap; ``error``: see ``error``, to be retried."""
    seconds: float
    """Wall clock from admission to the last token."""
    error: str = ""
    text: str | None = field(default=None)
    """Only from engines without token ids."""


@runtime_checkable
class Engine(Protocol):
    """Samples tokens for jobs, many at a time."""

    name: str
    """Name and version, e.g. ``local/transformers-5.19.0``: stands in every completion row."""
    capabilities: Capabilities

    def sample(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Progress | Done]:
        """Decode jobs as they come; yields each job's ``Done`` once, in order of finishing.

        Pulls a new job only when it has a place for it, so the feeder can be lazy (back-pressure).
        Goes on decoding while it waits for a job: the next may hang on what is running.
        Ends after ``jobs`` has ended and every admitted job is done.
        """
        ...

    def stop(self, key: Key) -> None:
        """Give a candidate's place in the batch back; its ``Done`` says ``stopped``. Unknown keys are ignored."""
        ...

    def cap(self, key: Key, think_tokens: int) -> None:
        """Lower a candidate's think cap: it is stopped once its thought is strictly longer."""
        ...
