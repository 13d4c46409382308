"""The candidates that are made of others: of each prompt's shortest one that was sampled and passed.

They come after the race over all sampled candidates, because what they start from is known only then,
and it is the same as if every candidate had been decoded to its end. They join the same race: the
bound goes on falling, and one that can no longer be kept is not decoded further.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from deimos.engines.collect import open_task_group
from deimos.recipe import Proposer, PruneProposer, Sample, Select
from deimos.sample.prompt_race import SEPARATOR, Bound, RacePrompt
from deimos.sample.proposers.attempt import Attempt, DecodingFailed, Tools
from deimos.sample.proposers.prune import prune
from deimos.sample.proposers.rewrite import rewrite
from deimos.sample.proposers.teacher import Teacher
from deimos.store.candidates import filters_of
from deimos.store.hashing import derive_seed, fingerprint
from deimos.store.merge import Name
from deimos.types import Completion, Verdict

Keep = Callable[[Completion, int], None]
"""Takes a candidate, and how many tokens were decoded for it."""


@dataclass(frozen=True)
class Origin:
    """A candidate that is to be made, and what it is made of."""

    index: int
    proposer: Proposer
    key: str
    """Of its steps."""
    record_key: str
    """Of its row: what it comes to may depend on the filters."""


@dataclass
class Derivation:
    """One prompt, what its made candidates start from, and how far its race is."""

    entry: RacePrompt
    bound: Bound
    source: Completion
    origins: list[Origin] = field(default_factory=list)


def find_origins(
    entry: RacePrompt,
    source: Completion,
    settings: Sample,
    select: Select,
    made_with: str,
    *,
    least: int,
) -> list[Origin]:
    """A prompt's candidates that are made of ``source``, with the keys that name them.

    ``least``: tokens of the shortest thought that is kept of the prompt.
    """
    first, order = settings.count_started(1), settings.proposer_of
    filters = [filters_of(select), least]
    found: list[Origin] = []
    for index in range(first, len(order)):
        proposer = order[index]
        how = proposer.model_dump(
            mode="json", exclude={"name": True, "n": True, "teacher": {"url", "api_key_env"}}
        )
        seed = derive_seed(settings.seed, entry.prompt.id, index, SEPARATOR)
        made_of = [list(source.completion_ids), source.text]
        key = fingerprint([made_with, entry.rendered.text, index, seed, how, made_of])[:32]
        searched = isinstance(proposer, PruneProposer)  # by verdicts
        record_key = fingerprint([key, filters])[:32] if searched else key
        found.append(Origin(index, proposer, key, record_key))
    return found


async def derive(
    prompts: Sequence[Derivation],
    tools: Tools,
    teachers: Mapping[str, Teacher],
    done: Mapping[Name, Completion],
    keep: Keep,
    at_once: int,
) -> None:
    """Make every prompt's candidates.

    Args:
        prompts: each with its bound, in which all sampled candidates are counted.
        tools: what candidates are made with.
        teachers: by name of the proposer.
        done: what earlier attempts made; one without a verdict is made again, from its steps.
        keep: called with each candidate that is new or has another verdict.
        at_once: prompts under way.

    Raises:
        EngineStopped: the engine ended early.
    """
    waiting: Iterator[Derivation] = iter(prompts)

    async def work() -> None:
        for one in waiting:
            for origin in one.origins:
                await _make_one(one, origin, tools, teachers, done, keep)
            await asyncio.sleep(0)

    async with open_task_group() as group:
        for _ in range(min(at_once, len(prompts))):
            group.create_task(work())


async def _make_one(
    one: Derivation,
    origin: Origin,
    tools: Tools,
    teachers: Mapping[str, Teacher],
    done: Mapping[Name, Completion],
    keep: Keep,
) -> None:
    before = done.get((one.entry.prompt.id, origin.index))
    completion = before if before and _is_settled(before, one.bound) else None
    if completion is None:
        attempt = Attempt(
            tools, one.entry, one.source, origin.index, origin.proposer, origin.key, one.bound
        )
        try:
            completion = await _make(attempt, teachers)
        except DecodingFailed as e:
            verdict = Verdict(None, f"the engine failed: {e}", "structure")
            completion = replace(attempt.unfinished(()), finish="error", verdict=verdict)
        keep(completion, sum(tools.steps.tokens(origin.key)))
    if completion.verdict and completion.verdict.ok:
        one.bound.add(completion)


async def _make(attempt: Attempt, teachers: Mapping[str, Teacher]) -> Completion:
    if isinstance(attempt.proposer, PruneProposer):
        return await prune(attempt)
    return await rewrite(attempt, teachers[attempt.proposer.name])


def _is_settled(completion: Completion, bound: Bound) -> bool:
    """Whether what an earlier attempt made still stands."""
    if completion.finish == "outpaced":
        return bound.is_beaten(completion.index, completion.think_tokens)
    return completion.verdict is not None and completion.verdict.ok is not None
