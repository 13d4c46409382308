"""The table of a routing: what stands in each row of ``routing.jsonl``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

Recommended = Literal["on", "off", "either"]


class ModeRow(TypedDict):
    """One model with thinking on, or off, over a row's prompts; fractions and tokens."""

    accuracy: float | None
    """Of the prompts that were judged in both modes."""
    accuracy_ci: Sequence[float] | None
    think_tokens_median: float | None
    total_tokens_median: float | None
    total_tokens_mean: float | None
    """Of a prompt: what the mode costs."""
    finished: float | None
    unjudged: int
    """Answers without a verdict."""


class RouteRow(TypedDict):
    """Thinking on against off for one model and some dev prompts (``routing.jsonl``).

    Differences are on - off, paired by prompt. ``delta_bounds`` and ``tokens_delta_bounds`` decide:
    intervals of the same differences at ``level``, so that with 95% chance none of the model's
    rows has an accuracy interval that misses, and with 95% chance none of tokens.
    """

    model: str
    """``tuned``, or ``base`` for comparison."""
    split: str
    """``dev``: test problems decide nothing."""
    task: str
    """``all``: every task."""
    kind: str
    """``all``: every kind."""
    n: int
    """Prompts that were judged in both modes."""
    on: ModeRow
    off: ModeRow
    delta: float | None
    """Accuracy."""
    delta_ci: Sequence[float] | None
    tokens_delta: float | None
    """Mean total tokens of a prompt."""
    tokens_delta_ci: Sequence[float] | None
    delta_bounds: Sequence[float] | None
    tokens_delta_bounds: Sequence[float] | None
    level: float
    """Of the two bounds: 1 - 0.05 / comparisons."""
    comparisons: int
    """Different sets of prompts that the model's rows are about."""
    margin: float
    recommended: Recommended
    because: str
    decoding: Mapping[str, Any]
    """Sampler values."""
