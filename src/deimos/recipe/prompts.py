"""The recipe's prompts section: where prompts come from, and what is dropped of them."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from deimos.recipe.section import Section, Seed, Text


class SourceSettings(Section):
    """Where prompts come from."""

    source: Text
    """Registered name, ``pkg:attr`` or ``./file.py:attr``."""
    take: int | None = Field(default=None, ge=1)
    """How many prompts, in the source's own seeded order; null takes all."""
    options: dict[str, Any] = {}
    """Passed to the source: path, split, revision, columns…"""


class Decontaminate(Section):
    """Dropping training prompts that overlap with test problems (the rules: decontaminate.py)."""

    enabled: bool = True
    ngram: int = Field(default=13, ge=2)
    """This many words in a row in common are an overlap; of Chinese and the like half as many
    characters more."""
    short_ngram: int = Field(default=8, ge=2)
    """The same in texts of fewer than 2 x ``ngram`` words; must cover 60% of the shorter."""
    near_duplicates: float | None = Field(default=0.5, gt=0, le=1)
    """Jaccard similarity of the sets of three words (or characters) in a row; null: not computed."""
    refuse_above: float = Field(default=0.25, ge=0, le=1)
    """If a larger share of a task's prompts overlaps, the recipe is refused: it trains on its tests."""


class PromptSettings(Section):
    """Training prompts and the dev slice held out of them."""

    sources: list[SourceSettings] = Field(min_length=1)
    dev_fraction: float = Field(default=0.1, gt=0, lt=1)
    dev_min_per_kind: int = Field(default=100, ge=1)
    """At least this many dev prompts a kind, if that leaves at least as many to train on."""
    seed: Seed = 0
    decontaminate: Decontaminate = Decontaminate()
