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
import hashlib
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from deimos.engines.base import Done, Engine, Job, Key
from deimos.engines.think_budget import ThinkBudget
from deimos.thinking import Rendered, Shape, count, split
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
    think_budget: ThinkBudget | None = None
    """Where its thought is closed; None: nowhere. Heeded by ``collect`` and ``stream``."""
    begun: tuple[int, ...] = ()
    """Ids that the completion begins with, which are not decoded: a thought that was closed."""
    stream: bool = False
    """Have ``Token`` events sent, if the engine can."""
    drawn_as: Key | None = None
    """Whose random numbers it draws; None: its own key's."""
    asked: Rendered | None = None
    """What is sampled from in place of ``rendered``, of the same shape: the prompt with an instruction
    or examples, which its completion goes without."""
    proposer: str = "plain"
    """Name of the recipe's proposer that it is of."""

    @property
    def key(self) -> Key:
        """The engine's name for it."""
        return Key(self.prompt.id, self.index)

    def job(self, done_ids: tuple[int, ...] = (), think_cap: int | None = None) -> Job:
        """The engine's job for it."""
        asked = self.asked or self.rendered
        return Job(
            self.key, asked.ids, self.sampling, self.seed, asked.think,
            done_ids, think_cap, self.stream, self.drawn_as,
        )  # fmt: skip

    def answer_job(self) -> Job:
        """The engine's job for what follows ``begun``, which it gets as the end of the prompt.

        So every engine can do it. Presence and frequency penalties count the answer alone then.
        """
        left = replace(self.sampling, max_tokens=self.sampling.max_tokens - len(self.begun))
        # The request's own seed would draw the thought's first tokens' numbers again.
        digest = hashlib.sha256(f"{self.seed}+{len(self.begun)}".encode()).digest()
        seed = int.from_bytes(digest[:4], "big") >> 1
        think = replace(self.rendered.think, shape=Shape.SHUT)
        ids = (*self.rendered.ids, *self.begun)
        return Job(self.key, ids, left, seed, think, stream=self.stream, drawn_as=self.drawn_as)


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
        proposer=request.proposer,
    )  # fmt: skip


def put_before(done: Done, begun: tuple[int, ...], tokenizer: Any) -> Done:
    """The end of a whole completion, from that of an ``answer_job`` and the ids that it began with."""
    text = done.text
    if text is not None:
        text = tokenizer.decode(begun, skip_special_tokens=False) + text
    return replace(done, completion_ids=(*begun, *done.completion_ids), text=text)


async def collect(
    engine: Engine,
    tokenizer: Any,
    eos_ids: Collection[int],
    requests: Iterable[Request] | AsyncIterable[Request],
    *,
    concurrency: int | None = None,
) -> AsyncIterator[Completion]:
    """Decode every request to its end; completions come in order of finishing.

    A request with a think budget may take two jobs: its thought, and if that is longer than the
    budget the answer behind it.

    Args:
        engine: what samples.
        tokenizer: turns ids to text.
        eos_ids: ids that end a turn.
        requests: taken lazily, as the engine has places; an asynchronous one may hold them back.
        concurrency: most requests in flight (closed loop); None: as many as the engine takes.

    Raises:
        ValueError: two requests in flight have the same prompt and index.
    """
    flight = Flight(tokenizer, eos_ids, concurrency)
    async for event in engine.sample(flight.jobs(requests)):
        if isinstance(event, Done) and (ended := flight.end(event)):
            done, request = ended
            yield completion_of(done, request, tokenizer, eos_ids, engine.name)


class Flight:
    """The requests in flight: as jobs, and what the ends of those make of them.

    Args:
        tokenizer: turns ids to text.
        eos_ids: ids that end a turn.
        places: most requests in flight; None: as many as the engine takes.
    """

    def __init__(self, tokenizer: Any, eos_ids: Collection[int], places: int | None = None) -> None:
        self._tokenizer, self._eos_ids, self._places = tokenizer, eos_ids, places
        self._running: dict[Key, tuple[Request, float]] = {}
        """With the seconds that a thought took which is closed already."""
        self._answers: deque[Request] = deque()
        """Their thoughts are closed, and they wait for their second job."""
        self._thinking = 0
        """Jobs that another one may follow."""
        self._changed = asyncio.Event()

    async def jobs(
        self, requests: Iterable[Request] | AsyncIterable[Request]
    ) -> AsyncIterator[Job]:
        """The jobs of all requests, answers to closed thoughts first."""
        async for request in _each(requests):
            while self._answers or len(self._running) == self._places:
                if self._answers:
                    yield self._answers.popleft().answer_job()
                else:
                    await self._wait()
            if request.key in self._running:
                raise ValueError(f"two requests for candidate {request.index} of one prompt")
            self._running[request.key] = request, 0.0
            if request.begun:
                yield request.answer_job()
            elif request.think_budget is None:
                yield request.job()
            else:
                self._thinking += 1
                yield request.job(think_cap=request.think_budget.tokens)
        while self._answers or self._thinking:
            if self._answers:
                yield self._answers.popleft().answer_job()
            else:
                await self._wait()

    async def _wait(self) -> None:
        """Until a job has ended."""
        self._changed.clear()
        await self._changed.wait()

    def request_of(self, key: Key) -> Request:
        """The request that a job of this key is for, as it stands: ``begun`` once its thought is closed."""
        return self._running[key][0]

    def end(self, done: Done) -> tuple[Done, Request] | None:
        """A job has ended: the whole completion's end; None: its answer is still to be decoded."""
        request, seconds = self._running.pop(done.key)
        self._changed.set()
        done = replace(done, seconds=seconds + done.seconds)
        if request.begun:
            return put_before(done, request.begun, self._tokenizer), request
        if request.think_budget is None:
            return done, request
        self._thinking -= 1
        begun = self._close(done, request, request.think_budget)
        most = request.sampling.max_tokens
        if begun is None or len(begun) >= most:
            return (done if begun is None else _cut_short(done, begun, most)), request
        self._running[done.key] = replace(request, begun=begun), done.seconds
        self._answers.append(self._running[done.key][0])
        return None

    def _close(self, done: Done, request: Request, budget: ThinkBudget) -> tuple[int, ...] | None:
        if done.finish == "error":
            return None
        begun = budget.close_thought(done.completion_ids, request.rendered.think, self._eos_ids)
        if begun is None and done.finish == "stopped":
            # Stopped by another count than that of the ids: of a server that sends text only.
            return (*done.completion_ids, *budget.before, *budget.close)
        return begun


def _cut_short(done: Done, begun: tuple[int, ...], most: int) -> Done:
    """The end of a completion whose closed thought leaves no token for an answer."""
    return replace(done, completion_ids=begun[:most], finish="length", text=None)


async def _each(requests: Iterable[Request] | AsyncIterable[Request]) -> AsyncIterator[Request]:
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield request
    else:
        for request in requests:
            yield request
