"""The packaged reasoner: small, loadable, of the free shape, and better than chance."""

import json

import pytest

from deimos.lab.source import lab
from deimos.lab.weights import lab_path
from deimos.thinking import Shape, Tags, render, split


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(lab_path())


def test_it_is_small_enough_to_ship():
    assert sum(f.stat().st_size for f in lab_path().iterdir()) <= 12_000_000


def test_it_says_how_it_was_trained():
    facts = json.loads((lab_path() / "training.json").read_text())
    assert facts["seconds"] < 2 * 3600


def test_any_text_survives_the_tokenizer(tokenizer):
    for text in (
        "Tom has 12 apples.",
        "a  b\n\tc",
        "é ∑ 日本 🙂",
        "<think>\n1+1=2.\n</think>\n\n2",
    ):
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.decode(ids, skip_special_tokens=False) == text


def test_digits_stand_alone(tokenizer):
    assert tokenizer.tokenize("1234") == ["1", "2", "3", "4"]


def test_the_template_switches_thinking(tokenizer):
    messages = [{"role": "user", "content": "Hi"}]
    assert render(tokenizer, messages, tags=Tags(), thinking=True).shape == Shape.FREE
    assert render(tokenizer, messages, tags=Tags(), thinking=False).shape == Shape.SHUT


def test_it_thinks_then_answers_and_is_mostly_right(tokenizer):
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(lab_path(), dtype=torch.float32).eval()
    assert model.num_parameters() <= 5_000_000
    right = 0
    prompts = lab(take=12, seed=9, split="train", kinds=["math"])
    for prompt in prompts:
        rendered = render(tokenizer, prompt.messages, tags=Tags(), thinking=True)
        ids = torch.tensor([rendered.ids])
        with torch.inference_mode():
            out = model.generate(ids, max_new_tokens=400, do_sample=False)[0, ids.shape[1] :]
        parts = split(tokenizer.decode(out).removesuffix("<|im_end|>"), rendered.shape, Tags())
        assert not parts.malformed
        right += f"\\boxed{{{prompt.reference}}}" in parts.answer
    assert right >= 5
