"""How a check in the sandbox ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

OUTCOMES: Mapping[str, bool | None] = {
    "pass": True, "wrong": False, "error": False, "timeout": False, "memory": False,
    "output": False, "unsupported": None, "infrastructure": None,
}  # fmt: skip
"""What a check can end with, and what that means for an answer: right, wrong, cannot be said."""


@dataclass(frozen=True)
class CheckOutcome:
    """What a check ended with."""

    kind: str
    """One of ``OUTCOMES``."""
    because: str
    calls: int
    """How often the tests called the program."""
    tier: int
    seconds: float
    """From dispatch."""
    processor_seconds: float = 0.0
    """What the tests and the program used, which does not depend on how busy the machine is."""

    @property
    def ok(self) -> bool | None:
        """Whether the answer is right; None where that cannot be said."""
        return OUTCOMES[self.kind]

    def __str__(self) -> str:
        """The outcome's word, the reason, and the tier."""
        return f"{self.kind}: {self.because} [sandbox tier {self.tier}]"
