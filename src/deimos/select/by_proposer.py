"""What each proposer's candidates came to, and what subsets of the proposers would have kept."""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from deimos.recipe import Sample, Select
from deimos.select.judging import PromptCandidates
from deimos.select.policy import Chosen, choose, needs_more_decoding
from deimos.types import Completion

MOST_SUBSETS = 31
"""All of five proposers; of more, each alone, all but one, and all."""


def count_by_proposer(
    prompts: Sequence[PromptCandidates],
    golds: Sequence[Chosen],
    sample: Sample,
    sampled: Mapping[str, Any],
) -> dict[str, Any]:
    """Candidates, passes, golds and tokens of each proposer, under ``proposers``; empty without any.

    Args:
        prompts: all candidates with their verdicts.
        golds: what is kept.
        sample: names the proposers.
        sampled: the sample stage's record, which has the tokens that were decoded.
    """
    if sample.proposers is None:
        return {}
    tokens = (sampled.get("counts") or {}).get("proposers") or {}
    kept = Counter(gold.completion.proposer for gold in golds)
    rows: dict[str, list[Completion]] = {proposer.name: [] for proposer in sample.proposers}
    for one in prompts:
        for completion in one.completions:
            rows.setdefault(completion.proposer, []).append(completion)
    return {
        "proposers": {
            name: _counts(found, kept[name], tokens.get(name) or {}) for name, found in rows.items()
        }
    }


def _counts(found: Sequence[Completion], gold: int, tokens: Mapping[str, Any]) -> dict[str, Any]:
    passing = [c.think_tokens for c in found if c.verdict and c.verdict.ok]
    decoded = tokens.get("decoded_tokens")
    return {
        "candidates": len(found),
        "judged": sum(c.verdict is not None and c.verdict.ok is not None for c in found),
        "passed": len(passing),
        "outpaced": sum(c.finish == "outpaced" for c in found),
        "gold": gold,
        "think_tokens_median": statistics.median(passing) if passing else None,
        "decoded_tokens": decoded,
        "teacher_tokens": tokens.get("teacher_tokens"),
        "tokens_per_gold": decoded / gold if decoded is not None and gold else None,
    }


def list_subsets(names: Sequence[str]) -> list[tuple[str, ...]]:
    """The subsets of proposers to compare, in order of size; each in the recipe's order."""
    if 2 ** len(names) - 1 <= MOST_SUBSETS:
        sizes = range(1, len(names) + 1)
        return [subset for size in sizes for subset in itertools.combinations(names, size)]
    but_one = [tuple(name for name in names if name != left) for left in reversed(names)]
    return [*((name,) for name in names), *but_one, tuple(names)]


def preview_subsets(
    prompts: Sequence[PromptCandidates], select: Select, sample: Sample, names: Sequence[str]
) -> list[dict[str, Any]]:
    """What subsets of the proposers would have kept of this pool.

    A race stops candidates that are longer than the winner, whoever proposed that; so of a subset
    without the winner's proposer some prompts are not known. They are counted, and not kept.

    Returns:
        One row a subset: ``proposers``, ``kept`` prompts, ``think_tokens_median`` of those, and
        ``unknown``: prompts of which a stopped candidate could be the one that is kept.
    """
    return [_preview(prompts, select, sample, subset) for subset in list_subsets(names)]


def _preview(
    prompts: Sequence[PromptCandidates], select: Select, sample: Sample, subset: Collection[str]
) -> dict[str, Any]:
    kept: list[int] = []
    unknown = 0
    for one in prompts:
        mine = [c for c in one.completions if c.proposer in subset]
        winner = choose(
            [c for c in mine if c.verdict and c.verdict.ok],
            select.policy,
            min_pass=select.min_pass,
            min_think_tokens=one.find_least(select, sample),
        )
        if any(needs_more_decoding(c, winner, select.policy) for c in mine):
            unknown += 1
        elif winner:
            kept.append(winner.think_tokens)
    return {
        "proposers": [*subset],
        "kept": len(kept),
        "think_tokens_median": statistics.median(kept) if kept else None,
        "unknown": unknown,
    }
