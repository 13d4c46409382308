"""The loss head for CPUs, beside full logits and beside TRL's own."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.train.test_sft import FLOAT32, load, settings, weights

from deimos.runs.artifacts import metrics_in
from deimos.store.schema import Gold, value_of
from deimos.train import label_loss, sft
from deimos.train.label_loss import LabelLogProbs, put_label_loss
from deimos.train.tokens import IGNORED, examples_of


@pytest.fixture(scope="module")
def examples(golds):
    return examples_of((value_of(Gold, g) for g in golds(22)), max_length=64, eos_ids={2})[0]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("at_a_time", [1, 7, 1000])
def test_it_is_what_full_logits_give(bias, at_a_time, monkeypatch):
    torch.manual_seed(3)
    rows, size, vocabulary = 23, 8, 50
    monkeypatch.setattr(label_loss, "LOGITS_BYTES", at_a_time * 4 * vocabulary)
    hidden = torch.randn(rows, size, requires_grad=True)
    weight = torch.randn(vocabulary, size)
    offset = torch.randn(vocabulary) if bias else None
    labels, factors = torch.randint(vocabulary, (rows,)), torch.rand(rows)
    found = LabelLogProbs.apply(hidden, weight, offset, labels)
    (found[0] * factors).sum().backward()
    gradient, hidden.grad = hidden.grad, None
    scores = torch.nn.functional.linear(hidden, weight, offset).log_softmax(-1)
    wanted = scores.gather(1, labels[:, None])[:, 0]
    (wanted * factors).sum().backward()
    assert torch.allclose(found[0], wanted, atol=1e-5)
    assert torch.allclose(gradient, hidden.grad, atol=1e-5)
    assert torch.allclose(found[1], -(scores.exp() * scores).sum(-1), atol=1e-5)
    assert found[2].tolist() == (scores.argmax(-1) == labels).tolist()


def trained(folder: Path, tokenizer: Any, out: Path, given: Any) -> list[dict[str, Any]]:
    # At the other tests' rate of 1e-2, Adam makes steps of the rounding of gradients that are nearly 0.
    chosen = settings(epochs=2, learning_rate=1e-4)
    sft.train(lambda: load(folder), tokenizer, given, chosen, out,
              precision=FLOAT32, device="cpu")  # fmt: skip
    return metrics_in(out / "metrics.jsonl")


@pytest.mark.parametrize("architecture", ["qwen3", "qwen35"])
def test_a_training_is_the_one_that_trl_does(
    architecture, request, tokenizer, tmp_path, monkeypatch, examples
):
    """Loss, gradient and every count of TRL's metrics, step by step, and the adapter at the end."""
    folder = request.getfixturevalue(architecture)
    logged: list[dict[str, float]] = []
    log = sft.TokenTrainer.log

    def noting(self: Any, logs: dict[str, float], *args: Any) -> None:
        logged.append({k: v for k, v in logs.items() if "token" in k or k == "entropy"})
        log(self, logs, *args)

    monkeypatch.setattr(sft.TokenTrainer, "log", noting)
    rows = {}
    for head in ("ours", "trls"):
        if head == "trls":
            monkeypatch.setattr(sft, "put_label_loss", lambda model: False)
        rows[head] = trained(folder, tokenizer, tmp_path / head, examples)
    half = len(logged) // 2
    assert len(rows["ours"]) == 12
    for ours, trls in zip(rows["ours"], rows["trls"], strict=True):
        for key in ("loss", "grad_norm"):
            assert ours[key] == pytest.approx(trls[key], rel=1e-5)
        assert ours["tokens"] == trls["tokens"]
    for ours, trls in zip(logged[:half], logged[half:], strict=True):
        assert ours == pytest.approx(trls, rel=1e-5)
    one, other = weights(tmp_path / "ours"), weights(tmp_path / "trls")
    for name in one:
        assert torch.allclose(one[name], other[name], atol=2e-5), name


def test_only_labels_are_scored(qwen3, tokenizer, tmp_path, monkeypatch, examples):
    scored: list[int] = []
    apply = LabelLogProbs.apply

    def counting(hidden: torch.Tensor, *args: Any) -> Any:
        scored.append(len(hidden))
        return apply(hidden, *args)

    monkeypatch.setattr(LabelLogProbs, "apply", counting)
    trained(qwen3, tokenizer, tmp_path, examples)
    labels = sum(label != IGNORED for one in examples for label in one.labels)
    assert sum(scored) == 2 * labels


def test_models_that_do_more_than_project_keep_trl_s_head(qwen3):
    for change in ({"final_logit_softcapping": 30.0}, {"logits_scaling": 8.0}):
        model = load(qwen3)
        for name, value in change.items():
            setattr(model.config, name, value)
        assert not put_label_loss(model)
    model = load(qwen3)
    assert not put_label_loss(model)  # its output embedding is to be trained
    model.requires_grad_(False)
    assert put_label_loss(model)
    ids = torch.tensor([[1, 5, 6, 7]])
    assert model(ids, labels=ids).loss > 0  # called as ever, it answers as ever
