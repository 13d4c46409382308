"""The recipe's ``train.teach`` section: thinking tags for a model that thinks in none."""

from __future__ import annotations

from pydantic import Field, model_validator

from deimos.recipe.section import Count, Section, Seed
from deimos.thinking import Tags

INSTRUCTION = (
    "First work the answer out between {open} and {close}. After {close}, state the answer alone, in "
    "one or two short, complete sentences, and do not repeat the work."
)


class Teach(Section):
    """The tags, and how the answer behind a closed thought comes about.

    A verified text becomes the thought; the model, that thought closed, answers behind it, and what it
    answers is judged as any answer is.
    """

    open: str = "<think>"
    close: str = "</think>"
    answers: Count = 4
    """Answers decoded behind each thought, the first one greedily; the shortest that passes is kept."""
    max_tokens: int = Field(default=256, ge=2)
    """Longest answer, in tokens."""
    instruction: str = INSTRUCTION
    """Added to the question while these answers are decoded, never in training; ``{open}`` and
    ``{close}`` are the tags. Empty: none."""
    seed: Seed = 0

    @property
    def tags(self) -> Tags:
        """The tags as everything but the recipe takes them."""
        return Tags(self.open, self.close)

    @property
    def asked(self) -> str:
        """The instruction with the tags in it."""
        return self.instruction.replace("{open}", self.open).replace("{close}", self.close)

    @model_validator(mode="after")
    def _usable_tags(self) -> Teach:
        if not self.open or not self.close:
            raise ValueError(
                f"train.teach = {self.open!r}, {self.close!r}: both tags must be texts that are not empty"
            )
        try:
            _ = self.tags
        except ValueError as e:
            raise ValueError(str(e).replace("model.tags", "train.teach")) from e
        return self
