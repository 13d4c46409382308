"""Prompts of IFEval's kind that may be trained on: its rules, put to writing tasks of our own.

A seed draws tasks (``ifeval_tasks.txt``, 158 to write and 15 to decide) and rules for them. How many
rules a prompt has, and how often each rule stands alone, in twos and in threes, is as in IFEval;
rules that exclude each other never meet. No task and no sentence is IFEval's, which a test holds.
As for IFEval, there are no right answers: nobody has written the answers.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from deimos.prompts.sources.ifeval_rules import (
    COMMA,
    CONSTRAINED,
    MIX,
    REPEAT,
    RULES,
    SIZES,
    Draw,
    conflict,
)
from deimos.recipe import RecipeError
from deimos.registry import source
from deimos.types import Prompt

DEFAULT_TAKE = sum(SIZES)
"""As many as IFEval has."""
MOST = 5_000
TRIES = 20
"""At a prompt that is not there yet; a rule without arguments runs out of tasks in the end."""
LICENCE = "Apache-2.0"


class Task(NamedTuple):
    """One line of ``ifeval_tasks.txt``."""

    text: str
    words: tuple[str, ...]
    decides: bool
    """Can be answered with yes, no or maybe."""


def _asked(prompt: Prompt) -> str:
    """The task alone: the rules' sentences stand in many prompts."""
    content = prompt.messages[0]["content"]
    return next((task.text for task in tasks() if content.startswith(task.text)), content)


@source("ifeval_like", paths=(), kind="instruction", asked=_asked)
def ifeval_like(*, take: int | None, seed: int) -> list[Prompt]:
    """Distinct prompts, in the order in which the seed draws them.

    Args:
        take: how many, up to 5,000; None takes 541, as many as IFEval has.
        seed: another seed draws other tasks for other rules.

    Raises:
        RecipeError: more than 5,000.
    """
    wanted = DEFAULT_TAKE if take is None else take
    if wanted > MOST:
        raise RecipeError(f"ifeval_like: take = {take}: accepted: up to {MOST:,}")
    rng = random.Random(f"ifeval_like/{seed}")
    prompts: dict[str, Prompt] = {}
    while len(prompts) < wanted:
        for rules in deck(rng):
            for _ in range(TRIES):
                prompt = _prompt(rng, rules)
                if prompts.setdefault(prompt.messages[0]["content"], prompt) is prompt:
                    break
    return list(prompts.values())[:wanted]


@cache
def tasks() -> tuple[Task, ...]:
    """All tasks, in the file's order."""
    text = Path(__file__).with_name("ifeval_tasks.txt").read_text(encoding="utf-8")
    found = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            asked, _, words = line.removeprefix("? ").partition(" | ")
            found.append(Task(asked, tuple(words.split(", ")), line.startswith("? ")))
    return tuple(found)


def deck(rng: random.Random) -> list[tuple[str, ...]]:
    """541 sets of rules in drawn order, dealt so that each rule is as frequent as in IFEval.

    Per number of rules, IFEval's rules are laid out and matched, the choosiest first; the few that
    find no partner left give their place to one that does.
    """
    sets: list[tuple[str, ...]] = []
    for size, count in enumerate(SIZES, 1):
        pool = Counter({rule: counts[size - 1] for rule, counts in MIX.items()})
        sets += _dealt(rng, pool, size, count)
    rng.shuffle(sets)
    return sets


def _dealt(
    rng: random.Random, pool: Counter[str], size: int, count: int
) -> Iterator[tuple[str, ...]]:
    choosy = sorted(pool, key=lambda rule: (sum(not conflict(rule, o) for o in MIX), rule))
    every = Counter(pool)
    for _ in range(count):
        first = next((rule for rule in choosy if pool[rule] > 0), None)
        chosen = [first or _drawn(rng, every, [])]
        pool[chosen[0]] -= 1
        while len(chosen) < size:
            rule = (
                _drawn(rng, pool, chosen) if _fitting(pool, chosen) else _drawn(rng, every, chosen)
            )
            pool[rule] -= 1
            chosen.append(rule)
        rng.shuffle(chosen)
        yield tuple(chosen)


def _fitting(pool: Counter[str], chosen: list[str]) -> list[str]:
    return [rule for rule in MIX if pool[rule] > 0 and not any(conflict(rule, c) for c in chosen)]


def _drawn(rng: random.Random, pool: Counter[str], chosen: list[str]) -> str:
    rules = _fitting(pool, chosen)
    return rng.choices(rules, [pool[rule] for rule in rules])[0]


def _prompt(rng: random.Random, rules: tuple[str, ...]) -> Prompt:
    decides = CONSTRAINED in rules
    spoken = REPEAT in rules and COMMA in rules  # what is repeated must not break the other rule
    fit = [t for t in tasks() if t.decides == decides and not (spoken and "," in t.text)]
    task = rng.choice(fit)
    draw = Draw(rng, task.text, rng.sample(task.words, len(task.words)))
    drawn = [RULES[rule](draw) for rule in rules]
    return Prompt.of(
        task="ifeval_like", kind="instruction",
        messages=[{"role": "user", "content": " ".join([task.text, *(said for _, said in drawn)])}],
        reference={"instruction_id_list": list(rules), "kwargs": [given for given, _ in drawn]},
        source="ifeval_like:train", licence=LICENCE,
    )  # fmt: skip
