"""Filter 4: which of a prompt's passing candidates is kept, and how many golds of each sort.

``shortest`` needs no more than a race decodes. ``quantile:q`` and ``median`` look at the whole pool
and are exact only if every candidate was decoded to its end (the recipe refuses them otherwise).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deimos.recipe import Quota, quantile_of
from deimos.store.candidates import rank
from deimos.types import Completion, Prompt


@dataclass(frozen=True, slots=True)
class Chosen:
    """A prompt's candidate that filter 4 keeps, with what is known of its rivals."""

    prompt: Prompt
    completion: Completion
    passed: int
    judged: int
    pass_rate: float | None
    """Of the candidates that could not be stopped; None if there were none."""


def make_chooser(policy: str) -> Callable[[Sequence[Completion]], Completion]:
    """The function by which a policy chooses among keepable candidates (at least one).

    Raises:
        RecipeError: unknown policy.
    """
    q = quantile_of(policy)
    return lambda pool: sorted(pool, key=rank)[int(q * (len(pool) - 1))]


def choose(
    passing: Sequence[Completion], policy: str, *, min_pass: int, min_think_tokens: int
) -> Completion | None:
    """The candidate to keep of those of one prompt that passed filters 1 to 3, if any."""
    keepable = [c for c in passing if c.think_tokens >= min_think_tokens]
    if len(passing) < min_pass or not keepable:
        return None
    return make_chooser(policy)(keepable)


def needs_more_decoding(candidate: Completion, winner: Completion | None, policy: str) -> bool:
    """Whether an outpaced candidate would be the one kept if it were decoded to its end and passed."""
    if candidate.finish != "outpaced":
        return False
    if winner is None or policy != "shortest":
        return True
    return candidate.think_tokens <= winner.think_tokens


def apply_quota(golds: Sequence[Chosen], quota: Quota) -> tuple[list[Chosen], dict[str, str]]:
    """Drop golds that are over a quota.

    Which ones are dropped is decided by prompt id, a content hash: neither by order nor by length.

    Returns:
        The golds that stay, in the order given; prompt id to reason for those that are dropped.
    """
    dropped: dict[str, str] = {}
    if quota.max_per_task is not None:
        by_task: dict[str, list[str]] = defaultdict(list)
        for gold in golds:
            by_task[gold.prompt.task].append(gold.prompt.id)
        for task, ids in by_task.items():
            for prompt_id in sorted(ids)[quota.max_per_task :]:
                dropped[prompt_id] = f"quota: {task} has {quota.max_per_task} already"
    if quota.max_share_easy is not None:
        left = [gold for gold in golds if gold.prompt.id not in dropped]
        easy = sorted(gold.prompt.id for gold in left if gold.pass_rate == 1.0)
        room = _room(len(left) - len(easy), quota.max_share_easy, len(easy))
        for prompt_id in easy[room:]:
            dropped[prompt_id] = f"quota: over {quota.max_share_easy:.0%} of all would be easy"
    return [gold for gold in golds if gold.prompt.id not in dropped], dropped


def _room(others: int, share: float, easy: int) -> int:
    """How many easy golds there may be, so that with ``others`` they are at most ``share`` of all."""
    if share >= 1:
        return easy
    room = min(easy, int(share * others / (1 - share)) + 1)
    while room and room > share * (room + others):
        room -= 1
    return room
