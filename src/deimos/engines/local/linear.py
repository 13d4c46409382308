"""Linear layers of a model that only runs, in float32 on x86 processors: oneDNN, weights laid out once.

torch gives such products to MKL, which brings the weights into its own order at every call; with few
rows, as in decoding, that is much of the time. oneDNN keeps them in its order. Sums are of the same
numbers in another order, so results agree up to float32's rounding. Not covered: bfloat16 (torch takes
oneDNN by itself where the processor has such arithmetic), other devices, layers that are trained.
"""

from __future__ import annotations

import platform
from typing import Any

import torch

from deimos.models.memory import available_ram

ROWS = 64
"""For which the order is chosen; any number is computed."""


class PackedLinear(torch.nn.Linear):
    """A linear layer whose weight is in oneDNN's order; it has no gradient."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """``torch.nn.Linear``'s result."""
        return torch.ops.mkldnn._linear_pointwise(input, self.weight, self.bias, "none", [], "")


def pack_linear_layers(model: Any) -> int:
    """Lay out the weights of a model's linear layers; returns how many.

    None on other devices, in other types, or of a subclass of ``torch.nn.Linear``; nor an output
    embedding that is the input embedding too if its copy would not fit into memory.

    Args:
        model: from now on it can be run, not trained or saved.
    """
    if not _can_pack():
        return 0
    shared = {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Embedding)}
    found = [layer for layer in model.modules() if _is_plain(layer)]
    found = [layer for layer in found if id(layer.weight) not in shared or _fits(layer.weight)]
    for layer in found:
        weight = layer.weight.detach()
        del layer.weight  # one layer at a time, so that no weight is held twice
        layer.weight = torch.ops.mkldnn._reorder_linear_weight(weight, ROWS)
        layer.__class__ = PackedLinear
    return len(found)


def _is_plain(layer: Any) -> bool:
    return (
        type(layer) is torch.nn.Linear
        and layer.weight.dtype is torch.float32
        and layer.weight.device.type == "cpu"
    )


def _fits(weight: torch.Tensor) -> bool:
    return 2 * weight.nbytes < available_ram()


def _can_pack() -> bool:
    # The operators are what torch's own compiler calls; a build without oneDNN lacks them.
    known = all(
        hasattr(torch.ops.mkldnn, name) for name in ("_linear_pointwise", "_reorder_linear_weight")
    )
    return known and platform.machine().lower() in ("x86_64", "amd64")
