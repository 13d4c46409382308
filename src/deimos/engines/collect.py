"""Decoding without a race: every request to its end; and making completions of an engine's events.

Who tries what again, each layer only what the one below it has given up:

- the openai engine sends a failed *request* again (``retries``, ``backoff``) and waits for lost
  servers (``patience``): no other layer knows of servers. Other engines send nothing again.
- the race and the evaluations decode a *completion* again whose job ended in ``error``
  (``RETRIES.decodings``), from the ids that were kept if the engine resumes.
- they, and selection, ask a *judge* again that could not say (``RETRIES.verdicts``).
- what is left after that stays null or missing; running the stage again tries it anew.

Not covered: judging and stopping.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from deimos.engines.base import Done, Engine, Job, Key
from deimos.thinking import Rendered, count, split
from deimos.types import Completion, Finish, Prompt, Sampling, Verdict

_FINISH: dict[str, Finish] = {
    "stop": "stop", "length": "length", "stopped": "outpaced", "error": "error",
}  # fmt: skip


@dataclass(frozen=True)
class Retries:
    """How often a completion and a verdict are tried: of the race, evaluations and selection alike."""

    decodings: int = 3
    """Times that a completion is decoded while its engine ends it in an error, the first included."""
    verdicts: int = 2
    """Times that a judge is asked while it cannot say (null), the first included."""

    async def ask(self, judge: Callable[[], Awaitable[Verdict]]) -> Verdict:
        """A judge's verdict; null if it could not say at any of the tries."""
        verdict = await judge()
        for _ in range(self.verdicts - 1):
            if verdict.ok is not None:
                break
            verdict = await judge()
        return verdict


RETRIES = Retries()


@contextlib.asynccontextmanager
async def open_task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group, for judging beside decoding, whose first failure is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


@dataclass(frozen=True)
class Request:
    """A completion to decode."""

    prompt: Prompt
    rendered: Rendered
    """The prompt as this model sees it."""
    index: int
    seed: int
    sampling: Sampling

    @property
    def key(self) -> Key:
        """The engine's name for it."""
        return Key(self.prompt.id, self.index)

    def job(self, done_ids: tuple[int, ...] = (), think_cap: int | None = None) -> Job:
        """The engine's job for it."""
        return Job(
            self.key, self.rendered.ids, self.sampling, self.seed, self.rendered.think,
            done_ids, think_cap,
        )  # fmt: skip


def completion_of(
    done: Done,
    request: Request,
    tokenizer: Any,
    eos_ids: Collection[int],
    engine_name: str,
    *,
    outpaced_by: int | None = None,
    finish: Finish | None = None,
) -> Completion:
    """Make a completion of an engine's ``Done``.

    Args:
        done: the end of the request's job.
        request: what was asked.
        tokenizer: turns ids to text; special tokens are kept, but for a final end-of-turn.
        eos_ids: ids that end a turn.
        engine_name: the engine's ``name``.
        outpaced_by: index of the candidate that made this one pointless.
        finish: overrides what follows from ``done.finish`` (``stopped`` becomes ``outpaced``).
    """
    ids = done.completion_ids
    spoken = ids[:-1] if ids and ids[-1] in eos_ids else ids
    text = (
        done.text if done.text is not None else tokenizer.decode(spoken, skip_special_tokens=False)
    )
    rendered = request.rendered
    parts = split(text, rendered.shape, rendered.tags)
    counts = count(ids, rendered.think, eos_ids)
    return Completion(
        prompt_id=request.prompt.id, index=request.index, seed=request.seed,
        think=parts.think, answer=parts.answer, text=text,
        prompt_ids=rendered.ids, completion_ids=ids,
        think_tokens=counts.think_tokens, answer_tokens=counts.answer_tokens,
        finish=_FINISH[done.finish] if finish is None else finish,
        outpaced_by=outpaced_by, seconds=done.seconds, engine=engine_name,
    )  # fmt: skip


async def collect(
    engine: Engine,
    tokenizer: Any,
    eos_ids: Collection[int],
    requests: Iterable[Request] | AsyncIterable[Request],
    *,
    concurrency: int | None = None,
) -> AsyncIterator[Completion]:
    """Decode every request to its end; completions come in order of finishing.

    Args:
        engine: what samples.
        tokenizer: turns ids to text.
        eos_ids: ids that end a turn.
        requests: taken lazily, as the engine has places; an asynchronous one may hold them back.
        concurrency: most requests in flight (closed loop); None: as many as the engine takes.

    Raises:
        ValueError: two requests in flight have the same prompt and index.
    """
    running: dict[Key, Request] = {}
    places = asyncio.Semaphore(concurrency) if concurrency is not None else None

    async def jobs() -> AsyncIterator[Job]:
        async for request in _each(requests):
            if places is not None:
                await places.acquire()
            if request.key in running:
                raise ValueError(f"two requests for candidate {request.index} of one prompt")
            running[request.key] = request
            yield request.job()

    async for event in engine.sample(jobs()):
        if isinstance(event, Done):
            request = running.pop(event.key)
            if places is not None:
                places.release()
            yield completion_of(event, request, tokenizer, eos_ids, engine.name)


async def _each(requests: Iterable[Request] | AsyncIterable[Request]) -> AsyncIterator[Request]:
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield request
    else:
        for request in requests:
            yield request
