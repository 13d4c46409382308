"""Which problems are shown side by side: chosen by a stated rule, not by hand.

A pair is one problem answered by base and tuned under the same config, first sample of each.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from deimos.report.results import RunResults
from deimos.runs.artifacts import SampleFacts

RULE = (
    "Chosen by rule: of the problems both models answer right without being cut, those at the "
    "10th, 50th and 90th percentile of the cut in thinking; the one where the tuned model thinks "
    "longest against the base; of those only the base answers right, and of those only the tuned "
    "model answers right, the one with the median cut. A case with no such problem is left out."
)
SHOWN = 6000
"""Characters of one trace that the page holds."""


class Pair(NamedTuple):
    """One problem, both models."""

    base: SampleFacts
    tuned: SampleFacts

    @property
    def reduction(self) -> float:
        """Think tokens saved, as a fraction of the base's (negative: the tuned thinks longer)."""
        return 1 - self.tuned.think_tokens / max(1, self.base.think_tokens)


@dataclass(frozen=True)
class Side:
    """One model's trace as shown."""

    model: str
    think: str
    answer: str
    think_tokens: int
    answer_tokens: int
    ok: bool | None
    finish: str
    because: str
    left_out: int
    """Characters of the thought that the page leaves out."""


@dataclass(frozen=True)
class Shown:
    """One problem as shown."""

    why: str
    task: str
    problem: str | None
    reduction: float
    base: Side
    tuned: Side


def pairs_of(outcomes: Sequence[SampleFacts], config: str) -> list[Pair]:
    """Base and tuned outcomes of the same task, problem and index under one config."""
    sides: dict[tuple[str, str, int], dict[str, SampleFacts]] = {}
    for o in outcomes:
        if o.config == config and o.model in ("base", "tuned"):
            sides.setdefault((o.task, o.prompt_id, o.index), {}).setdefault(o.model, o)
    return [
        Pair(both["base"], both["tuned"]) for _, both in sorted(sides.items()) if len(both) == 2
    ]


def choose(pairs: Sequence[Pair]) -> list[tuple[str, Pair]]:
    """Pick up to six pairs by ``RULE``; ties and order by task and prompt id, so it repeats."""
    ranked = sorted(pairs, key=lambda p: (p.reduction, p.base.task, p.base.prompt_id))
    whole = [p for p in ranked if "length" not in (p.base.finish, p.tuned.finish)]
    right = [p for p in whole if p.base.ok and p.tuned.ok]
    lost = [p for p in ranked if p.base.ok and p.tuned.ok is False]
    won = [p for p in ranked if p.tuned.ok and p.base.ok is False]
    wanted = [
        ("Both right, a typical cut (the median)", _at(right, 0.5)),
        ("Both right, a large cut (90th percentile)", _at(right, 0.9)),
        ("Both right, a small cut (10th percentile)", _at(right, 0.1)),
        ("Tuned wrong where the base is right", _at(lost, 0.5)),
        ("Tuned right where the base is wrong", _at(won, 0.5)),
        ("The tuned model at its longest against the base", _at(ranked, 0)),
    ]
    chosen: list[tuple[str, Pair]] = []
    for why, pair in wanted:
        if pair and all(pair != other for _, other in chosen):
            chosen.append((why, pair))
    return chosen


def show_pairs(run: RunResults, config: str, cases: int | None = None) -> list[Shown]:
    """The chosen pairs with their texts; ``cases``: only so many, the first of ``RULE`` first."""
    chosen = choose(pairs_of([o for o in run.outcomes if o.index == 0], config))[:cases]
    texts = run.artifacts.questions({pair.base.prompt_id for _, pair in chosen})
    return [
        Shown(
            why,
            pair.base.task,
            texts.get(pair.base.prompt_id),
            pair.reduction,
            _side(run, pair.base),
            _side(run, pair.tuned),
        )
        for why, pair in chosen
    ]


def clip(text: str, limit: int = SHOWN) -> tuple[str, int]:
    """A text's beginning and end within ``limit`` characters, and how many were left out."""
    if len(text) <= limit:
        return text, 0
    head = limit * 2 // 3
    return f"{text[:head]}\n\n[…]\n\n{text[head - limit :]}", len(text) - limit


def _side(run: RunResults, outcome: SampleFacts) -> Side:
    name = outcome.prompt_id, outcome.index
    completion = run.artifacts.whole_samples(outcome.path, {name})[name].completion
    think, left_out = clip(completion.think)
    return Side(
        outcome.model,
        think,
        clip(completion.answer or ("" if completion.think else completion.text))[0],
        outcome.think_tokens,
        outcome.answer_tokens,
        outcome.ok,
        outcome.finish,
        completion.verdict.because if completion.verdict else "",
        left_out,
    )


def _at(ranked: Sequence[Pair], quantile: float) -> Pair | None:
    if not ranked:
        return None
    places = [i / max(1, len(ranked) - 1) for i in range(len(ranked))]
    return ranked[min(len(ranked) - 1, bisect.bisect_left(places, quantile))]
