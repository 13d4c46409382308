"""Log-probabilities of labels on a CPU: projected onto the vocabulary once, and only where labels are.

TRL's loss head does the same on devices with Triton kernels. On others it scores every position,
prompt and padding too, and projects a second time for the gradient, which is half of a training step.
Here the gradient is formed beside the loss while a row's logits are there. The head takes the place of
TRL's under TRL's own contract (``add_fused_lm_head``): trainer, metrics and adapters are TRL's and PEFT's.

Not covered: output embeddings that are trained, logits that are scaled or capped behind them, and
routers' losses. Such models keep TRL's head.
"""

from __future__ import annotations

import functools
import types
from typing import Any

import torch
from torch.nn.functional import linear
from trl.trainer.utils import FusedCausalLMOutput

from deimos.train.tokens import IGNORED

LOGITS_BYTES = 64 << 20
"""Logits in float32 that are held at a time."""
_BEHIND = (
    "final_logit_softcapping", "logit_scale", "output_multiplier", "lm_head_multiplier",
    "logits_scaling", "output_router_logits",
)  # fmt: skip
"""Settings of models whose logits or loss are more than a projection."""


class LabelLogProbs(torch.autograd.Function):
    """Log-probability of each row's label, and what metrics need, without keeping logits."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        labels: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Score rows and form the gradient of each row's log-probability.

        Args:
            ctx: autograd's.
            hidden: the last hidden state of each row, [rows, size].
            weight: the output embedding, [vocabulary, size].
            bias: of the output embedding, [vocabulary], if it has one.
            labels: a token id for each row.

        Returns:
            Log-probabilities, entropies (both in nats) and whether the label is the likeliest token.
        """
        dtype = hidden.dtype
        if torch.is_autocast_enabled(hidden.device.type):
            dtype = torch.get_autocast_dtype(hidden.device.type)
        weight = weight.to(dtype)
        bias = None if bias is None else bias.to(dtype)
        gradient = torch.empty_like(hidden)
        log_probs, entropies = (torch.empty(len(hidden), dtype=torch.float32) for _ in range(2))
        likeliest = torch.empty(len(hidden), dtype=torch.bool)
        at_a_time = max(1, LOGITS_BYTES // (4 * len(weight)))
        for start in range(0, len(hidden), at_a_time):
            part = slice(start, start + at_a_time)
            label = labels[part, None]
            scores = linear(hidden[part].to(dtype), weight, bias).float()
            scores -= scores.logsumexp(-1, keepdim=True)
            probabilities = scores.exp()
            log_probs[part] = scores.gather(1, label)[:, 0]
            entropies[part] = -torch.linalg.vecdot(probabilities, scores)
            likeliest[part] = scores.argmax(-1) == label[:, 0]
            probabilities.scatter_add_(1, label, -torch.ones_like(label, dtype=torch.float32))
            gradient[part] = -(probabilities.to(dtype) @ weight)
        ctx.save_for_backward(gradient)
        ctx.mark_non_differentiable(entropies, likeliest)
        return log_probs, entropies, likeliest

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[torch.Tensor, None, None, None]:
        """Rows are independent: each row's gradient times what comes in."""
        (gradient,) = ctx.saved_tensors
        return (gradient * grads[0][:, None]).to(gradient.dtype), None, None, None


def put_label_loss(model: Any) -> bool:
    """Let a model that has TRL's loss head use this one instead, if it is one that this one covers.

    Args:
        model: the causal language model itself, without PEFT's wrapper; its forward is replaced.

    Returns:
        Whether it was.
    """
    head, config = model.get_output_embeddings(), model.config.get_text_config()
    plain = type(head) is torch.nn.Linear and not head.weight.requires_grad
    if not plain or any(getattr(config, name, None) for name in _BEHIND):
        return False
    trls = model.forward

    @functools.wraps(type(model).forward)  # the trainer asks for the arguments that a model takes
    def forward(self: Any, *args: Any, fused_lm_head: bool = False, **kwargs: Any) -> Any:
        if not fused_lm_head:
            return trls(*args, **kwargs)
        labels = kwargs.pop("labels")[:, 1:]
        kwargs.pop("num_items_in_batch", None)
        hidden = self.base_model(*args, **{**kwargs, "use_cache": False}).last_hidden_state[:, :-1]
        return _score(hidden, head, labels)

    model.forward = types.MethodType(forward, model)
    return True


def _score(hidden: torch.Tensor, head: torch.nn.Linear, labels: torch.Tensor) -> Any:
    """TRL's output of its loss head: fields of shape [rows, tokens], 0 where there is no label."""
    mask = labels != IGNORED
    found = LabelLogProbs.apply(hidden[mask], head.weight, head.bias, labels[mask])
    log_probs, entropy, is_top1 = (
        part.new_zeros(mask.shape).masked_scatter(mask, part) for part in found
    )
    return FusedCausalLMOutput(
        loss=-log_probs.sum() / mask.sum().clamp(min=1),
        log_probs=log_probs,
        entropy=entropy,
        is_top1=is_top1,
        label_mask=mask,
    )
