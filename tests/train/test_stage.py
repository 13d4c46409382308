"""The stage as the pipeline runs it: folders in, folder and counts out."""

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from deimos import recipe
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef
from deimos.recipe.runtime import Runtime
from deimos.runs.artifacts import metrics_in
from deimos.runs.plan import StageJob
from deimos.runs.progress import ProgressBar
from deimos.store import journal
from deimos.train import stage
from deimos.train.tokens import TokensError


@pytest.fixture
def job(qwen3, tmp_path, golds):
    def make(rows: list[dict[str, Any]], **train: Any) -> StageJob:
        select = tmp_path / "select"
        journal.write_rows(select / "gold.jsonl", rows)
        out = tmp_path / "train"
        out.mkdir(exist_ok=True)
        return StageJob(
            recipe=recipe.parse({
                "name": "t",
                "model": {"id": str(qwen3)},
                "prompts": {"sources": [{"source": "gsm8k"}]},
                "train": {"dtype": "float32", "max_length": 26, "batch_size": 4, "accumulation": 1}
                | {"learning_rate": 1e-3, "lora": {"r": 2, "alpha": 4}}
                | train,
            }),
            runtime=Runtime(device="cpu", train_micro_batch=2),
            model_path=str(qwen3),
            inputs={"select": select},
            out=out,
            progress=ProgressBar(io.StringIO()),
        )  # fmt: skip

    return make


def shapes(out: Path) -> list[tuple[int, ...]]:
    return [tuple(t.shape) for t in load_file(out / "adapter/adapter_model.safetensors").values()]


def test_counts_are_what_happened(job, golds):
    rows = golds(10)
    rows[3]["completion_ids"] = rows[3]["completion_ids"][:-1]
    counts = stage.run(job(rows))
    sizes = {r["id"]: len(r["prompt_ids"]) + len(r["completion_ids"]) for r in rows}
    long = {i for i, size in sizes.items() if size > 26}
    assert long and "g3" not in long
    out = job(rows).out
    dropped = journal.read_rows(out / "dropped.jsonl")
    assert {row["id"] for row in dropped} == long | {"g3"}
    assert all(row["tokens"] == sizes[row["id"]] for row in dropped)
    kept = sizes.keys() - long - {"g3"}
    assert (counts["examples"], counts["dropped"]) == (len(kept), len(dropped))
    assert sum(counts["dropped_because"].values()) == len(dropped)
    assert counts["tokens"] == sum(sizes[i] for i in kept)
    assert counts["steps"] == -(-len(kept) // 4)
    assert counts["trainable_parameters"] == sum(a * b for a, b in shapes(out))
    assert (counts["device"], counts["precision"]) == ("cpu", "float32")
    assert counts["train_loss_first"] > 0 and counts["seconds"] > 0
    assert counts["supervised_tokens"] == sum(
        len(r["completion_ids"]) for r in rows if r["id"] in kept
    )
    json.dumps(counts, allow_nan=False)


def test_run_again_does_nothing_again(job, golds):
    first = job(golds(6))
    counts = stage.run(first)
    adapter = first.out / "adapter" / "adapter_model.safetensors"
    before = (adapter.stat().st_mtime_ns, metrics_in(first.out / "metrics.jsonl"))
    again = stage.run(first)
    assert (adapter.stat().st_mtime_ns, metrics_in(first.out / "metrics.jsonl")) == before
    assert again == {**counts, "resumed_from_step": None}


def test_golds_that_were_selected_anew_are_trained_on_anew(job, golds, caplog):
    """Selection was brought up to date in place: the adapter that is there is of other golds."""
    rows, others = golds(6), golds(6)
    others[2]["completion_ids"] = others[0]["completion_ids"]
    other = job(others, epochs=4)
    stage.run(other)
    weights = other.out / "adapter" / "adapter_model.safetensors"
    before = weights.read_bytes()
    counts = stage.run(job(rows, epochs=4))
    assert counts["resumed_from_step"] == 0 and "training starts over" in caplog.text
    assert weights.read_bytes() != before
    stage.run(job(others, epochs=4))
    assert weights.read_bytes() == before


def test_an_unfinished_training_on_other_golds_is_not_gone_on_from(job, golds, monkeypatch):
    rows, others = golds(10), golds(10)[::-1]
    stage.run(job(rows))
    alone = (job(rows).out / "metrics.jsonl").read_text()
    unfinished = job(others, save_steps=1)
    monkeypatch.setattr("deimos.train.checkpoints.install", _die)
    with pytest.raises(KeyboardInterrupt):
        stage.run(unfinished)
    monkeypatch.undo()
    assert [*(unfinished.out / "checkpoints").iterdir()]
    assert stage.run(job(rows))["resumed_from_step"] == 0
    assert losses((job(rows).out / "metrics.jsonl").read_text()) == losses(alone)


def _die(*args: object) -> None:
    raise KeyboardInterrupt


def losses(text: str) -> list[float]:
    return [json.loads(line)["loss"] for line in text.splitlines()]


def test_an_adapter_that_lost_a_file_is_trained_again(job, golds):
    first = job(golds(6))
    stage.run(first)
    weights = first.out / "adapter" / "adapter_model.safetensors"
    before = weights.read_bytes()
    weights.unlink()
    stage.run(first)
    assert weights.read_bytes() == before


def test_nothing_to_train_on_says_why(job, golds):
    with pytest.raises(TokensError, match=r"has 3 golds \(3 longer than train.max_length \(2\)\)"):
        stage.run(job(golds(3), max_length=2))
    with pytest.raises(TokensError, match="has 0 golds"):
        stage.run(job([]))


def test_a_taught_model_is_trained_on_taught_golds_and_lies_with_its_chat_template(job, golds):
    first = job(golds(4))
    taught_on = first.out.parent / "teach"
    journal.write_rows(taught_on / "gold.jsonl", golds(9)[4:])
    settings = first.recipe.model_dump(mode="json")
    settings["model"] |= {"tags": None, "thinking": None}
    settings["train"] |= {"teach": {"open": "<think>", "close": "</think>"}, "max_length": 60}
    taught = dataclasses.replace(
        first, recipe=recipe.parse(settings), inputs={**first.inputs, "teach": taught_on}
    )
    counts = stage.run(taught)
    assert counts["examples"] == 5, "what teach made, not what was selected"
    tokenizer = load_tokenizer(ModelRef(str(first.out / "adapter")))
    ask = [{"role": "user", "content": "Tom"}]
    on, off = (
        tokenizer.apply_chat_template(ask, tokenize=False, add_generation_prompt=True, **switch)
        for switch in ({}, {"enable_thinking": False})
    )
    assert on.endswith("<|im_start|>assistant <think>\n")
    assert off == f"{on}\n</think>\n\n"
