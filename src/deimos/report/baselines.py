"""What a user would pick instead of training, in words: names, and whether the tuned model beats it.

Pure: benchmark rows in, wording out. The rows say themselves whether it does (``result``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from deimos.report.formatting import (
    change,
    change_interval,
    interval,
    join_names,
    number,
    points,
    with_unit,
)
from deimos.store.schema import AnyRow

BASE = "base"
NAMES = {
    "base+instruction": "base + terse instruction",
    "base+few_shot": "base + terse examples",
    "base+low_effort": "base at its lowest reasoning effort",
    "base+budget": "base with its thought closed at the tuned model's median",
}
RESULTS = {
    "beats": "beats",
    "does not beat": "does not beat",
    "undecided": "is not shown to beat",
}
_PARTS = {
    "accuracy": "accuracy",
    "finished": "accuracy",
    "think_tokens_median": "think_tokens",
    "total_tokens_median": "total_tokens",
}
"""A bench row's numbers to the part of a compare row's ``config`` that they go with."""


def name_compared(row: AnyRow) -> str:
    """The model that a compare row compares the tuned one with."""
    return row.get("against", BASE)


def select_against_base(rows: Iterable[AnyRow]) -> list[AnyRow]:
    """The compare rows against the base itself."""
    return [row for row in rows if name_compared(row) == BASE]


def name_of(model: str) -> str:
    """A baseline's name for people."""
    return NAMES.get(model, model)


def rows_of(compare: Iterable[AnyRow], at: AnyRow) -> list[AnyRow]:
    """The rows against baselines of the setting, task and thinking of another compare row."""
    same = {key: at.get(key) for key in ("setting", "task", "thinking")}
    return [row for row in compare if name_compared(row) != BASE and same.items() <= row.items()]


def clause(rows: Sequence[AnyRow]) -> str:
    """Which baselines are not beaten, as the end of the headline's sentence; empty: none is left."""
    said = ""
    for result in ("does not beat", "undecided"):
        names = [name_of(name_compared(row)) for row in rows if row.get("result") == result]
        said += f"; {RESULTS[result]} {join_names(names)}" if names else ""
    return said


def sentences(rows: Sequence[AnyRow]) -> tuple[str, ...]:
    """A sentence a baseline, with its numbers; those that are not beaten first."""
    order = ("does not beat", "undecided", "beats")
    found = sorted(rows, key=lambda row: order.index(row.get("result", "undecided")))
    return tuple(map(_sentence, found))


def _sentence(row: AnyRow) -> str:
    result = RESULTS[row.get("result", "undecided")]
    accuracy = with_unit(points(row.get("accuracy_delta")), " points")
    ci = interval(row.get("accuracy_delta_ci"), points)
    tokens = change(row.get("total_tokens_reduction"))
    tokens_ci = change_interval(row.get("total_tokens_reduction_ci"))
    return (
        f"The tuned model {result} {name_of(name_compared(row))}: accuracy {accuracy} {ci}".rstrip()
        + f", total tokens {tokens} {tokens_ci}".rstrip()
        + f", n = {number(row['n'])}."
    )


def tuned_side(by_config: Iterable[AnyRow], row: AnyRow, tuned: AnyRow) -> AnyRow:
    """The tuned model's bench row that goes with a row against a baseline.

    Its own row in ``bench.jsonl`` has the numbers of the decodings at which it does worst against the
    base; against a baseline that may be others.
    """
    chosen = row.get("config")
    found: dict[str, object] = {**tuned, "seconds_per_problem": None}
    if not isinstance(chosen, Mapping):
        return found
    same = {key: row.get(key) for key in ("setting", "task", "thinking")}
    full = {r["config"]: r for r in by_config
            if r.get("model") == "tuned" and same.items() <= r.items()}  # fmt: skip
    for field, part in _PARTS.items():
        if chosen.get(part) in full:
            found[field] = full[chosen[part]].get(field)
    return found
