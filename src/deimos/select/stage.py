"""The select stage: judge every candidate, keep one a prompt, say why not of all others.

Decodes nothing. Structure and presentation are always judged anew; a stored verdict on
correctness counts as long as its grader is the same. Where a changed filter unseats a race's
winner, the candidates it had outpaced are *owed* their decoding: such a prompt has no gold until
the sample stage has run on. Writes ``verdicts.jsonl`` and ``gold.jsonl``.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from deimos.recipe import Sample, Select
from deimos.runs.artifacts import Artifacts
from deimos.runs.folder import StageJob
from deimos.select.filters import Gate, correctness_in
from deimos.select.policy import Chosen, choose, needs_more_decoding, within_quota
from deimos.store.candidates import Candidate, filters_of, read_filters
from deimos.store.journal import write_rows
from deimos.store.names import GOLD, VERDICTS
from deimos.store.schema import Gold, row_of
from deimos.thinking import Shape
from deimos.types import Completion, Prompt, Verdict

STAGES = ("structure", "correctness", "presentation", "length")
AT_ONCE = 64
"""Answers that wait for a judge together."""
ATTEMPTS = 3
"""How often an answer is judged whose judge could not say."""
POLICIES = ("shortest", "quantile:0.25", "median", "quantile:0.75")
GateFor = Callable[[Shape, Mapping[str, Any] | None], Gate]


@dataclass
class Pool:
    """One prompt's candidates after filters 1 to 3."""

    prompt: Prompt
    completions: list[Completion] = field(default_factory=list)
    """Verdict included (None: outpaced), token ids left out; by index."""

    @property
    def passing(self) -> list[Completion]:
        """Those that passed all three."""
        return [c for c in self.completions if c.verdict and c.verdict.ok]

    @property
    def judged(self) -> list[Completion]:
        """Those that have a verdict of true or false."""
        return [c for c in self.completions if c.verdict and c.verdict.ok is not None]


def run(job: StageJob, *, gate_for: GateFor) -> dict[str, Any]:
    """Select the golds; returns counts for the record.

    Args:
        job: needs the folders of ``prompts`` and ``sample``.
        gate_for: makes the gate of filters 1 to 3 from the shape and the constants.
    """
    recipe = job.recipe
    pools = judge_pools(job, gate_for)
    rows, chosen, owed = _choose(pools, recipe.select, recipe.sample)
    kept, dropped = within_quota(chosen, recipe.select.quota)
    for row in rows:
        if row["ok"] and row["prompt_id"] in dropped:
            row.update(ok=False, because=dropped[row["prompt_id"]])
    write_rows(job.out / VERDICTS, rows)
    write_rows(job.out / GOLD, map(row_of, _golds(kept, Artifacts(job.inputs))))
    engines = Counter(c.engine for pool in pools for c in pool.completions)
    counts = {**_counts(rows), "gold": len(kept), "prompts": len(pools), "owed": owed}
    return {**counts, "engines": dict(engines)}


def judge_pools(job: StageJob, gate_for: GateFor) -> list[Pool]:
    """Every train prompt's candidates, judged by the recipe's filters as they are now."""
    artifacts = Artifacts(job.inputs)
    constants, prompts = artifacts.needed_constants(), artifacts.prompts("train")
    pools = {prompt.id: Pool(prompt) for prompt in prompts}
    found = [
        candidate
        for (prompt_id, index), candidate in artifacts.candidates(ids=False).items()
        if prompt_id in pools and index < job.recipe.sample.candidates
    ]
    gate = gate_for(Shape(constants["shape"]), constants)
    judging = _Judging(gate, job, read_filters(job.inputs["sample"]), len(found))
    for completion in asyncio.run(judging.all(found, pools)):
        pools[completion.prompt_id].completions.append(completion)
    for pool in pools.values():
        pool.completions.sort(key=lambda c: c.index)
    return list(pools.values())


class _Judging:
    """Judges candidates beside one another, reusing what is known."""

    def __init__(self, gate: Gate, job: StageJob, stored: Mapping[str, Any], total: int) -> None:
        self.gate = gate
        self.progress, self.total, self.done = job.progress, total, 0
        now = filters_of(job.recipe.select)["graders"]
        self.same = {
            (file, kind): filters["graders"].get(kind) == grader
            for file, filters in stored.items()
            for kind, grader in now.items()
        }
        self.places = asyncio.Semaphore(AT_ONCE)

    async def all(
        self, candidates: Sequence[Candidate], pools: Mapping[str, Pool]
    ) -> list[Completion]:
        jobs = (self._one(pools[c.completion.prompt_id].prompt, c) for c in candidates)
        return await asyncio.gather(*jobs)

    async def _one(self, prompt: Prompt, candidate: Candidate) -> Completion:
        async with self.places:
            verdict = await self._verdict(prompt, candidate)
        self.done += 1
        self.progress("select", self.done, self.total)
        return replace(candidate.completion, verdict=verdict)

    async def _verdict(self, prompt: Prompt, candidate: Candidate) -> Verdict | None:
        completion = candidate.completion
        if completion.finish == "outpaced":
            return None
        if completion.finish in ("malformed", "error") and completion.verdict:
            return completion.verdict
        same = self.same.get((candidate.file, prompt.kind), False)
        known = correctness_in(completion.verdict) if same else None
        for _ in range(ATTEMPTS - 1):
            verdict = await self.gate.with_correctness(prompt, completion, known)
            if verdict.ok is not None:
                return verdict
        return await self.gate.with_correctness(prompt, completion, known)


def _choose(
    pools: Sequence[Pool], select: Select, sample: Sample
) -> tuple[list[dict[str, Any]], list[Chosen], int]:
    """Verdict rows of all candidates, the chosen ones, and how many candidates are owed."""
    rows: list[dict[str, Any]] = []
    chosen: list[Chosen] = []
    owed_in_all = 0
    for pool in pools:
        winner = choose(
            pool.passing,
            select.policy,
            min_pass=select.min_pass,
            min_think_tokens=select.min_think_tokens,
        )
        owed = {c.index for c in pool.completions if needs_more_decoding(c, winner, select.policy)}
        owed_in_all += len(owed)
        rows += [_verdict_row(c, pool, winner, owed, select) for c in pool.completions]
        if winner and not owed:
            rate = pass_rate(pool, sample)
            counts = len(pool.passing), len(pool.judged)
            chosen.append(Chosen(pool.prompt, winner, *counts, pass_rate=rate))
    return rows, chosen, owed_in_all


def pass_rate(pool: Pool, sample: Sample) -> float | None:
    """Share of passing candidates among those that nothing could stop; None where all could be."""
    uncensored = sample.candidates if sample.exhaustive else sample.probe
    fates = [c.verdict.ok for c in pool.judged if c.verdict and c.index < uncensored]
    return sum(map(bool, fates)) / len(fates) if fates else None


def _verdict_row(
    c: Completion, pool: Pool, winner: Completion | None, owed: set[int], select: Select
) -> dict[str, Any]:
    verdict = c.verdict or Verdict(False)
    if c.finish == "outpaced":
        ok = None if c.index in owed else False
        because = "owed: run sample again" if c.index in owed else f"outpaced by {c.outpaced_by}"
        verdict = Verdict(ok, because, "length")
    elif verdict.ok:
        verdict = _by_length(c, pool, winner, owed, select)
    return {
        "prompt_id": c.prompt_id,
        "index": c.index,
        "ok": verdict.ok,
        "stage": verdict.stage,
        "because": verdict.because,
        "finish": c.finish,
    }


def _by_length(
    c: Completion, pool: Pool, winner: Completion | None, owed: set[int], select: Select
) -> Verdict:
    """Filter 4's word on one that passed the first three."""
    if len(pool.passing) < select.min_pass:
        because = f"{len(pool.passing)} of the prompt's candidates pass, fewer than min_pass"
    elif c.think_tokens < select.min_think_tokens:
        because = f"thinks in {c.think_tokens} tokens, fewer than min_think_tokens"
    elif owed:
        return Verdict(None, "waits for candidates that are owed: run sample again", "length")
    elif winner and c.index != winner.index:
        because = f"{select.policy}: candidate {winner.index} with {winner.think_tokens} is kept"
    else:
        return Verdict(True, f"{select.policy} of {len(pool.passing)} that pass", "length")
    return Verdict(False, because, "length")


def _counts(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    stages = Counter(r["stage"] for r in rows if r["ok"] is False and r["finish"] != "outpaced")
    return {
        "candidates": len(rows),
        "rejects": {stage: stages[stage] for stage in STAGES},
        "outpaced": sum(r["finish"] == "outpaced" for r in rows),
        "unjudged": sum(r["ok"] is None and r["stage"] != "length" for r in rows),
    }


def _golds(chosen: Sequence[Chosen], artifacts: Artifacts) -> list[Gold]:
    ids = artifacts.needed_constants()["ids"]
    kept = {(c.prompt.id, c.completion.index): c for c in chosen}
    whole = artifacts.some_candidates(kept)
    return [_gold(c, whole[name], ids) for name, c in kept.items()]


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
    )


def preview(
    job: StageJob, *, gate_for: GateFor, policies: Sequence[str] = POLICIES
) -> list[dict[str, Any]]:
    """What several policies would keep of one pool; writes nothing.

    Policies are compared on candidates that nothing could stop: all where the sampling was
    exhaustive, else the probe. After a plain race only ``shortest`` can be told; the others'
    numbers are None.

    Returns:
        One row a policy: ``policy``, ``pool`` (all, probe or raced), ``kept`` prompts,
        ``think_tokens_median`` of those.
    """
    sample = job.recipe.sample
    pools = judge_pools(job, gate_for)
    which = "all" if sample.exhaustive else "probe" if sample.probe else "raced"
    limit = sample.probe if which == "probe" else sample.candidates
    rows = []
    for policy in policies:
        told = which != "raced" or policy == "shortest"
        lengths = _lengths(pools, job.recipe.select, policy, limit) if told else []
        rows.append(
            {
                "policy": policy,
                "pool": which,
                "kept": len(lengths) if told else None,
                "think_tokens_median": statistics.median(lengths) if lengths else None,
            }
        )
    return rows


def _lengths(pools: Sequence[Pool], select: Select, policy: str, limit: int) -> list[int]:
    need = {"min_pass": select.min_pass, "min_think_tokens": select.min_think_tokens}
    pools_passing = ([c for c in pool.passing if c.index < limit] for pool in pools)
    kept = (choose(passing, policy, **need) for passing in pools_passing)
    return [c.think_tokens for c in kept if c]
