"""The race of one prompt: which candidates wait, run or have ended, and which can still be kept.

Bookkeeping only: no engine, no clock, no files. The rule is ``Bound``, and it is exact: a candidate
is stopped only if its thought is *strictly* longer than the shortest keepable one, so whatever
selection by shortest thought would keep of all candidates is never stopped. Candidates that passed
stay passed, so the bound only falls, and a candidate that was over it once stays over it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from deimos.engines.base import Key
from deimos.engines.collect import Request
from deimos.recipe import Sample, Select
from deimos.sample.adaptive import CandidateResult, decide_wanted, result_of
from deimos.store.candidates import has_length, least_kept, rank
from deimos.store.hashing import derive_seed
from deimos.thinking import Rendered
from deimos.types import Completion, Prompt

SEPARATOR = ":"
"""Of the seeds of a race; evaluations derive theirs with another."""


@dataclass(frozen=True, slots=True)
class MedianFloor:
    """The shortest thought that is kept, as a share of the median of some of a prompt's candidates."""

    ratio: float
    measured: Collection[int]
    """By index: nothing can stop these, and they are plain, so they show the model's own lengths."""


def floor_of(select: Select, sample: Sample) -> MedianFloor | None:
    """The recipe's; None if it has none."""
    return None if select.min_ratio is None else MedianFloor(select.min_ratio, sample.measured)


class Bound:
    """The longest thought with which a candidate of a prompt can still be kept.

    Branch and bound, with the thought of the best candidate so far as the bound.

    Args:
        min_pass: how many must pass before any is kept, and so before any is stopped.
        min_think_tokens: a shorter thought passes but is never kept, so it stops no other.
        unstoppable: this many first candidates are never stopped (the probe).
        floor: the shortest keepable thought as a share of a median; until that is known nothing can be
            kept, so nothing is stopped. None: there is none.
    """

    def __init__(
        self,
        *,
        min_pass: int = 1,
        min_think_tokens: int = 0,
        unstoppable: int = 0,
        floor: MedianFloor | None = None,
    ) -> None:
        self.min_pass = min_pass
        self.min_think_tokens = min_think_tokens
        self.unstoppable = unstoppable
        self.passed = 0
        self._shortest: Completion | None = None
        self._floor = floor
        """None once it is known: it is in ``min_think_tokens`` then."""
        self._ended: dict[int, Completion] = {}
        """By index: those by which it is measured."""
        self._waiting: list[Completion] = []
        """Those that passed before it was known."""

    def add(self, completion: Completion) -> bool:
        """Take in a candidate that passed filters 1 to 3; True if the limit has changed."""
        before = self.limit
        self.passed += 1
        if self._floor is not None:
            self._waiting.append(completion)
        else:
            self._take(completion)
        return self.limit != before

    def note(self, completion: Completion) -> None:
        """Take in how a candidate has ended, also one that failed: the floor may be known then."""
        if self._floor is None or completion.index not in self._floor.measured:
            return
        self._ended[completion.index] = completion
        if len(self._ended) == len(self._floor.measured):
            lengths = [c.think_tokens for c in self._ended.values() if has_length(c)]
            ratio, self._floor = self._floor.ratio, None
            self.min_think_tokens = least_kept(lengths, self.min_think_tokens, ratio)
            for waiting in self._waiting:
                self._take(waiting)

    def _take(self, completion: Completion) -> None:
        keepable = completion.think_tokens >= self.min_think_tokens
        if keepable and (self._shortest is None or rank(completion) < rank(self._shortest)):
            self._shortest = completion

    @property
    def shortest(self) -> Completion | None:
        """The best candidate so far that may be kept, however many have passed."""
        return self._shortest

    @property
    def winner(self) -> Completion | None:
        """What would be kept if no other candidate passed."""
        return self._shortest if self.passed >= self.min_pass else None

    @property
    def limit(self) -> int | None:
        """Think tokens of the winner; None while every candidate may still be kept."""
        return self.winner.think_tokens if self.winner else None

    def cap(self, index: int) -> int | None:
        """The longest thought, in tokens, with which this candidate can be kept; None: any."""
        return None if index < self.unstoppable else self.limit

    def is_beaten(self, index: int, think_tokens: int) -> bool:
        """Whether a thought that is already this long, open or closed, is to be stopped."""
        cap = self.cap(index)
        return cap is not None and think_tokens > cap


@dataclass(frozen=True, slots=True)
class CandidatePrompt:
    """How one candidate comes about."""

    rendered: Rendered
    """What it is sampled from."""
    proposer: str = "plain"
    """Name of its proposer."""


@dataclass(frozen=True, slots=True)
class RacePrompt:
    """A prompt, how the model sees it, and what is known of its candidates."""

    prompt: Prompt
    rendered: Rendered
    """What its candidates are trained on, and sampled from unless ``asked`` says otherwise."""
    done: tuple[Completion, ...] = ()
    """What earlier calls of ``race`` kept of it, for prompts that come one by one."""
    asked: tuple[CandidatePrompt, ...] = ()
    """How each candidate is asked, by index; empty: all are plain."""

    def asked_at(self, index: int) -> CandidatePrompt:
        """How a candidate is asked."""
        return self.asked[index] if self.asked else CandidatePrompt(self.rendered)


@dataclass(slots=True)
class ActiveCandidate:
    """A candidate that waits for a place in the engine, or has one."""

    request: Request
    done_ids: tuple[int, ...] = ()
    """Decoded already; the engine goes on from them."""
    failures: int = 0
    think_tokens: int = 0
    """Of a closed thought, as the engine reported it; 0 while it is open or unknown."""

    @property
    def key(self) -> Key:
        """Its prompt's id and its index."""
        return self.request.key


@dataclass(slots=True)
class PromptRace:
    """The state of one prompt's candidates."""

    entry: RacePrompt
    bound: Bound
    settings: Sample
    outpaced: dict[int, Completion] = field(default_factory=dict)
    """By index: stopped by an earlier call, and not yet looked at by this one."""
    results: dict[int, CandidateResult] = field(default_factory=dict)
    """By index: those that are settled."""
    considered: int = 0
    """Candidates below this index have been started, or need no start."""
    begun: int = 0
    """Candidates below this index may have been started by an earlier call."""
    unsettled: int = 0
    """Candidates that wait for a place, decode or are being judged."""
    active: dict[Key, ActiveCandidate] = field(default_factory=dict)
    """What the engine has been given and has not finished."""

    @property
    def may_grow(self) -> bool:
        """Whether more candidates may be wanted than have been considered."""
        return self.considered < self.settings.candidates

    def take_in_done(self) -> Iterator[Completion]:
        """Take in what earlier calls kept; yields the completions that have to be judged first."""
        for completion in self.entry.done:
            index, verdict = completion.index, completion.verdict
            if completion.finish == "error" or index >= self.settings.candidates:
                continue
            self.begun = max(self.begun, index + 1)
            if completion.finish == "outpaced":
                self.outpaced[index] = completion
            elif verdict is None or verdict.ok is None:
                yield completion
            else:
                self.settle(completion)

    def settle(self, completion: Completion) -> bool:
        """Take in a candidate that has ended and is judged; True if the bound has fallen."""
        before = self.bound.limit
        result = self.results[completion.index] = result_of(completion)
        self.bound.note(completion)
        if result.ok:
            self.bound.add(completion)
        return self.bound.limit != before

    def take_wanted(self, partial: Mapping[Key, tuple[int, ...]]) -> Iterator[ActiveCandidate]:
        """The candidates that are to start now, each with the ids decoded of it already."""
        bound = self.bound
        while True:
            now = decide_wanted(
                self.settings, self.results,
                min_pass=bound.min_pass, min_think_tokens=bound.min_think_tokens,
            )  # fmt: skip
            bound.unstoppable = now.unstoppable
            # What an earlier call began, under other verdicts, is gone on with all the same.
            wanted = max(now.count, self.begun)
            if wanted <= self.considered:
                return
            for index in range(self.considered, wanted):
                before = self.outpaced.pop(index, None)
                if before and bound.is_beaten(index, before.think_tokens):
                    self.settle(before)
                elif index not in self.results:
                    yield self._activate(index, before.completion_ids if before else (), partial)
            self.considered = wanted

    def _activate(
        self, index: int, kept: tuple[int, ...], partial: Mapping[Key, tuple[int, ...]]
    ) -> ActiveCandidate:
        prompt, settings = self.entry.prompt, self.settings
        seed = derive_seed(settings.seed, prompt.id, index, SEPARATOR)
        sampling = settings.sampling.value()
        asked = self.entry.asked_at(index)
        request = Request(
            prompt, self.entry.rendered, index, seed, sampling,
            asked=asked.rendered, proposer=asked.proposer,
        )  # fmt: skip
        self.unsettled += 1
        return ActiveCandidate(request, max(kept, partial.get(request.key, ()), key=len))
