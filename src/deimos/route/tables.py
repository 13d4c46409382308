"""Rows of ``routing.jsonl`` from outcomes: each model, task and kind, thinking on against off.

No I/O, no model. Everything is a fraction or tokens; differences are on - off. Accuracy and its
difference are over prompts that were judged in both modes, tokens over all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from deimos.evaluate import stats
from deimos.evaluate.outcomes import Outcome, as_list, fractions_right, group_by_problem
from deimos.route.decide import decide, joint_level
from deimos.store.route_rows import ModeRow, RouteRow
from deimos.types import Prompt

ALL = "all"
"""Task or kind of a row that pools all."""


class PromptGroup(NamedTuple):
    """The prompts that a row is about."""

    task: str
    kind: str
    prompts: frozenset[str]
    """Their ids."""


class Modes(NamedTuple):
    """One model's answers, an outcome a prompt in each mode."""

    on: Sequence[Outcome]
    off: Sequence[Outcome]
    decoding: Mapping[str, Any]
    """Sampler values."""


def group_prompts(prompts: Sequence[Prompt]) -> list[PromptGroup]:
    """What the rows of a model are about: all prompts, each kind, each task.

    A kind whose prompts are all of one task has no row beside that task's; a task of several kinds
    has a row for all of it and one for each.
    """
    found = [PromptGroup(ALL, ALL, frozenset(p.id for p in prompts))]
    pairs = sorted({(p.task, str(p.kind)) for p in prompts})
    kinds = sorted({kind for _, kind in pairs})
    wanted = [(ALL, k) for k in kinds if len(kinds) > 1 and sum(p[1] == k for p in pairs) > 1]
    for task in sorted({task for task, _ in pairs}):
        own = [pair for pair in pairs if pair[0] == task]
        wanted += [(task, ALL), *own] if len(own) > 1 else own
    for task, kind in wanted:
        ids = (p.id for p in prompts if task in (p.task, ALL) and kind in (p.kind, ALL))
        found.append(PromptGroup(task, kind, frozenset(ids)))
    return found


def tabulate(
    answers: Mapping[str, Modes], groups: Sequence[PromptGroup], margin: float
) -> list[RouteRow]:
    """All rows, the tuned model's first as ``answers`` has them.

    Args:
        answers: by model.
        groups: what each model's rows are about.
        margin: of the recipe.

    Raises:
        PairingError: the two modes of a model don't hold the same prompts.
    """
    # The same prompts under two names are one comparison.
    comparisons = len({group.prompts for group in groups})
    return [
        _row(model, modes, group, comparisons, margin)
        for model, modes in answers.items()
        for group in groups
    ]


def _row(model: str, modes: Modes, group: PromptGroup, comparisons: int, margin: float) -> RouteRow:
    on, off = (_part(side, group) for side in (modes.on, modes.off))
    stats.check_pairing(list(on), list(off), ("thinking on", "thinking off"))
    right = [fractions_right(list(side.values())) for side in (on, off)]
    judged = sorted(right[0].keys() & right[1].keys())
    sides = [[each[problem] for problem in judged] for each in right]
    gained = sum(a > b for a, b in zip(*sides, strict=True))
    lost = sum(a < b for a, b in zip(*sides, strict=True))
    tokens = [on[p].total_tokens - off[p].total_tokens for p in on]
    level = joint_level(comparisons)
    bounds = stats.tango(gained, lost, len(judged), level=level)
    tokens_bounds = stats.mean_difference(tokens, level=level).ci
    decision = decide(bounds, tokens_bounds, margin)
    return {
        "model": model,
        "split": "dev",
        "task": group.task,
        "kind": group.kind,
        "n": len(judged),
        "on": _mode(list(on.values()), sides[0]),
        "off": _mode(list(off.values()), sides[1]),
        "delta": (gained - lost) / len(judged) if judged else None,
        "delta_ci": as_list(stats.tango(gained, lost, len(judged))),
        "tokens_delta": stats.mean_difference(tokens).value,
        "tokens_delta_ci": as_list(stats.mean_difference(tokens).ci),
        "delta_bounds": as_list(bounds),
        "tokens_delta_bounds": as_list(tokens_bounds),
        "level": level,
        "comparisons": comparisons,
        "margin": margin,
        "recommended": decision.recommended,
        "because": decision.because,
        "decoding": modes.decoding,
    }


def _part(outcomes: Sequence[Outcome], group: PromptGroup) -> dict[str, Outcome]:
    """The outcomes of a group's prompts by problem, one each."""
    grouped = group_by_problem([o for o in outcomes if _prompt_id(o) in group.prompts])
    return {problem: each[0] for problem, each in grouped.items()}


def _prompt_id(outcome: Outcome) -> str:
    return outcome.problem.rpartition("/")[2]


def _mode(outcomes: Sequence[Outcome], right: Sequence[float]) -> ModeRow:
    value, ci = stats.accuracy(right)
    totals = [o.total_tokens for o in outcomes]
    return {
        "accuracy": value,
        "accuracy_ci": as_list(ci),
        "think_tokens_median": _median([o.think_tokens for o in outcomes]),
        "total_tokens_median": _median(totals),
        "total_tokens_mean": float(np.mean(totals)) if totals else None,
        "finished": float(np.mean([o.finish == "stop" for o in outcomes])) if outcomes else None,
        "unjudged": sum(o.ok is None for o in outcomes),
    }


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if len(values) else None
