"""How long a context is, as configs of published models state it."""

from __future__ import annotations

from typing import Any

import pytest

from deimos.models.context import context_length


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        ({}, None),
        ({"max_position_embeddings": None}, None),
        ({"max_position_embeddings": 32768, "rope_scaling": None}, 32768),
        ({"n_positions": 1024}, 1024),  # GPT-2
        ({"max_position_embeddings": 8192, "model_max_length": 4096}, 4096),
        (  # Qwen3 with YaRN, as its card says
            {
                "max_position_embeddings": 40960,
                "rope_scaling": {
                    "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768,
                },
            },
            131072,
        ),
        (  # Qwen2.5 with YaRN, in transformers' older words
            {"max_position_embeddings": 32768, "rope_scaling": {"type": "yarn", "factor": 4.0}},
            131072,
        ),
        (  # Llama 3.1 states the stretched length
            {
                "max_position_embeddings": 131072,
                "rope_scaling": {
                    "rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192,
                },
            },
            131072,
        ),
        (  # a kind of rotary positions for each kind of layer
            {
                "max_position_embeddings": 1024,
                "rope_parameters": {
                    "full_attention": {"rope_type": "linear", "factor": 8.0},
                    "sliding_attention": {"rope_type": "default"},
                },
            },
            8192,
        ),
    ],
)  # fmt: skip
def test_it_is_read_from_the_config(config: dict[str, Any], tokens: int | None) -> None:
    assert context_length(config) == tokens
