"""Loading: what a user can get wrong says so in one sentence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.engines.runs import VOCABULARY, make_jobs, run

from deimos.engines.local.engine import local
from deimos.models import loading
from deimos.models.loading import load_model, load_tokenizer
from deimos.models.memory import weights_in
from deimos.models.merge import BESIDE, MERGED, find_adapter_use, merge_adapter
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


@pytest.fixture
def adapter(folder: Path, tmp_path: Path) -> Path:
    """A LoRA on every layer whose update is small beside the weights, as one of 3e-5 leaves it."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    adapted = get_peft_model(
        load_model(ModelRef(str(folder)), "cpu"), LoraConfig(r=8, target_modules=targets)
    )
    for name, weights in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=4e-4)
    adapted.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_a_model_with_an_adapter_is_the_trained_one(
    folder: Path, adapter: Path, dtype: str
) -> None:
    """Merged in 16 bits it would be another: weights keep 8 or 11 bits, and the update is small."""
    from peft import PeftModel

    ids = torch.randint(3, VOCABULARY, (16, 64), generator=torch.Generator().manual_seed(1))
    ref = ModelRef(str(folder), dtype=dtype)
    wide = load_model(replace(ref, dtype="float32"), "cpu")
    for (
        weights
    ) in wide.parameters():  # the model as it is stored, with arithmetic that rounds nothing
        weights.data = weights.data.to(getattr(torch, dtype)).float()

    def change(model: Any) -> torch.Tensor:
        """What it is trained to say differently, in log-probabilities."""
        with torch.no_grad():
            return model.float()(ids).logits.log_softmax(-1)

    base = change(wide)
    loaded = load_model(replace(ref, adapter=str(adapter)), "cpu")
    assert loaded.dtype == getattr(torch, dtype)
    found = change(loaded) - base
    trained = change(PeftModel.from_pretrained(wide, str(adapter)).eval()) - base
    assert float((found - trained).norm() / trained.norm()) < 0.02
    if dtype == "bfloat16":
        narrow = merge_adapter(load_model(ref, "cpu"), str(adapter))
        assert float((change(narrow) - base - trained).norm() / trained.norm()) > 0.2


def test_an_adapter_beside_the_weights_is_decoded_by_the_engine(
    folder: Path, adapter: Path
) -> None:
    """Greedy as transformers' own ``generate`` with PEFT's model, and another text than the base's."""
    from peft import PeftModel

    ref = ModelRef(str(folder), dtype="bfloat16", adapter=str(adapter))
    weights = load_file(adapter / "adapter_model.safetensors")
    save_file({n: w * (1500 if "lora_B" in n else 1) for n, w in weights.items()},
              adapter / "adapter_model.safetensors")  # fmt: skip
    runtime, jobs = Runtime(device="cpu"), make_jobs(6, Sampling(temperature=0.0, max_tokens=12))
    ends = run(local(ref, runtime), jobs)
    base = run(local(replace(ref, adapter=None), runtime), jobs)
    assert ends != base
    model: Any = PeftModel.from_pretrained(
        load_model(replace(ref, adapter=None), "cpu"), str(adapter), autocast_adapter_dtype=False
    )
    alike = 0
    for job in jobs:
        ids = torch.tensor([job.prompt_ids])
        theirs = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids),
                                max_new_tokens=12, do_sample=False, eos_token_id=0, pad_token_id=0)  # fmt: skip
        alike += tuple(theirs[0, ids.shape[1] :].tolist())[:4] == ends[job.key].completion_ids[:4]
    assert alike >= 5  # bfloat16 rounds otherwise in another batch


def test_an_adapter_on_tied_embeddings_is_not_merged(folder: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    model = load_model(ModelRef(str(folder)), "cpu")
    adapted = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj", "embed_tokens"]))
    adapted.save_pretrained(tmp_path)
    with pytest.raises(RecipeError, match="is on the model's embeddings, which are one weight"):
        load_model(ModelRef(str(folder), adapter=str(tmp_path)), "cpu")
    assert load_model(ModelRef(str(folder), dtype="bfloat16", adapter=str(tmp_path)), "cpu")


def test_how_an_adapter_is_put_on_is_said(folder: Path) -> None:
    for dtype, use in (("auto", MERGED), ("float32", MERGED), ("bfloat16", BESIDE)):
        assert find_adapter_use("local", ModelRef(str(folder), dtype=dtype)) == use
    assert find_adapter_use("vllm", ModelRef("a/b")) == BESIDE
    assert find_adapter_use("local", ModelRef("nobody/nothing")) is None
    assert find_adapter_use("openai", ModelRef(str(folder))) is None


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
