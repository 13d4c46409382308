"""The vllm engine on vLLM itself, built for CPUs, on the lab model."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.engines.environments import (
    LAB,
    SMALL,
    VLLM,
    begin,
    decode_all,
    left_of,
    needs_vllm,
    of_session,
    request,
)
from tests.sample.folders import Run, assert_kept, assert_once

pytestmark = [pytest.mark.real, pytest.mark.timeout(3600), needs_vllm]
OURS = "deimos.engines.vllm.engine:vllm"
HERE = Path(sys.executable)


TOP_ONE = {"sampling": {"temperature": 1.0, "top_k": 1, "max_tokens": 120}}
GREEDY = {"sampling": {"temperature": 0.0, "max_tokens": 120}}
PENALTIES = {
    name: {"sampling": {**GREEDY["sampling"], name: value}}
    for name, value in (
        ("repetition_penalty", 1.2), ("presence_penalty", 0.7), ("frequency_penalty", 0.3),
    )
}  # fmt: skip
BOTH: dict[str, dict[str, Any]] = {"whole": {}, "short": GREEDY, **PENALTIES}
"""What vLLM and the local engine are asked, greedy and thus comparable."""
OURS_ALONE: dict[str, dict[str, Any]] = {
    "top one": TOP_ONE, "capped": {"think_cap": 20}, "stopped": {"n": 2, "stop_after": 3},
}  # fmt: skip


def answers_of(
    python: Path, engine: str, asked: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    requests = [request(engine, **more) for more in asked.values()]
    return dict(zip(asked, decode_all(python, requests), strict=True))


@pytest.fixture(scope="module")
def ours() -> dict[str, dict[str, Any]]:
    return answers_of(VLLM, OURS, BOTH | OURS_ALONE)


@pytest.fixture(scope="module")
def local() -> dict[str, dict[str, Any]]:
    return answers_of(HERE, "local", BOTH)


def same(a: dict[str, Any], b: dict[str, Any]) -> float:
    """Share of completions with the same ids."""
    pairs = list(zip(a["rows"], b["rows"], strict=True))
    assert all(x["prompt_ids"] == y["prompt_ids"] for x, y in pairs)
    return sum(x["ids"] == y["ids"] for x, y in pairs) / len(pairs)


def test_greedy_is_what_the_local_engine_says(ours: dict[str, Any], local: dict[str, Any]) -> None:
    whole = ours["whole"]
    assert whole["capabilities"] == {
        "seeds": False, "token_ids": True, "resumes": True, "streams": True,
    }  # fmt: skip
    assert same(whole, local["whole"]) >= 0.95
    # A busy server puts several tokens into one chunk; a thought that closes in the last one is told by
    # Done. Later checkpoints of a slow row say again that its thought has closed.
    assert 0 < whole["progress"] <= len(whole["rows"])
    assert {row["finish"] for row in whole["rows"]} <= {"stop", "length"}
    assert whole["facts"]["tokens"] == sum(len(row["ids"]) for row in whole["rows"])


def test_penalties_and_filters_are_the_local_engines(
    ours: dict[str, Any], local: dict[str, Any]
) -> None:
    """Greedy behind each: what is drawn from is what differs."""
    for penalty in PENALTIES:
        assert same(ours[penalty], local[penalty]) >= 0.9, penalty
        assert same(ours[penalty], ours["short"]) < 0.9, f"{penalty} changes what is said"
    assert same(ours["top one"], local["short"]) > 0.9


def test_caps_and_stops_abort(ours: dict[str, Any]) -> None:
    capped, stopped = ours["capped"], ours["stopped"]
    # On a busy machine several tokens come at once, so a row may end by itself before it can be stopped.
    finishes = [row["finish"] for row in capped["rows"]]
    assert set(finishes) <= {"stopped", "stop"} and finishes.count("stopped") >= 0.8 * len(finishes)
    assert all(20 < r["think_tokens"] < 60 for r in capped["rows"] if r["finish"] == "stopped")
    finishes = [row["finish"] for row in stopped["rows"]]
    assert finishes.count("stopped") >= 40
    aborted = stopped["facts"]["aborted"] - capped["facts"]["aborted"]
    assert aborted == finishes.count("stopped")


def test_an_adapter_is_served(ours: dict[str, Any], tmp_path: Path) -> None:
    make_adapter(tmp_path / "adapter")
    asked = {"whole": {"adapter": str(tmp_path / "adapter")}}
    tuned, local = answers_of(VLLM, OURS, asked), answers_of(HERE, "local", asked)
    assert same(tuned["whole"], ours["whole"]) < 0.5, "the adapter changes what is said"
    assert same(tuned["whole"], local["whole"]) >= 0.95


def make_adapter(folder: Path) -> None:
    """A LoRA adapter with random weights, strong enough to be seen."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(LAB, dtype=torch.float32)
    config = LoraConfig(r=6, lora_alpha=12, target_modules=["q_proj", "v_proj", "down_proj"])
    tuned = get_peft_model(model, config)
    with torch.no_grad():
        for name, weights in tuned.named_parameters():
            if "lora_B" in name:
                weights.normal_(std=0.05)
    tuned.save_pretrained(folder)


def test_an_adapter_it_cannot_serve_is_one_sentence(tmp_path: Path) -> None:
    make_adapter(tmp_path / "adapter")
    (tmp_path / "adapter" / "adapter_model.safetensors").write_bytes(b"nothing")
    process = begin(VLLM, request(OURS, adapter=str(tmp_path / "adapter")))
    _, err = process.communicate()
    assert process.returncode == 1
    assert "RecipeError: adapter" in err or "VLLMLost: vLLM died of adapter" in err
    assert left_of(process.pid) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left_however_it_ends(how: signal.Signals) -> None:
    process = begin(VLLM, request(OURS, n=100, sampling={"temperature": 1.0, "max_tokens": 512}))
    while not [p for p in of_session(process.pid) if "Worker" in p.name()]:
        assert process.poll() is None
        time.sleep(0.5)
    time.sleep(5)  # not a matter of timing: whatever it is doing then
    process.send_signal(how)
    process.communicate()
    assert process.returncode != 0
    assert left_of(process.pid) == []


def test_a_run_whose_vllm_dies_goes_on(tmp_path: Path) -> None:
    """The recipe is the lab's own, unchanged but for the engine."""
    run = Run(
        tmp_path / "run",
        [
            f"runtime.engine={OURS}", f"runtime.python.sample={VLLM}",
            *(f"runtime.engine_options.{k}={json.dumps(v)}" for k, v in SMALL.items()),
        ],
    )  # fmt: skip
    process = run.start()
    run.wait_for(process, 30)
    children = psutil.Process(process.pid).children(recursive=True)
    next(child for child in children if "Worker" in child.name()).kill()
    before = run.journals()
    told = process.communicate()[0]
    assert process.returncode == 1 and "run again to resume" in told, told[-3000:]
    assert "vLLM" in told and psutil.wait_procs(children, timeout=120)[1] == []
    run.finish()
    assert_kept(run, before)
    assert_once(run)
    assert "An attempt at sampling was cut short" in run.report()
    assert run.counts()["outpaced"] > 0 and len(run.golds()) > 10
    assert all(row["engine"].startswith("vllm/") for row in run.rows())
