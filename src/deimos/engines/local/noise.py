"""Counter-based sampling noise: one uniform a token, a pure function of who asks for it.

The n-th token of a candidate is drawn with ``draw_uniforms(make_stream_key(seed, prompt, index), n)``,
whatever else is in the batch and wherever decoding was interrupted. The generator is splitmix64
with the position as its counter. Statistical quality only; nothing here is cryptographic.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def make_stream_key(seed: int, prompt_id: str, index: int) -> int:
    """The 64-bit key of one candidate's noise."""
    name = f"{seed}\x00{prompt_id}\x00{index}".encode()
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little")


def draw_uniforms(
    keys: npt.NDArray[np.uint64], positions: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """One uniform in [0, 1) per row, with 53 random bits.

    Args:
        keys: stream keys, uint64, shape [rows].
        positions: number of the completion token to be drawn, from 0, shape [rows].

    Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014).
    """
    z = keys + (positions.astype(np.uint64) + np.uint64(1)) * _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53
