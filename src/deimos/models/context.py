"""How many tokens a model was made for: prompt and completion together, read from its config.

Not covered: what a model still does well. A config states what its positions were trained or stretched
to, and many models lose accuracy long before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deimos.models.ref import ModelRef

_KEYS = (
    "max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "max_sequence_length",
    "max_seq_length", "model_max_length",
)  # fmt: skip
"""Names that configs have for it (vLLM reads these too)."""
_STRETCHED = ("linear", "dynamic", "yarn")
"""Kinds of rotary positions whose ``factor`` is on top of what the config states; with the others
(``llama3``, ``longrope``) it states the stretched length itself."""


def context_length(config: Mapping[str, Any]) -> int | None:
    """Tokens that fit the model's context, prompt included; None: the config does not say.

    Stretched rotary positions (YaRN) count as vLLM counts them: the original length times the factor.

    Args:
        config: of the text model, as ``config.json`` has it.
    """
    stated = [config[key] for key in _KEYS if isinstance(config.get(key), int) and config[key] > 0]
    if not stated:
        return None
    length = min(stated)
    return max([length, *(round(own) for own in _stretched(config, length))])


def context_of(ref: ModelRef) -> int | None:
    """The same of a model by its name, without loading weights; None: its config does not say."""
    from transformers import AutoConfig

    try:
        config: Any = AutoConfig.from_pretrained(ref.path, revision=ref.revision)
    except (OSError, ValueError):  # an engine may know a model that transformers does not
        return None
    return context_length(config.get_text_config(decoder=True).to_dict())


def _stretched(config: Mapping[str, Any], length: int) -> Iterator[float]:
    """The lengths that scaled rotary positions give, one for each kind of layer that names them."""
    given = config.get("rope_parameters") or config.get("rope_scaling") or {}
    each = [given, *(value for value in given.values() if isinstance(value, Mapping))]
    for rope in each:
        kind = rope.get("rope_type") or rope.get("type")
        factor = rope.get("factor")
        if kind in _STRETCHED and isinstance(factor, int | float):
            yield (rope.get("original_max_position_embeddings") or length) * factor
