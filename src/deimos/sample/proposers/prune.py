"""Pruning: the shortest beginning of a passing thought from which the model still answers right.

Bisection over the cut points (``cuts``) for the first one that is accepted: the thought is closed
there, and two independent answers must pass the filters. So the thought is the model's own ids, cut,
and no teacher takes part; published as pruning to the earliest correct node. Bisection takes a longer
beginning to be answered no worse, which need not hold: what it finds is right, and may not be the
shortest. The whole thought passed already, so only shorter ones are tried.
"""

from __future__ import annotations

from dataclasses import replace

from deimos.sample.proposers.attempt import Attempt
from deimos.sample.proposers.cuts import find_cuts, find_thought
from deimos.types import Completion


async def prune(attempt: Attempt) -> Completion:
    """The candidate with the shortest accepted beginning, its verdict included.

    Without one it is malformed; if all that is left to try is longer than the winner, outpaced.

    Raises:
        DecodingFailed: the engine failed at every try.
    """
    source, tools = attempt.source, attempt.tools
    span = find_thought(source.completion_ids, attempt.entry.rendered.think)
    thought = source.completion_ids[span]
    least = attempt.bound.min_think_tokens
    cuts = [cut for cut in find_cuts(thought, tools.text) if cut >= least]
    if not cuts:
        return attempt.fail(f"the thought of candidate {source.index} has nowhere to be cut")
    low, high = -1, len(cuts)
    kept: Completion | None = None
    last: Completion | None = None
    unsure: Completion | None = None
    while high - low > 1:
        if attempt.is_beaten(cuts[low + 1]):
            return attempt.outpace(source.completion_ids[: span.start + cuts[low + 1]])
        at = (low + high) // 2
        last = await _answer_twice(
            attempt, source.completion_ids[: span.start + cuts[at]], cuts[at]
        )
        if last.verdict and last.verdict.ok:
            high, kept = at, last
        else:
            low = at
            unsure = last if last.verdict and last.verdict.ok is None else unsure
    if kept:
        return kept
    if unsure:
        return replace(unsure, finish="malformed")
    because = (
        f"no shorter beginning of the thought of candidate {source.index} is answered right twice"
    )
    return attempt.fail(because, "correctness", last)


async def _answer_twice(attempt: Attempt, begin: tuple[int, ...], cut: int) -> Completion:
    """The first of two answers behind a thought that is closed here; it passes if both do."""
    tools = attempt.tools
    before = () if tools.text(begin).endswith("\n") else tools.before
    begun = (*begin, *before, *tools.close)
    if not attempt.has_room(begun):
        return attempt.fail("no token of the budget is left for an answer", last=None)
    first = await attempt.answer(begun, 2 * cut)
    verdict = await attempt.judge(first)
    if verdict.ok:
        second = await attempt.judge(await attempt.answer(begun, 2 * cut + 1))
        if not second.ok:
            verdict = replace(second, because=f"its second answer: {second.because}")
    return replace(first, verdict=verdict)
