"""Test problems: from the recipe's sources or lm-eval's tasks, refused where training has seen them.

The check here is for the *same* problem (its id, or the same words after normalisation) among
training and dev prompts; of an lm-eval task also for its question alone at a training prompt's
beginning or end, set off by a blank line, because both put other words around it. Shared runs of
words and near-duplicates are decontamination's (``prompts/decontaminate.py``), before training.
"""

from __future__ import annotations

import contextlib
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from deimos.prompts.decontaminate import TestText
from deimos.prompts.text import question_of
from deimos.recipe import Bench, Recipe, RecipeError, TaskSettings
from deimos.registry import resolve
from deimos.types import JudgeAnswer, Kind, Prompt

POOLED = "all"
"""The task name of rows that pool all tasks."""


@dataclass(frozen=True)
class TestTask:
    """One task of the recipe with its problems, each once."""

    __test__ = False  # no test class, whatever pytest makes of the name

    name: str
    thinking: bool | None
    prompts: tuple[Prompt, ...]
    duplicates: int
    """Problems dropped because the source gave them twice."""
    contaminated: int
    """Problems also among the training or dev prompts (0 unless the recipe allows it)."""
    judge: JudgeAnswer | None = field(default=None, compare=False)
    """The task's own; None: the recipe's graders judge."""


@dataclass(frozen=True)
class Given:
    """One task's problems as its source or lm-eval gives them."""

    task: TaskSettings
    prompts: Sequence[Prompt]
    judge: JudgeAnswer | None
    questions: Mapping[str, Sequence[str]]
    """By prompt id what is asked, apart from the wording around it."""


def given_tasks(recipe: Recipe) -> list[Given]:
    """The problems of all test tasks, not yet held to anything; RecipeError as its sources."""
    _check_names(recipe.bench)
    return [Given(task, *_given(recipe, task)) for task in recipe.bench.tasks]


def asked_by(given: Iterable[Given]) -> list[TestText]:
    """What the problems ask, without the wording around it: what decontamination compares with.

    Of an lm-eval task the document's own fields; where none of them is asked, the last message.
    """
    found: list[TestText] = []
    for each in given:
        for prompt in each.prompts:
            if each.task.source is None:
                last = prompt.messages[-1]["content"]
                said = each.questions.get(prompt.id) or [last]
            else:
                source = resolve("source", each.task.source.source)
                said = [question_of(source, each.task.source.options, prompt)]
            found += [TestText(each.task.name, text) for text in said]
    return found


def load_tasks(
    recipe: Recipe, seen: Collection[Prompt], given: Sequence[Given] | None = None
) -> list[TestTask]:
    """All test tasks of a recipe.

    Args:
        recipe: its ``bench`` section is read, and ``allow_contamination``.
        seen: prompts that training and dev decisions used.
        given: what ``given_tasks`` says, where that has been asked already.

    Raises:
        RecipeError: two tasks of one name, a name unfit for files, no problems, a kind without
            grader, or problems that training has seen.
    """
    prompts = list(seen)
    known = _Seen(
        {p.id for p in prompts}, {normalised(p) for p in prompts},
        {part for p in prompts for part in _parts(p)},
    )  # fmt: skip
    return [_load(recipe, each, known) for each in given or given_tasks(recipe)]


@contextlib.contextmanager
def close_judges(tasks: Iterable[TestTask]) -> Iterator[None]:
    """End the processes of the tasks' own judges at the end of the block."""
    try:
        yield
    finally:
        for task in tasks:
            if close := getattr(task.judge, "close", None):
                close()


def judged_kinds(prompts: Iterable[Prompt], tasks: Iterable[TestTask]) -> set[Kind]:
    """Kinds that the recipe's graders will meet; a task may bring its own judge."""
    given = (prompt for task in tasks if task.judge is None for prompt in task.prompts)
    return {prompt.kind for part in (prompts, given) for prompt in part}


@dataclass(frozen=True)
class _Seen:
    """What training and dev decisions used."""

    ids: set[str]
    words: set[str]
    parts: set[str]

    def knows(self, prompt: Prompt, questions: Iterable[str]) -> bool:
        return (
            prompt.id in self.ids
            or normalised(prompt) in self.words
            or not self.parts.isdisjoint(map(_normal, questions))
        )


def _load(recipe: Recipe, given: Given, seen: _Seen) -> TestTask:
    task, judge, questions = given.task, given.judge, given.questions
    prompts = tuple({p.id: p for p in given.prompts}.values())
    if not prompts:
        raise RecipeError(f"bench.tasks: {task.name!r} has no problems: its source gave none")
    if judge is None:
        _check_kinds(recipe, task.name, prompts)
    known = [p for p in prompts if seen.knows(p, questions.get(p.id, ()))]
    if known and not recipe.allow_contamination:
        raise RecipeError(
            f"bench.tasks: {len(known)} of {len(prompts)} problems of {task.name!r} are among the "
            f"training or dev prompts (such as {_excerpt(known[0])!r}): test on others, or pass "
            "--allow-contamination, and the card will say so"
        )
    thinking = recipe.model.thinking if task.thinking is None else task.thinking
    return TestTask(
        task.name, thinking, prompts, len(given.prompts) - len(prompts), len(known), judge
    )


def _given(
    recipe: Recipe, task: TaskSettings
) -> tuple[list[Prompt], JudgeAnswer | None, Mapping[str, Sequence[str]]]:
    """A task's problems, its own judge, and by prompt id what is asked apart from its wording."""
    if task.source is None:
        from deimos.bench.lm_eval.problems import load_problems

        found = load_problems(task, recipe.bench.seed)
        return found.prompts, found.judge, found.questions
    source = resolve("source", task.source.source)
    options = task.source.options
    return list(source(take=task.source.take, seed=recipe.bench.seed, **options)), None, {}


def _check_names(bench: Bench) -> None:
    names = [task.name for task in bench.tasks]
    for name in names:
        if name == POOLED or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise RecipeError(
                f"bench.tasks: the name {name!r} must be letters, digits, '.', '_' or '-', and not {POOLED!r}"
            )
        if names.count(name) > 1:
            raise RecipeError(f"bench.tasks: two tasks are called {name!r}: names must differ")


def _check_kinds(recipe: Recipe, name: str, prompts: Iterable[Prompt]) -> None:
    lacking = sorted({p.kind for p in prompts} - set(recipe.select.graders))
    if lacking:
        raise RecipeError(
            f"bench.tasks: {name!r} has {lacking[0]} problems but select.graders has no grader for them"
        )


def normalised(prompt: Prompt) -> str:
    """What the user says, regardless of case, spacing and Unicode compatibility forms."""
    return _normal("\n".join(m["content"] for m in prompt.messages if m["role"] == "user"))


def _normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _parts(prompt: Prompt) -> Iterator[str]:
    """Beginnings and ends of what the user says, cut at blank lines: a question without its wording."""
    for message in prompt.messages:
        if message["role"] == "user":
            said = [_normal(part) for part in re.split(r"\n\s*\n", message["content"])]
            yield from accumulate(said, "{} {}".format)
            yield from accumulate(reversed(said), lambda end, part: f"{part} {end}")


def _excerpt(prompt: Prompt) -> str:
    return normalised(prompt)[:60]
