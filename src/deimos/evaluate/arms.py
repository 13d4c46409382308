"""Arms: a model, how it decodes, and whether it thinks. What an evaluation compares.

An arm is known by its content: two arms of equal model, decoding and thinking are equal, whatever
they are called, so whoever evaluates the same arm on the same prompts needs no second sample.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from deimos.models.ref import ModelRef
from deimos.store.hashing import fingerprint
from deimos.types import Sampling


@dataclass(frozen=True)
class Arm:
    """A model with a decoding config and a thinking switch."""

    model: ModelRef
    decoding: Sampling
    """``max_tokens`` is the budget: part of the arm."""
    thinking: bool | None = None
    """Passed to the chat template as ``enable_thinking``; None leaves it out."""
    model_name: str = field(default="model", compare=False)
    config: str = field(default="", compare=False)
    """Name of the decoding. Both names stand in rows and messages; they are not what an arm is."""
    think_budget: int | None = None
    """Tokens after which a thought is closed, so that the answer follows; None: never."""


def arm_key(made_with: str, thinking: bool | None) -> str:
    """What names an arm across folders, runs and machines: 32 hex digits.

    Args:
        made_with: fingerprint of model, template and decoding (``store.candidates.sampled_with``).
        thinking: the arm's switch.
    """
    return fingerprint([made_with, thinking])[:32]
