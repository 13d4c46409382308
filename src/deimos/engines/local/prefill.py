"""Running prompts through the model, their common beginnings once.

Prompts that begin alike for ``LEAST_SHARED`` tokens or more (worked examples before each question,
answers tried behind one thought) share the keys and values of that beginning: it is run with the
first of them, and the others go on from there. Not for models with recurrent states, which can't be
cut back to where two prompts part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from deimos.engines.local.cache import Prefix, make_prefill_cache

PREFILL_TOKENS = 8192
"""Padded tokens that one prefill pass may hold, the shared beginning counted once a row."""
LEAST_SHARED = 128
"""Tokens in common from which on a beginning is shared: below, one more pass costs what it saves."""
STEP = 32
"""Shared lengths are multiples of this: prompts that part a few tokens apart go in one pass."""
Ids = tuple[int, ...]


class _Pass(NamedTuple):
    """Sequences of one pass."""

    members: list[int]
    shared: int
    """Tokens that they all take from ``leader``."""
    leader: Ids


def prefill(
    model: Any,
    types: Sequence[str],
    sequences: Sequence[Ids],
    known: Mapping[Ids, Prefix],
    device: torch.device,
) -> list[Prefix]:
    """Run all but the last token of each sequence; one ``Prefix`` each, in order.

    Args:
        model: a causal language model with the attention of ``cache``.
        types: kinds of its layers.
        sequences: token ids, each at least one.
        known: sequences that have been run, with what the model remembers of them.
        device: of the model.
    """
    exact = "linear_attention" in types  # a recurrent state would take in the padding
    leaders = {} if exact else _find_leaders(sequences, known)
    found: dict[int, Prefix] = {}
    alone = [i for i in range(len(sequences)) if i not in leaders]
    for members in _split(alone, [len(ids) for ids in sequences], 0, exact):
        _run(model, types, sequences, _Pass(members, 0, ()), None, found, device)
    together: dict[tuple[Ids, int], list[int]] = defaultdict(list)
    for i, leader in leaders.items():
        together[leader].append(i)
    by_ids = {sequences[i]: prefix for i, prefix in found.items()}
    for (leader, shared), followers in together.items():
        source = known[leader] if leader in known else by_ids[leader]
        for members in _split(followers, [len(ids) for ids in sequences], shared, exact):
            part = _Pass(members, shared, leader)
            _run(model, types, sequences, part, source, found, device)
    return [found[i] for i in range(len(sequences))]


def _find_leaders(
    sequences: Sequence[Ids], known: Mapping[Ids, Prefix]
) -> dict[int, tuple[Ids, int]]:
    """Whose beginning each sequence takes over, and how many tokens of it; those that take none lack."""
    heads: dict[Ids, list[Ids]] = defaultdict(list)
    for ids in known:
        heads[ids[:LEAST_SHARED]].append(ids)
    leaders: dict[int, tuple[Ids, int]] = {}
    for i, ids in enumerate(sequences):
        begun = heads[ids[:LEAST_SHARED]]
        lengths = [(_count_common(ids, leader), leader) for leader in begun]
        shared, leader = max(lengths, default=(0, ()), key=lambda pair: pair[0])
        shared = min(shared, len(leader) - 1, len(ids) - 2) // STEP * STEP
        if shared >= LEAST_SHARED:
            leaders[i] = leader, shared
        elif len(ids) > LEAST_SHARED:
            begun.append(ids)
    return leaders


def _count_common(one: Ids, other: Ids) -> int:
    most = min(len(one), len(other))
    low, high = 0, most  # slices compare fast, so the place is found by halving
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low


def _split(
    members: Sequence[int], lengths: Sequence[int], shared: int, exact: bool
) -> list[list[int]]:
    """Which sequences run together: of like lengths, or of equal ones if padding would leak."""
    parts: list[list[int]] = []
    longest = 0
    for i in sorted(members, key=lambda i: -lengths[i]):
        length = lengths[i]
        fits = bool(parts) and (len(parts[-1]) + 1) * longest <= PREFILL_TOKENS
        alike = length == longest or (not exact and (length - shared) * 2 >= longest - shared)
        if fits and alike:
            parts[-1].append(i)
        else:
            parts.append([i])
            longest = length
    return parts


def _run(
    model: Any,
    types: Sequence[str],
    sequences: Sequence[Ids],
    part: _Pass,
    source: Prefix | None,
    found: dict[int, Prefix],
    device: torch.device,
) -> None:
    """One pass over the sequences of a part, behind what they share."""
    shared = part.shared
    lengths = [max(1, len(sequences[i]) - 1 - shared) for i in part.members]
    ids = np.zeros((len(part.members), max(lengths)), dtype=np.int64)
    for row, (i, length) in enumerate(zip(part.members, lengths, strict=True)):
        ids[row, :length] = sequences[i][shared : shared + length]
    cache = make_prefill_cache(types)
    if source is not None:
        for layer, (keys, values) in source.attention.items():
            rows = (len(part.members), -1, -1, -1)
            begun = (kept[None, :, :shared].expand(rows) for kept in (keys, values))
            held: Any = cache.layers[layer]
            held.update(*begun)
    places = torch.arange(shared, shared + ids.shape[1], device=device)
    model(
        input_ids=torch.from_numpy(ids).to(device),
        position_ids=places.expand(len(part.members), -1),
        past_key_values=cache, use_cache=True, logits_to_keep=1,
    )  # fmt: skip
    for row, i in enumerate(part.members):
        found[i] = Prefix(cache, types, row, len(sequences[i]) - 1)
