"""What a config is worth: accuracy, or accuracy less the price of its tokens. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deimos.evaluate import stats
from deimos.evaluate.outcomes import Outcome
from deimos.store.sweep_rows import DecodingConfig
from deimos.sweep.evidence import BettingEvidence, SignEvidence


@dataclass(frozen=True)
class Score:
    """The objective.

    Args:
        price: accuracy points (hundredths) for 1,000 tokens; None: accuracy alone.
    """

    price: float | None = None

    @property
    def per_token(self) -> float:
        """Accuracy, a fraction, that a token costs."""
        return (self.price or 0.0) / 100 / 1000

    def of(self, outcome: Outcome) -> float | None:
        """One item's worth; None: it could not be judged."""
        if outcome.ok is None:
            return None
        return float(outcome.ok) - self.per_token * outcome.total_tokens

    def mean(self, outcomes: Sequence[Outcome]) -> float:
        """Of the judged items; minus infinity if there are none."""
        judged = [score for o in outcomes if (score := self.of(o)) is not None]
        return float(np.mean(judged)) if judged else -np.inf

    def differences(self, outcomes: Sequence[Outcome], others: Sequence[Outcome]) -> list[float]:
        """A config's scores less another one's, of the items that both have judged."""
        pairs = [(self.of(o), self.of(p)) for o, p in zip(outcomes, others)]
        return [a - b for a, b in pairs if a is not None and b is not None]

    def evidence(self, configs: Sequence[DecodingConfig]) -> SignEvidence | BettingEvidence:
        """A new e-process for a comparison of some configs."""
        if self.price is None:
            return SignEvidence()
        longest = max(config.sampling.max_tokens for config in configs)
        return BettingEvidence(1 + self.per_token * longest)

    def interval(
        self, outcomes: Sequence[Outcome], others: Sequence[Outcome]
    ) -> stats.Interval | None:
        """The 95% interval of a config's mean less another one's; None: too few items."""
        differences = self.differences(outcomes, others)
        if self.price is not None:
            return stats.mean_difference(differences).ci
        won, lost = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
        return stats.tango(won, lost, len(differences))
