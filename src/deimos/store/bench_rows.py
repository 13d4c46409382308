"""The tables of a benchmark: what stands in each row of the files that the bench stage writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict


class BenchRow(TypedDict):
    """One model in one setting (``bench.jsonl``); fractions, tokens, seconds."""

    model: str
    setting: str
    thinking: bool | None
    budget: int
    repeats: int
    task: str
    n: int
    accuracy: float | None
    accuracy_ci: Sequence[float] | None
    think_tokens_median: float | None
    answer_tokens_median: float | None
    total_tokens_median: float | None
    chars_median: float | None
    finished: float | None
    empty_think: float | None
    seconds_per_problem: float | None
    unjudged: NotRequired[int]
    second: NotRequired[Mapping[str, Any] | None]
    """How often second opinions on math answers differ; None: there are none."""
    second_accuracy: NotRequired[Mapping[str, Any] | None]
    """Of math answers: ``ours``, ``plain`` and ``math_verify``, each ``{accuracy, accuracy_ci, n}``."""
    metrics: NotRequired[Mapping[str, Any]]
    """Of lm-eval's tasks, every metric by its name there (``exact_match,strict-match``):
    ``{value, value_ci, n}``; absent: the row's tasks have none in common."""
    derived: NotRequired[Sequence[str]]
    """Which of the row's numbers are formulas over others (``evaluate/metrics.py``): these."""
    tokens_per_correct: NotRequired[float | None]
    tokens_per_correct_ci: NotRequired[Sequence[float] | None]
    auc_oaa: NotRequired[float | None]
    auc_oaa_ci: NotRequired[Sequence[float] | None]
    auc_oaa_most: NotRequired[int]
    """Think tokens up to which its thresholds go."""
    ock_score: NotRequired[float | None]
    """A hundredth of the published score, which counts accuracy in percent."""
    ock_score_ci: NotRequired[Sequence[float] | None]
    ock_score_coefficients: NotRequired[Mapping[str, float]]
    config: NotRequired[str | Mapping[str, str]]
    """Where the numbers come from: a config, or one for each part of the row."""
    k: NotRequired[int]
    """Samples a problem, of ``avg_at_k``, ``pass_at_k`` and ``maj_at_k``; absent if it is 1."""
    k_n: NotRequired[int]
    """Problems all whose k samples were judged: those of ``pass_at_k`` and ``maj_at_k``."""
    avg_at_k: NotRequired[float | None]
    avg_at_k_ci: NotRequired[Sequence[float] | None]
    pass_at_k: NotRequired[float | None]
    pass_at_k_ci: NotRequired[Sequence[float] | None]
    maj_at_k: NotRequired[float | None]
    """None: answers of some task cannot be compared."""
    maj_at_k_ci: NotRequired[Sequence[float] | None]
    baseline: NotRequired[Mapping[str, Any]]
    """What makes a baseline's row of the base: ``instruction``, ``reasoning_effort`` or
    ``think_budget`` (tokens, of several tasks by task)."""


class CompareRow(TypedDict):
    """Tuned against base or a baseline (``compare.jsonl``).

    Deltas are tuned - base, reductions 1 - tuned / base.
    """

    against: NotRequired[str]
    """The model that the tuned one is compared with; absent: ``base``."""
    result: NotRequired[str]
    """Against a baseline: ``beats``, ``does not beat`` or ``undecided``."""
    k: NotRequired[int]
    k_n: NotRequired[int]
    avg_at_k_delta: NotRequired[float | None]
    avg_at_k_delta_ci: NotRequired[Sequence[float] | None]
    pass_at_k_delta: NotRequired[float | None]
    pass_at_k_delta_ci: NotRequired[Sequence[float] | None]
    maj_at_k_delta: NotRequired[float | None]
    maj_at_k_delta_ci: NotRequired[Sequence[float] | None]
    margins: NotRequired[Mapping[str, float]]
    """What counts as no loss of ``accuracy`` and no more ``total_tokens`` in ``result``."""
    setting: str
    thinking: bool | None
    task: str
    n: int
    accuracy_delta: float | None
    accuracy_delta_ci: Sequence[float] | None
    think_tokens_reduction: float | None
    think_tokens_reduction_ci: Sequence[float] | None
    total_tokens_reduction: float | None
    total_tokens_reduction_ci: Sequence[float] | None
    seconds_reduction: float | None
    finished_more: float | None
    reasoned_better: float | None
    seconds_reduction_ci: NotRequired[Sequence[float] | None]
    smallest_detectable: NotRequired[float | None]
    timed: NotRequired[int]
    """Problems; with fewer than 8 the seconds have no interval."""
    think_tokens_medians: NotRequired[Sequence[float | None]]
    """Base, tuned: a reduction is null where the base's is 0."""
    total_tokens_medians: NotRequired[Sequence[float | None]]
    second_accuracy_delta: NotRequired[Mapping[str, Any] | None]
    """As the bench row's, ``{accuracy_delta, accuracy_delta_ci, n}``; and ``answers`` of both models,
    ``differ`` (fraction on which either check differs from ``ours``), ``plain_differs`` and
    ``math_verify_differs``."""
    metric_deltas: NotRequired[Mapping[str, Any]]
    """As the bench row's ``metrics``: ``{delta, delta_ci, n}``, paired."""
    derived: NotRequired[Sequence[str]]
    tokens_per_correct_reduction: NotRequired[float | None]
    tokens_per_correct_reduction_ci: NotRequired[Sequence[float] | None]
    auc_oaa_delta: NotRequired[float | None]
    auc_oaa_delta_ci: NotRequired[Sequence[float] | None]
    ock_score_delta: NotRequired[float | None]
    ock_score_delta_ci: NotRequired[Sequence[float] | None]
    aes: NotRequired[Sequence[Mapping[str, Any]]]
    """For each published set of coefficients: ``alpha beta gamma value ci source``."""
    budget: NotRequired[int]
    config: NotRequired[str | Mapping[str, str] | None]


class SplitRow(CompareRow):
    """A compare row of a part of the problems (``splits.jsonl``), at one decoding."""

    split: str
    """``difficulty`` or ``level``."""
    value: str
    """Difficulty: the base is right in ``all``, ``some`` or ``none`` of the choosing samples, or
    ``unjudged``. Level: the data set's, or ``unknown``."""
    selected_by: NotRequired[Mapping[str, Any]]
    """Of a difficulty: ``config`` and ``samples`` (most a problem) of what chose, and ``held_out``:
    false where the compared samples themselves chose, which favours a change where none is."""


class ByConfigRow(TypedDict):
    """One config in full (``by_config.jsonl``): a bench row or a compare row, and which config."""

    setting: str
    thinking: bool | None
    task: str
    n: int
    config: str


class BudgetCurveRow(TypedDict):
    """Accuracy at one budget, every trace cut there (``budget_curve.jsonl``).

    In rows with ``think_budget`` every thought is closed there and the answer behind it decoded.
    """

    task: str
    thinking: bool | None
    config: str
    model: str
    budget: int
    n: int
    accuracy: float | None
    accuracy_ci: Sequence[float] | None
    think_budget: NotRequired[int]
    """Tokens after which thoughts were closed; ``budget`` is that of the whole completion then."""
    total_tokens_mean: NotRequired[float | None]
    """Of the completions with closed thoughts."""
    answered: NotRequired[float | None]
    """The share of those that ended."""
