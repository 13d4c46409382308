"""A world of tracks: what each candidate of each prompt would be, raced by the echo engine."""

from __future__ import annotations

import asyncio
import math
import statistics
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from deimos.engines.base import Capabilities, Done
from deimos.engines.collect import Request
from deimos.engines.echo import EchoEngine
from deimos.recipe import Sample
from deimos.sample.prompt_race import RacePrompt
from deimos.sample.race import Stats, race
from deimos.select.policy import choose
from deimos.thinking import Rendered, Shape, ThinkIds, count
from deimos.types import Completion, Prompt, Verdict

EOS, OPEN, CLOSE, THOUGHT, ANSWER = range(5)
FINISH = {"stop": "stop", "length": "length", "stopped": "outpaced", "error": "error"}
Keys = tuple[str, int]
PARAMETERS = ("min_pass", "min_think_tokens", "floor", "unjudged")
"""What a race is given beside the recipe's sample section."""


@dataclass(frozen=True)
class Track:
    """One candidate as it would be, decoded to its end."""

    think: int
    answer: int = 2
    verdict: bool | None = True
    delay: int = 0
    """Engine steps until its verdict is there."""
    hesitant: bool = False
    """The judge can't say the first time it is asked."""


@dataclass
class World:
    """A table of tracks by prompt, raced by the echo engine."""

    table: list[list[Track]]
    shape: Shape = Shape.FREE
    max_batch: int = 4
    max_tokens: int = 100
    resumes: bool = True
    asked: dict[Keys, int] = field(default_factory=dict)
    pulled: int = 0
    """Prompts that a streamed race has asked for."""

    def __post_init__(self) -> None:
        self.think = ThinkIds(self.shape, (OPEN,), (CLOSE,))
        self.prompts = [
            Prompt.of(task="t", kind="math", messages=[{"role": "user", "content": str(i)}],
                      reference="1")
            for i in range(len(self.table))
        ]  # fmt: skip
        self.tracks = {
            (prompt.id, i): track
            for prompt, tracks in zip(self.prompts, self.table, strict=True)
            for i, track in enumerate(tracks)
        }

    def ids(self, track: Track) -> tuple[int, ...]:
        body = {
            Shape.FREE: [OPEN] + [THOUGHT] * track.think + [CLOSE] + [ANSWER] * track.answer,
            Shape.OPEN: [THOUGHT] * track.think + [CLOSE] + [ANSWER] * track.answer,
            Shape.SHUT: [ANSWER] * track.answer,
            Shape.PLAIN: [ANSWER] * (track.think + track.answer),
        }[self.shape]
        return (*body, EOS)

    def decode(self, done: Done, request: Request) -> Completion:
        counts = count(done.completion_ids, self.think, {EOS})
        return Completion(
            request.prompt.id, request.index, request.seed, "", "a", "", request.rendered.ids,
            done.completion_ids, counts.think_tokens, counts.answer_tokens,
            FINISH[done.finish], None, done.seconds, "echo",
        )  # fmt: skip

    async def gate(self, prompt: Prompt, completion: Completion) -> Verdict:
        key = (prompt.id, completion.index)
        track = self.tracks[key]
        self.asked[key] = self.asked.get(key, 0) + 1
        for _ in range(track.delay):
            await asyncio.sleep(0)
        if completion.finish == "length":
            return Verdict(False, "cut", "structure")
        hesitates = track.hesitant and self.asked[key] == 1
        return Verdict(None if hesitates else track.verdict)

    def engine(self, kind: type[EchoEngine] = EchoEngine) -> EchoEngine:
        made = kind(lambda job: self.ids(self.tracks[job.key]), max_batch=self.max_batch)
        made.capabilities = Capabilities(seeds=True, token_ids=True, resumes=self.resumes)
        return made

    def settings(self, **recipe: object) -> Sample:
        """The sample section; n is as many as the table has, unless the recipe says."""
        sampling = {"max_tokens": self.max_tokens}
        return Sample.model_validate({"n": len(self.table[0]), "sampling": sampling, **recipe})

    def race(
        self,
        done: Iterable[Completion] = (),
        engine: EchoEngine | None = None,
        *,
        streamed: bool = False,
        keep: Callable[[Completion], None] | None = None,
        **recipe: object,
    ) -> tuple[list[Completion], Stats]:
        kept: list[Completion] = []
        racing = self.racing(done, engine, streamed=streamed, keep=keep or kept.append, **recipe)
        return kept, asyncio.run(racing)

    def racing(
        self,
        done: Iterable[Completion] = (),
        engine: EchoEngine | None = None,
        *,
        streamed: bool = False,
        keep: Callable[[Completion], None],
        **recipe: object,
    ) -> Coroutine[Any, Any, Stats]:
        """The race of this world, still to be awaited."""
        needs = {k: recipe.pop(k) for k in PARAMETERS if k in recipe}
        rendered = Rendered("", (9,), self.think, None)
        prompts: list[RacePrompt] | AsyncIterator[RacePrompt] = [
            RacePrompt(prompt, rendered) for prompt in self.prompts
        ]
        if streamed:
            prompts, done = self.stream(prompts, list(done)), ()
        return race(
            prompts,
            engine or self.engine(),
            settings=self.settings(**recipe),
            gate=self.gate,
            keep=keep,
            decode=self.decode,
            done=done,
            **needs,  # type: ignore[arg-type]
        )

    async def stream(
        self, prompts: list[RacePrompt], done: list[Completion]
    ) -> AsyncIterator[RacePrompt]:
        """The prompts one by one, each with what is done of it."""
        for prompt in prompts:
            await asyncio.sleep(0)
            self.pulled += 1
            mine = tuple(c for c in done if c.prompt_id == prompt.prompt.id)
            yield replace(prompt, done=mine)


def latest(*runs: Iterable[Completion]) -> dict[Keys, Completion]:
    return {(c.prompt_id, c.index): c for run in runs for c in run}


def golds(
    pool: dict[Keys, Completion],
    min_pass: int = 1,
    min_think_tokens: int = 0,
    min_ratio: float | None = None,
    probe: int = 0,
) -> dict:
    """What selection keeps; with a ratio, of at least that share of the probe's median thought."""
    found = {}
    for prompt_id in {p for p, _ in pool}:
        mine = [c for c in pool.values() if c.prompt_id == prompt_id]
        passing = [c for c in mine if c.verdict and c.verdict.ok]
        least = min_think_tokens
        if min_ratio is not None:
            first = [c.think_tokens for c in mine if c.index < probe and c.finish != "error"]
            least = max(least, math.ceil(min_ratio * statistics.median(first)))
        needs = {"min_pass": min_pass, "min_think_tokens": least}
        found[prompt_id] = choose(passing, "shortest", **needs)
    return {k: (c and (c.index, c.completion_ids)) for k, c in found.items()}


tracks = st.builds(
    Track,
    think=st.integers(0, 9),
    answer=st.integers(1, 6),
    verdict=st.sampled_from([True, True, False, None]),
    delay=st.sampled_from([0, 0, 1, 3, 12]),
    hesitant=st.booleans(),
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    n = draw(st.integers(1, 6))
    table = draw(st.lists(st.lists(tracks, min_size=n, max_size=n), min_size=1, max_size=4))
    shape = draw(st.sampled_from([Shape.FREE, Shape.FREE, Shape.OPEN, Shape.PLAIN, Shape.SHUT]))
    return World(
        table, shape, draw(st.integers(1, 8)), draw(st.sampled_from([100, 9])), draw(st.booleans())
    )


recipes = st.fixed_dictionaries(
    {
        "min_pass": st.integers(1, 3),
        "min_think_tokens": st.sampled_from([0, 0, 3]),
        "probe": st.sampled_from([0, 0, 2]),
        "think_budget": st.sampled_from([None, None, 5]),
        "unjudged": st.sampled_from([1, 3, 256]),
    }
)


def needs_of(recipe: dict) -> dict:
    return {k: recipe[k] for k in ("min_pass", "min_think_tokens")}
