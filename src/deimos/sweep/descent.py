"""Coordinate descent: one parameter after the other, its values raced against each other.

The values of a parameter (a *line* of configs, all other parameters as they stand) answer the same
items in the same order, a block at a time. After each block a value that is shown to be worse than
the best is dropped (``evidence``); the best of those that are left stays, and the next parameter is
next. A pass that changes nothing is the last one.

With enough items there is a pass before all others on the first few alone (the *screen*): nothing is
dropped in it, it only finds out where to begin. Its items are no evidence later, so what it has chosen
is independent of the items that values are dropped by.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from deimos.evaluate.outcomes import Outcome
from deimos.store.sweep_rows import DecodingConfig
from deimos.sweep.answers import Answers
from deimos.sweep.evidence import Family
from deimos.sweep.score import Score
from deimos.sweep.space import Space, change, explain_inert, reduce_to_effective
from deimos.sweep.trials import Trial, Trials

SCREEN_SHARE = 6
"""How many times as many items as the screen's there are; it must have a block at least."""


@dataclass(frozen=True)
class Rules:
    """How values are tried."""

    items: int
    block: int
    alpha: float
    rounds: int
    score: Score

    @property
    def screen(self) -> int:
        """The first items, which show where to begin and count as no evidence; 0: too few items."""
        screen = self.items // SCREEN_SHARE
        return screen if screen >= self.block else 0


@dataclass
class Standing:
    """What a config has shown so far."""

    worth: float = 0.0
    """Of the judged items together."""
    judged: int = 0
    tokens: int = 0

    def push(self, outcomes: Sequence[Outcome], score: Score) -> None:
        """Take the next items."""
        judged = [worth for o in outcomes if (worth := score.of(o)) is not None]
        self.worth, self.judged = self.worth + sum(judged), self.judged + len(judged)
        self.tokens += sum(o.total_tokens for o in outcomes)

    @property
    def rank(self) -> tuple[float, int]:
        """What configs are sorted by: worth an item, the highest first, then tokens."""
        return (-self.worth / self.judged if self.judged else 0.0), self.tokens


@dataclass
class Line:
    """The values of one parameter while they are raced.

    Args:
        configs: those that differ, the one that stands first.
        rules: how they are tried.
        family: how much error the line may make; None: nothing is dropped, and the items are those
            of the screen.
    """

    configs: Sequence[DecodingConfig]
    rules: Rules
    family: Family | None

    def __post_init__(self) -> None:
        score = self.rules.score
        self.outcomes: dict[DecodingConfig, list[Outcome]] = {c: [] for c in self.configs}
        self.dropped: dict[DecodingConfig, tuple[int, str]] = {}
        self._standing = {c: Standing() for c in self.configs}
        self._evidence = {c: score.evidence(self.configs) for c in self.configs}

    @property
    def left(self) -> list[DecodingConfig]:
        """Configs that are not dropped."""
        return [c for c in self.configs if c not in self.dropped]

    def e_value(self, config: DecodingConfig) -> float:
        """How much speaks for a config being worse than the best."""
        return self._evidence[config].e_value

    async def race(self, answers: Answers) -> DecodingConfig:
        """Answer all items, a block at a time; returns the best config that is left."""
        items = self.rules.items if self.family else self.rules.screen
        if self.family and self.rules.screen:
            await answers.of(self.configs[0], items)  # it is good: the screen has chosen it
        for start, end in self._blocks(items):
            for config in self.left:
                self.outcomes[config] = [*await answers.of(config, end)]
            self._weigh(start, end)
        return self._rank()[0]

    def _blocks(self, items: int) -> Iterator[tuple[int, int]]:
        """Where blocks begin and end: the screen first, as one."""
        screen = self.rules.screen
        if screen:
            yield 0, screen
        for start in range(screen, items, self.rules.block):
            yield start, min(start + self.rules.block, items)

    def _weigh(self, start: int, end: int) -> None:
        """Take a block's items into the evidence, and drop what is shown to be worse."""
        leaders, score = self._rank(), self.rules.score  # by the items before: see ``evidence``
        block = {config: self.outcomes[config][start:end] for config in leaders}
        counted = len(leaders) > 1 and start >= self.rules.screen and self.family is not None
        for config in leaders if counted else ():
            leader = leaders[1] if config == leaders[0] else leaders[0]
            self._evidence[config].push(score.differences(block[config], block[leader]))
        for config, outcomes in block.items():
            self._standing[config].push(outcomes, score)
        if self.family is None:
            return
        for config in sorted(leaders, key=lambda c: -self.e_value(c)):
            limit = self.family.limit(len(self.left))
            if len(self.left) > 1 and self.e_value(config) >= limit:
                because = (
                    f"worse than the best of the values: e-value {self.e_value(config):,.0f} of the "
                    f"{limit:,.0f} that are needed"
                )
                self.dropped[config] = end, because

    def _rank(self) -> list[DecodingConfig]:
        """What is left by its worth on the items so far, then by tokens; equal ones as they stand."""
        return sorted(self.left, key=lambda config: self._standing[config].rank)


SCREENED = "screened on the first items, to find out where to begin"


async def descend(space: Space, answers: Answers, rules: Rules) -> Trials:
    """Try one parameter after the other until nothing changes; returns what was tried.

    Args:
        space: parameters and values.
        answers: of the model.
        rules: items, blocks, alpha, passes.

    Raises:
        EvaluationError: the engine failed on some completions again and again.
    """
    trials, here = Trials(), space.start
    visited: set[frozenset[DecodingConfig]] = set()
    for number in range(0 if rules.screen else 1, rules.rounds + 1):
        before = here
        for name, values in space.values.items():
            if because := explain_inert(here, name):
                trials.skipped[name] = because
                continue
            trials.skipped.pop(name, None)
            ways = {
                reduce_to_effective(change(here, name, value)): value for value in reversed(values)
            }
            standing = reduce_to_effective(here)
            configs = (standing, *(c for c in reversed(ways) if c != standing))
            if len(configs) == 1 or frozenset(configs) in visited:
                continue
            if number:
                visited.add(frozenset(configs))
            line = Line(configs, rules, _family(space, name, number, rules) if number else None)
            best = await line.race(answers)
            _note(trials, line, answers, number, name, ways)
            here = change(here, name, ways[best]) if best != standing else here
        if number and here == before:
            break
    if not trials.rows:
        outcomes = await answers.of(space.start, rules.items)
        start = reduce_to_effective(space.start)
        trials.rows.append(
            Trial(0, "", None, start, outcomes, decoded=answers.decoded(start), because="start")
        )
    return trials


def _family(space: Space, name: str, number: int, rules: Rules) -> Family:
    """How many lines might stand in this one's place: whatever the parameters before ended with."""
    sizes: Mapping[str, int] = {key: len(values) for key, values in space.values.items()}
    names = list(sizes)
    free = names if number > 1 else names[: names.index(name)]
    return Family(rules.alpha, rules.rounds * len(names), math.prod(sizes[key] for key in free))


def _note(
    trials: Trials,
    line: Line,
    answers: Answers,
    number: int,
    name: str,
    ways: Mapping[DecodingConfig, float | int | None],
) -> None:
    """Write down what a line has shown: a new trial for each value but the one that stood."""
    standing = line.configs[0]
    if not trials.rows:
        trials.rows.append(Trial(0, "", None, standing))
    for config in line.configs:
        known = [trial for trial in trials.rows if trial.config == config]
        at, because = line.dropped.get(config, (None, ""))
        screened = bool(known) and known[-1].because == SCREENED
        if config != standing and screened:  # raced for the first time: the same trial goes on
            known[-1].round, known[-1].parameter, known[-1].value = number, name, ways[config]
        elif config != standing:
            trials.rows.append(Trial(number, name, ways[config], config))
            known.append(trials.rows[-1])
        trial = known[-1]
        if len(line.outcomes[config]) > len(trial.outcomes):
            trial.outcomes = line.outcomes[config]
        trial.e_value = line.e_value(config) if line.family else None
        trial.dropped_at, trial.because = at, because or ("" if line.family else SCREENED)
        trial.decoded = answers.decoded(config) - sum(t.decoded for t in known[:-1])
