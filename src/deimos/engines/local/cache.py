"""Keys and values of many sequences of different lengths, at a cost near the sum of the lengths.

The batch is a list of blocks, each a run of neighbouring rows with its own buffers: token ``i`` of
a row lies at index ``i``, and attention in a block runs over the block's longest row only. A new
token is written in place (no concatenation), a finished row's place is taken by its block's last
row, a wave of new rows becomes a new block, and neighbouring blocks merge if that wastes little.
Recurrent states (linear attention) have no length and are kept for the whole batch at once.

Transformers' models see a ``Cache``; its ``update`` hands them the layer itself in place of the
keys, and the attention function registered here takes it from there. Not covered: encoder-decoder
models, attention with sinks, soft caps or position biases, layers that share another layer's cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.cache_utils import (
    Cache,
    CacheLayerMixin,
    DynamicLayer,
    LinearAttentionLayer,
    get_layer_types_and_kwargs,
)

from deimos.recipe import RecipeError

ATTENTION = "deimos_blocks"
"""Name under which the attention function is registered with transformers."""
HEADROOM = 64
"""Tokens that a block's buffers grow by, at least."""

_ATTENTION_LAYERS = frozenset({"full_attention", "sliding_attention"})
_RECURRENT_LAYERS = frozenset({"linear_attention"})


def read_layer_types(config: Any) -> list[str]:
    """The model's kinds of layers, one a layer.

    Raises:
        RecipeError: a kind that these buffers cannot hold.
    """
    types, _ = get_layer_types_and_kwargs(config.get_text_config(decoder=True))
    unknown = sorted({*types} - _ATTENTION_LAYERS - _RECURRENT_LAYERS)
    if unknown or not types:
        raise RecipeError(
            f"the local engine cannot decode layers of type {', '.join(unknown) or 'none'}: "
            f"accepted: {', '.join(sorted(_ATTENTION_LAYERS | _RECURRENT_LAYERS))}"
        )
    return types


def make_prefill_cache(types: Sequence[str]) -> Cache:
    """An empty cache that keeps every token, for running prompts through the model."""
    return Cache(
        layers=[LinearAttentionLayer() if t in _RECURRENT_LAYERS else DynamicLayer() for t in types]
    )


class Block:
    """Buffers of some neighbouring rows: per layer keys and values, shape [rows, heads, room, dim]."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.keys: dict[int, torch.Tensor] = {}
        self.values: dict[int, torch.Tensor] = {}
        self.span = slice(0, 0)
        """Which rows of the batch these are, set by ``prepare``."""
        self.longest = 0
        """Tokens of the longest row, the one being written included."""
        self._even = False
        self._slots: dict[int, torch.Tensor] = {}
        self._masks: dict[int | None, torch.Tensor | None] = {}
        self._place: torch.Tensor | None = None

    @property
    def room(self) -> int:
        """Tokens that fit a row."""
        return next(iter(self.keys.values())).shape[2] if self.keys else 0

    def prepare(self, start: int, lengths: npt.NDArray[np.int64], device: torch.device) -> None:
        """Make ready for one new token a row; ``lengths`` are the rows' tokens so far, [rows]."""
        self.span = slice(start, start + self.rows)
        self.longest = int(lengths.max()) + 1
        if self.keys and self.longest > self.room:
            self._grow(max(self.longest + HEADROOM, self.room * 5 // 4))
        self._place = torch.tensor(lengths, device=device)
        self._even = int(lengths.min()) + 1 == self.longest
        self._slots.clear()
        self._masks.clear()

    def write(self, layer: int, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Store one new token a row, shape [rows, heads, 1, dim]."""
        rows, heads = keys.shape[:2]
        at = self._at(heads)
        for buffer, new in ((self.keys[layer], keys), (self.values[layer], values)):
            buffer.view(-1, buffer.shape[-1]).index_copy_(0, at, new.reshape(rows * heads, -1))

    def attend(
        self, layer: int, query: torch.Tensor, scale: float | None, window: int | None
    ) -> torch.Tensor:
        """Attention of one query a row over the row's own tokens.

        ``query`` is [rows, query heads, 1, dim]; the answer [rows, query heads, value dim].
        """
        keys = self.keys[layer][: self.rows, :, : self.longest]
        values = self.values[layer][: self.rows, :, : self.longest]
        rows, query_heads, _, dim = query.shape
        # Query heads that share a key head become positions of one longer query: nothing is repeated.
        grouped = query.reshape(rows, keys.shape[1], -1, dim)
        out = scaled_dot_product_attention(
            grouped, keys, values, attn_mask=self._mask(window, query.dtype), scale=scale
        )
        return out.reshape(rows, query_heads, -1)

    def remove(self, gone: Sequence[int]) -> list[int]:
        """Give rows back; returns the old index of each row that is left, in the new order."""
        order = list(range(self.rows))
        for row in sorted(gone, reverse=True):
            last = order.pop()
            if row < len(order):
                order[row] = last
        moves = [(to, old) for to, old in enumerate(order) if to != old]
        for buffers in (self.keys, self.values):
            for buffer in buffers.values():
                for to, old in moves:
                    buffer[to, :, : self.longest] = buffer[old, :, : self.longest]
        self.rows = len(order)
        return order

    def _at(self, heads: int) -> torch.Tensor:
        if heads not in self._slots:
            assert self._place is not None, "prepare comes before write"
            device = self._place.device
            row = torch.arange(self.rows, device=device)[:, None] * heads
            head = torch.arange(heads, device=device)[None]
            self._slots[heads] = ((row + head) * self.room + self._place[:, None]).reshape(-1)
        return self._slots[heads]

    def _mask(self, window: int | None, dtype: torch.dtype) -> torch.Tensor | None:
        """0 where a row may look and -inf elsewhere, shape [rows, 1, 1, longest]; None: everywhere."""
        if self._even and (window is None or window >= self.longest):
            return None
        if window not in self._masks:
            assert self._place is not None, "prepare comes before attend"
            index = torch.arange(self.longest, device=self._place.device)[None]
            hidden = index > self._place[:, None]
            if window is not None:
                hidden |= index <= self._place[:, None] - window
            mask = torch.zeros(hidden.shape, dtype=dtype, device=hidden.device)
            self._masks[window] = mask.masked_fill_(hidden, -torch.inf)[:, None, None]
        return self._masks[window]

    def _grow(self, room: int) -> None:
        for buffers in (self.keys, self.values):
            for layer, buffer in buffers.items():
                buffers[layer] = _with_room(buffer[: self.rows], room)


def merge_blocks(first: Block, second: Block, room: int) -> Block:
    """One block with the rows of both, in order."""
    block = Block(first.rows + second.rows)
    block.longest = max(first.longest, second.longest)
    for mine, a, b in (
        (block.keys, first.keys, second.keys),
        (block.values, first.values, second.values),
    ):
        for layer in a:
            rows_a, rows_b = a[layer][: first.rows], b[layer][: second.rows]
            shape = (block.rows, rows_a.shape[1], room, rows_a.shape[3])
            new = rows_a.new_zeros(shape)
            for at, part in ((0, rows_a), (first.rows, rows_b)):
                used = min(room, part.shape[2])
                new[at : at + part.shape[0], :, :used] = part[:, :, :used]
            mine[layer] = new
    return block


def _with_room(known: torch.Tensor, room: int) -> torch.Tensor:
    # Zeroed: a masked place still enters a product with weight 0, and 0 * nan is nan.
    rows, heads, tokens, dim = known.shape
    buffer = known.new_zeros((rows, heads, room, dim))
    buffer[:, :, :tokens] = known
    return buffer


class _BlockLayer(CacheLayerMixin):
    """One attention layer's view of all blocks, in the form that transformers' models expect."""

    def __init__(self, index: int, blocks: list[Block]) -> None:
        super().__init__()
        self.index = index
        self.blocks = blocks
        self.is_initialized = True

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Nothing to do: blocks bring their buffers."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Any, Any]:
        """Store one token a row; hands back itself, which the attention function knows to use."""
        for block in self.blocks:
            block.write(self.index, key_states[block.span], value_states[block.span])
        return self, self

    def attend(self, query: torch.Tensor, scale: float | None, window: int | None) -> torch.Tensor:
        """Attention of every row, shape [rows, 1, query heads, dim]."""
        parts = [b.attend(self.index, query[b.span], scale, window) for b in self.blocks]
        return (parts[0] if len(parts) == 1 else torch.cat(parts))[:, None]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Longest row and offset; no mask is made from it."""
        return self.get_seq_length() + query_length, 0

    def get_seq_length(self) -> int:
        """Tokens that fit the roomiest block (rows differ; positions are passed explicitly)."""
        return max((b.room for b in self.blocks), default=0)

    def get_max_length(self) -> int:
        """No bound."""
        return -1


class BlockCache(Cache):
    """The batch's keys, values and recurrent states."""

    def __init__(self, types: Sequence[str]) -> None:
        self.blocks: list[Block] = []
        self._attention = [i for i, t in enumerate(types) if t in _ATTENTION_LAYERS]
        self._recurrent = [i for i, t in enumerate(types) if t in _RECURRENT_LAYERS]
        super().__init__(
            layers=[
                _BlockLayer(i, self.blocks) if t in _ATTENTION_LAYERS else LinearAttentionLayer()
                for i, t in enumerate(types)
            ]
        )

    @property
    def rows(self) -> int:
        """Rows in the batch."""
        return sum(block.rows for block in self.blocks)

    def prepare(self, lengths: npt.NDArray[np.int64], device: torch.device) -> None:
        """Make ready for a forward pass of one token a row."""
        start = 0
        for block in self.blocks:
            block.prepare(start, lengths[start : start + block.rows], device)
            start += block.rows

    def add(self, prefixes: Sequence[Prefix]) -> None:
        """Append a block with one row per prefix, holding a copy of it."""
        block = Block(len(prefixes))
        block.longest = max(prefix.tokens for prefix in prefixes)
        for layer in self._attention:
            for part, buffers in enumerate((block.keys, block.values)):
                heads, _, dim = prefixes[0].attention[layer][part].shape
                buffers[layer] = (
                    prefixes[0]
                    .attention[layer][part]
                    .new_zeros((block.rows, heads, block.longest + HEADROOM, dim))
                )
                for row, prefix in enumerate(prefixes):
                    buffers[layer][row, :, : prefix.tokens] = prefix.attention[layer][part]
        self._add_states(prefixes, first=not self.blocks)
        self.blocks.append(block)

    def keep(self, gone: Sequence[int]) -> list[int]:
        """Drop rows; returns the old index of each row that is left, in the new order."""
        order: list[int] = []
        start, dropped = 0, {*gone}
        for block in self.blocks:
            rows = block.rows
            inside = [i - start for i in range(start, start + rows) if i in dropped]
            order += [start + i for i in (block.remove(inside) if inside else range(rows))]
            start += rows
        self.blocks[:] = [block for block in self.blocks if block.rows]
        index: torch.Tensor | None = None
        for layer in self._recurrent:
            for states in self._states(layer):
                for i, state in states.items():
                    if index is None:
                        index = torch.tensor(order, dtype=torch.long, device=state.device)
                    states[i] = state.index_select(0, index)
        return order

    def merge(self, lengths: npt.NDArray[np.int64], most_rows: int, most_waste: int) -> None:
        """Merge neighbouring blocks if that makes at most ``most_waste`` places of padding.

        No block gets more than ``most_rows`` rows by it; the order of the rows stays.
        """
        at = 0
        start = 0
        while at + 1 < len(self.blocks):
            a, b = self.blocks[at], self.blocks[at + 1]
            tall = int(lengths[start : start + a.rows].max())
            short = int(lengths[start + a.rows : start + a.rows + b.rows].max())
            waste = (tall - short) * b.rows if tall > short else (short - tall) * a.rows
            if a.rows + b.rows <= most_rows and waste <= most_waste:
                self.blocks[at : at + 2] = [merge_blocks(a, b, max(tall, short) + HEADROOM)]
            else:
                start += a.rows
                at += 1

    def _states(self, layer: int) -> tuple[dict[int, torch.Tensor], dict[int, torch.Tensor]]:
        held: Any = self.layers[layer]
        return held.conv_states, held.recurrent_states

    def _add_states(self, prefixes: Sequence[Prefix], *, first: bool) -> None:
        for index in self._recurrent:
            layer: Any = self.layers[index]
            for part, states in enumerate((layer.conv_states, layer.recurrent_states)):
                new = torch.cat([prefix.recurrent[index][part] for prefix in prefixes])
                states[0] = new if first else torch.cat([states[0], new])
            layer.has_previous_state[0] = True
            layer.is_conv_states_initialized[0] = layer.is_recurrent_states_initialized[0] = True
            layer.conv_kernel_size[0] = layer.conv_states[0].shape[-1]


class Prefix:
    """What the model remembers of one token sequence, to be copied into rows."""

    def __init__(self, cache: Cache, types: Sequence[str], row: int, tokens: int) -> None:
        """Take row ``row`` of a filled ``make_prefill_cache``; ``tokens`` without padding."""
        self.tokens = tokens
        self.attention: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        """Per layer keys and values, shape [heads, tokens, dim]."""
        self.recurrent: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        """Per layer convolution and recurrent state, shape [1, …]."""
        for index, kind in enumerate(types):
            layer: Any = cache.layers[index]
            if kind in _RECURRENT_LAYERS:
                conv, recurrent = (
                    states[0][row : row + 1] * (1 if tokens else 0)  # no token, no state
                    for states in (layer.conv_states, layer.recurrent_states)
                )
                self.recurrent[index] = (conv, recurrent)
            else:
                self.attention[index] = (layer.keys[row, :, :tokens], layer.values[row, :, :tokens])


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: Any,
    value: Any,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """The attention function: blocks while decoding, plain causal attention over a prompt."""
    unknown = [k for k in ("softcap", "s_aux", "position_bias") if kwargs.get(k) is not None]
    if unknown:
        raise RecipeError(f"the local engine's attention does not know {', '.join(unknown)}")
    if isinstance(key, _BlockLayer):
        return key.attend(query, scaling, sliding_window), None
    length, whole = query.shape[2], key.shape[2]
    mask = None
    window = whole if sliding_window is None else sliding_window
    if window < whole or length < whole:  # the latter behind a beginning that was run before
        place = torch.arange(whole, device=query.device)
        ahead = place[None] - place[whole - length :, None]
        mask = (ahead <= 0) & (ahead > -window)
    out = scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=mask is None, scale=scaling,
        enable_gqa=key.shape[1] != query.shape[1],
    )  # fmt: skip
    return out.transpose(1, 2).contiguous(), None


AttentionInterface.register(ATTENTION, _attention)
