"""The vllm engine on vLLM itself, built for CPUs, on the lab model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
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
    check_complete,
    decode,
    deimos,
    left_of,
    needs_vllm,
    of_session,
    request,
)
from tests.sample.folders import Run, assert_kept, assert_once

pytestmark = [pytest.mark.real, pytest.mark.timeout(3600), needs_vllm]
OURS = "deimos.engines.vllm.engine:vllm"
HERE = Path(sys.executable)


def same(a: dict[str, Any], b: dict[str, Any]) -> float:
    """Share of completions with the same ids."""
    pairs = list(zip(a["rows"], b["rows"], strict=True))
    assert all(x["prompt_ids"] == y["prompt_ids"] for x, y in pairs)
    return sum(x["ids"] == y["ids"] for x, y in pairs) / len(pairs)


def test_greedy_is_what_the_local_engine_says() -> None:
    ours, local = decode(VLLM, request(OURS)), decode(HERE, request("local"))
    assert ours["capabilities"] == {
        "seeds": False, "token_ids": True, "resumes": True, "streams": True,
    }  # fmt: skip
    assert same(ours, local) >= 0.95
    # A busy server puts several tokens into one chunk; a thought that closes in the last one is told by
    # Done. Later checkpoints of a slow row say again that its thought has closed.
    assert 0 < ours["progress"] <= len(ours["rows"])
    assert {row["finish"] for row in ours["rows"]} <= {"stop", "length"}
    assert ours["facts"]["tokens"] == sum(len(row["ids"]) for row in ours["rows"])


def test_penalties_and_filters_are_the_local_engines() -> None:
    """Greedy behind each: what is drawn from is what differs."""
    for penalty in ({"repetition_penalty": 1.2}, {"presence_penalty": 0.7},
                    {"frequency_penalty": 0.3}):  # fmt: skip
        more: dict[str, Any] = {"sampling": {"temperature": 0.0, "max_tokens": 120, **penalty}}
        ours, local = decode(VLLM, request(OURS, **more)), decode(HERE, request("local", **more))
        assert same(ours, local) >= 0.9, penalty
    one: dict[str, Any] = {"sampling": {"temperature": 1.0, "top_k": 1, "max_tokens": 120}}
    greedy: dict[str, Any] = {"sampling": {"temperature": 0.0, "max_tokens": 120}}
    assert same(decode(VLLM, request(OURS, **one)), decode(HERE, request("local", **greedy))) > 0.9


def test_caps_and_stops_abort() -> None:
    capped = decode(VLLM, request(OURS, think_cap=20))
    # On a busy machine several tokens come at once, so a row may end by itself before it can be stopped.
    finishes = [row["finish"] for row in capped["rows"]]
    assert set(finishes) <= {"stopped", "stop"} and finishes.count("stopped") >= 0.8 * len(finishes)
    assert all(20 < r["think_tokens"] < 60 for r in capped["rows"] if r["finish"] == "stopped")
    stopped = decode(VLLM, request(OURS, n=2, stop_after=3))
    finishes = [row["finish"] for row in stopped["rows"]]
    assert finishes.count("stopped") >= 40
    assert stopped["facts"]["aborted"] == finishes.count("stopped")


def test_an_adapter_is_served(tmp_path: Path) -> None:
    make_adapter(tmp_path / "adapter")
    base = decode(VLLM, request(OURS))
    tuned = {"adapter": str(tmp_path / "adapter")}
    ours, local = decode(VLLM, request(OURS, **tuned)), decode(HERE, request("local", **tuned))
    assert same(ours, base) < 0.5, "the adapter changes what is said"
    assert same(ours, local) >= 0.95


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


@pytest.mark.parametrize("how", ["interrupt", "kill", "engine killed"])
def test_no_process_is_left_however_it_ends(how: str) -> None:
    process = begin(VLLM, request(OURS, n=100, sampling={"temperature": 1.0, "max_tokens": 512}))
    while not (workers := [p for p in of_session(process.pid) if "Worker" in p.name()]):
        assert process.poll() is None
        time.sleep(0.5)
    time.sleep(5)  # not a matter of timing: whatever it is doing then
    if how == "engine killed":
        workers[0].kill()
    else:
        os.kill(process.pid, signal.SIGINT if how == "interrupt" else signal.SIGKILL)
    _, err = process.communicate()
    assert process.returncode != 0
    assert left_of(process.pid) == []
    if how == "engine killed":
        assert "VLLMLost: vLLM" in err


def test_a_run_whose_vllm_dies_goes_on(tmp_path: Path) -> None:
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
    run.finish()
    assert_kept(run, before)
    assert_once(run)
    assert "An attempt at sampling was cut short" in run.report()


def test_the_recipe_runs_unchanged(tmp_path: Path) -> None:
    sets = (
        f"runtime.engine={OURS}", f"runtime.python.sample={VLLM}",
        "runtime.engine_options.enforce_eager=true",
        "runtime.engine_options.kv_cache_memory_bytes=536870912",
    )  # fmt: skip
    done = subprocess.run(
        deimos(tmp_path / "run", *sets), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    check_complete(tmp_path / "run")
    (file,) = (tmp_path / "run").glob("sample-*/completions/*.jsonl")
    assert "vllm/" in json.dumps(file.read_text()[:20000])
