"""Races over again by recorded or drawn lengths and verdicts, without a model. Not a benchmark.

The race, its feed and its judging are the real ones. Engine and judge are clocks: every row decodes
one token a step, a verdict comes so many steps after its answer, and time jumps from one thing that
happens to the next, so that a replay costs as much as there are candidates, however long they are.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from deimos.engines.base import Capabilities, Done, Job, Key
from deimos.engines.collect import Request
from deimos.recipe import Sample
from deimos.sample.prompt_race import RacePrompt
from deimos.sample.race import race
from deimos.thinking import Rendered, Shape, ThinkIds
from deimos.types import Completion, Finish, Prompt, Verdict

TURNS = 6
"""Turns of the event loop after which judges, race and feed have done what they can."""


@dataclass(frozen=True, slots=True)
class Track:
    """What one candidate is when decoded to its end."""

    think: int
    tokens: int
    """Thought, answer, tags and end-of-turn token."""
    ok: bool | None
    answer: int = 0
    finish: Finish = "stop"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a race came to. Tokens are decoded ones."""

    tokens: int
    started: int
    """Candidates."""
    golds: Mapping[str, Key]
    """The kept candidate of each prompt that has one."""


Table = Mapping[Key, Track]


@dataclass(slots=True)
class _Row:
    job: Job
    track: Track
    since: int
    """The step at which its first token would have come."""
    cap: int | None
    stopped_at: int | None = None

    def ends(self, now: int) -> int:
        """The step at which it ends, as things stand."""
        whole = self.since + self.track.tokens
        if self.stopped_at is not None:
            return min(whole, self.stopped_at)
        if self.cap is None or self.track.think <= self.cap:
            return whole
        return min(whole, max(now, self.since + self.cap + 1))


class Clockwork:
    """An engine and its judge, by a table of what each candidate is.

    Args:
        table: candidates by key.
        max_batch: rows at a time.
        lag: steps from an answer to its verdict.
    """

    name = "replay/1"
    capabilities = Capabilities(seeds=True, token_ids=True, resumes=True)

    def __init__(self, table: Table, *, max_batch: int = 256, lag: int = 0) -> None:
        self.table, self.max_batch, self.lag = table, max_batch, lag
        self.now = 0
        self.rows: dict[Key, _Row] = {}
        self.verdicts: list[tuple[int, int, asyncio.Future[None]]] = []
        self.asked = 0

    def stop(self, key: Key) -> None:
        if key in self.rows:
            self.rows[key].stopped_at = self.now

    def cap(self, key: Key, think_tokens: int) -> None:
        if (row := self.rows.get(key)) is not None:
            row.cap = think_tokens if row.cap is None else min(row.cap, think_tokens)

    async def gate(self, prompt: Prompt, completion: Completion) -> Verdict:
        if self.lag:
            self.asked += 1
            told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            heapq.heappush(self.verdicts, (self.now + self.lag, self.asked, told))
            await told
        return Verdict(self.table[Key(prompt.id, completion.index)].ok)

    async def sample(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Done]:
        source, ended = aiter(jobs), False
        pending: asyncio.Task[Job] | None = None
        while True:
            while not ended and len(self.rows) < self.max_batch:
                pending = pending or asyncio.ensure_future(_next(source))
                if not await _settled(pending):
                    break
                try:
                    self._admit(pending.result())
                except StopAsyncIteration:
                    ended = True
                pending = None
            if ended and not self.rows and not self.verdicts:
                return
            if pending and not self.rows and not self.verdicts:
                await asyncio.wait({pending})
            for done in self._advance():
                yield done
            await _settled(pending)

    def _admit(self, job: Job) -> None:
        since = self.now - len(job.done_ids)
        self.rows[job.key] = _Row(job, self.table[job.key], since, job.think_cap)

    def _advance(self) -> Iterable[Done]:
        """Go to the next thing that happens."""
        ends = {key: row.ends(self.now) for key, row in self.rows.items()}
        times = [*ends.values(), *(when for when, _, _ in self.verdicts[:1])]
        if not times:
            return
        self.now = max(self.now, min(times))
        while self.verdicts and self.verdicts[0][0] <= self.now:
            heapq.heappop(self.verdicts)[2].set_result(None)
        for key in [key for key, end in ends.items() if end <= self.now]:
            row = self.rows.pop(key)
            tokens = max(len(row.job.done_ids), min(row.track.tokens, self.now - row.since))
            whole = tokens == row.track.tokens
            finish = ("length" if row.track.finish == "length" else "stop") if whole else "stopped"
            yield Done(key, (0,) * tokens, finish, 0.0)


async def _next(source: AsyncIterator[Job]) -> Job:
    return await anext(source)


async def _settled(pending: asyncio.Task[Job] | None) -> bool:
    """Let everything else have its turn; whether a job has come."""
    for _ in range(TURNS):
        await asyncio.sleep(0)
    return pending is not None and pending.done()


@dataclass
class _Kept:
    """The shortest that passed, by prompt, as candidates come to their ends."""

    golds: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    started: int = 0

    def take(self, c: Completion) -> None:
        self.started += 1
        rank = (c.think_tokens, c.answer_tokens, c.index)
        if c.verdict and c.verdict.ok:
            self.golds[c.prompt_id] = min(rank, self.golds.get(c.prompt_id, rank))


def raced(
    table: Table,
    settings: Sample,
    *,
    max_batch: int = 256,
    lag: int = 0,
    min_pass: int = 1,
    min_think_tokens: int = 0,
) -> Outcome:
    """Race a table's candidates; the golds are those of selection by shortest thought."""
    engine = Clockwork(table, max_batch=max_batch, lag=lag)
    passes: dict[str, int] = defaultdict(int)
    kept = _Kept()

    def decode(done: Done, request: Request) -> Completion:
        track, tokens = table[done.key], len(done.completion_ids)
        think = min(track.think, tokens)
        answer = track.answer if tokens == track.tokens else 0
        finish: Finish = "outpaced" if done.finish == "stopped" else track.finish
        return Completion(
            done.key.prompt_id, done.key.index, 0, "", "", "", (), done.completion_ids, think,
            answer, finish, None, 0.0, engine.name,
        )  # fmt: skip

    def keep(c: Completion) -> None:
        passes[c.prompt_id] += bool(c.verdict and c.verdict.ok)
        if c.think_tokens >= min_think_tokens:
            kept.take(c)
        else:
            kept.started += 1

    rendered = Rendered("", (0,), ThinkIds(Shape.PLAIN), None)
    prompts = dict.fromkeys(key.prompt_id for key in table)
    stats = asyncio.run(
        race(
            [RacePrompt(Prompt(p, "", "math", (), None), rendered) for p in prompts],
            engine,
            settings=settings,
            gate=engine.gate,
            keep=keep,
            decode=decode,
            min_pass=min_pass,
            min_think_tokens=min_think_tokens,
        )
    )
    golds = {p: Key(p, rank[2]) for p, rank in kept.golds.items() if passes[p] >= min_pass}
    return Outcome(stats.decoded_tokens, kept.started, golds)


def recorded(pool: Sequence[Completion]) -> dict[Key, Track]:
    """The table of an exhaustive pool."""
    return {
        Key(c.prompt_id, c.index): Track(
            c.think_tokens,
            len(c.completion_ids),
            c.verdict.ok if c.verdict else None,
            c.answer_tokens,
            c.finish,
        )
        for c in pool
    }


def drawn(
    prompts: int, n: int, *, pass_rate: float, spread: float, seed: int, median: float = 1500
) -> dict[Key, Track]:
    """A random table: lognormal thoughts and answers.

    Args:
        prompts: how many.
        n: candidates of each.
        pass_rate: of every candidate, independent of its length.
        spread: standard deviation of the logarithm of one prompt's thoughts. Their medians differ
            by 0.5 between prompts.
        seed: of the draws.
        median: think tokens of the middling prompt; answers have a tenth of that, spread 0.3.
    """
    rng, table = random.Random(seed), {}
    for prompt in range(prompts):
        typical = median * rng.lognormvariate(0, 0.5)
        for index in range(n):
            think = round(typical * rng.lognormvariate(0, spread))
            answer = round(median / 10 * rng.lognormvariate(0, 0.3))
            ok = rng.random() < pass_rate
            key = Key(f"{prompt:06}", index)
            table[key] = Track(think, think + answer + 3, ok, answer)
    return table


def exhaustive_tokens(table: Table) -> int:
    """Of all candidates, each to its end."""
    return sum(track.tokens for track in table.values())


def oracle_tokens(table: Table, golds: Mapping[str, Key]) -> int:
    """If every candidate were stopped where its prompt's winner ended; to its end without one."""
    return sum(
        min(track.tokens, table[golds[key.prompt_id]].tokens)
        if key.prompt_id in golds
        else track.tokens
        for key, track in table.items()
    )


def shortest(table: Table, *, min_pass: int = 1, min_think_tokens: int = 0) -> dict[str, Key]:
    """What selection by shortest thought keeps of the whole table."""
    passing: dict[str, list[Key]] = defaultdict(list)
    for key, track in table.items():
        if track.ok:
            passing[key.prompt_id].append(key)
    found = {}
    for prompt_id, keys in passing.items():
        keepable = [key for key in keys if table[key].think >= min_think_tokens]
        if len(keys) >= min_pass and keepable:
            found[prompt_id] = min(
                keepable, key=lambda k: (table[k].think, table[k].answer, k.index)
            )
    return found
