"""Fitting a routing policy: what recognises kinds, and what both modes did on a run's dev prompts.

The only module of routing that needs scikit-learn and numpy (``deimos-llm[route]``); what it makes is
plain numbers. A run's policy is fitted on paired outcomes: each dev prompt was answered with thinking
ON and OFF, so its label is what OFF gained in accuracy and saved in tokens. Expected gains come from
models that have not seen the prompt (five folds), and prompts go OFF only in strata whose lower bound
clears 0, at a level at which all strata that were looked at hold together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deimos.evaluate import stats
from deimos.evaluate.outcomes import as_list
from deimos.route.decide import decide, joint_level
from deimos.route.features import BUCKETS, RULE_NAMES, Features, find_features
from deimos.route.policy import KINDS, LinearModel, Policy, Stratum

MOST_BUCKETS = 24_000
"""n-grams of the recogniser that keep a weight: the heaviest."""
RARE = 2
"""Texts that an n-gram of the recogniser stands in at least."""
MOST_KNOWN = 40_000
"""n-grams of a run's dev prompts that are known."""
FOLDS = 5
PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0)
"""Of the ridge regression, the one with the least error on prompts not seen."""
FAMILIAR = 0.02
"""This share of the dev prompts is less familiar to models that have not seen them than a request
must be at least."""
PARTS = (1.0, 0.5, 0.25)
"""Parts of a kind's prompts, those with the highest expected gain, that may go OFF by themselves."""
SMALLEST_PART = 20
"""Prompts under which a kind is not divided."""

Rows = NDArray[np.float64]


class Paired(NamedTuple):
    """One prompt answered in both modes."""

    text: str
    """What the user asks."""
    on: bool
    """Whether it was right with thinking ON."""
    off: bool
    on_tokens: int
    off_tokens: int


def fit_recogniser(
    texts: Sequence[str], kinds: Sequence[str], strength: float = 12.0
) -> LinearModel:
    """What tells kinds apart: multinomial logistic regression, kinds weighed alike.

    Args:
        texts: of prompts.
        kinds: of each text, out of ``KINDS``.
        strength: inverse of the penalty on weights (scikit-learn's ``C``).
    """
    from sklearn.linear_model import LogisticRegression

    found = [find_features(text) for text in texts]
    known = _common_buckets(found, RARE)
    model = LogisticRegression(C=strength, class_weight="balanced", max_iter=400)
    model.fit(_matrix(found, known), [KINDS.index(kind) for kind in kinds])
    heaviest = np.argsort(-np.abs(model.coef_[:, len(RULE_NAMES) :]).max(axis=0), kind="stable")
    bias = np.atleast_1d(model.intercept_)
    return _linear(bias, model.coef_, known, heaviest[:MOST_BUCKETS])


def fit_policy(
    name: str,
    evidence: str,
    paired: Sequence[Paired],
    margin: float,
    start: Policy,
    base_right: Sequence[bool] = (),
) -> Policy:
    """The policy of a run.

    Args:
        name: of the run.
        evidence: what it stands on, one sentence.
        paired: dev prompts that were judged in both modes.
        margin: accuracy that OFF may be short of if it saves tokens, as in ``route.margin``.
        start: whose recogniser it uses, and what it takes unmeasured kinds to lose.
        base_right: whether the model without its adapter was right on each prompt, ON; none: unknown.

    Returns:
        A policy without strata, so one that always abstains, if there are too few prompts.
    """
    found = [find_features(each.text) for each in paired]
    kinds = [_recognise(start.recogniser, each) for each in found]
    empty = replace(start, name=name, evidence=evidence, strata=[], gains=None, familiar=0.0)
    if len(paired) < 2 * FOLDS:
        return empty
    gains = np.array([_gain(each, paired, margin) for each in paired])
    known = _common_buckets(found)
    penalty, expected = _cross_fit(found, gains, known)
    parts = [(kind, part) for kind in KINDS for part in _divide(kinds, kind, expected)]
    level = joint_level(len(parts))
    strata = []
    for kind in KINDS:
        own = [part for each, part in parts if each == kind]
        strata += _choose_strata(kind, own, paired, expected, level, margin) if own else []
    return replace(
        empty,
        strata=strata,
        base=_compare_base(kinds, paired, base_right) if base_right else [],
        gains=_fit_gains(found, gains, known, penalty),
        familiar=_least_familiar(found, known),
    )


def _recognise(recogniser: LinearModel, found: Features) -> str:
    scores = recogniser.score(found)
    return KINDS[max(range(len(KINDS)), key=scores.__getitem__)]


def _gain(each: Paired, every: Sequence[Paired], margin: float) -> float:
    """What OFF gained on a prompt: accuracy, and the margin's worth of the tokens it saved."""
    usual = max(sum(p.on_tokens for p in every) / len(every), 1.0)
    return float(each.off) - float(each.on) + margin * (each.on_tokens - each.off_tokens) / usual


@dataclass(frozen=True)
class _KindPart:
    """Some prompts of a kind."""

    members: NDArray[np.intp]
    at_least: float | None
    """Expected gain from which prompts belong to it; None: all of the kind."""


def _divide(kinds: Sequence[str], kind: str, expected: Rows) -> list[_KindPart]:
    """The parts of a kind that may go OFF by themselves, the largest first."""
    members = np.array([i for i, each in enumerate(kinds) if each == kind], dtype=np.intp)
    if not len(members):
        return []
    whole = [_KindPart(members, None)]
    if len(members) < SMALLEST_PART:
        return whole
    bounds = sorted({float(np.quantile(expected[members], 1 - part)) for part in PARTS[1:]})
    return whole + [_KindPart(members[expected[members] >= at], at) for at in bounds]


def _choose_strata(
    kind: str,
    parts: Sequence[_KindPart],
    paired: Sequence[Paired],
    expected: Rows,
    level: float,
    margin: float,
) -> list[Stratum]:
    """Strata of a kind: the largest part that may go OFF and what is left; else all of it, ON."""
    for part in parts:
        stratum = _measure(kind, part, paired, level, margin)
        if stratum.gain_bound <= 0:
            continue
        rest = _KindPart(np.setdiff1d(parts[0].members, part.members), None)
        others = [] if part.at_least is None else [_measure(kind, rest, paired, level, margin)]
        # What is left is ON whatever it shows: it was not among what was to be looked at.
        return [stratum, *(replace(o, gain_bound=min(o.gain_bound, 0.0)) for o in others)]
    return [_measure(kind, parts[0], paired, level, margin)]


def _measure(
    kind: str, part: _KindPart, paired: Sequence[Paired], level: float, margin: float
) -> Stratum:
    """Both modes on a part's prompts, and what may be concluded."""
    own = [paired[i] for i in part.members]
    n = len(own)
    gained = sum(p.on and not p.off for p in own)
    lost = sum(p.off and not p.on for p in own)
    tokens = [p.on_tokens - p.off_tokens for p in own]
    accuracy = stats.tango(gained, lost, n, level=level)
    saved = stats.mean_difference(tokens, level=level)
    said = decide(accuracy, saved.ci, margin)
    bound = (
        -1.0
        if accuracy is None
        else -accuracy[1] + (margin if saved.ci and saved.ci[0] > 0 else 0.0)
    )
    if said.recommended != "off":
        bound = min(bound, 0.0)
    evidence = {
        "n": n,
        "on": sum(p.on for p in own) / n,
        "off": sum(p.off for p in own) / n,
        "delta": (gained - lost) / n,
        "delta_ci": as_list(stats.tango(gained, lost, n)),
        "delta_bounds": as_list(accuracy),
        "tokens_on": sum(p.on_tokens for p in own) / n,
        "tokens_off": sum(p.off_tokens for p in own) / n,
        "tokens_delta_bounds": as_list(saved.ci),
        "level": level,
        "recommended": said.recommended,
    }  # fmt: skip
    return Stratum(kind, part.at_least, bound, f"{said.because} (n={n})", evidence)


def _compare_base(
    kinds: Sequence[str], paired: Sequence[Paired], base_right: Sequence[bool]
) -> list[Stratum]:
    """What the model without its adapter gains on each kind, both ON; a kind a comparison."""
    found, level = [], joint_level(len(set(kinds)))
    for kind in KINDS:
        both = [
            (base, own.on)
            for each, own, base in zip(kinds, paired, base_right, strict=True)
            if each == kind
        ]
        gained = sum(base and not own for base, own in both)
        lost = sum(own and not base for base, own in both)
        bounds = stats.tango(gained, lost, len(both), level=level)
        if bounds is None:
            continue
        shown = "the base is more accurate" if bounds[0] > 0 else "the base is not shown to gain"
        evidence = {
            "n": len(both),
            "base": sum(base for base, _ in both) / len(both),
            "tuned": sum(own for _, own in both) / len(both),
            "delta": (gained - lost) / len(both),
            "delta_ci": as_list(stats.tango(gained, lost, len(both))),
            "delta_bounds": as_list(bounds),
            "level": level,
        }
        found.append(Stratum(kind, None, bounds[0], f"{shown} (n={len(both)})", evidence))
    return found


# --- the linear models ---


def _matrix(found: Sequence[Features], known: NDArray[np.intp]) -> Any:
    """Features as a sparse matrix: a column a rule, then one a known bucket."""
    from scipy.sparse import csr_matrix

    column = {int(bucket): len(RULE_NAMES) + i for i, bucket in enumerate(known)}
    values: list[float] = []
    columns: list[int] = []
    ends = [0]
    for each in found:
        own = [column[gram] for gram in sorted(each.grams) if gram in column]
        columns += [*each.rules, *own]
        values += [1.0] * len(each.rules) + [1 / math.sqrt(len(each.grams))] * len(own)
        ends.append(len(columns))
    return csr_matrix((values, columns, ends), shape=(len(found), len(RULE_NAMES) + len(known)))


def _linear(
    bias: Rows, weights: Rows, known: NDArray[np.intp], kept: NDArray[np.intp]
) -> LinearModel:
    """A fitted model as plain numbers; ``kept``: which of the known buckets keep their weights."""
    rules = {name: tuple(map(float, weights[:, i])) for i, name in enumerate(RULE_NAMES)}
    own = weights[:, len(RULE_NAMES) :]
    buckets = {int(known[i]): tuple(map(float, own[:, i])) for i in np.sort(kept)}
    return LinearModel(tuple(map(float, bias)), rules, buckets)


def _common_buckets(found: Sequence[Features], least: int = 1) -> NDArray[np.intp]:
    """The buckets that most texts have, those of at least so many."""
    counts = np.bincount([g for each in found for g in each.grams], minlength=BUCKETS)
    ranked = np.argsort(-counts, kind="stable")[:MOST_KNOWN]
    return np.sort(ranked[counts[ranked] >= least])


def _cross_fit(
    found: Sequence[Features], gains: Rows, known: NDArray[np.intp]
) -> tuple[float, Rows]:
    """The penalty with the least error, and the gains expected by models that did not see a prompt."""
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import KFold, cross_val_predict

    folds, matrix = KFold(FOLDS, shuffle=True, random_state=0), _matrix(found, known)
    tried = {
        p: np.asarray(cross_val_predict(Ridge(alpha=p), matrix, gains, cv=folds)) for p in PENALTIES
    }
    best = min(tried, key=lambda p: float(np.mean((tried[p] - gains) ** 2)))
    return best, tried[best]


def _fit_gains(
    found: Sequence[Features], gains: Rows, known: NDArray[np.intp], penalty: float
) -> LinearModel:
    from sklearn.linear_model import Ridge

    model = Ridge(alpha=penalty).fit(_matrix(found, known), gains)
    bias, weights = np.atleast_1d(model.intercept_), np.atleast_2d(model.coef_)
    return _linear(bias, weights, known, np.arange(len(known)))


def _least_familiar(found: Sequence[Features], known: NDArray[np.intp]) -> float:
    """How familiar prompts are, at the least, to models that have not seen them."""
    kept, shares = {int(b) for b in known}, []
    for fold in range(FOLDS):
        inside = {g for i, each in enumerate(found) if i % FOLDS != fold for g in each.grams} & kept
        outside = [each for i, each in enumerate(found) if i % FOLDS == fold]
        shares += [len(each.grams & inside) / max(len(each.grams), 1) for each in outside]
    return float(np.quantile(shares, FAMILIAR))
