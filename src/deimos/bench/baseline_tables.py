"""Rows of a baseline, beside those of base and tuned; no I/O, no model.

A bench row says in ``baseline`` what makes it of the base: ``{"instruction": text}``, ``{"examples": how many}``,
``{"reasoning_effort": level}`` or ``{"think_budget": tokens}`` (of several tasks: tokens by task). A
compare row says in ``against`` which model the tuned one is compared with, and in ``result`` whether
it beats that (``baselines.judge_baseline``). Seconds are not measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from deimos.bench.baselines import ACCURACY_MARGIN, TOKENS_MARGIN, judge_baseline
from deimos.bench.suites import SHIPS, ArmName, find_shipped
from deimos.bench.tables import (
    Slice,
    Tables,
    bench_row,
    compare_row,
    merge_chosen,
    pick_least_flattering,
)
from deimos.evaluate.outcomes import Outcome
from deimos.store.schema import Row


def tabulate_baseline(
    samples: Mapping[ArmName, Sequence[Outcome]],
    name: str,
    where: Slice,
    describe: Callable[[ArmName], Mapping[str, Any] | None],
) -> Tables:
    """A baseline's bench rows, and tuned against it.

    Args:
        samples: the slice's outcomes of all arms.
        name: as rows call it, ``base+…``.
        where: the slice; its seconds are base's and tuned's, and are not used.
        describe: what makes an arm of the base.
    """
    where = replace(where, seconds={}, seconds_ci=None, timed=0)
    if where.setting == "ship":
        arm = ArmName(name, find_shipped(name))
        tuned = samples[ArmName("tuned", SHIPS["tuned"])]
        most = (where.decodings.get(arm.config) or {}).get("max_tokens", where.budget)
        own = _bench_row(samples, arm, replace(where, budget=most), describe)
        return Tables([own], [_against(name, compare_row(samples[arm], tuned, None, where))], [])
    configs = list(dict.fromkeys(arm.config for arm in samples))
    rows = {c: _bench_row(samples, ArmName(name, c), where, describe) for c in configs}
    compared = {
        c: _against(
            name,
            compare_row(samples[ArmName(name, c)], samples[ArmName("tuned", c)], c, where),
        )
        for c in configs
    }
    headline = _against(name, pick_least_flattering(compared))
    bench = merge_chosen(rows, headline["config"])
    return Tables([bench], [headline], [*rows.values(), *compared.values()])


def _bench_row(
    samples: Mapping[ArmName, Sequence[Outcome]],
    arm: ArmName,
    where: Slice,
    describe: Callable[[ArmName], Mapping[str, Any] | None],
) -> Row:
    return {**bench_row(samples[arm], arm, where), "baseline": describe(arm)}


def _against(name: str, row: Row) -> Row:
    """A compare row as one against a baseline, with what its numbers say."""
    margins = {"accuracy": ACCURACY_MARGIN, "total_tokens": TOKENS_MARGIN}
    return {**row, "against": name, "result": judge_baseline(row), "margins": margins}
