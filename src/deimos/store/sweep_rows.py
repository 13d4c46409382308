"""What a sweep leaves: ``trials.jsonl``, a row a value that was tried, and ``locked.yaml``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, cast

from deimos.recipe import RecipeError, read_yaml
from deimos.store.schema import RowError
from deimos.types import Sampling

VERSION = 1
"""Of ``locked.yaml``."""


@dataclass(frozen=True, slots=True)
class DecodingConfig:
    """A way to decode, as a sweep chooses it."""

    sampling: Sampling
    think_budget: int | None = None
    """Tokens after which a thought is closed, so that the answer follows; None: never."""

    def values(self) -> dict[str, Any]:
        """Parameter to value; as rows and ``locked.yaml`` have it."""
        return {**dataclasses.asdict(self.sampling), "think_budget": self.think_budget}


class TrialRow(TypedDict):
    """A value of a parameter that was tried (``trials.jsonl``); fractions and tokens."""

    model: str
    """``base`` or ``tuned``."""
    round: int
    """Pass of coordinate descent, from 1; 0 in the rows of another strategy."""
    parameter: str
    """Empty: the config that the sweep began with, or one of another strategy."""
    value: float | int | None
    config: Mapping[str, Any]
    """All parameters: sampler values and ``think_budget``."""
    items: int
    """Dev items that were judged of this config, in the order that all values share."""
    accuracy: float | None
    accuracy_ci: Sequence[float] | None
    tokens_mean: float | None
    tokens_median: float | None
    e_value: float | None
    """Evidence that the value is worse than the best; a value is dropped once it is too much."""
    dropped_at: int | None
    """Items after which it was dropped; None: it was not."""
    because: str
    decoded: int
    """Items that were decoded for this row: others were there already, or cut from a longer one."""
    pareto: bool
    """No other config of this model with as many items has more accuracy at no more tokens."""


class LockedModel(TypedDict):
    """One model's part of ``locked.yaml``; fractions and tokens."""

    decoding: Mapping[str, Any]
    """Sampler values, ``max_tokens`` among them."""
    think_budget: int | None
    accuracy: float
    accuracy_ci: Sequence[float]
    n: int
    tokens_mean: float
    """Completion tokens of a dev item."""
    tied: Sequence[Mapping[str, Any]]
    """Every config that is not shown to be worse than the best: its values and measurements."""


class LockedFile(TypedDict):
    """``locked.yaml``."""

    version: int
    base: LockedModel
    tuned: LockedModel
    strategy: str
    objective: str
    price: float | None
    """Accuracy points that a user would give for 1,000 tokens; None: accuracy alone counts."""
    items: int
    """Dev items, the same for every config."""
    evaluations: int
    """Items that were judged, of both models together; each item of a config once."""
    skipped: Sequence[Mapping[str, Any]]
    """What was not tried: ``parameter``, ``because``."""


def read_locked(path: Path) -> LockedFile:
    """What ``locked.yaml`` says.

    Raises:
        RowError: it is not what a sweep writes.
    """
    try:
        found = read_yaml(path.read_text(encoding="utf-8"), str(path))
    except (RecipeError, UnicodeDecodeError) as e:
        raise RowError(str(e)) from e
    if not isinstance(found, dict) or found.get("version") != VERSION:
        raise RowError(f"{path}: must be a sweep's result of version {VERSION}")
    return cast(LockedFile, found)


def locked_config(locked: LockedFile, model: str, source: object = "") -> DecodingConfig:
    """The config that a model is locked at.

    Args:
        locked: what the file holds.
        model: ``base`` or ``tuned``.
        source: the file, to be named in an error.

    Raises:
        RowError: the part lacks a field or has an unknown sampler value.
    """
    try:
        part = locked[model]
        return DecodingConfig(Sampling(**part["decoding"]), part["think_budget"])
    except (KeyError, TypeError) as e:
        raise RowError(f"{source}: {model} has no complete decoding: {e}") from e
