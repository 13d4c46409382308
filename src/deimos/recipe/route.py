"""The recipe's route section: thinking on or off, decided on dev prompts."""

from __future__ import annotations

from pydantic import Field

from deimos.recipe.section import Section


class Route(Section):
    """For which tasks thinking pays: every dev prompt answered with thinking on and off."""

    margin: float = Field(default=0.02, ge=0, lt=1)
    """Accuracy, a fraction, that a cheaper mode may be short of at most: less of a loss must be
    shown before it is recommended for its tokens."""
