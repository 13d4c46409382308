"""A routing policy: which thinking mode a prompt is answered in, from numbers alone.

Read by what serves, which needs the standard library only: no numpy, no scikit-learn, no pickle.
A policy abstains, which means the default (ON), unless the lower bound of what OFF gains is above 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from deimos.store.hashing import fingerprint


class Choice(NamedTuple):
    """What a policy says of one prompt."""

    mode: Literal["on", "off"]
    reason: str
    """One short sentence, ASCII."""
    margin: float
    """Lower bound of what OFF gains over ON, as accuracy; above 0: OFF."""


@dataclass(frozen=True)
class Policy:
    """What is known about which prompts; as it stands in ``policy.json``.

    Attributes:
        name: of the run that it was fitted on, or ``default``.
    """

    name: str

    @property
    def identity(self) -> str:
        """Name and a short hash of the content: what answers are marked with."""
        return f"{self.name}-{fingerprint(self.row())[:8]}"

    def row(self) -> dict[str, Any]:
        """The policy as JSON."""
        return {"name": self.name}

    def choose(self, messages: Any, request: Mapping[str, Any]) -> Choice:
        """The mode for a conversation; never raises, whatever the messages are.

        Args:
            messages: of a chat request.
            request: the rest of its body.
        """
        return Choice("on", "no evidence for such prompts: the default, thinking on", 0.0)


DEFAULT = Policy("default")
"""Ships with the package, for models without a run."""
