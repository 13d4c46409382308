"""A routing policy: which thinking mode a prompt is answered in, from numbers alone (``policy.json``).

Read by what serves, which needs the standard library only: no numpy, no scikit-learn, no pickle.
Two linear models over ``features``: one recognises the kind of a prompt; the other, if the policy was
fitted on a run, says what OFF is expected to gain on it. What decides is measured: the lower bound of
OFF's gain among the dev prompts of that kind (and of such an expected gain), each weighed by how
likely the prompt is of that kind. Unless that is above 0 the policy abstains: the default, ON.
Not covered: making one (``fit``), and a template's arguments (``models.switch``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, NamedTuple

from deimos.route import features
from deimos.route.features import BUCKETS, RULE_NAMES, Features, find_features, read_text
from deimos.store.hashing import fingerprint
from deimos.store.journal import write_atomic
from deimos.store.json_text import read_json

KINDS = ("reasoning", "format", "knowledge", "chat")
"""What a recogniser tells apart: what takes working out (math, code, logic), what a program could
check the form of, what one knows or looks up, and talk and writing of any other sort."""
LABELS = {"format": "strict format"}
MOST_BYTES = 2_000_000
"""A policy file is smaller."""
SCALE = 1_000
"""Weights are written as whole thousandths."""


class PolicyError(ValueError):
    """A file that is not a policy of this version; one sentence."""


class PolicyChoice(NamedTuple):
    """What a policy says of one prompt."""

    mode: Literal["on", "off"]
    reason: str
    """One short sentence, ASCII."""
    margin: float
    """Lower bound of what OFF gains over ON, as accuracy (a fraction); above 0: OFF."""
    kind: str = ""
    """The likeliest of ``KINDS``; empty if there is no text."""
    probability: float = 0.0
    """Of that kind."""
    base: bool = False
    """Whether the model without its adapter is shown to be more accurate on such prompts."""


@dataclass(frozen=True)
class LinearModel:
    """Scores that are sums of weights.

    A rule counts as 1, an n-gram as one over the root of how many the text has.

    Attributes:
        bias: of each score.
        rules: weights by name of the rule, one for each score.
        buckets: the same by bucket of the n-gram.
    """

    bias: Sequence[float]
    rules: Mapping[str, Sequence[float]]
    buckets: Mapping[int, Sequence[float]]

    @cached_property
    def _by_rule(self) -> list[Sequence[float] | None]:
        return [self.rules.get(name) for name in RULE_NAMES]

    def score(self, found: Features) -> list[float]:
        """Its scores for a text."""
        weights = [w for rule in found.rules if (w := self._by_rule[rule])]
        totals = [math.fsum(each) for each in zip(self.bias, *weights, strict=True)]
        # No packed weight is 0, as each has its zero in the middle.
        if known := [*filter(None, map(self._packed.get, found.grams))]:
            summed, share = sum(known), 1 / (SCALE * math.sqrt(len(found.grams)))
            for i, total in enumerate(totals):
                own = (summed >> i * _BITS & _FIELD) - len(known) * _ZERO
                totals[i] = total + share * own
        return totals

    @cached_property
    def _packed(self) -> dict[int, int]:
        """Each bucket's weights in one number, so that one sum adds those of all scores."""
        return {bucket: _pack(_round(weights)) for bucket, weights in self.buckets.items()}

    def familiarity(self, found: Features) -> float:
        """The share of a text's n-grams that it has weights for."""
        return len(self.buckets.keys() & found.grams) / max(len(found.grams), 1)

    def row(self) -> dict[str, Any]:
        """The model as JSON, weights in thousandths."""
        return {
            "bias": _round(self.bias),
            "rules": {name: _round(weights) for name, weights in self.rules.items()},
            "buckets": {str(b): _round(weights) for b, weights in self.buckets.items()},
        }

    @classmethod
    def read(cls, row: Mapping[str, Any], scores: int) -> LinearModel:
        """A model from JSON; raises ``ValueError``, ``KeyError`` or ``TypeError`` if it is none."""
        found = cls(
            _unround(row["bias"], scores),
            {str(name): _unround(weights, scores) for name, weights in row["rules"].items()},
            {int(bucket): _unround(weights, scores) for bucket, weights in row["buckets"].items()},
        )
        if found.rules.keys() - set(RULE_NAMES) or not all(0 <= b < BUCKETS for b in found.buckets):
            raise ValueError("weights of features that there are not")
        return found


_BITS = 40
_FIELD = (1 << _BITS) - 1
_ZERO = 1 << 24  # added to each weight, so that fields hold no sign; thousands of them fit


def _pack(weights: Sequence[int]) -> int:
    held = (min(max(weight + _ZERO, 1), 2 * _ZERO) for weight in weights)
    return sum(weight << i * _BITS for i, weight in enumerate(held))


def _round(weights: Sequence[float]) -> list[int]:
    return [round(weight * SCALE) for weight in weights]


def _unround(weights: Sequence[int], scores: int) -> tuple[float, ...]:
    if len(weights) != scores or not all(isinstance(w, int) for w in weights):
        raise ValueError(f"a row of weights is not {scores} whole numbers")
    return tuple(weight / SCALE for weight in weights)


@dataclass(frozen=True)
class Stratum:
    """Prompts for which both modes were measured.

    Attributes:
        kind: as recognised.
        at_least: expected gain of OFF from which a prompt belongs here; None: any.
        gain_bound: lower bound of what OFF gains on them, as accuracy; above 0: they go OFF.
        because: a few words for the reason of a decision, ASCII.
        evidence: the numbers, as they were measured: n, both modes, paired intervals, or a source.
    """

    kind: str
    at_least: float | None
    gain_bound: float
    because: str
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """The stratum as JSON."""
        names = ("kind", "at_least", "gain_bound", "because")
        return {**{name: getattr(self, name) for name in names}, "evidence": dict(self.evidence)}

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Stratum:
        """A stratum from JSON; raises ``ValueError``, ``KeyError`` or ``TypeError`` if it is none."""
        low, bound = row["at_least"], float(row["gain_bound"])
        if (
            row["kind"] not in KINDS
            or not math.isfinite(bound)
            or not str(row["because"]).isascii()
        ):
            raise ValueError("a stratum is not one")
        at_least = None if low is None else float(low)
        return cls(row["kind"], at_least, bound, str(row["because"]), dict(row["evidence"]))


@dataclass(frozen=True)
class Policy:
    """What is known about which prompts.

    Attributes:
        name: of the run that it was fitted on, or ``default``.
        evidence: what it stands on, one sentence.
        recogniser: scores of ``KINDS``.
        strata: what was measured; of a kind those with the higher ``at_least`` count first.
        unmeasured: what OFF is taken to gain on kinds that nobody measured; below 0.
        gains: what OFF is expected to gain, a single score; None: prompts of a kind are alike.
        familiar: the share of a prompt's n-grams that ``gains`` must know; less: it abstains.
        base: where the model without its adapter was compared with it, both ON, by kind;
            ``gain_bound`` is then what the base gains.
        switch: of the model that it was fitted on (``models.switch``), or empty.
    """

    name: str
    evidence: str
    recogniser: LinearModel
    strata: Sequence[Stratum]
    unmeasured: float
    gains: LinearModel | None = None
    familiar: float = 0.0
    switch: str = ""
    base: Sequence[Stratum] = ()

    @cached_property
    def identity(self) -> str:
        """Name and a short hash of the content: what answers are marked with."""
        return f"{self.name}-{fingerprint(self.row())[:8]}"

    def choose(self, messages: Any) -> PolicyChoice:
        """The mode for a conversation; never raises, whatever the messages are.

        Args:
            messages: of a chat request.
        """
        text = read_text(messages)
        if not text.strip():
            return PolicyChoice("on", "no text of the user to decide by: the default", 0.0)
        found = find_features(text)
        chances = _softmax(self.recogniser.score(found))
        best = max(range(len(KINDS)), key=chances.__getitem__)
        kind, chance = KINDS[best], chances[best]
        label = f"{LABELS.get(kind, kind)} ({chance:.2f})"
        expected = 0.0
        if self.gains is not None:
            if self.gains.familiarity(found) < self.familiar:
                reason = f"{label}, unlike the prompts that were measured: the default"
                return PolicyChoice("on", reason, self.unmeasured, kind, chance)
            expected = self.gains.score(found)[0]
        held = [self._find_stratum(each, expected) for each in KINDS]
        margin, own = self._weigh(held, chances), held[best]
        if margin > 0:
            return PolicyChoice(
                "off", f"{label}: {own.because if own else ''}", margin, kind, chance
            )
        rival = next((s for s in self.base if s.kind == kind), None)
        if rival and self._weigh(self.base, chances) > 0:
            return PolicyChoice("on", f"{label}: {rival.because}", margin, kind, chance, base=True)
        why = "no gain of thinking off is shown" if own is None else own.because
        if own is not None and own.gain_bound > 0:
            why = "too uncertain a kind"
        return PolicyChoice("on", f"{label}: {why}", margin, kind, chance)

    def _weigh(self, strata: Sequence[Stratum | None], chances: Sequence[float]) -> float:
        """The lower bound of a gain on a prompt of an uncertain kind; a stratum a kind at most."""
        bounds = {s.kind: s.gain_bound for s in strata if s is not None}
        return sum(
            p * bounds.get(kind, self.unmeasured) for kind, p in zip(KINDS, chances, strict=True)
        )

    def _find_stratum(self, kind: str, expected: float) -> Stratum | None:
        own = [s for s in self.strata if s.kind == kind]
        held = [s for s in own if s.at_least is None or expected >= s.at_least]
        return max(
            held, key=lambda s: -math.inf if s.at_least is None else s.at_least, default=None
        )

    def row(self) -> dict[str, Any]:
        """The policy as JSON."""
        return {
            "features": features.VERSION,
            "name": self.name,
            "evidence": self.evidence,
            "switch": self.switch,
            "kinds": list(KINDS),
            "unmeasured": self.unmeasured,
            "familiar": self.familiar,
            "strata": [stratum.row() for stratum in self.strata],
            "base": [stratum.row() for stratum in self.base],
            "recogniser": self.recogniser.row(),
            "gains": None if self.gains is None else self.gains.row(),
        }

    @classmethod
    def read(cls, row: Any) -> Policy:
        """A policy from JSON; raises ``ValueError``, ``KeyError`` or ``TypeError`` if it is none."""
        if row["features"] != features.VERSION or row["kinds"] != list(KINDS):
            raise ValueError("it was fitted on the features of another version of Deimos")
        return cls(
            name=str(row["name"]),
            evidence=str(row["evidence"]),
            recogniser=LinearModel.read(row["recogniser"], len(KINDS)),
            strata=[Stratum.read(each) for each in row["strata"]],
            base=[Stratum.read(each) for each in row["base"]],
            unmeasured=float(row["unmeasured"]),
            gains=None if row["gains"] is None else LinearModel.read(row["gains"], 1),
            familiar=float(row["familiar"]),
            switch=str(row["switch"]),
        )


def _softmax(scores: Sequence[float]) -> list[float]:
    highest = max(scores)
    powers = [math.exp(score - highest) for score in scores]
    return [power / sum(powers) for power in powers]


def read_policy(path: Path) -> Policy:
    """The policy in a file.

    Raises:
        PolicyError: there is no such file, or it is not a policy of this version.
    """
    try:
        return Policy.read(read_json(path.read_bytes()))
    except OSError as e:
        raise PolicyError(f"policy {str(path)!r}: cannot be read ({e.strerror})") from e
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as e:
        why = str(e) if type(e) is ValueError else f"{type(e).__name__}: {e}"
        raise PolicyError(
            f"policy {str(path)!r}: accepted: a policy.json that `deimos route` wrote ({why})"
        ) from e


def write_policy(path: Path, policy: Policy) -> None:
    """Write a policy, whole or not at all.

    Raises:
        PolicyError: it would be larger than a policy may be.
    """
    text = json.dumps(policy.row(), separators=(",", ":"), sort_keys=True)
    if len(text) > MOST_BYTES:
        raise PolicyError(f"a policy of {len(text):,} bytes: at most {MOST_BYTES:,} are written")
    write_atomic(path, text + "\n")


@cache
def default_policy() -> Policy:
    """The policy that ships with the package, for models without a run of their own."""
    text = files("deimos.route").joinpath("default_policy.json").read_text(encoding="utf-8")
    return Policy.read(json.loads(text))
