"""The select stage: judge every candidate, keep one a prompt, say why not of all others.

Decodes nothing. If a changed filter fails a race's winner, candidates that the winner had outpaced
could now be the shortest; they *need more decoding*, and their prompt has no gold until the sample
stage has run again. Writes ``verdicts.jsonl`` and ``gold.jsonl``.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from deimos.graders.second import count_differences
from deimos.recipe import Sample, Select
from deimos.runs.artifacts import Artifacts
from deimos.runs.plan import StageJob
from deimos.select.by_proposer import count_by_proposer
from deimos.select.filters import is_correct
from deimos.select.judging import MakeFilters, PromptCandidates, judge_candidates
from deimos.select.policy import Chosen, apply_quota, choose, needs_more_decoding
from deimos.store.journal import write_rows
from deimos.store.merge import Skipped
from deimos.store.names import GOLD, VERDICTS
from deimos.store.schema import Gold, VerdictRow, row_of
from deimos.types import Completion, Verdict, null_reason

STAGES = ("structure", "correctness", "presentation", "length")


def run(job: StageJob, *, gate_for: MakeFilters) -> dict[str, Any]:
    """Select the golds; returns counts for the record.

    Args:
        job: needs the folders of ``prompts`` and ``sample``.
        gate_for: makes filters 1 to 3 from the shape and the constants.

    Raises:
        ArtifactError: a file of these stages is missing.
    """
    select, skipped = job.recipe.select, Skipped()
    prompts = judge_candidates(job, gate_for, skipped)
    rows: list[VerdictRow] = []
    chosen: list[Chosen] = []
    unfinished = 0
    for candidates in prompts:
        verdicts, kept, more = _select_one(candidates, select, job.recipe.sample)
        rows += verdicts
        chosen += [kept] if kept else []
        unfinished += more
    golds, dropped = apply_quota(chosen, select.quota)
    sample, artifacts = job.recipe.sample, Artifacts(job.inputs)
    rendered = {p.name for p in sample.proposers or [] if p.kind == "rewrite"}
    rows = [
        replace(row, ok=False, because=dropped[row.prompt_id])
        if row.ok and row.prompt_id in dropped
        else row
        for row in rows
    ]
    write_rows(job.out / VERDICTS, map(row_of, rows))
    write_rows(job.out / GOLD, map(row_of, _golds(golds, artifacts, rendered)))
    engines = Counter(c.engine for candidates in prompts for c in candidates.completions)
    return {
        **_counts(rows),
        "gold": len(golds),
        "prompts": len(prompts),
        "need_decoding": unfinished,
        **({"rows_left_out": skipped.other_keys} if skipped.other_keys else {}),
        "engines": dict(engines),
        **count_by_proposer(prompts, golds, sample, artifacts.record("sample")),
    }


def _select_one(
    candidates: PromptCandidates, select: Select, sample: Sample
) -> tuple[list[VerdictRow], Chosen | None, int]:
    """A prompt's verdicts, the candidate kept, and how many candidates need more decoding."""
    least = candidates.find_least(select, sample)
    winner = choose(
        candidates.passing, select.policy, min_pass=select.min_pass, min_think_tokens=least
    )
    more = {
        c.index for c in candidates.completions if needs_more_decoding(c, winner, select.policy)
    }
    rows = [
        _verdict_row(c, candidates, winner, more, select, least) for c in candidates.completions
    ]
    if winner is None or more:
        return rows, None, len(more)
    rate = pass_rate(candidates, sample)
    counts = len(candidates.passing), len(candidates.judged)
    return rows, Chosen(candidates.prompt, winner, *counts, pass_rate=rate), 0


def pass_rate(candidates: PromptCandidates, sample: Sample) -> float | None:
    """Share of passing candidates among those that could not be stopped; None if all could be."""
    passed = [c.verdict.ok for c in candidates.judged if c.verdict and c.index < sample.uncensored]
    return sum(map(bool, passed)) / len(passed) if passed else None


def _verdict_row(
    c: Completion,
    candidates: PromptCandidates,
    winner: Completion | None,
    more: set[int],
    select: Select,
    least: int,
) -> VerdictRow:
    verdict = c.verdict or Verdict(False)
    if c.finish == "outpaced" and c.index in more:
        verdict = Verdict(None, "needs more decoding: run `deimos sample`", "length")
    elif c.finish == "outpaced":
        verdict = Verdict(False, f"outpaced by {c.outpaced_by}", "length")
    elif verdict.ok:
        verdict = _judge_length(c, candidates, winner, more, select, least)
    second = c.verdict.second if c.verdict else None
    return VerdictRow(
        c.prompt_id, c.index, verdict.ok, verdict.stage, verdict.because, c.finish, second,
        c.proposer,
    )  # fmt: skip


def _judge_length(
    c: Completion,
    candidates: PromptCandidates,
    winner: Completion | None,
    more: set[int],
    select: Select,
    least: int,
) -> Verdict:
    """Filter 4's verdict on a candidate that passed the others; ``least``: of tokens, to be kept."""
    passing = len(candidates.passing)
    if passing < select.min_pass:
        because = f"{passing} of the prompt's candidates pass, fewer than min_pass"
    elif c.think_tokens < select.min_think_tokens:
        because = f"thinks in {c.think_tokens} tokens, fewer than min_think_tokens"
    elif c.think_tokens < least:
        because = (
            f"thinks in {c.think_tokens} tokens, fewer than {least}: {select.min_ratio:.0%} of the "
            "prompt's median (min_ratio)"
        )
    elif more:
        because = "waits for candidates that need more decoding: run `deimos sample`"
        return Verdict(None, because, "length")
    elif winner and c.index != winner.index:
        because = f"{select.policy}: candidate {winner.index} with {winner.think_tokens} is kept"
    else:
        return Verdict(True, f"{select.policy} of {passing} that pass", "length")
    return Verdict(False, because, "length")


def _counts(rows: Sequence[VerdictRow]) -> dict[str, Any]:
    stages = Counter(row.stage for row in rows if row.ok is False and row.finish != "outpaced")
    unjudged = [row.because for row in rows if row.ok is None and row.stage != "length"]
    because = Counter(map(null_reason, unjudged))
    second = count_differences((is_correct(row), row.second) for row in rows)
    return {
        "candidates": len(rows),
        "rejects": {stage: stages[stage] for stage in STAGES},
        "outpaced": sum(row.finish == "outpaced" for row in rows),
        "unjudged": len(unjudged),
        **({"unjudged_because": dict(because)} if because else {}),
        **({"second": second} if second else {}),
    }


def _golds(chosen: Sequence[Chosen], artifacts: Artifacts, rendered: Collection[str]) -> list[Gold]:
    """The rows of the golds; ``rendered``: names of the proposers whose thoughts a teacher wrote."""
    ids = artifacts.needed_constants()["ids"]
    kept = {(c.prompt.id, c.completion.index): c for c in chosen}
    whole = artifacts.some_candidates(kept)
    return [
        _gold(c, whole[name], "rendered" if c.completion.proposer in rendered else ids)
        for name, c in kept.items()
    ]


def _gold(chosen: Chosen, completion: Completion, ids: str) -> Gold:
    exact = json.dumps([completion.prompt_ids, completion.completion_ids])
    prompt = chosen.prompt
    return Gold(
        id=hashlib.sha256(exact.encode()).hexdigest(),
        prompt_id=prompt.id,
        index=completion.index,
        kind=prompt.kind,
        task=prompt.task,
        messages=prompt.messages,
        prompt_ids=completion.prompt_ids,
        completion_ids=completion.completion_ids,
        ids=ids,
        think_tokens=completion.think_tokens,
        answer_tokens=completion.answer_tokens,
        passed=chosen.passed,
        judged=chosen.judged,
        pass_rate=chosen.pass_rate,
        proposer=completion.proposer,
    )
