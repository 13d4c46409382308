"""What a mutable container holds: compared with earlier, and put back into another one.

Both sides of a box number their containers, so that a changed argument comes back as changed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any


def fill(made: Any, items: list[Any]) -> None:
    """Give a container this content (of a dict: keys and values in turn) instead of what it has."""
    made.clear()
    if isinstance(made, dict):
        pairs = zip(itertools.islice(items, 0, None, 2), itertools.islice(items, 1, None, 2))
        for key, value in pairs:
            made[key] = value
    elif isinstance(made, set):
        made.update(items)
    elif isinstance(made, bytearray):
        made += items[0]
    else:
        made.extend(items)


def snapshot(known: Sequence[Any]) -> list[Any]:
    """What each container holds, to compare with later."""
    return [bytes(c) if type(c) is bytearray else list(flatten(c)) for c in known]


def has_changed(container: Any, before: Any) -> bool:
    """Whether a container holds other objects than at its snapshot; no ``__eq__`` is called."""
    if type(container) is bytearray:
        return container != before
    now = list(flatten(container))
    return len(now) != len(before) or any(a is not b for a, b in zip(now, before))


def flatten(value: Any) -> Iterable[Any]:
    """A container's content in a row: of a dict, keys and values in turn."""
    if isinstance(value, dict):
        return itertools.chain.from_iterable(value.items())
    return value
