"""Judged completions reduced to what rows are made of, at their own budget or cut at a smaller one.

A smaller budget is not decoded anew: under greedy or counter-based sampling the shorter run *is*
the beginning of the longer one, so cutting recorded traces answers exactly. A cut trace never
finished, so it is wrong, whatever stood in it. Not covered: models whose prompt names their budget.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deimos.evaluate import stats
from deimos.thinking import Shape, Tags, ThinkIds, count, split
from deimos.types import Completion, Prompt, SecondOpinion, Verdict

CURVE_POINTS = 24
CUT = Verdict.of(False, "cut at the budget: it never finished")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A judged completion, reduced to what rows are made of."""

    problem: str
    """Unique within a bench: task and prompt id."""
    task: str
    thinking: bool | None
    index: int
    ok: bool | None
    """None: could not be judged, never counted as wrong."""
    finish: str
    think_tokens: int
    answer_tokens: int
    total_tokens: int
    """All completion tokens, tags and end of turn included: what a budget counts."""
    chars: int
    empty_think: bool | None
    """None in the shut and plain shapes, which have no thought."""
    because: str = ""
    """The verdict's reason, if it is null."""
    second: SecondOpinion | None = None
    """Of a math answer that was judged."""
    kind: str = ""
    """The problem's; empty where nobody asked for it."""
    level: str = ""
    """The problem's, as its data set has it; empty if it has none."""
    vote: str | None = None
    """For which answer it votes, of several samples (``at_k``); "" for none; None: not known."""
    metrics: Mapping[str, Any] | None = None
    """Of an answer to an lm-eval task that was scored: see ``Verdict.metrics``."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """What is needed to split and count a prompt's completions again after a cut."""

    think: ThinkIds
    tags: Tags | None
    eos_ids: Collection[int]
    decode: Callable[[Sequence[int]], str]


def total_tokens(completion: Completion) -> int:
    """Completion tokens as a budget counts them; summed up where an engine gave no ids."""
    if completion.completion_ids or not completion.text:
        return len(completion.completion_ids)
    plain = completion.answer == completion.text
    return completion.answer_tokens + (0 if plain else completion.think_tokens)


def cut(completion: Completion, budget: int, grammar: Grammar) -> Completion:
    """The completion as a budget of ``budget`` tokens would have left it.

    One that fits is returned as it is. A longer one loses its end: finish ``length``, verdict
    false, text, thought, answer and counts of what is left. ``seconds`` isn't rescaled.
    """
    if total_tokens(completion) <= budget:
        return completion
    ids = completion.completion_ids[:budget]
    text = grammar.decode(ids)
    parts = split(text, grammar.think.shape, grammar.tags)
    counts = count(ids, grammar.think, grammar.eos_ids)
    return dataclasses.replace(
        completion, text=text, think=parts.think, answer=parts.answer, completion_ids=ids,
        think_tokens=counts.think_tokens, answer_tokens=counts.answer_tokens,
        finish="length", verdict=CUT,
    )  # fmt: skip


def reduce_completion(
    completion: Completion,
    task: str,
    thinking: bool | None,
    shape: Shape,
    problem: Prompt | None = None,
    vote: str | None = None,
) -> Outcome:
    """Reduce a judged completion.

    Args:
        completion: judged.
        task: its task.
        thinking: the task's switch.
        shape: of the rendered prompt.
        problem: what it answers; None leaves ``kind`` and ``level`` empty.
        vote: for which answer; one that did not finish votes for none.

    Raises:
        ValueError: it has no verdict; unjudged is not wrong.
    """
    if completion.verdict is None:
        raise ValueError(
            f"completion {completion.index} of {completion.prompt_id[:16]} is not judged"
        )
    has_thought = shape in (Shape.OPEN, Shape.FREE)
    return Outcome(
        problem=f"{task}/{completion.prompt_id}",
        task=task,
        thinking=thinking,
        index=completion.index,
        ok=completion.verdict.ok,
        finish=completion.finish,
        think_tokens=completion.think_tokens,
        answer_tokens=completion.answer_tokens,
        total_tokens=total_tokens(completion),
        chars=len(completion.text),
        empty_think=not completion.think.strip() if has_thought else None,
        because=completion.verdict.because if completion.verdict.ok is None else "",
        second=completion.verdict.second,
        kind=problem.kind if problem else "",
        level=problem.level if problem else "",
        vote=vote if vote is None or completion.finish == "stop" else "",
        metrics=completion.verdict.metrics,
    )


def group_by_problem(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    """Outcomes of each problem, problems in order of name."""
    groups: dict[str, list[Outcome]] = {
        o.problem: [] for o in sorted(outcomes, key=lambda o: o.problem)
    }
    for o in outcomes:
        groups[o.problem].append(o)
    return groups


def fractions_right(outcomes: Sequence[Outcome], budget: int | None = None) -> dict[str, float]:
    """Each judged problem's fraction of right samples, at a smaller budget if one is given."""
    fractions = {}
    for problem, group in group_by_problem(outcomes).items():
        right = [_right(o, budget) for o in group if o.ok is not None]
        if right:
            fractions[problem] = sum(right) / len(right)
    return fractions


def _right(o: Outcome, budget: int | None) -> bool:
    return bool(o.ok) and (budget is None or o.total_tokens <= budget)


def budgets_between(outcomes: Sequence[Outcome], budget: int, *marks: int) -> list[int]:
    """Budgets to plot: geometric from the shortest trace's length to ``budget``, and marks."""
    shortest = min((o.total_tokens for o in outcomes), default=1)
    low = max(1, min(shortest, budget))
    grid = np.unique(np.geomspace(low, budget, CURVE_POINTS).round().astype(int))
    return sorted({*map(int, grid), *(m for m in marks if 0 < m <= budget)})


def accuracy_curve(outcomes: Sequence[Outcome], budgets: Sequence[int]) -> list[dict[str, Any]]:
    """Accuracy at each budget, all from the same traces: rows ``budget n accuracy accuracy_ci``."""
    rows = []
    judged = [o for o in outcomes if o.ok is not None]
    for budget in budgets:
        fractions = list(fractions_right(judged, budget).values())
        value, ci = stats.accuracy(fractions, len(judged) / max(len(fractions), 1))
        rows.append(
            {"budget": budget, "n": len(fractions), "accuracy": value, "accuracy_ci": as_list(ci)}
        )
    return rows


def as_list(ci: stats.Interval | None) -> list[float] | None:
    """An interval as it stands in a row."""
    return None if ci is None else list(ci)
