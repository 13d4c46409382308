"""Tiny random models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.engines.runs import VOCABULARY


def _spread(model: Any) -> Any:
    """Random weights make nearly even logits; wider ones make choices that differ."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.normal_(std=0.25)
    return model.eval()


@pytest.fixture(scope="session")
def tiny_model() -> Any:
    """A Qwen3 of two layers with grouped key heads, float32; an engine may have taken it over."""
    return _make_tiny()


@pytest.fixture
def make_tiny() -> Callable[[], Any]:
    """Makes the same model again and again, each untouched."""
    return _make_tiny


def _make_tiny() -> Any:
    from transformers import AutoModelForCausalLM, Qwen3Config

    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=8, max_position_embeddings=512,
        tie_word_embeddings=True,
    )  # fmt: skip
    return _spread(AutoModelForCausalLM.from_config(config, dtype=torch.float32))


@pytest.fixture(scope="session")
def tiny_hybrid() -> Any:
    """A Qwen3.5 text model: three linear attention layers, one full."""
    from transformers import AutoModelForCausalLM, Qwen3_5TextConfig

    torch.manual_seed(0)
    config = Qwen3_5TextConfig(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=64, num_hidden_layers=4,
        num_attention_heads=4, num_key_value_heads=2, head_dim=8, max_position_embeddings=512,
        linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=8,
        linear_value_head_dim=8, tie_word_embeddings=True,
    )  # fmt: skip
    return _spread(AutoModelForCausalLM.from_config(config, dtype=torch.float32))


@pytest.fixture(scope="session")
def tiny_sliding() -> Any:
    """A Qwen2 whose second layer looks back eight tokens only."""
    from transformers import AutoModelForCausalLM, Qwen2Config

    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512,
        use_sliding_window=True, sliding_window=8, max_window_layers=1,
    )  # fmt: skip
    return _spread(AutoModelForCausalLM.from_config(config, dtype=torch.float32))
