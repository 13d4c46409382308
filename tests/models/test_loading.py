"""Loading: what a user can get wrong says so in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.engines.runs import VOCABULARY, make_jobs, run

from deimos.engines.local.engine import local
from deimos.models import loading
from deimos.models.loading import load_model, load_tokenizer
from deimos.models.memory import weights_in
from deimos.models.ref import ModelRef
from deimos.recipe import RecipeError
from deimos.recipe.runtime import Runtime
from deimos.types import Sampling


@pytest.fixture(scope="module")
def folder(tiny_model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with a tokenizer of single words and a chat template."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    path = tmp_path_factory.mktemp("model")
    words = ["<eos>", "<think>", "</think>", "<|im_end|>", *(f"w{i}" for i in range(4, VOCABULARY))]
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="w4"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    raw.add_special_tokens(["<|im_end|>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<eos>")
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }} <|im_end|> {% endfor %}"
    tokenizer.save_pretrained(path)
    tiny_model.save_pretrained(path)
    return path


def test_a_folder_becomes_an_engine(folder: Path, tiny_model: Any) -> None:
    engine = local(ModelRef(str(folder)), Runtime(device="cpu", max_batch=4), block_rows=2)
    ends = run(engine, make_jobs(6, Sampling(temperature=0.0, max_tokens=8)))
    assert len(ends) == 6


def test_dtype_and_adapter(folder: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    base = load_model(ModelRef(str(folder)), "cpu")
    assert base.dtype == torch.float32
    assert load_model(ModelRef(str(folder), dtype="bfloat16"), "cpu").dtype == torch.bfloat16
    torch.manual_seed(0)
    adapted = get_peft_model(base, LoraConfig(r=4, target_modules=["q_proj"]))
    for name, weights in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights)
    adapted.save_pretrained(tmp_path)
    merged = load_model(ModelRef(str(folder), adapter=str(tmp_path)), "cpu")
    ids = torch.arange(3, 20)[None]
    with torch.no_grad():
        assert torch.allclose(merged(ids).logits, adapted(ids).logits, atol=1e-5)
    assert not any("lora" in name for name, _ in merged.named_parameters())


def test_no_such_model(tmp_path: Path) -> None:
    for load in (load_tokenizer, lambda ref: load_model(ref, "cpu")):
        with pytest.raises(ValueError, match="no such folder"):
            load(ModelRef(str(tmp_path / "nowhere")))
        with pytest.raises(ValueError, match=r"(no tokenizer|weights) could"):
            load(ModelRef(str(tmp_path)))


def test_no_chat_template(folder: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(ModelRef(str(folder)))
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="no chat template"):
        load_tokenizer(ModelRef(str(tmp_path)))


def test_wrong_dtype_device_adapter_option(folder: Path, tmp_path: Path) -> None:
    path = str(folder)
    with pytest.raises(ValueError, match="must be one of auto, float32"):
        load_model(ModelRef(path, dtype="int3"), "cpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="finds no GPU"):
            load_model(ModelRef(path), "cuda")
    with pytest.raises(ValueError, match=r"adapter .* could not be put on"):
        load_model(ModelRef(path, adapter=str(tmp_path)), "cpu")
    with pytest.raises(ValueError, match=r"engine_options\.pages"):
        local(ModelRef(path), Runtime(), pages=3)


def test_a_model_larger_than_memory_is_refused_before_it_is_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = weights_in(folder)
    assert weights is not None
    monkeypatch.setattr(loading, "available_ram", lambda: weights.size("float32") - 1)
    with pytest.raises(RecipeError, match=r"weights are .* GiB as float32, and .* GiB of memory"):
        load_model(ModelRef(str(folder), dtype="float32"), "cpu")
    assert load_model(ModelRef(str(folder), dtype="bfloat16"), "cpu").dtype == torch.bfloat16


def test_a_folder_without_tokenizer_has_none_made_up(tiny_model: Any, tmp_path: Path) -> None:
    tiny_model.save_pretrained(tmp_path)
    with pytest.raises(RecipeError, match="no tokenizer could be loaded"):
        load_tokenizer(ModelRef(str(tmp_path)))
