"""One prompt's race while it is under way: who waits, who runs, who has ended, who is owed.

Bookkeeping of candidates beside the rule of ``heat.py``: no engine, no clock, no files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from deimos.engines.base import Key
from deimos.engines.collect import Request
from deimos.recipe import Sample
from deimos.sample.adaptive import Fate, fate_of, line
from deimos.sample.heat import Heat
from deimos.thinking import Rendered
from deimos.types import Completion, Prompt


@dataclass(frozen=True, slots=True)
class Entrant:
    """A prompt and how the model sees it."""

    prompt: Prompt
    rendered: Rendered
    done: tuple[Completion, ...] = ()
    """What earlier calls of ``race`` kept of it, for prompts that come one by one."""


@dataclass(slots=True)
class Runner:
    """One candidate on its way."""

    request: Request
    done_ids: tuple[int, ...] = ()
    failures: int = 0
    think_tokens: int = 0
    """Of a closed thought, as the engine reported it; 0 while it is open or unknown."""

    @property
    def key(self) -> Key:
        """Whose it is."""
        return self.request.key


@dataclass(slots=True)
class Contest:
    """One prompt's candidates."""

    entrant: Entrant
    heat: Heat
    settings: Sample
    outpaced: dict[int, Completion] = field(default_factory=dict)
    """By index, what an earlier call stopped and this one has not looked at yet."""
    fates: dict[int, Fate] = field(default_factory=dict)
    """By index, of the settled."""
    lined_up: int = 0
    """Candidates below this index have had their turn."""
    begun: int = 0
    """Candidates below this index may have been started by an earlier call."""
    unsettled: int = 0
    """Candidates that wait for a place, decode or are being judged."""
    live: dict[Key, Runner] = field(default_factory=dict)
    """What the engine has been given and has not finished."""

    @property
    def may_grow(self) -> bool:
        """Whether candidates may be wanted that have not had their turn."""
        return self.lined_up < self.settings.candidates

    def take_up(self) -> Iterator[Completion]:
        """Take in what earlier calls kept; yields what has to be judged first."""
        for completion in self.entrant.done:
            index, verdict = completion.index, completion.verdict
            if completion.finish == "error" or index >= self.settings.candidates:
                continue
            self.begun = max(self.begun, index + 1)
            if completion.finish == "outpaced":
                self.outpaced[index] = completion
            elif verdict is None or verdict.ok is None:
                yield completion
            else:
                self.end(completion)

    def end(self, completion: Completion) -> bool:
        """Take in a settled candidate; True where its rivals have a lower limit by it."""
        fate = self.fates[completion.index] = fate_of(completion)
        return bool(fate.ok) and self.heat.enter(completion)

    def line_up(self, partial: Mapping[Key, tuple[int, ...]]) -> Iterator[Runner]:
        """Those who are wanted now and have not had their turn, each with the ids known of it."""
        heat = self.heat
        while True:
            now = line(
                self.settings, self.fates,
                min_pass=heat.min_pass, min_think_tokens=heat.min_think_tokens,
            )  # fmt: skip
            heat.unstoppable = now.free
            # One that an earlier call began, under other verdicts, is gone on with all the same.
            wanted = max(now.wanted, self.begun)
            if wanted <= self.lined_up:
                return
            for index in range(self.lined_up, wanted):
                before = self.outpaced.pop(index, None)
                if before and heat.beaten(index, before.think_tokens):
                    self.end(before)
                elif index not in self.fates:
                    yield self._runner(index, before.completion_ids if before else (), partial)
            self.lined_up = wanted

    def _runner(
        self, index: int, kept: tuple[int, ...], partial: Mapping[Key, tuple[int, ...]]
    ) -> Runner:
        prompt, settings = self.entrant.prompt, self.settings
        seed = seed_of(settings.seed, prompt.id, index)
        sampling = settings.sampling.value()
        request = Request(prompt, self.entrant.rendered, index, seed, sampling)
        self.unsettled += 1
        return Runner(request, max(kept, partial.get(request.key, ()), key=len))


def seed_of(seed: int, prompt_id: str, index: int) -> int:
    """A candidate's own 31-bit seed; the same on every machine and in every order."""
    digest = hashlib.sha256(f"{seed}:{prompt_id}:{index}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
