"""An engine of your own, in one file: a bigram model of a little text, sampled with seeded noise.

Use it from a recipe by path, with nothing else to edit:

    runtime:
      engine: ./examples/103_own_engine.py:bigram

or run this file to see it speak:

    python examples/103_own_engine.py

An engine takes jobs (ids in) and gives ids back. What is below is all the protocol asks: pull a job
only when there is a place for it, send exactly one Done a job, honour stop() and cap().
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

from deimos.engines.base import Capabilities, Done, Job, Key, Progress
from deimos.models.ref import ModelRef
from deimos.recipe.runtime import Runtime
from deimos.registry import engine
from deimos.thinking import Shape, ThinkCounter, ThinkIds
from deimos.types import Sampling

TEXT = "the moon fears the dark and the dark fears the sun and the sun fears nothing ."
WORDS = sorted({*TEXT.split()})
END = WORDS.index(".")


class Bigram:
    """Says words that follow each other in ``TEXT``; one sequence at a time, so no batch to manage."""

    name = "bigram/1"
    capabilities = Capabilities(seeds=True, token_ids=True, resumes=True)

    def __init__(self) -> None:
        self._next: dict[int, list[int]] = defaultdict(list)
        ids = [WORDS.index(word) for word in TEXT.split()]
        for a, b in pairwise(ids):
            self._next[a].append(b)
        self._stopped: set[Key] = set()
        self._caps: dict[Key, int] = {}
        self._running: Key | None = None

    def stop(self, key: Key) -> None:
        """Give the candidate's place back before its next token."""
        if key == self._running:
            self._stopped.add(key)

    def cap(self, key: Key, think_tokens: int) -> None:
        """Stop the candidate once its thought is longer than this."""
        if key == self._running:
            self._caps[key] = min(think_tokens, self._caps.get(key, think_tokens))

    async def sample(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Progress | Done]:
        """Decode jobs as they come."""
        async for job in jobs:  # pulls the next job only when this one is done: back-pressure
            self._running = job.key
            if job.think_cap is not None:
                self.cap(job.key, job.think_cap)
            yield await self._decode(job)
            self._stopped.discard(job.key)
            self._caps.pop(job.key, None)

    async def _decode(self, job: Job) -> Done:
        started = asyncio.get_running_loop().time()
        ids = list(job.done_ids)
        counter = ThinkCounter(job.think, ids)  # follows the thought, whatever its tags are

        def done(finish: Any) -> Done:
            seconds = asyncio.get_running_loop().time() - started
            return Done(job.key, tuple(ids), finish, seconds)

        while True:
            await asyncio.sleep(0)  # let judges and the race run beside; they may call stop()
            cap = self._caps.get(job.key)
            if ids and ids[-1] == END:
                return done("stop")
            if len(ids) >= job.sampling.max_tokens:
                return done("length")
            if job.key in self._stopped or (cap is not None and counter.think_tokens > cap):
                return done("stopped")
            # Noise keyed by who asks and where: the same job says the same, however interrupted.
            noise = random.Random(f"{job.seed}/{job.key.prompt_id}/{job.key.index}/{len(ids)}")
            last = ids[-1] if ids else job.prompt_ids[-1]
            ids.append(noise.choice(self._next.get(last) or [END]))
            if ids[-1] != END:
                counter.push(ids[-1])


@engine("bigram")
def bigram(ref: ModelRef, runtime: Runtime, **options: Any) -> Bigram:
    """What a recipe names; gets the model, the runtime, and ``runtime.engine_options``."""
    return Bigram()


def main() -> None:
    """Four candidates for one prompt; then the first again, resumed half-way, says the same."""
    from deimos.registry import resolve

    made = resolve("engine", f"{__file__}:bigram")(ModelRef("none"), Runtime())
    prompt = tuple(WORDS.index(word) for word in ("and", "the"))
    plain = ThinkIds(Shape.PLAIN)
    jobs = [Job(Key("moon", i), prompt, Sampling(max_tokens=24), 7, plain) for i in range(4)]

    async def speak(wanted: list[Job]) -> list[Done]:
        async def feed() -> AsyncIterator[Job]:
            for job in wanted:
                yield job

        return [e async for e in made.sample(feed()) if isinstance(e, Done)]

    ends = asyncio.run(speak(jobs))
    for end in ends:
        said = " ".join(WORDS[i] for i in end.completion_ids)
        print(f"candidate {end.key.index} ({end.finish}, {len(end.completion_ids)} tokens): {said}")
    half = ends[0].completion_ids[: len(ends[0].completion_ids) // 2]
    again = Job(jobs[0].key, prompt, jobs[0].sampling, jobs[0].seed, plain, done_ids=half)
    same = asyncio.run(speak([again]))[0].completion_ids == ends[0].completion_ids
    print(f"{made.name}: going on from {len(half)} tokens gives the same completion: {same}")
    if not same:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
