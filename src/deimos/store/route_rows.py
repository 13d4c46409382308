"""The tables of a routing: what stands in each row of ``routing.jsonl`` and ``routed.jsonl``."""

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


Way = Literal["routed", "always_on", "always_off", "task_oracle", "prompt_oracle"]
"""A way to choose the mode of each prompt. The oracles have seen the answers, so nothing can choose
so: by task, the mode that is more accurate on the test; by prompt, the cheapest mode that is right."""


class CoveragePoint(TypedDict):
    """The prompts with the highest margins answered OFF, the others ON."""

    coverage: float
    """Share of the prompts that go OFF."""
    margin: float
    """Of the last of them; at the policy's own point it is the last above 0."""
    risk: float | None
    """Share of those that ON answers right and OFF does not."""
    risk_ci: Sequence[float] | None
    accuracy: float
    """Of all prompts together."""
    total_tokens_mean: float


class RoutedRow(TypedDict):
    """One way to choose the mode of test problems, beside another (``routed.jsonl``).

    Differences are way - against, paired by problem; the reduction of tokens is 1 - way / against.
    """

    model: str
    split: str
    """``test``: it decides nothing."""
    task: str
    """``all``: every task."""
    policy: str
    """Name and short hash."""
    way: Way
    against: Way
    n: int
    """Problems that were judged in both modes; all numbers are over these."""
    off: float | None
    """Share that the way answers OFF."""
    accuracy: float | None
    accuracy_ci: Sequence[float] | None
    total_tokens_mean: float | None
    accuracy_delta: float | None
    accuracy_delta_ci: Sequence[float] | None
    total_tokens_reduction: float | None
    total_tokens_reduction_ci: Sequence[float] | None
    curve: Sequence[CoveragePoint]
    """Of ``routed`` against ``always_on``: risk by coverage; empty in other rows."""
