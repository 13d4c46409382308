"""A tiny random Qwen3 with a tokenizer, on disk, and golds that such a model could have written."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

WORDS = ["Tom", "has", "five", "apples", "and", "buys", "seven", "more", "so", "now", "twelve"]
SPECIALS = ["<pad>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"]
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }} {{ m.content }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant {% endif %}"
)
EOS = 2
VOCABULARY = len(SPECIALS) + len(WORDS) + 1


def make_tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocab = {word: i for i, word in enumerate([*SPECIALS, *WORDS, "<unk>"])}
    inner = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.add_special_tokens(SPECIALS)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        eos_token="<|im_end|>",
        chat_template=TEMPLATE,
    )


def make_qwen3(folder: Path) -> Path:
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=128,
        tie_word_embeddings=True,
        eos_token_id=EOS,
        pad_token_id=0,
        initializer_range=0.2,
    )
    Qwen3ForCausalLM(config).save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder


def make_qwen35(folder: Path) -> Path:
    import torch
    from transformers import Qwen3_5ForCausalLM, Qwen3_5TextConfig

    torch.manual_seed(0)
    config = Qwen3_5TextConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=4,  # three of linear attention, one of full
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        linear_num_key_heads=2,
        linear_num_value_heads=2,
        linear_key_head_dim=8,
        linear_value_head_dim=8,
        max_position_embeddings=128,
        eos_token_id=EOS,
        pad_token_id=0,
        initializer_range=0.2,
    )
    Qwen3_5ForCausalLM(config).save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder


REST = {
    "index": 0, "kind": "math", "task": "t", "messages": [], "ids": "sampled", "think_tokens": 1,
    "answer_tokens": 1, "passed": 1, "judged": 1, "pass_rate": None,
}  # fmt: skip
"""What training does not look at."""


def make_golds(n: int) -> list[dict[str, Any]]:
    """Rows with the keys that training reads; every completion ends its turn."""
    draw = random.Random(0)
    low, high = len(SPECIALS), VOCABULARY - 1
    rows = []
    for i in range(n):
        prompt = [1, *(draw.randint(low, high) for _ in range(draw.randint(2, 9)))]
        text = [draw.randint(low, high) for _ in range(draw.randint(1, 20))]
        rows.append(
            {
                "id": f"g{i}",
                "prompt_id": f"p{i}",
                **REST,
                "prompt_ids": prompt,
                "completion_ids": [3, *text, 4, draw.randint(low, high), EOS],
            }
        )
    return rows


@pytest.fixture(scope="session")
def qwen3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_qwen3(tmp_path_factory.mktemp("qwen3"))


@pytest.fixture(scope="session")
def qwen35(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_qwen35(tmp_path_factory.mktemp("qwen35"))


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return make_tokenizer()


@pytest.fixture(scope="session")
def golds() -> Callable[[int], list[dict[str, Any]]]:
    return make_golds
