"""The recipe's gain section: is another round of training worth it? Decided on dev prompts."""

from __future__ import annotations

from pydantic import Field

from deimos.recipe.section import Section


class Gain(Section):
    """What a round has gained: base and tuned answer the dev prompts at the equal budget.

    ``deimos run --rounds K`` stops after a round that has lost accuracy, or gained too little.
    """

    least: float = Field(default=0.05, ge=0, lt=1)
    """Reduction in total tokens, a fraction, under which another round is not worth it."""
