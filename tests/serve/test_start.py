"""`deimos serve` as a process: start, requests, the end; and what it refuses before it loads a model."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
import yaml
from tests.serve.running import Upstream
from tests.serve.test_selftest import make_server

from deimos.cli.main import main
from deimos.planning.arguments import recipe_file
from deimos.recipe import RecipeError
from deimos.route.policy import PolicyError, default_policy, write_policy
from deimos.serve.target import find_target
from deimos.thinking import Tags

SAID: dict[str, list[str]] = {}
"""What a server printed before it served, by its address."""
ASK = [{"role": "user", "content": "What is 17 + 25 - 8?"}]


@contextmanager
def started(*arguments: str, **environment: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server process; its address is read from what it prints."""
    command = [sys.executable, "-m", "deimos.cli.main", "serve", *arguments, "--port", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        url, said = "", []
        for line in process.stdout:
            said.append(line.strip())
            if line.startswith("serving "):
                url = line.partition(" at ")[2].partition("/v1")[0]
                break
        SAID[url] = said
        assert url, process.stderr.read() if process.stderr else ""
        yield url, process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def refused(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """The one sentence with which the command ends, in this process."""
    monkeypatch.delenv("DEIMOS_KEYS", raising=False)

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["deimos", "serve", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 2
        (line,) = capfd.readouterr().err.strip().splitlines()
        return line

    return run


def ask(url: str, **body: object) -> httpx2.Response:
    body = {"messages": ASK, "temperature": 0, **body}
    return httpx2.post(f"{url}/v1/chat/completions", json=body, timeout=120)


def test_the_lab_is_served_and_forwarded_and_drained():
    with started("lab") as (url, process), started("--upstream", url) as (before, _):
        assert "self-test: the upstream server honours all that was tried" in SAID[before]
        direct, forwarded = ask(url), ask(before)
        assert direct.json()["choices"] == forwarded.json()["choices"]
        assert direct.json()["choices"][0]["message"]["content"]
        for answer in (direct, forwarded):
            assert answer.headers["x-deimos-mode"] == "on" and answer.headers["x-deimos-policy"]
        off = ask(before, chat_template_kwargs={"enable_thinking": False})
        assert off.headers["x-deimos-mode"] == "off"
        assert off.headers["x-deimos-reason"] == "set by the client"
        assert off.json()["choices"][0]["message"]["reasoning"] is None
        assert httpx2.get(f"{url}/").headers["content-type"].startswith("text/html")
        usage = off.json()["usage"]
        metrics = httpx2.get(f"{before}/metrics").text
        assert 'deimos_decisions_total{mode="off"} 1.0' in metrics
        assert 'deimos_requests_total{path="/v1/chat/completions",status="200"} 2.0' in metrics
        thought = direct.json()["usage"]["completion_tokens_details"]["reasoning_tokens"]
        assert f'deimos_think_tokens_total{{model="upstream"}} {thought}.0' in metrics
        answered = usage["completion_tokens"]
        answered += direct.json()["usage"]["completion_tokens"] - thought
        assert f'deimos_answer_tokens_total{{model="upstream"}} {answered}.0' in metrics
        with httpx2.stream(
            "POST", f"{url}/v1/chat/completions",
            json={"messages": ASK, "stream": True, "temperature": 0}, timeout=120,
        ) as stream:  # fmt: skip
            lines = stream.iter_lines()
            next(lines)
            process.send_signal(signal.SIGTERM)
            rest = [line for line in lines if line]
        assert rest[-1] == "data: [DONE]", "what runs is finished"
        finish = json.loads(rest[-2].removeprefix("data: "))["choices"][0]["finish_reason"]
        assert finish == "stop"
        assert process.wait(60) == 0
        assert ask(before).status_code == 503, "the upstream server is gone"


def test_keys_are_asked_for():
    with started("lab", "--host", "0.0.0.0", DEIMOS_KEYS="one-long-key") as (url, _):
        url = url.replace("0.0.0.0", "127.0.0.1")
        assert ask(url).status_code == 401
        assert httpx2.get(f"{url}/health").status_code == 200
        answer = httpx2.get(f"{url}/v1/models", headers={"authorization": "Bearer one-long-key"})
        assert answer.json()["data"][0]["id"] == "lab"


def test_what_an_upstream_server_ignores_is_said_at_start():
    with (
        Upstream(make_server({"switch"})) as upstream,
        started("--upstream", upstream.url) as (url, _),
    ):
        ignored = [line for line in SAID[url] if line.startswith("self-test")]
        assert all("enable_thinking is ignored" in line for line in ignored) and len(ignored) == 2
        unknown = httpx2.post(f"{url}/v1/chat/completions", json={"model": "x", "messages": ASK})
        assert unknown.status_code == 404 and "served here: m" in unknown.text


def test_the_policy_is_written_for_another_router(capsys, monkeypatch):
    words = ["deimos", "serve", "lab", "--emit", "vllm-sr", "--upstream", "http://10.0.0.1:8000"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    config = yaml.safe_load(capsys.readouterr().out)
    (model,) = config["providers"]["models"]
    assert model["name"] == "lab" and model["backend_refs"][0]["endpoint"] == "10.0.0.1:8000"
    assert model["reasoning"]["parameter"] == "enable_thinking"


def test_what_cannot_be_served_is_said_before_a_model_is_loaded(tmp_path, refused):
    assert "--host" in refused("lab", "--host", "0.0.0.0")
    assert "say what to serve" in refused()
    assert "neither a run folder" in refused(str(tmp_path))
    assert "no such folder" in refused("./nothing")
    assert "--upstream" in refused("--upstream", "ftp://x")
    assert "gives no models" in refused("--upstream", "http://127.0.0.1:9")
    assert "must be vllm-sr" in refused("lab", "--emit", "yaml")
    assert "model.id" in refused("lab", "--set", "model.id=x")
    assert "runtime.engine" in refused("lab", "--set", "runtime.engine=3")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert port in refused("lab", "--port", port)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder in which nothing has run yet."""
    folder = tmp_path / "terse"
    folder.mkdir()
    (folder / "recipe.yaml").write_bytes(recipe_file("lab").read_bytes())
    return folder


def test_a_run_is_served_as_it_ships(run):
    found = find_target(str(run), ["bench.budget=77", "bench.locked.temperature=0.5"])
    assert found.name == "base" and found.tags == Tags()
    assert found.defaults.sampling.temperature == 0.5
    assert found.defaults.sampling.max_tokens == 77
    assert found.ref.adapter is None and "no trained adapter" in found.notes[0]
    clustered = find_target(str(run), ["runtime.cluster={address: local}"])
    assert any("cluster" in note for note in clustered.notes)
    assert found.sampling()["max_tokens"] == 77 and found.sampling()["top_k"] == -1


def test_a_run_is_routed_by_its_own_policy_and_its_own_switch(run):
    folder = run / "route-00000000"
    folder.mkdir()
    own = dataclasses.replace(default_policy(), name="terse")
    write_policy(folder / "policy.json", own)
    record = {"stage": "route", "number": 1, "inputs": {}}
    (folder / "record.json").write_text(json.dumps(record))
    found = find_target(str(run), ["model.thinking_key=deep_mode"])
    router = found.router("{{ '<think>' if deep_mode else '</think>' }}")
    assert router.policy.identity == own.identity and str(router.switch) == "deep_mode"
    assert str(found.router(None).switch) == "enable_thinking"
    assert not find_target(str(run), ["model.thinking=false", "sweep=null"]).trained_off, (
        "its policy knows better"
    )
    (folder / "policy.json").write_text("{}")
    with pytest.raises(PolicyError, match=r"policy\.json"):
        find_target(str(run))


def test_a_run_that_is_not_there_is_named_beside_those_that_are(run):
    with pytest.raises(RecipeError, match=r"no such run; .* has terse"):
        find_target(str(run.with_name("tersw")))


def test_a_run_without_thoughts_is_served_without(run):
    asked = [{"role": "user", "content": "What is 3 + 4 * 5?"}]
    template = "{{ '<think>' if enable_thinking else '</think>' }}"
    for thinking, mode in ((False, "off"), (True, "on")):
        found = find_target(str(run), [f"model.thinking={json.dumps(thinking)}", "sweep=null"])
        for known in (template, None):
            assert found.router(known).decide(asked, {}).mode == mode


def test_a_model_is_decoded_as_it_recommends(tmp_path):
    lab = Path(find_target("lab").ref.path)
    for file in lab.iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "generation_config.json").unlink()
    config = {"temperature": 0.6, "top_p": 0.95, "top_k": 20, "do_sample": True}
    (tmp_path / "generation_config.json").write_text(json.dumps(config))
    found = find_target(str(tmp_path), ["runtime.threads=1"])
    sampling = found.defaults.sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k) == (0.6, 0.95, 20)
    assert sampling.max_tokens == 1024 and found.runtime.threads == 1
    assert found.name == tmp_path.name
    assert found.sampling() == {}, "another server knows them itself"


def test_a_model_without_tags_has_no_thought(tmp_path):
    lab = Path(find_target("lab").ref.path)
    for file in lab.iterdir():
        if file.name != "chat_template.jinja":
            (tmp_path / file.name).symlink_to(file)
    (tmp_path / "chat_template.jinja").write_text("{{ messages[0].content }}")
    assert find_target(str(tmp_path)).tags is None
    assert find_target(str(tmp_path), tags=Tags("<t>", "</t>")).tags == Tags("<t>", "</t>")


def test_only_what_a_model_has_can_be_set():
    with pytest.raises(RecipeError, match="bench"):
        find_target("lab", ["bench.budget=3"])
