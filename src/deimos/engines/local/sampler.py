"""From logits to tokens: vLLM's sampling parameters, one set a row, one uniform a row.

Order, as in vLLM: repetition penalty (prompt and output), frequency and presence penalty (output),
temperature, min-p, top-k, top-p. What is left is walked in order of token id and the uniform is
put through its inverse CDF in float64, so that a rounding error in the logits moves a token only
where the uniform lies within that error of a step. Not covered: logit bias, bad words, structured
output, n-gram penalties.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from deimos.types import Sampling

TIES = 8
"""Columns fetched beyond top-k, so that tokens tied with the k-th are kept, as vLLM keeps them."""
FIRST_LOOK = 1024
"""For top-p without top-k over a large vocabulary: columns tried before sorting all of it."""

FIELDS = ("temperature", "top_p", "top_k", "min_p",
          "repetition_penalty", "presence_penalty", "frequency_penalty")  # fmt: skip


def make_parameter_row(sampling: Sampling) -> npt.NDArray[np.float64]:
    """A sampling's numbers as a row of the batch's table (order of ``FIELDS``)."""
    return np.array([getattr(sampling, name) for name in FIELDS], dtype=np.float64)


@dataclass(frozen=True)
class _AlikeRows:
    """Rows that are drawn the same way, and their parameters as columns of shape [rows, 1]."""

    draw: str
    """greedy, cut (top-k or top-p) or whole (neither)."""
    rows: torch.Tensor | None
    """Indices into the batch; None: all of it."""
    temperature: torch.Tensor
    top_p: torch.Tensor
    top_k: torch.Tensor
    log_min_p: torch.Tensor
    widest_k: int
    """Largest top-k; 0 if some row has none."""
    any_top_p: bool
    any_min_p: bool


class TokenSampler:
    """Draws the next token of every row; made anew whenever the rows change."""

    def __init__(self, table: npt.NDArray[np.float64], device: torch.device | str = "cpu") -> None:
        """Prepare for the rows of ``table`` (``make_parameter_row`` each), shape [rows, 7]."""
        self._device = torch.device(device)
        temperature, top_p, top_k = table[:, 0], table[:, 1], table[:, 2]
        cut = ((top_k > 0) | (top_p < 1.0)) & (temperature > 0)
        kinds = {"greedy": temperature <= 0, "cut": cut, "whole": (temperature > 0) & ~cut}
        self._groups = [
            self._group(kind, table, mask) for kind, mask in kinds.items() if mask.any()
        ]
        rep, presence, frequency = (
            torch.from_numpy(table[:, i].astype(np.float32)).to(self._device)[:, None]
            for i in (4, 5, 6)
        )
        self._repetition = rep if bool((table[:, 4] != 1.0).any()) else None
        self._presence = presence if bool((table[:, 5] != 0.0).any()) else None
        self._frequency = frequency if bool((table[:, 6] != 0.0).any()) else None

    @property
    def needs_history(self) -> bool:
        """Whether ``draw`` needs the ids of prompt and output (some row has a penalty)."""
        used = (self._repetition, self._presence, self._frequency)
        return any(x is not None for x in used)

    def _group(
        self, kind: str, table: npt.NDArray[np.float64], mask: npt.NDArray[np.bool_]
    ) -> _AlikeRows:
        rows = None if mask.all() else torch.from_numpy(np.flatnonzero(mask)).to(self._device)
        part = table[mask]
        columns = torch.from_numpy(part).to(self._device)[:, :, None]
        widest = int(part[:, 2].max()) if (part[:, 2] > 0).all() else 0
        return _AlikeRows(
            draw=kind, rows=rows, temperature=columns[:, 0], top_p=columns[:, 1],
            top_k=columns[:, 2].long(), log_min_p=columns[:, 3].log(), widest_k=widest,
            any_top_p=bool((part[:, 1] < 1.0).any()), any_min_p=bool((part[:, 3] > 0.0).any()),
        )  # fmt: skip

    def draw(
        self,
        logits: torch.Tensor,
        uniforms: npt.NDArray[np.float64],
        history: torch.Tensor | None = None,
        prompt_lengths: torch.Tensor | None = None,
        lengths: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The next token of every row, shape [rows], int64.

        Args:
            logits: shape [rows, vocabulary]; changed in place if there are penalties.
            uniforms: one number in [0, 1) a row.
            history: ids of prompt and output, left-aligned, shape [rows, longest], int64.
            prompt_lengths: how many of a row's ids are its prompt, shape [rows].
            lengths: how many of a row's ids count at all, shape [rows].
        """
        logits = logits.float()
        if history is not None and prompt_lengths is not None and lengths is not None:
            self._penalise(logits, history, prompt_lengths[:, None], lengths[:, None])
        noise = torch.from_numpy(uniforms).to(self._device)[:, None]
        if len(self._groups) == 1:
            return _DRAW[self._groups[0].draw](logits, noise, self._groups[0])
        out = torch.empty(logits.shape[0], dtype=torch.long, device=self._device)
        for group in self._groups:
            out[group.rows] = _DRAW[group.draw](logits[group.rows], noise[group.rows], group)
        return out

    def _penalise(
        self,
        logits: torch.Tensor,
        history: torch.Tensor,
        prompt_lengths: torch.Tensor,
        lengths: torch.Tensor,
    ) -> None:
        """Sparse: only the columns that occur are touched (no [rows, vocabulary] counts)."""
        place = torch.arange(history.shape[1], device=self._device)
        seen = place < lengths
        # A pad repeats an id of its own row: writing the same value twice changes nothing.
        ids = torch.where(seen, history, history[:, :1])
        if self._repetition is not None:
            found = logits.gather(1, ids)
            scaled = torch.where(found > 0, found / self._repetition, found * self._repetition)
            logits.scatter_(1, ids, scaled)
        output = seen & (place >= prompt_lengths)
        if self._frequency is not None:
            logits.scatter_add_(1, ids, torch.where(output, -self._frequency, 0.0))
        if self._presence is not None:
            first = ids.gather(1, prompt_lengths.clamp(max=ids.shape[1] - 1))
            ids = torch.where(output, ids, first)
            lowered = self._presence * (lengths > prompt_lengths)
            logits.scatter_(1, ids, logits.gather(1, ids) - lowered)


def _greedy(logits: torch.Tensor, noise: torch.Tensor, group: _AlikeRows) -> torch.Tensor:
    return logits.argmax(dim=-1)


def _whole(logits: torch.Tensor, noise: torch.Tensor, group: _AlikeRows) -> torch.Tensor:
    scaled = logits.double() / group.temperature
    if group.any_min_p:
        floor = scaled.amax(dim=-1, keepdim=True) + group.log_min_p
        scaled = scaled.masked_fill(scaled < floor, -torch.inf)
    return _invert(scaled.softmax(dim=-1), noise)


def _cut(logits: torch.Tensor, noise: torch.Tensor, group: _AlikeRows) -> torch.Tensor:
    vocabulary = logits.shape[-1]
    found = None
    if group.widest_k:
        found = _cut_to(logits, group, min(group.widest_k + TIES, vocabulary))
    elif vocabulary > 4 * FIRST_LOOK:
        found = _cut_to(logits, group, FIRST_LOOK)
    ids, weights = found or _cut_to(logits, group, vocabulary) or (None, None)
    assert ids is not None and weights is not None, "the whole vocabulary holds all there is"
    ids, order = ids.sort(dim=-1)
    return ids.gather(1, _invert(weights.gather(1, order), noise)[:, None])[:, 0]


def _cut_to(
    logits: torch.Tensor, group: _AlikeRows, width: int
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Ids and weights of the ``width`` largest; None if the cuts leave more than those."""
    values, ids = logits.topk(width, dim=-1)
    scaled = values.double() / group.temperature
    total = None
    if not group.widest_k and width < logits.shape[-1]:
        total = _log_total(logits, scaled, group)
    weights = _kept(scaled, group, total)
    return None if weights is None else (ids, weights)


def _log_total(logits: torch.Tensor, scaled: torch.Tensor, group: _AlikeRows) -> torch.Tensor:
    """Log of the mass that top-p is a share of, for the rows without top-k, shape [rows, 1]."""
    everything = logits.double() / group.temperature
    if group.any_min_p:
        everything.masked_fill_(everything < scaled[:, :1] + group.log_min_p, -torch.inf)
    return everything.logsumexp(dim=-1, keepdim=True)


def _kept(
    scaled: torch.Tensor, group: _AlikeRows, log_total: torch.Tensor | None
) -> torch.Tensor | None:
    """Weights of what the cuts leave; None if these columns do not hold all of it.

    Args:
        scaled: logits over temperature, largest first, shape [rows, columns].
        group: the rows' parameters.
        log_total: log mass of all columns, if ``scaled`` holds only the first.
    """
    if group.any_min_p:
        scaled = scaled.masked_fill(scaled < scaled[:, :1] + group.log_min_p, -torch.inf)
    limited = group.top_k > 0
    last = group.top_k.clamp(min=1, max=scaled.shape[1]) - 1
    scaled = scaled.masked_fill((scaled < scaled.gather(1, last)) & limited, -torch.inf)
    inner = scaled.logsumexp(dim=-1, keepdim=True)
    total = inner if log_total is None else torch.where(limited, inner, log_total)
    weights = (scaled - total).exp()
    if not group.any_top_p:
        return weights
    sums = weights.cumsum(dim=-1)
    if log_total is not None:
        enough = torch.where(limited, group.top_k <= last + 1, sums[:, -1:] >= group.top_p)
        if not bool(enough.all()):
            return None
    return weights.masked_fill((sums - weights >= group.top_p) & (group.top_p < 1.0), 0.0)


def _invert(weights: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """First column whose running sum exceeds the uniform's share of the total, shape [rows]."""
    sums = weights.cumsum(dim=-1)
    # noise * total < total in float64 too, so the answer always has weight.
    return (sums <= noise * sums[:, -1:]).sum(dim=-1)


_DRAW = {"greedy": _greedy, "whole": _whole, "cut": _cut}
