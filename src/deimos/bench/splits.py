"""Tuned against base on a part of the problems: by how hard they are for the base, and by level.

**Difficulty** is whether the base gets a problem right in all, some or none of its samples. Samples
that choose a problem must not be compared on it too: a base that was lucky is right when it is
chosen and on average less so when it is asked again, and the tuned model would seem to lose on easy
problems and to gain on hard ones where nothing has changed (regression to the mean). So base samples
are held out to choose by: half of those of the compared decoding if there are several a problem, else
those of another decoding. Where there is neither, the compared samples choose, and the row says so.

**Level** is what the data set says (``Prompt.level``); only of single tasks, as levels of two data
sets are not one scale. Rows are a decoding's own, and no row is the least flattering of several.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from deimos.bench.suites import ArmName
from deimos.bench.tables import Slice, compare_row
from deimos.bench.tasks import POOLED
from deimos.evaluate.outcomes import Outcome, group_by_problem
from deimos.store.schema import Row

UNJUDGED = "unjudged"
"""The difficulty of problems of which no choosing sample could be judged."""
UNKNOWN = "unknown"
"""The level of problems without one, beside others that have one."""


@dataclass(frozen=True)
class Choice:
    """The base's samples that say how hard problems are, and those that are left to compare."""

    by: Sequence[Outcome]
    left: Sequence[Outcome]
    config: str
    """Decoding of the samples that choose."""
    held_out: bool
    """None of them is compared."""


def split_rows(
    samples: Mapping[ArmName, Sequence[Outcome]],
    pairs: Collection[tuple[ArmName, ArmName]],
    where: Slice,
    same_samples: Callable[[ArmName, ArmName], bool],
) -> list[Row]:
    """Rows of ``splits.jsonl`` for one slice.

    Args:
        samples: every arm's outcomes in the slice.
        pairs: base and tuned arm of each comparison.
        where: the slice; seconds are not split.
        same_samples: whether two arms are one sample set, as those that decode alike are.
    """
    where = replace(where, seconds={}, seconds_ci=None, timed=0)
    rows: list[Row] = []
    for base, tuned in pairs:
        chosen = choose_samples(samples, base, same_samples)
        config = base.config if base.config == tuned.config else None
        rows += _by_difficulty(chosen, samples[tuned], config, where)
        if where.task != POOLED:
            rows += _by_level(samples[base], samples[tuned], config, where)
    return rows


def choose_samples(
    samples: Mapping[ArmName, Sequence[Outcome]],
    base: ArmName,
    same_samples: Callable[[ArmName, ArmName], bool],
) -> Choice:
    """Divide the base's samples into those that choose problems and those that are compared."""
    own = samples[base]
    if all(len(group) > 1 for group in group_by_problem(own).values()) and own:
        # By rank, not by index: what is left must be half of each problem's samples.
        by, left = [], []
        for group in group_by_problem(own).values():
            for rank, outcome in enumerate(sorted(group, key=lambda o: o.index)):
                (left if rank % 2 else by).append(outcome)
        return Choice(by, left, base.config, held_out=True)
    others = [
        arm
        for arm in samples
        if arm.model == base.model and samples[arm] and not same_samples(arm, base)
    ]
    if not others:
        return Choice(own, own, base.config, held_out=False)
    most = max(others, key=lambda arm: len(samples[arm]))
    return Choice(samples[most], own, most.config, held_out=True)


def _by_difficulty(
    choice: Choice, tuned: Sequence[Outcome], config: str | None, where: Slice
) -> list[Row]:
    groups: dict[str, set[str]] = defaultdict(set)
    each = group_by_problem(choice.by)
    for problem, group in each.items():
        groups[_difficulty(group)].add(problem)
    selected_by = {
        "config": choice.config,
        "samples": max(map(len, each.values()), default=0),
        "held_out": choice.held_out,
    }
    rows = []
    for value in ("all", "some", "none", UNJUDGED):
        if groups.get(value):
            row = _row(choice.left, tuned, groups[value], config, where)
            rows.append({"split": "difficulty", "value": value, **row, "selected_by": selected_by})
    return rows


def _difficulty(group: Sequence[Outcome]) -> str:
    judged = [bool(o.ok) for o in group if o.ok is not None]
    if not judged:
        return UNJUDGED
    return "all" if all(judged) else "some" if any(judged) else "none"


def _by_level(
    base: Sequence[Outcome], tuned: Sequence[Outcome], config: str | None, where: Slice
) -> list[Row]:
    groups: dict[str, set[str]] = defaultdict(set)
    for outcome in base:
        groups[outcome.level or UNKNOWN].add(outcome.problem)
    if set(groups) <= {UNKNOWN}:
        return []
    return [
        {"split": "level", "value": level, **_row(base, tuned, groups[level], config, where)}
        for level in sorted(groups, key=_level_order)
    ]


def _level_order(level: str) -> tuple[bool, float, str]:
    """Numbers by size, then names, then those without a level."""
    number = float(level) if level.isdecimal() else float("inf")
    return level == UNKNOWN, number, level


def _row(
    base: Sequence[Outcome],
    tuned: Sequence[Outcome],
    problems: Collection[str],
    config: str | None,
    where: Slice,
) -> Row:
    b, t = ([o for o in side if o.problem in problems] for side in (base, tuned))
    return compare_row(b, t, config, where)
