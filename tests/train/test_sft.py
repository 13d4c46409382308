"""The trainer is the real one, on a model of a few thousand parameters."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from deimos import recipe
from deimos.recipe import RecipeError
from deimos.runs.artifacts import metrics_in
from deimos.store.schema import Gold, value_of
from deimos.train import checkpoints, metrics, sft
from deimos.train.tokens import IGNORED, TokensError, examples_of

FLOAT32 = sft.Precision("float32", False, "float32")


def settings(**changes: Any) -> recipe.Train:
    given = {
        "lora": {"r": 4, "alpha": 8},
        "learning_rate": 1e-2,
        "dtype": "float32",
        "batch_size": 2,
        "accumulation": 2,
        "max_length": 64,
        "save_steps": 2,
    }
    return recipe.Train.model_validate({**given, **changes})


@pytest.fixture(scope="module")
def examples(golds):
    def make(n: int) -> list[Any]:
        return examples_of((value_of(Gold, g) for g in golds(n)), max_length=64, eos_ids={2})[0]

    return make


def load(folder: Path, dtype: torch.dtype = torch.float32) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)


def train(folder: Path, tokenizer: Any, out: Path, given: Any, **kwargs: Any) -> int:
    kwargs = {"settings": settings(), "precision": FLOAT32, "device": "cpu", **kwargs}
    return sft.train(lambda: load(folder), tokenizer, given, out=out, **kwargs)


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "adapter" / "adapter_model.safetensors")


def assert_same_training(a: Path, b: Path) -> None:
    """Bit for bit: everything in the rows but the time, and every weight."""
    keys = ("step", "epoch", "loss", "grad_norm", "learning_rate", "tokens")
    rows = [[[row[k] for k in keys] for row in metrics_in(out / "metrics.jsonl")] for out in (a, b)]
    assert rows[0] == rows[1]
    one, other = weights(a), weights(b)
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the trained model is called with, pass by pass."""
    from peft import PeftModelForCausalLM

    calls: list[dict[str, Any]] = []
    forward = PeftModelForCausalLM.forward

    def recording(self: Any, *args: Any, **kwargs: Any) -> Any:
        assert not args
        calls.append(kwargs)
        return forward(self, **kwargs)

    monkeypatch.setattr(PeftModelForCausalLM, "forward", recording)
    return calls


def rows_of(call: dict[str, Any]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """The batch's sequences without their padding, which must be on the right and unlabelled."""
    rows = []
    for ids, labels, mask in zip(
        call["input_ids"].tolist(),
        call["labels"].tolist(),
        call["attention_mask"].tolist(),
        strict=True,
    ):
        size = sum(mask)
        assert mask == [1] * size + [0] * (len(mask) - size)
        assert set(labels[size:]) <= {IGNORED}
        rows.append((tuple(ids[:size]), tuple(labels[:size])))
    return rows


def test_the_model_sees_what_was_sampled_once_an_epoch(
    qwen3, tokenizer, tmp_path, seen, examples, golds
):
    given = examples(11)
    train(qwen3, tokenizer, tmp_path, given, settings=settings(epochs=2))
    golds = Counter(
        (
            (*g["prompt_ids"], *g["completion_ids"]),
            (*[IGNORED] * len(g["prompt_ids"]), *g["completion_ids"]),
        )
        for g in golds(11)
    )
    epochs = [seen[:6], seen[6:]]  # 11 examples, two at a time
    orders = [[row for call in calls for row in rows_of(call)] for calls in epochs]
    assert [len(call["input_ids"]) for call in epochs[0]] == [2, 2, 2, 2, 2, 1]
    assert Counter(orders[0]) == golds
    assert Counter(orders[1]) == golds
    assert orders[0] != orders[1]


@pytest.mark.parametrize("architecture", ["qwen3", "qwen35"])
def test_the_loss_is_the_mean_over_completion_tokens(
    architecture, request, tokenizer, tmp_path, examples
):
    """Computed again without TRL, each example alone and unpadded.

    The adapter starts as nothing, so the first step's loss is the base model's.
    """
    folder, given = request.getfixturevalue(architecture), examples(4)
    train(folder, tokenizer, tmp_path, given)
    model, nll, count = load(folder), 0.0, 0
    for example in given:
        with torch.no_grad():
            logits = model(torch.tensor([example.input_ids])).logits[0].double()
        for position, label in enumerate(example.labels):
            if label != IGNORED:
                nll -= torch.log_softmax(logits[position - 1], -1)[label].item()
                count += 1
    row = metrics_in(tmp_path / "metrics.jsonl")[0]
    assert count == sum(example.supervised for example in given)
    assert row["loss"] == pytest.approx(nll / count, rel=1e-5)
    assert row["tokens"] == sum(len(example.input_ids) for example in given)


def test_the_recipe_reaches_the_trainer(qwen3, tokenizer, tmp_path, examples):
    changed = settings(
        lora={"r": 3, "alpha": 7, "dropout": 0.1, "target_modules": ["q_proj", "down_proj"]},
        learning_rate=0.02,
        warmup_ratio=0.25,
        epochs=1.5,
        weight_decay=0.1,
    )
    train(qwen3, tokenizer, tmp_path, examples(22), settings=changed)
    rows = metrics_in(tmp_path / "metrics.jsonl")
    # 22 examples are 6 steps an epoch, so 9 in all, of which ceil(9 x 0.25) = 3 warm up; a row
    # holds the rate its step was taken with.
    rates = [row["learning_rate"] for row in rows]
    assert rates[:4] == pytest.approx([0, 0.02 / 3, 0.04 / 3, 0.02])
    assert rates[6] == pytest.approx(0.01)  # half-way down the cosine
    assert len(rows) == 9 and rows[-1]["epoch"] == pytest.approx(1 + 12 / 22)
    shape = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert (shape["r"], shape["lora_alpha"], shape["lora_dropout"]) == (3, 7, 0.1)
    assert sorted(shape["target_modules"]) == ["down_proj", "q_proj"]
    assert {name.split(".")[-3] for name in weights(tmp_path)} == {"q_proj", "down_proj"}


def test_training_learns_and_leaves_only_what_is_promised(qwen3, tokenizer, tmp_path, examples):
    train(qwen3, tokenizer, tmp_path, examples(8), settings=settings(epochs=12))
    counts = metrics.summary(metrics_in(tmp_path / "metrics.jsonl"))
    assert counts["train_loss_last"] < counts["train_loss_first"] - 0.3
    assert sorted(p.name for p in tmp_path.iterdir()) == ["adapter", "metrics.jsonl"]
    assert {t.dtype for t in weights(tmp_path).values()} == {torch.float32}


class Killed(BaseException):
    """Stands for what ends a process: no handler of the trainer's may catch it."""


def killed_at(step: int) -> sft.ReportStep:
    def report(label: str, done: int, total: int, note: str) -> None:
        if done == step:
            raise Killed

    return report


LONGER = settings(epochs=2, lora={"r": 4, "alpha": 8, "dropout": 0.2})
"""With 14 examples: 8 steps in 2 epochs, saved after every other; dropout draws noise."""


@pytest.fixture(scope="module")
def undisturbed(qwen3, tokenizer, tmp_path_factory, examples):
    out = tmp_path_factory.mktemp("undisturbed")
    train(qwen3, tokenizer, out, examples(14), settings=LONGER)
    return out


@pytest.mark.parametrize("step", [1, 2, 5, 7])
def test_interrupted_is_undisturbed(qwen3, tokenizer, tmp_path, undisturbed, step, examples):
    """Killed before the first save, before a later one, and in either epoch."""
    given = examples(14)
    with pytest.raises(Killed):
        train(qwen3, tokenizer, tmp_path, given, settings=LONGER, report=killed_at(step))
    assert not (tmp_path / "adapter").exists()
    resumed = train(qwen3, tokenizer, tmp_path, given, settings=LONGER)
    assert resumed == (step - 1) // 2 * 2
    assert_same_training(undisturbed, tmp_path)


def test_a_torn_checkpoint_is_passed_over(qwen3, tokenizer, tmp_path, undisturbed, examples):
    given = examples(14)
    with pytest.raises(Killed):
        train(qwen3, tokenizer, tmp_path, given, settings=LONGER, report=killed_at(5))
    optimizer = tmp_path / "checkpoints" / "checkpoint-4" / "optimizer.pt"
    optimizer.write_bytes(optimizer.read_bytes()[:100])
    assert train(qwen3, tokenizer, tmp_path, given, settings=LONGER) == 2
    assert_same_training(undisturbed, tmp_path)


def test_killed_after_the_last_save_only_installs(
    qwen3, tokenizer, tmp_path, monkeypatch, examples
):
    """Also where the epochs are not whole, and without loading the model again."""
    given, changed = examples(14), settings(epochs=1.5)

    def dead(*paths: Path) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "install", dead)
        with pytest.raises(Killed):
            train(qwen3, tokenizer, tmp_path, given, settings=changed)
    before = metrics_in(tmp_path / "metrics.jsonl")
    missing = tmp_path / "no-such-model"
    assert train(missing, tokenizer, tmp_path, given, settings=changed) == len(before) == 6
    assert metrics_in(tmp_path / "metrics.jsonl") == before
    assert weights(tmp_path)


def test_micro_batches_change_rounding_only(qwen3, tokenizer, tmp_path, seen, examples):
    given = examples(11)
    train(qwen3, tokenizer, tmp_path / "two", given)
    train(qwen3, tokenizer, tmp_path / "four", given, micro_batch=4)
    sizes = [len(call["input_ids"]) for call in seen]
    assert sizes == [2, 2, 2, 2, 2, 1, 4, 4, 3]
    two, four = weights(tmp_path / "two"), weights(tmp_path / "four")
    for name in two:
        assert torch.allclose(two[name], four[name], atol=2e-5), name


def test_a_micro_batch_that_does_not_divide_is_refused():
    with pytest.raises(RecipeError, match=r"runtime.train_micro_batch = 3: must divide the 16"):
        recipe.Train().batches(3)
    assert recipe.Train().batches(1) == (1, 16)
    assert recipe.Train().batches(None) == (2, 8)


def test_settings_the_model_cannot_carry_out(qwen3, tokenizer, tmp_path, examples, golds):
    given = examples(2)
    typo = settings(lora={"target_modules": ["q_proj", "w_proj"]})
    with pytest.raises(
        RecipeError, match=r"called 'w_proj' that an adapter can be put on; it has .*down_proj"
    ):
        train(qwen3, tokenizer, tmp_path, given, settings=typo)
    for target in ("embed_tokens", "lm_head"):
        tied = settings(lora={"target_modules": ["q_proj", target]})
        with pytest.raises(RecipeError, match=f"target_modules: '{target}' is tied: one weight is"):
            train(qwen3, tokenizer, tmp_path, given, settings=tied)
    unknown = value_of(Gold, {**golds(1)[0], "prompt_ids": [999]})
    foreign = [*given, *examples_of([unknown], max_length=64, eos_ids={2})[0]]
    with pytest.raises(TokensError, match="999"):
        train(qwen3, tokenizer, tmp_path, foreign)


def test_embeddings_that_are_not_tied_take_an_adapter(qwen3, tokenizer, tmp_path, examples):
    from transformers import AutoConfig, AutoModelForCausalLM

    def untied() -> Any:
        config = AutoConfig.from_pretrained(qwen3)
        config.tie_word_embeddings = False
        return AutoModelForCausalLM.from_config(config)

    def trained(*targets: str) -> None:
        chosen = settings(lora={"r": 4, "alpha": 8, "target_modules": [*targets]})
        sft.train(untied, tokenizer, examples(2), chosen, tmp_path, precision=FLOAT32, device="cpu")

    trained("q_proj", "embed_tokens")
    assert any("embed_tokens" in name for name in weights(tmp_path))
    with pytest.raises(RecipeError, match="'lm_head' is the model's output embedding"):
        trained("lm_head")


def test_the_card_s_weight_decay_is_the_default():
    assert recipe.Train().weight_decay == 0.01


def test_a_diverged_training_stops(qwen3, tokenizer, tmp_path, examples):
    def broken() -> Any:
        model = load(qwen3)
        model.model.norm.weight.data.fill_(float("nan"))
        return model

    with pytest.raises(
        sft.TrainingDiverged, match=r"diverged at step 1.*lower train.learning_rate"
    ):
        sft.train(broken, tokenizer, examples(4), settings(), tmp_path,
                  precision=FLOAT32, device="cpu")  # fmt: skip


def test_a_diverged_training_is_the_users_to_mend():
    from deimos.pipeline.process import exit_code_of

    assert exit_code_of(sft.TrainingDiverged("lower it")) == 2


def test_nothing_is_sent_and_no_card_drafted(qwen3, tokenizer, tmp_path, monkeypatch, examples):
    from trl.trainer import base_trainer

    def sent(**kwargs: Any) -> None:
        raise AssertionError("telemetry")

    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(base_trainer, "send_telemetry", sent)
    monkeypatch.setattr(base_trainer, "generate_model_card", sent)
    train(qwen3, tokenizer, tmp_path, examples(2))


def test_bfloat16_on_this_cpu(qwen3, tokenizer, tmp_path, examples):
    """Mixed where the CPU can, else float32 by name; the adapter is float32 either way."""
    precision = sft.precision_of("bfloat16", "cpu")
    native = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    assert (precision.weights == "bfloat16") == precision.autocast == native
    sft.train(
        lambda: load(qwen3, getattr(torch, precision.weights)),
        tokenizer,
        examples(4),
        settings(),
        tmp_path,
        precision=precision,
        device="cpu",
    )
    assert {t.dtype for t in weights(tmp_path).values()} == {torch.float32}
    assert len(metrics_in(tmp_path / "metrics.jsonl")) == 1


def test_the_hybrid_of_linear_and_full_attention(qwen35, tokenizer, tmp_path, examples):
    """Trains, saves, loads and merges with the seven targets; merged equals adapted."""
    from peft import PeftModel

    train(qwen35, tokenizer, tmp_path, examples(4), settings=settings(epochs=3))
    layers = {tuple(name.split(".")[4:7:2]) for name in weights(tmp_path)}
    full = {t for layer, t in layers if layer == "3"}
    linear = {t for layer, t in layers if layer == "0"}
    assert full == set(recipe.Lora().target_modules)
    assert linear == {"gate_proj", "up_proj", "down_proj"}
    adapted = PeftModel.from_pretrained(load(qwen35), str(tmp_path / "adapter")).eval()
    ids = torch.tensor([examples(1)[0].input_ids])
    with torch.no_grad():
        before = adapted(ids).logits
        assert not torch.allclose(before, load(qwen35)(ids).logits, atol=1e-3)
        after = adapted.merge_and_unload()(ids).logits
    assert torch.allclose(before, after, atol=1e-5)
