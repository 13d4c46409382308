"""Short ways to run jobs through an engine, and to compare what came out."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

import torch

from deimos.engines.base import Done, Engine, Event, Job, Key, Token
from deimos.thinking import Shape, ThinkIds
from deimos.types import Sampling

VOCABULARY = 96
EOS, OPEN, CLOSE = 0, 1, 2
PLAIN = ThinkIds(Shape.PLAIN)
OPENED = ThinkIds(Shape.OPEN, (OPEN,), (CLOSE,))


def make_jobs(
    n: int, sampling: Sampling, *, per_prompt: int = 1, think: ThinkIds = PLAIN, seed: int = 7
) -> list[Job]:
    """``n`` jobs over prompts of 1 to 40 tokens, ``per_prompt`` candidates each."""
    rng = random.Random(5)
    jobs: list[Job] = []
    while len(jobs) < n:
        ids = tuple(rng.randrange(3, VOCABULARY) for _ in range(rng.randrange(1, 40)))
        name = f"p{len(jobs)}"
        jobs += [Job(Key(name, i), ids, sampling, seed, think) for i in range(per_prompt)]
    return jobs[:n]


async def feed(jobs: Iterable[Job]) -> AsyncIterator[Job]:
    """Jobs as an engine takes them."""
    for job in jobs:
        yield job


def run(
    engine: Engine, jobs: Sequence[Job], on_event: Callable[[Event], None] | None = None
) -> dict[Key, Done]:
    """Every job's end; fails where a job has two."""

    async def main() -> dict[Key, Done]:
        ends: dict[Key, Done] = {}
        async for event in engine.sample(feed(jobs)):
            if on_event is not None:
                on_event(event)
            if isinstance(event, Done):
                assert event.key not in ends
                ends[event.key] = event
        return ends

    return asyncio.run(main())


def check_streams(jobs: Sequence[Job], events: Sequence[Event]) -> dict[Key, list[Token]]:
    """Fails unless the tokens that a job asked for add up to its completion and come before its end.

    Returns the tokens of each job.
    """
    tokens: dict[Key, list[Token]] = {job.key: [] for job in jobs}
    ended: set[Key] = set()
    asked = {job.key: job for job in jobs}
    for event in events:
        assert event.key not in ended, "an event behind a job's end"
        if isinstance(event, Token):
            assert asked[event.key].stream, "tokens for a job that did not ask"
            assert event.token_ids or event.text, "an event without tokens"
            tokens[event.key].append(event)
        elif isinstance(event, Done):
            ended.add(event.key)
            if not asked[event.key].stream or event.finish == "error":
                continue
            ids = tuple(i for token in tokens[event.key] for i in token.token_ids)
            if event.text is None:
                assert (*asked[event.key].done_ids, *ids) == event.completion_ids
            else:
                assert not ids
                assert "".join(token.text or "" for token in tokens[event.key]) == event.text
    assert ended == {*asked}
    return tokens


def share_of_differing_tokens(a: dict[Key, Done], b: dict[Key, Done]) -> float:
    """Tokens from the first difference on, as a share of all."""
    assert a.keys() == b.keys()
    differ = total = 0
    for key in a:
        left, right = a[key].completion_ids, b[key].completion_ids
        same = next(
            (i for i, (x, y) in enumerate(zip(left, right, strict=False)) if x != y),
            min(len(left), len(right)),
        )
        differ += max(len(left), len(right)) - same
        total += max(len(left), len(right))
    return differ / total


def generate(model: Any, job: Job) -> list[int]:
    """The ids that transformers' own greedy decoding says for a job, as many as it may have."""
    ids = torch.tensor([job.prompt_ids])
    said = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=job.sampling.max_tokens,
        do_sample=False, eos_token_id=EOS, pad_token_id=EOS,
    )  # fmt: skip
    return said[0, ids.shape[1] :].tolist()
