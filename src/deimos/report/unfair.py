"""Comparisons that favour one side: which, by how much, and why, each in one sentence.

Pure: benchmark rows in, wording out. A comparison is unfair if the two sides had different budgets,
or if at one budget one side's answers were cut more often than the other's: a cut answer counts as
wrong and its length is a lower bound, so accuracy and length then measure the budget too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deimos.report.formatting import join_names, number, percent, points
from deimos.store.schema import AnyRow

APART = 0.01
"""Shares of unfinished answers that differ by this much are no longer alike: at most so much of a
difference in accuracy can come of the budget alone."""


def say_unfair(compare: AnyRow, base: AnyRow, tuned: AnyRow) -> tuple[str, ...]:
    """Why a comparison is unfair, one sentence a reason; empty if nothing speaks against it.

    Args:
        compare: the compare row.
        base: the bench row of the side that is compared with.
        tuned: the tuned model's bench row.
    """
    reasons = (_budgets(base, tuned), _cut(compare, base, tuned))
    return tuple(f"Unfair comparison: {reason}." for reason in reasons if reason)


def say_unfair_lengths(base: AnyRow, tuned: AnyRow) -> tuple[str, ...]:
    """Why a comparison of lengths is unfair, if it stands at another config than accuracy's.

    Args:
        base: the base's row with the share that finished where its lengths come from.
        tuned: the tuned model's.
    """
    said = _cut({}, base, tuned)
    return (
        (f"Unfair comparison of lengths: {said}, whose length is a lower bound.",) if said else ()
    )


def _budgets(base: AnyRow, tuned: AnyRow) -> str:
    """The most tokens that each side could decode, if they differ."""
    sides = [_most(side) for side in (base, tuned)]
    if None in sides or sides[0] == sides[1]:
        return ""
    base_most, tuned_most = sides
    return f"the base had a budget of {number(base_most)} tokens, the tuned model one of {number(tuned_most)}"


def _most(row: AnyRow) -> int | None:
    """The row's budget, or less if its decoding allowed less."""
    budget, decoding = row.get("budget"), row.get("decoding")
    each: Sequence[AnyRow] = ()
    if isinstance(decoding, Mapping):
        nested = [part for part in decoding.values() if isinstance(part, Mapping)]
        each = nested or [decoding]
    found = [m for part in each if isinstance(m := part.get("max_tokens"), int)]
    limits = [limit for limit in (budget, max(found, default=None)) if limit is not None]
    return min(limits, default=None)


def _cut(compare: AnyRow, base: AnyRow, tuned: AnyRow) -> str:
    """The side whose answers were cut more often, and how much of the difference that may explain."""
    if base.get("finished") is None or tuned.get("finished") is None:
        return ""
    cut = {"base": 1 - base["finished"], "tuned model": 1 - tuned["finished"]}
    more, less = sorted(cut, key=lambda side: cut[side], reverse=True)
    if cut[more] - cut[less] < APART - 1e-9:
        return ""
    said = (
        f"the budget of {number(base.get('budget'))} tokens cut {percent(cut[more], 1)} of the "
        f"{more}'s answers and {percent(cut[less], 1)} of the {less}'s"
    )
    gained, delta = compare.get("finished_more"), compare.get("accuracy_delta")
    if gained is None or delta is None:
        return said
    return (
        f"{said}; of {points(delta)} points of accuracy, {points(gained)} come of finishing in time"
    )


def list_unfair(found: Sequence[tuple[str, AnyRow, AnyRow, AnyRow]]) -> tuple[str, ...]:
    """What to say of the comparisons of one setting: the first in full, the others by their tasks.

    Args:
        found: task, compare row, base's row and tuned model's row, all tasks pooled first.
    """
    said = [(task, say_unfair(*rows)) for task, *rows in found]
    first = said[0][1] if said else ()
    others = [(task, reasons) for task, reasons in said[1:] if reasons]
    if first:
        also = join_names([task for task, _ in others])
        return (*first, f"So are the rows of {also}.") if also else first
    return tuple(f"{task}: {reason}" for task, reasons in others for reason in reasons)
