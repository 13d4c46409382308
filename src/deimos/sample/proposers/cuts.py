"""Where a thought can be cut: behind each of its sentences and lines, between two tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from deimos.thinking import ThinkCounter, ThinkIds

_ENDED = re.compile(r"[.!?。！？][\"'”’)\]*]*\s*\Z")
"""A sentence's end, with what may close it."""


def find_thought(ids: Sequence[int], think: ThinkIds) -> slice:
    """Which of a completion's ids are its closed thought, tags excluded; empty: it has none."""
    counter = ThinkCounter(think)
    begin: int | None = None
    for at, token in enumerate(ids, 1):
        if counter.closed:
            break
        counter.push(token)
        if begin is None and counter.think_tokens:
            begin = at - len(counter.pending) - counter.think_tokens
    start = begin or 0
    return slice(start, start + counter.think_tokens)


def find_cuts(thought: Sequence[int], decode: Callable[[Sequence[int]], str]) -> list[int]:
    """How many of a thought's ids stand before each sentence or line end, its own last one aside.

    Args:
        thought: ids of a thought.
        decode: makes ids text.
    """
    whole = decode(thought)
    cuts: list[int] = []
    before = ""
    for count in range(1, len(thought)):
        piece = decode(thought[count - 1 : count])
        if not re.search(r"[\n.!?。！？\"'”’)\]*\ufffd]|\A\s*\Z", piece):
            continue
        text = decode(thought[:count])
        if not whole.startswith(text):  # half a character
            continue
        rest = whole[len(text) :]
        if not text.strip() or not rest.strip():
            continue
        ended = _ENDED.search(text) and (text[-1].isspace() or rest[0].isspace())
        if (ended or text.rstrip(" ").endswith("\n")) and text.strip() != before:
            cuts.append(count)
            before = text.strip()
    return cuts
