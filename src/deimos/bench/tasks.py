"""Test problems: from the recipe's sources or lm-eval's tasks, refused where training has seen them.

The check here is for the *same* problem among training and dev prompts, also where decontamination
is off: its id, the same words and signs, or its question alone, without the wording that its source
or lm-eval puts around it, as a part of what a training prompt says. A question of fewer than eight
words and signs may stand in many texts: it must be set off by blank lines there. Shared runs of words
and near-duplicates are decontamination's (``prompts/decontaminate.py``), before training.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from deimos.bench.lm_eval.expand import list_tasks
from deimos.prompts.decontaminate import TestText, runs
from deimos.prompts.normalise import fold, words_and_signs
from deimos.prompts.references import check_references
from deimos.prompts.text import question_of
from deimos.recipe import Recipe, RecipeError, TaskSettings
from deimos.registry import resolve
from deimos.types import JudgeAnswer, Kind, Prompt

POOLED = "all"
"""The task name of rows that pool all tasks."""
WITHIN = 8
"""A question of so many words and signs is the same problem wherever it stands."""


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
    group: str | None = None
    """Tasks of the same group have rows that pool them."""


@dataclass(frozen=True)
class Given:
    """One task's problems as its source or lm-eval gives them."""

    task: TaskSettings
    prompts: Sequence[Prompt]
    judge: JudgeAnswer | None
    questions: Mapping[str, Sequence[str]]
    """By prompt id what is asked, apart from the wording around it; empty where that is not known."""

    def asked(self, prompt: Prompt) -> Sequence[str]:
        """What one of the problems asks: its last message where nothing less is known."""
        return self.questions.get(prompt.id) or [prompt.messages[-1]["content"]]


def read_tasks(recipe: Recipe, limit: int | None = None) -> list[Given]:
    """The problems of all test tasks, not yet held to anything; RecipeError as its sources.

    Args:
        recipe: its ``bench`` section is read.
        limit: only so many of each task, the first ones. What is asked for is checked against
            training as a whole, so this is not taken from the recipe.
    """
    tasks = list_tasks(recipe.bench)
    _check_names(tasks)
    judges = _open_judges(tasks)
    return [Given(task, *_given(recipe, task, limit, judges)) for task in tasks]


def list_questions(given: Iterable[Given]) -> list[TestText]:
    """What the problems ask, without the wording around it: what decontamination compares with.

    Of an lm-eval task the document's own fields.
    """
    return [
        TestText(each.task.name, text)
        for each in given
        for prompt in each.prompts
        for text in each.asked(prompt)
    ]


def load_tasks(
    recipe: Recipe, seen: Collection[Prompt], given: Sequence[Given] | None = None
) -> list[TestTask]:
    """All test tasks of a recipe.

    Args:
        recipe: its ``bench`` section is read, and ``allow_contamination``.
        seen: prompts that training and dev decisions used.
        given: what ``read_tasks`` says, where that has been asked already.

    Raises:
        RecipeError: two tasks of one name, a name unfit for files, no problems, a kind without
            grader, or problems that training has seen.
    """
    tasks = list(given or read_tasks(recipe, recipe.bench.limit))
    known = _Seen(seen, (text for each in tasks for p in each.prompts for text in each.asked(p)))
    return [_load(recipe, each, known) for each in tasks]


@contextlib.contextmanager
def close_judges(tasks: Iterable[TestTask]) -> Iterator[None]:
    """End the processes of the tasks' own judges at the end of the block."""
    try:
        yield
    finally:
        for task in tasks:
            if close := getattr(task.judge, "close", None):
                close()


def find_judged_kinds(prompts: Iterable[Prompt], tasks: Iterable[TestTask]) -> set[Kind]:
    """Kinds that the recipe's graders will meet; a task may bring its own judge."""
    given = (prompt for task in tasks if task.judge is None for prompt in task.prompts)
    return {prompt.kind for part in (prompts, given) for prompt in part}


class _Seen:
    """What training and dev decisions used, and which of the tests' questions stand in it.

    Args:
        prompts: of training and dev.
        questions: all that tests ask, without the wording around it.
    """

    def __init__(self, prompts: Iterable[Prompt], questions: Iterable[str]) -> None:
        self._ids: set[str] = set()
        self._texts: set[str] = set()
        self._asked: set[str] = set()
        wanted = _Questions(questions)
        for prompt in prompts:
            self._ids.add(prompt.id)
            self._texts.add(normalise_prompt(prompt))
            for message in prompt.messages:
                if message["role"] == "user":
                    self._asked |= wanted.find_in(message["content"])

    def knows(self, prompt: Prompt, questions: Iterable[str]) -> bool:
        """Whether a test problem is among them."""
        return (
            prompt.id in self._ids
            or normalise_prompt(prompt) in self._texts
            or not self._asked.isdisjoint(map(_normal, questions))
        )


class _Questions:
    """The tests' questions, to be found in longer texts."""

    def __init__(self, questions: Iterable[str]) -> None:
        self._all: set[str] = set()
        self._long: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
        """By their first words and signs."""
        for question in questions:
            said = tuple(words_and_signs(question))
            if said:
                self._all.add(" ".join(said))
            if len(said) >= WITHIN:
                self._long.setdefault(said[:WITHIN], set()).add(said)

    def find_in(self, text: str) -> set[str]:
        """The questions that a text holds, as ``_normal`` writes them."""
        found = self._all.intersection(_parts(text))
        said = tuple(words_and_signs(text))
        for start, run in enumerate(runs(said, WITHIN)):
            for question in self._long.get(run, ()):
                if said[start : start + len(question)] == question:
                    found.add(" ".join(question))
        return found


def _load(recipe: Recipe, given: Given, seen: _Seen) -> TestTask:
    task, judge = given.task, given.judge
    first = given.prompts[: recipe.bench.limit]
    prompts = tuple({p.id: p for p in first}.values())
    if not prompts:
        raise RecipeError(f"bench.tasks: {task.name!r} has no problems: its source gave none")
    if judge is None:
        _check_kinds(recipe, task.name, prompts)
        if task.source is not None:
            check_references(prompts, recipe.bench_graders, task.source, f"bench.tasks {task.name}")
    known = [p for p in prompts if seen.knows(p, given.asked(p))]
    if known and not recipe.allow_contamination:
        raise RecipeError(
            f"bench.tasks: {len(known)} of {len(prompts)} problems of {task.name!r} are among the "
            f"training or dev prompts (such as {_excerpt(known[0])!r}): test on others, or pass "
            "--allow-contamination, and the card will say so"
        )
    thinking = recipe.model.thinking if task.thinking is None else task.thinking
    repeated = len(first) - len(prompts)
    return TestTask(task.name, thinking, prompts, repeated, len(known), judge, task.group)


def _given(
    recipe: Recipe, task: TaskSettings, limit: int | None, judges: Any
) -> tuple[list[Prompt], JudgeAnswer | None, Mapping[str, Sequence[str]]]:
    """A task's problems, its own judge, and by prompt id what is asked apart from its wording."""
    if task.source is None:
        from deimos.bench.lm_eval.problems import load_problems

        found = load_problems(task, recipe.bench.seed, limit, judges)
        return found.prompts, found.judge, found.questions
    source = resolve("source", task.source.source)
    options = task.source.options
    prompts = list(source(take=task.source.take, seed=recipe.bench.seed, **options))[:limit]
    return prompts, None, {p.id: [question_of(source, options, p)] for p in prompts}


def _open_judges(tasks: Iterable[TaskSettings]) -> Any:
    """The process that scores all of lm-eval's tasks; None if there are none."""
    scored = [task for task in tasks if task.lm_eval]
    if not scored:
        return None
    from deimos.bench.lm_eval.judging import open_scorers

    return open_scorers(scored)


def _check_names(tasks: Sequence[TaskSettings]) -> None:
    names = [task.name for task in tasks]
    groups = {task.group for task in tasks if task.group}
    for name in (*names, *groups):
        if name == POOLED or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise RecipeError(
                f"bench.tasks: the name {name!r} must be letters, digits, '.', '_' or '-', and not {POOLED!r}"
            )
        if names.count(name) + (name in groups) > 1:
            raise RecipeError(
                f"bench.tasks: two tasks are called {name!r}: names of tasks and groups must differ"
            )


def _check_kinds(recipe: Recipe, name: str, prompts: Iterable[Prompt]) -> None:
    lacking = sorted({p.kind for p in prompts} - set(recipe.bench_graders))
    if lacking:
        raise RecipeError(
            f"bench.tasks: {name!r} has {lacking[0]} problems but select.graders has no grader for them"
        )


def normalise_prompt(prompt: Prompt) -> str:
    """What the user says: words and signs, regardless of case, spacing and invisible characters."""
    return _normal("\n".join(m["content"] for m in prompt.messages if m["role"] == "user"))


def _normal(text: str) -> str:
    return " ".join(words_and_signs(text))


def _parts(text: str) -> Iterator[str]:
    """A text's beginnings and ends, cut at blank lines: a question without the wording around it."""
    said = [_normal(part) for part in re.split(r"\n\s*\n", text)]
    yield from accumulate(said, "{} {}".format)
    yield from accumulate(reversed(said), lambda end, part: f"{part} {end}")


def _excerpt(prompt: Prompt) -> str:
    said = "\n".join(m["content"] for m in prompt.messages if m["role"] == "user")
    return " ".join(fold(said).split())[:60]
