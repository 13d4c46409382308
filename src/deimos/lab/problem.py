"""What a problem of the lab is, and which split owns it.

A problem's *skeleton* (its numbers and operations, or its rules) alone decides which split it
belongs to, so the splits are disjoint by construction, whatever names and things are put around
it: ``base`` teaches the lab model, ``train`` is for recipes, ``test`` for benchmarks.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

from deimos.types import Kind

SplitName = Literal["base", "train", "test"]
SHARES: dict[SplitName, range] = {"test": range(10), "train": range(10, 20), "base": range(20, 100)}
"""Percent of all skeletons, by hash."""
STORY_KINDS: tuple[Kind, Kind] = ("math", "choice")
"""The kinds that ask about the same stories, one for the number, one for its range."""
LENGTHS = (2, 3, 3, 4)
"""How many clauses the lab model's training problems have; a number twice is twice as likely."""

NAMES = (
    "Tom", "Mia", "Ben", "Ana", "Sam", "Eva", "Max", "Zoe", "Leo", "Ivy",
    "Dan", "Amy", "Jon", "Kim", "Ray", "Sue", "Tim", "Una", "Vic", "Nora",
)  # fmt: skip
THINGS = (
    "apples", "pens", "coins", "books", "cards", "shells", "stamps", "eggs", "beads", "nuts",
    "cups", "plums", "rings", "bricks", "seeds", "tickets",
)  # fmt: skip
HOLDERS = ("bags", "boxes", "packs", "jars")


@dataclass(frozen=True)
class Clause:
    """One thing that a problem asks to do, and what thinking of it takes."""

    sentence: str
    """As the user puts it."""
    verb: str
    """As one would say it to oneself, behind "I need to"."""
    work: tuple[str, ...]
    """What has to be worked out, one equation or note each."""


@dataclass(frozen=True)
class Problem:
    """A skeleton in words, with its right answer and how to judge another's."""

    kind: Kind
    skeleton: str
    text: str
    """What the user asks."""
    clauses: tuple[Clause, ...]
    answer: str
    """A right answer for the reader."""
    reference: Any
    """For the grader of the kind."""
    opening: str = ""
    """What a thought must state first."""
    conclusion: str = ""
    """What a thought must state last."""


def split_of(skeleton: str) -> SplitName:
    """The split that owns a skeleton."""
    bucket = int.from_bytes(_digest(skeleton)[:8], "big") % 100
    return next(split for split, share in SHARES.items() if bucket in share)


def story_kind_of(skeleton: str) -> Kind:
    """Which of ``STORY_KINDS`` a story of the test split is asked as."""
    return STORY_KINDS[_digest(skeleton)[8] % 2]


def _digest(skeleton: str) -> bytes:
    return hashlib.sha256(skeleton.encode()).digest()
