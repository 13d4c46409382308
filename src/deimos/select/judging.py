"""Every prompt's candidates, judged by the recipe's filters as they are now.

Structure and presentation are always judged anew. A stored verdict on correctness counts as long as
its grader is the same. Rows of another rendering of a prompt, or of other settings, do not count.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from deimos.engines.collect import RETRIES
from deimos.recipe import Sample, Select
from deimos.runs.artifacts import Artifacts
from deimos.runs.plan import StageJob
from deimos.select.filters import CandidateFilters, correctness_of
from deimos.store.candidates import (
    Candidate,
    filters_of,
    has_length,
    least_kept,
    read_filters,
)
from deimos.store.merge import Skipped
from deimos.thinking import Shape
from deimos.types import Completion, Prompt, Verdict

AT_ONCE = 64
"""Answers that wait for a judge together."""
MakeFilters = Callable[[Shape, Mapping[str, Any] | None], CandidateFilters]
"""Filters 1 to 3, from the shape of thinking and the constants of the dev pass."""


@dataclass
class PromptCandidates:
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

    def find_least(self, select: Select, sample: Sample) -> int:
        """Think tokens under which none of them is kept, as the race counts it."""
        measured = [] if select.min_ratio is None else sample.measured
        lengths = [
            c.think_tokens for c in self.completions if c.index in measured and has_length(c)
        ]
        return least_kept(lengths, select.min_think_tokens, select.min_ratio)


def judge_candidates(
    job: StageJob, make_filters: MakeFilters, skipped: Skipped | None = None
) -> list[PromptCandidates]:
    """Every train prompt's candidates with their verdicts.

    Args:
        job: needs the folders of ``prompts`` and ``sample``.
        make_filters: makes filters 1 to 3.
        skipped: counts the rows that are left out.

    Raises:
        ArtifactError: a file of these stages is missing.
    """
    artifacts = Artifacts(job.inputs)
    constants = artifacts.needed_constants()
    by_prompt = {prompt.id: PromptCandidates(prompt) for prompt in artifacts.prompts("train")}
    found = [
        candidate
        for (prompt_id, index), candidate in artifacts.candidates(
            ids=False, skipped=skipped
        ).items()
        if prompt_id in by_prompt and index < job.recipe.sample.candidates
    ]
    filters = make_filters(Shape(constants["shape"]), constants)
    judging = _Judging(filters, job, read_filters(job.inputs["sample"]), len(found))
    prompts = {prompt_id: candidates.prompt for prompt_id, candidates in by_prompt.items()}
    for completion in asyncio.run(judging.judge_all(found, prompts)):
        by_prompt[completion.prompt_id].completions.append(completion)
    for candidates in by_prompt.values():
        candidates.completions.sort(key=lambda c: c.index)
    return list(by_prompt.values())


class _Judging:
    """Judges candidates concurrently, reusing verdicts that still count."""

    def __init__(
        self, filters: CandidateFilters, job: StageJob, stored: Mapping[str, Any], total: int
    ) -> None:
        self.filters = filters
        self.progress, self.total, self.done = job.progress, total, 0
        now = filters_of(job.recipe.select)["graders"]
        self.same_grader = {
            (file, kind): known["graders"].get(kind) == grader
            for file, known in stored.items()
            for kind, grader in now.items()
        }
        self.places = asyncio.Semaphore(AT_ONCE)

    async def judge_all(
        self, candidates: Sequence[Candidate], prompts: Mapping[str, Prompt]
    ) -> list[Completion]:
        jobs = (self._judge(prompts[c.completion.prompt_id], c) for c in candidates)
        return await asyncio.gather(*jobs)

    async def _judge(self, prompt: Prompt, candidate: Candidate) -> Completion:
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
        same = self.same_grader.get((candidate.file, prompt.kind), False)
        known = correctness_of(completion.verdict) if same else None
        return await RETRIES.ask(lambda: self.filters.with_correctness(prompt, completion, known))
