"""How many tokens a model can hold, read from its configuration; loads no weights."""

from __future__ import annotations

from deimos.models.ref import ModelRef


def context_length(ref: ModelRef) -> int | None:
    """Tokens of prompt and completion together; None: the model's configuration does not say."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(ref.path, revision=ref.revision)
    except (OSError, ValueError):  # an engine may know a model that transformers does not
        return None
    return getattr(config.get_text_config(), "max_position_embeddings", None)
