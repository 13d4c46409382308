"""Arithmetic of a plan: what racing would have saved, and what a pilot predicts for a whole recipe.

Pure: completions and numbers in, numbers out. Not covered: verdicts that come late and candidates
that wait for a place in the batch, both of which cost a real race some tokens more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from deimos.recipe import Recipe, Sample, Select
from deimos.sample.adaptive import decide_wanted, result_of
from deimos.sample.prompt_race import Bound
from deimos.select.policy import choose
from deimos.store.candidates import has_length, least_kept
from deimos.types import Completion

BYTES_PER_TOKEN = 18.0
"""Of a candidate's row on disk, a decoded token: ids as numbers, the text twice (whole, and taken
apart), the prompt's ids. Measured on 300 GSM8K solutions as rows in Qwen2.5's tokens, 127 of them
each; longer thoughts take less a token, and a pilot measures its own."""

CANDIDATE_SHARE = 1 / 3
RACED_SHARE = 0.7
KEPT_SHARE = 4338 / 5202
ASSUMED_TOKENS = (
    "tokens: candidates and answers of a third of sample.sampling.max_tokens, the race decodes 70% of "
    "them (50% to 92% were measured), 83% of prompts are kept as on Deimos-A4's card; --pilot measures"
)


@dataclass(frozen=True)
class Pilot:
    """Measurements of some prompts, sampled exhaustively; tokens are decoded ones, if not named otherwise."""

    prompts: int
    n: int
    """Candidates a prompt."""
    exhaustive: int
    """Tokens of all candidates."""
    raced: int
    """Tokens of the same candidates, had they raced."""
    judged: int
    """Candidates that got a verdict."""
    passed: int
    kept: int
    """Prompts with a winner."""
    shortest: float | None
    """Mean think tokens of the shortest candidate that may be kept, over the prompts kept; None: no
    prompt is."""
    right: float | None
    """Mean think tokens of a prompt's right candidates, over the same prompts."""
    gold: float | None
    """Mean tokens to train on, prompt and completion of the one kept, over the same prompts."""
    seconds: float

    @property
    def tokens_per_second(self) -> float | None:
        """Decoded tokens a second, all candidates together; None where nothing was timed."""
        return self.exhaustive / self.seconds if self.seconds > 0 else None


@dataclass(frozen=True)
class Tokens:
    """Tokens of a whole recipe; of its sampling with the dev pass."""

    raced: int
    exhaustive: int
    train: int
    """Tokens of all golds, prompts included, over all epochs: read, not decoded."""
    bench: int
    """Of all answers to test problems, were they as long as the candidates."""


def count_raced(candidates: Iterable[Completion], bound: Bound) -> dict[int, int]:
    """Tokens that each of one prompt's candidates decodes when all start together, by index.

    Everybody decodes one token a step and a verdict is there at once, so a candidate stops at the
    first step at which its thought is strictly longer than the shortest that has passed. That is
    the step at which the winner ends: whoever still runs has thought for longer by then.

    Args:
        candidates: each decoded to its end, verdict included.
        bound: by the recipe's settings; it takes in those that pass. Who is in it already raced
            before these and holds them from their first token.
    """
    cap = bound.limit
    limits: list[tuple[int, int]] = []  # from which step, think tokens
    tokens: dict[int, int] = {}
    for c in sorted(candidates, key=lambda c: (len(c.completion_ids), c.index)):
        whole, free = len(c.completion_ids), c.index < bound.unstoppable
        stops = [step for step, limit in limits if c.think_tokens > limit and not free]
        if cap is not None and c.think_tokens > cap and not free:
            stops.append(cap + 1)
        tokens[c.index] = min([whole, *stops])
        passed = c.verdict is not None and c.verdict.ok
        if tokens[c.index] == whole and passed and bound.add(c) and bound.limit is not None:
            limits.append((whole, bound.limit))
    return tokens


def pilot_of(pool: Sequence[Completion], sample: Sample, select: Select, seconds: float) -> Pilot:
    """What an exhaustive pool amounts to.

    Args:
        pool: all candidates, each to its end, of each of some prompts.
        sample: whose probe and exhaustive count.
        select: whose policy and least lengths count.
        seconds: wall clock of decoding the pool.
    """
    prompts: dict[str, list[Completion]] = defaultdict(list)
    for completion in pool:
        prompts[completion.prompt_id].append(completion)
    raced, shortest, right, gold = 0, [], [], []
    for mine in prompts.values():
        lengths = [c.think_tokens for c in mine if c.index in sample.measured and has_length(c)]
        least = least_kept(lengths, select.min_think_tokens, select.min_ratio)
        needs = {"min_pass": select.min_pass, "min_think_tokens": least}
        run = decide_wanted(sample, {c.index: result_of(c) for c in mine}, **needs)
        mine = [c for c in mine if c.index < run.count]
        bound = Bound(min_pass=select.min_pass, min_think_tokens=least, unstoppable=run.unstoppable)
        together = sample.n if isinstance(sample.n, int) else sample.n.min
        for start in range(0, run.count, together):
            wave = [c for c in mine if start <= c.index < start + together]
            raced += sum(count_raced(wave, bound).values())
        if bound.limit is not None:
            passed = [c for c in mine if c.verdict and c.verdict.ok]
            winner = choose(passed, select.policy, **needs)
            assert winner is not None, "the race and select keep by the same bounds"
            shortest.append(bound.limit)
            right.append(sum(c.think_tokens for c in passed) / len(passed))
            gold.append(len(winner.prompt_ids) + len(winner.completion_ids))
    verdicts = [c.verdict.ok for c in pool if c.verdict and c.verdict.ok is not None]
    return Pilot(
        prompts=len(prompts), n=sample.candidates, exhaustive=sum(len(c.completion_ids) for c in pool),
        raced=raced, judged=len(verdicts), passed=sum(verdicts), kept=len(shortest),
        shortest=_mean(shortest), right=_mean(right), gold=_mean(gold), seconds=seconds,
    )  # fmt: skip


def expect_tokens(pilot: Pilot, train: int, dev: int, *, epochs: float, answers: int) -> Tokens:
    """What a pilot says of a whole recipe.

    Args:
        pilot: of some of the train prompts.
        train: prompts to race.
        dev: prompts that the base answers once.
        epochs: of training.
        answers: to test problems, of both models at all configs.
    """
    candidate = pilot.exhaustive / (pilot.prompts * pilot.n)
    once = dev * candidate
    raced, exhaustive = (
        train * tokens / pilot.prompts for tokens in (pilot.raced, pilot.exhaustive)
    )
    golds = train * pilot.kept / pilot.prompts
    return Tokens(
        round(raced + once), round(exhaustive + once),
        train=round(golds * (pilot.gold or 0) * epochs), bench=round(answers * candidate),
    )  # fmt: skip


def assume_tokens(recipe: Recipe, train: int, dev: int, answers: int) -> Tokens:
    """What a recipe would take by ``ASSUMED_TOKENS``; arguments as in ``expect_tokens``."""
    sample = recipe.sample
    candidate = CANDIDATE_SHARE * sample.sampling.max_tokens
    exhaustive = train * sample.candidates * candidate
    saved = 1.0 if sample.exhaustive or sample.candidates == 1 else RACED_SHARE
    golds = train * KEPT_SHARE * recipe.train.epochs
    return Tokens(
        round(exhaustive * saved + dev * candidate), round(exhaustive + dev * candidate),
        train=round(golds * min(candidate, recipe.train.max_length)),
        bench=round(answers * candidate),
    )  # fmt: skip


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
