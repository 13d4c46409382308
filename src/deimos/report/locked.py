"""The locked config: what the tuned model was measured at, and what its users decode with.

Read from the rows of the benchmark, which say what they were decoded with; before there is a
benchmark, from what the sweep locked. A run of before rows said so has it in the recipe it ran with,
and then this is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deimos.report.results import RunResults
from deimos.store.schema import AnyRow, Row

NAME = "locked"


@dataclass(frozen=True)
class LockedConfig:
    """How to decode with the tuned model."""

    decoding: Row
    """Sampler values by vLLM's names, ``max_tokens`` included."""
    origin: str
    """Where they are read from, as the end of a sentence."""


def read_locked(run: RunResults) -> LockedConfig:
    """The tuned model's locked config, from the benchmark's rows if they have it."""
    shipped = (row for row in run.bench if row.get("setting") == "ship")
    for row in (*shipped, *run.by_config, *run.bench):  # with max_tokens as it ships, if that ran
        found = _decoding(row) if row.get("model") == "tuned" else None
        if found:
            return LockedConfig(found, "the benchmark's rows")
    swept = run.artifacts.locked_configs()
    if swept:
        values = {k: v for k, v in swept["tuned"].values().items() if v is not None}
        return LockedConfig(values, "what the sweep locked; no benchmark has run at it yet")
    settings = run.recipe.bench.locked.model_dump(mode="json")
    return LockedConfig(
        {**settings, "max_tokens": run.recipe.bench.budget},
        "the recipe, as no benchmark row says what it was decoded with",
    )


def _decoding(row: AnyRow) -> Row | None:
    """A row's sampler values, of a row that is of the locked config alone."""
    found = row.get("decoding")
    if row.get("config") != NAME or not isinstance(found, Mapping) or "temperature" not in found:
        return None
    return dict(found)
