"""What an engine is: the protocol by which every other package has tokens sampled.

An engine turns jobs into tokens. It knows nothing of graders, golds or files.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

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
    """Can continue from ``Job.done_ids``."""
    streams: bool = False
    """Sends ``Token`` events for jobs that ask for them with ``Job.stream``."""


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
    """Completion ids already decoded; decoding continues after them (the position counts on)."""
    think_cap: int | None = None
    """Stop (finish ``stopped``) once the thought is strictly longer than this many tokens."""
    stream: bool = False
    """Send ``Token`` events; only from engines that can (``Capabilities.streams``)."""
    drawn_as: Key | None = None
    """Whose random numbers it draws, with its own seed, from engines with ``Capabilities.seeds``;
    None: its own key's. For callers whose keys are new each time, as a server's are."""


@dataclass(frozen=True, slots=True)
class Token:
    """The next token of a job with ``stream``, or the next few that came together.

    All of a job's ``Token`` events come before its ``Done``. Their ids in a row are the ids of
    ``Done.completion_ids`` that were decoded for this job (behind ``done_ids``, unless the engine
    had to begin again); without ids, their texts in a row are ``Done.text``.
    """

    key: Key
    token_ids: tuple[int, ...]
    """In order, the end-of-turn token included; empty from engines without token ids."""
    text: str | None = None
    """Only from engines without token ids."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is; sent when the thought closes, and at other times as the engine likes."""

    key: Key
    tokens: int
    """Completion tokens so far, ``done_ids`` included."""
    think_closed: bool
    think_tokens: int | None = None
    """Tokens of the thought so far, tags excluded (``ThinkCounter``'s count); None: not known.
    The race stops a closed thought on this, so it must never be more than the true count."""
    completion_ids: tuple[int, ...] | None = None
    """All ids so far, every few seconds, from engines that resume: an interrupted run continues
    from there; None: not in this event."""


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


Event: TypeAlias = Progress | Token | Done


def lower_cap(cap: int | None, think_tokens: int) -> int:
    """A think cap after another one was asked for: the lower of the two; None is no cap."""
    return think_tokens if cap is None else min(cap, think_tokens)


@runtime_checkable
class Engine(Protocol):
    """Samples tokens for jobs, many at a time."""

    name: str
    """Name and version, e.g. ``local/transformers-5.19.0``: is written into every completion row."""
    capabilities: Capabilities

    def sample(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Event]:
        """Decode jobs as they come; yields each job's ``Done`` once, in order of finishing.

        Pulls a new job only when it has a place for it, so the feeder can be lazy (back-pressure).
        Continues decoding while it waits for a job: the next one may depend on what is running.
        Ends after ``jobs`` has ended and every admitted job is done.
        """
        ...

    def stop(self, key: Key) -> None:
        """End a candidate and free its place; its ``Done`` says ``stopped``. Unknown keys are ignored."""
        ...

    def cap(self, key: Key, think_tokens: int) -> None:
        """Lower a candidate's think cap: it is stopped once its thought is strictly longer."""
        ...
