"""The openai engine over vLLM's own servers, which are killed and started again."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.engines.environments import (
    LAB,
    VLLM,
    check_complete,
    decode,
    deimos,
    needs_vllm,
    neighbour,
    request,
)

from deimos.models.end_of_turn import eos_ids_of
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef

pytestmark = [pytest.mark.real, pytest.mark.timeout(3600), needs_vllm]
HERE = Path(sys.executable)
TOGETHER = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"}
"""Two servers on a small machine: bound, both would sit on one core."""


@pytest.fixture(scope="module")
def servers() -> Iterator[list[Any]]:
    made = [
        neighbour("_vllm_server").VLLMServer(VLLM, LAB, more=["--max-num-seqs", "64"], env=TOGETHER)
        for _ in range(2)
    ]
    try:
        for server in made:
            server.begin()
        for server in made:
            server.wait()
        yield made
    finally:
        for server in made:
            server.kill()


def sets(*urls: str, **more: Any) -> list[str]:
    options = {"urls": [*urls], "seeds": False, "concurrency": 32, "probe_every": 1, **more}
    named = [f"runtime.engine_options.{key}={json.dumps(value)}" for key, value in options.items()]
    return ["runtime.engine=openai", *named]


def nobody() -> str:
    """A URL where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


def test_the_end_of_turn_is_among_the_ids(servers: list[Any]) -> None:
    tokenizer = load_tokenizer(ModelRef(LAB))
    ends = eos_ids_of(tokenizer, ModelRef(LAB))
    asked = request("local", source={"name": "lab", "take": 1, "options": {"steps": [4]}})
    prompt = neighbour("_decode").jobs_of(asked, tokenizer)[0].prompt_ids
    body = {
        "model": LAB, "prompt": list(prompt), "max_tokens": 512, "temperature": 0.0, "stream": True,
        "return_token_ids": True, "stop_token_ids": sorted(ends), "skip_special_tokens": False,
    }  # fmt: skip
    sent = urllib.request.Request(
        f"{servers[0].url}/completions", json.dumps(body).encode(),
        {"content-type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(sent) as answer:
        events = [json.loads(x[6:]) for x in answer if x.startswith(b"data: {")]
    choices = [event["choices"][0] for event in events if event["choices"]]
    ids = [i for choice in choices for i in choice["token_ids"]]
    assert choices[-1]["finish_reason"] == "stop"
    assert ids[-1] in ends and not ends & {*ids[:-1]}


def test_greedy_is_what_the_local_engine_says(servers: list[Any]) -> None:
    options = {"urls": [server.url for server in servers], "seeds": False}
    asked = request("openai", runtime={"engine_options": options})
    ours, local = decode(HERE, asked), decode(HERE, request("local"))
    assert ours["name"].startswith("openai/vllm-")
    assert ours["capabilities"] == {
        "seeds": False, "token_ids": True, "resumes": True, "streams": True,
    }  # fmt: skip
    pairs = list(zip(ours["rows"], local["rows"], strict=True))
    assert sum(x["ids"] == y["ids"] for x, y in pairs) / len(pairs) >= 0.95
    # A busy server puts several tokens into one chunk; a thought that closes in the last one is told by
    # Done. Later checkpoints of a slow row say again that its thought has closed.
    assert 0 < ours["progress"] <= len(pairs)
    told = ours["facts"]["servers"]
    assert [s["state"] for s in told] == ["up", "up"]
    assert all(s["requests"] > 0 == s["faults"] for s in told)


def test_a_race_over_one_server_stops_the_outpaced(servers: list[Any], tmp_path: Path) -> None:
    before = servers[0].generated()
    run(tmp_path / "run", sets(servers[0].url))
    record = check_complete(tmp_path / "run")
    dev = sum(len(row["completion_ids"]) for row in rows_of(tmp_path / "run", "dev.jsonl"))
    decoded = servers[0].generated() - before - dev
    kept = record["counts"]["decoded_tokens"]
    # What the server decoded until it saw a stream closed is lost, and little.
    assert kept <= decoded <= 1.2 * kept + 100


def test_one_of_two_is_dead_from_the_start(servers: list[Any], tmp_path: Path) -> None:
    run(tmp_path / "run", sets(servers[0].url, nobody()))
    check_complete(tmp_path / "run")


def test_one_is_killed_and_started_again(servers: list[Any], tmp_path: Path) -> None:
    one, two = servers
    command = deimos(tmp_path / "run", *sets(one.url, two.url), until="select")
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
        while not rows_of(tmp_path / "run", "completions/*.jsonl"):
            assert process.poll() is None, (tmp_path / "said").read_text()
            time.sleep(0.05)
        two.kill()
        before = one.generated()
        while one.generated() == before:
            assert process.poll() is None, "the kill came too late to matter"
            time.sleep(0.05)
        two.start()
        assert process.wait() == 0, (tmp_path / "said").read_text()
    check_complete(tmp_path / "run")
    assert f"server {two.url}" in (tmp_path / "said").read_text()


def run(out: Path, chosen: list[str]) -> None:
    done = subprocess.run(deimos(out, *chosen), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]


def rows_of(out: Path, pattern: str) -> list[dict[str, Any]]:
    """Rows of a sample stage's journals, as far as they have come."""
    from deimos.store.journal import read

    return [row for path in out.glob(f"sample-*/{pattern}") for row in read(path)]
