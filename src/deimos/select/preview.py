"""What other selection policies would keep of a pool that is there already."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from deimos.recipe import Recipe
from deimos.runs.plan import StageJob
from deimos.select.judging import MakeFilters, PromptCandidates, judge_candidates
from deimos.select.policy import choose

POLICIES = ("shortest", "quantile:0.25", "median", "quantile:0.75")


def preview(
    job: StageJob,
    *,
    gate_for: MakeFilters,
    policies: Sequence[str] = POLICIES,
    prompts: Sequence[PromptCandidates] | None = None,
) -> list[dict[str, Any]]:
    """What several policies would keep of one pool; writes nothing.

    Policies are compared on candidates that could not be stopped: all if the sampling was
    exhaustive, else the probe. After a plain race only ``shortest`` is known; the others' numbers
    are None.

    Args:
        job: needs the folders of ``prompts`` and ``sample``.
        gate_for: makes filters 1 to 3.
        policies: their names; see ``policy.choose``.
        prompts: all candidates, if they have been judged already.

    Returns:
        One row a policy: ``policy``, ``pool`` (all, probe or raced), ``kept`` prompts,
        ``think_tokens_median`` of those.
    """
    sample = job.recipe.sample
    prompts = judge_candidates(job, gate_for) if prompts is None else prompts
    pool = "all" if sample.exhaustive else "probe" if sample.probe else "raced"
    limit = sample.probe if pool == "probe" else sample.candidates
    rows = []
    for policy in policies:
        known = pool != "raced" or policy == "shortest"
        lengths = _kept_lengths(prompts, job.recipe, policy, limit) if known else []
        rows.append(
            {
                "policy": policy,
                "pool": pool,
                "kept": len(lengths) if known else None,
                "think_tokens_median": statistics.median(lengths) if lengths else None,
            }
        )
    return rows


def _kept_lengths(
    prompts: Sequence[PromptCandidates], recipe: Recipe, policy: str, limit: int
) -> list[int]:
    select = recipe.select
    kept = (
        choose(
            [c for c in one.passing if c.index < limit],
            policy,
            min_pass=select.min_pass,
            min_think_tokens=one.find_least(select, recipe.sample),
        )
        for one in prompts
    )
    return [c.think_tokens for c in kept if c]
