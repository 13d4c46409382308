"""How many prompts the data sets of the built-in sources have, for plans made without them.

Counted with the sources themselves on the data sets' own files, each question once; MMLU-Pro's,
ARC-Easy's and the sanitised MBPP's are as their cards say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from deimos.recipe import SourceSettings
from deimos.types import Kind

Sizes = Mapping[str, int]
"""Split to prompts."""


@dataclass(frozen=True)
class KnownSet:
    """A source's prompts."""

    kind: Kind
    split: str
    """Taken unless the recipe says."""
    sizes: Sizes
    part: str = ""
    """The option that takes a part of a split."""
    parts: Mapping[Any, Sizes] = field(default_factory=dict[Any, Sizes])
    """Value of that option to the part's size."""


@dataclass(frozen=True)
class KnownSize:
    """Prompts that a recipe's source is known to give."""

    kind: Kind
    count: int


_MATH_TRAIN = {1: 564, 2: 1348, 3: 1592, 4: 1690, 5: 2301}
_MATH_TEST = {1: 437, 2: 894, 3: 1131, 4: 1214, 5: 1324}
KNOWN: Mapping[str, KnownSet] = {
    "gsm8k": KnownSet("math", "train", {"train": 7473, "test": 1319}),
    "math": KnownSet(
        "math", "train", {"train": 7497, "test": 5000}, "levels",
        {level: {"train": _MATH_TRAIN[level], "test": _MATH_TEST[level]} for level in _MATH_TRAIN},
    ),
    "math500": KnownSet("math", "test", {"test": 500}),
    "aime": KnownSet("math", "test", {"test": 30}),
    "arc": KnownSet(
        "choice", "train", {"train": 1118, "validation": 299, "test": 1170}, "subset",
        {
            "ARC-Challenge": {"train": 1118, "validation": 299, "test": 1170},
            "ARC-Easy": {"train": 2251, "validation": 570, "test": 2376},
        },
    ),
    "mmlu_pro": KnownSet("choice", "test", {"test": 12032, "validation": 70}),
    "ifeval": KnownSet("instruction", "test", {"test": 541}),
    "humaneval": KnownSet("code", "test", {"test": 164}),
    "humaneval_plus": KnownSet("code", "test", {"test": 164}),
    "mbpp": KnownSet(
        "code", "train", {"train": 374, "validation": 90, "prompt": 10, "test": 499}, "subset",
        {
            "full": {"train": 374, "validation": 90, "prompt": 10, "test": 499},
            "sanitized": {"train": 120, "validation": 43, "prompt": 7, "test": 257},
        },
    ),
    "mbpp_plus": KnownSet("code", "test", {"test": 378}),
}  # fmt: skip
UNIMPORTANT = {"split", "instruction", "challenge"}
"""Options that leave the number of a split's prompts as it is."""


def find_size(source: SourceSettings) -> KnownSize | None:
    """How many prompts a recipe's source gives; None if that is not known without reading it."""
    known, options = KNOWN.get(source.source), source.options
    if source.source == "hub" and source.take and options.get("kind") in get_args(Kind):
        return KnownSize(options["kind"], source.take)
    if known is None or set(options) - UNIMPORTANT - {known.part}:
        return None
    split = options.get("split", known.split)
    wanted = options.get(known.part) or [] if known.part else []
    parts = wanted if isinstance(wanted, list) else [wanted]
    try:
        sizes = [known.parts[part][split] for part in parts] or [known.sizes[split]]
    except (KeyError, TypeError):
        return None
    most = sum(sizes)
    return KnownSize(known.kind, most if source.take is None else min(most, source.take))
