"""Decoding without a race: every request to its end; and making completions of what engines say.

How often what failed is tried again is said here, for the race and for evaluations. Not covered:
trying again, judging, stopping; the race and the evaluations do those.
"""

from __future__ import annotations

import asyncio
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
    """The one policy for what failed, of the race and of evaluations alike.

    An engine that sends a failed request to a server again does so under its own options: only what
    it gives up (finish ``error``) counts here.
    """

    decodings: int = 3
    """How often a completion is tried whose engine ends it in an error, the first time included."""
    verdicts: int = 2
    """How often a judge is asked that could not say (null), the first time included."""

    async def ask(self, judge: Callable[[], Awaitable[Verdict]]) -> Verdict:
        """A judge's verdict; null if it could not say at any of the tries."""
        verdict = await judge()
        for _ in range(self.verdicts - 1):
            if verdict.ok is not None:
                break
            verdict = await judge()
        return verdict


RETRIES = Retries()


@dataclass(frozen=True)
class Request:
    """One candidate that is wanted."""

    prompt: Prompt
    rendered: Rendered
    """The prompt as this model sees it."""
    index: int
    seed: int
    sampling: Sampling

    @property
    def key(self) -> Key:
        """What the engine calls it."""
        return Key(self.prompt.id, self.index)

    def job(self, done_ids: tuple[int, ...] = (), think_cap: int | None = None) -> Job:
        """What the engine is asked."""
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
    """The completion that an engine's ``Done`` amounts to.

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
    said = ids[:-1] if ids and ids[-1] in eos_ids else ids
    text = done.text if done.text is not None else tokenizer.decode(said, skip_special_tokens=False)
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
    flying: dict[Key, Request] = {}
    places = asyncio.Semaphore(concurrency) if concurrency is not None else None

    async def jobs() -> AsyncIterator[Job]:
        async for request in _each(requests):
            if places is not None:
                await places.acquire()
            if request.key in flying:
                raise ValueError(f"two requests for candidate {request.index} of one prompt")
            flying[request.key] = request
            yield request.job()

    async for event in engine.sample(jobs()):
        if isinstance(event, Done):
            request = flying.pop(event.key)
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
