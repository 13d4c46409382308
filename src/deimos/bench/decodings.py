"""The named decodings of a benchmark: from the recipe, or where a sweep has run from what it locked.

The one place that says what the names stand for: ``recommended`` is the base's own sampler,
``locked`` the config under test. With a sweep ``locked`` is what it locked for the tuned model, and
if that is not the base's, ``base_locked`` is the base's. Everything is decoded with one ample budget;
a locked config's own ``max_tokens`` counts as it ships.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deimos.recipe import Bench
from deimos.store.sweep_rows import DecodingConfig
from deimos.types import Sampling

RECOMMENDED, LOCKED, BASE_LOCKED = "recommended", "locked", "base_locked"


@dataclass(frozen=True)
class Decoding:
    """A named way to decode."""

    sampling: Sampling
    """With the bench's budget in place of its own ``max_tokens``."""
    repeats: int
    """Samples a problem; greedy decoding is never repeated."""
    think_budget: int | None = None
    """Tokens after which a thought is closed; None: never."""

    def values(self) -> dict[str, Any]:
        """Parameter to value, as rows have it; ``think_budget`` only if there is one."""
        budget = {} if self.think_budget is None else {"think_budget": self.think_budget}
        return {**dataclasses.asdict(self.sampling), **budget}


@dataclass(frozen=True)
class Decodings:
    """All decodings of a benchmark."""

    named: Mapping[str, Decoding]
    """In the order of the tables."""
    budget: int
    """``max_tokens`` of everything that is decoded."""
    shipped_budget: int
    """``max_tokens`` of the locked config as it ships: ``budget`` or less."""

    def values(self) -> dict[str, dict[str, Any]]:
        """Name to sampler values, as rows have them."""
        return {name: decoding.values() for name, decoding in self.named.items()}


def decodings_of(bench: Bench, locked: Mapping[str, DecodingConfig] | None = None) -> Decodings:
    """The decodings that a benchmark names.

    Args:
        bench: the recipe's section.
        locked: what a sweep locked for ``base`` and ``tuned``; None: no sweep, as the recipe says.
    """
    swept = locked or {}
    budget = max([bench.budget, *(config.sampling.max_tokens for config in swept.values())])

    def decoding(sampling: Sampling, repeats: int, think_budget: int | None = None) -> Decoding:
        ample = dataclasses.replace(sampling, max_tokens=budget)
        return Decoding(ample, repeats if sampling.temperature > 0 else 1, think_budget)

    named = {RECOMMENDED: decoding(bench.recommended.value(), bench.repeats)}
    if not swept:
        named[LOCKED] = decoding(bench.locked.value(), 1)
        return Decodings(named, budget, budget)
    own = {model: decoding(c.sampling, 1, c.think_budget) for model, c in swept.items()}
    named[LOCKED] = own["tuned"]
    if own["base"] != own["tuned"]:
        named[BASE_LOCKED] = own["base"]
    return Decodings(named, budget, swept["tuned"].sampling.max_tokens)
