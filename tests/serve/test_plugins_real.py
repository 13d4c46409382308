"""The plug-ins in the programs that they are for: LiteLLM's proxy, vLLM's Semantic Router, vLLM."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest
from tests.engines.environments import LAB, ROOT, VLLM, needs_vllm, neighbour
from tests.serve.running import Upstream, body_of, chat, headers_of, post, serving, status_of

from deimos.models.switch import Switch
from deimos.route.policy import default_policy
from deimos.serve.forward import Forwarder
from deimos.serve.guard import Guard
from deimos.serve.middleware import ThinkingRouter
from deimos.serve.router import Router
from deimos.serve.selftest import examine_upstream
from deimos.serve.vllm_sr import write_router_config

pytestmark = [pytest.mark.real, pytest.mark.timeout(1500)]
LITELLM, VLLM_SR = ROOT / ".venv-litellm", ROOT / ".venv-vllm-sr"
FORM = "Describe a fox in exactly 20 words, all lowercase, no commas. Your entire response must be in lowercase letters."


def needs(folder: Path):
    there = (folder / ".installed").is_file()
    return pytest.mark.skipif(not there, reason=f"no environment: make {folder.name}/.installed")


CONFIG = """model_list:
  - model_name: m
    litellm_params: {{model: hosted_vllm/m, api_base: {url}/v1, api_key: none}}
litellm_settings:
  callbacks: deimos.serve.litellm_hook.hook
  cache: true
  cache_params: {{type: local}}
"""


@contextlib.contextmanager
def litellm_before(url: str, folder: Path):
    """LiteLLM's proxy with the hook, before a server; gives its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "config.yaml"
    config.write_text(CONFIG.format(url=url))
    env = {
        **os.environ, "PYTHONPATH": str(ROOT / "src"), "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    }  # fmt: skip
    command = [
        str(LITELLM / "bin/litellm"),
        "--config",
        str(config),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
        try:
            end = time.monotonic() + 600
            while time.monotonic() < end:
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(
                        f"http://127.0.0.1:{port}/health/liveliness", timeout=5
                    ).close()
                    break
                if process.poll() is not None:
                    log.seek(0)
                    raise AssertionError(log.read().decode()[-3000:])
                time.sleep(0.5)
            yield port
        finally:
            process.terminate()
            process.wait(60)


@needs(LITELLM)
def test_litellm_with_the_hook(tmp_path):
    with Upstream() as upstream, litellm_before(upstream.url, tmp_path) as port:
        upstream.requests.clear()
        first = post(port, chat("What is 17 + 25?"))
        assert status_of(first) == 200 and headers_of(first)["x-deimos-mode"] == "on"
        assert upstream.requests[-1]["chat_template_kwargs"] == {"enable_thinking": True}
        asked = len(upstream.requests)
        time.sleep(1)  # LiteLLM writes its cache after it has answered
        cached = post(port, chat("What is 17 + 25?"))
        assert len(upstream.requests) == asked, "the answer was to come from LiteLLM's cache"
        assert headers_of(cached)["x-deimos-mode"] == "on"
        off = post(port, chat(FORM))
        assert headers_of(off)["x-deimos-mode"] == "off"
        assert headers_of(off)["x-deimos-policy"] == default_policy().identity
        assert upstream.requests[-1]["chat_template_kwargs"] == {"enable_thinking": False}
        own = {"chat_template_kwargs": {"enable_thinking": False}}
        streamed = post(port, chat("What is 17 + 26?", stream=True, **own))
        assert headers_of(streamed)["x-deimos-reason"] == "set by the client"
        assert b"[DONE]" in body_of(streamed)
        wrong = post(port, {**chat("What is 3 + 4?"), "model": "unknown"})
        assert status_of(wrong) == 400 and headers_of(wrong)["x-deimos-mode"] == "on"


@needs(VLLM_SR)
@pytest.mark.parametrize(
    "switch",
    [
        "enable_thinking",
        "thinking",
        "reasoning_effort=medium/low",
        "enable_thinking+reasoning_effort=high/",
        "none",
    ],
)
def test_the_semantic_router_accepts_the_configuration(switch, tmp_path):
    path = tmp_path / "config.yaml"
    text = write_router_config(Router(switch=Switch.parse(switch)), "m", "http://127.0.0.1:8000")
    path.write_text(text)
    command = [str(VLLM_SR / "bin/vllm-sr"), "config", "validate", "--config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


@needs(VLLM_SR)
def test_the_semantic_router_refuses_what_it_does_not_know(tmp_path):
    """Else the test above would show nothing."""
    switch = Switch.parse("enable_thinking")
    text = write_router_config(Router(switch=switch), "m", "http://127.0.0.1:8000")
    path = tmp_path / "config.yaml"
    path.write_text(text.replace("use_reasoning: ", "use_reasons: "))
    command = [str(VLLM_SR / "bin/vllm-sr"), "config", "validate", "--config", str(path)]
    assert subprocess.run(command, capture_output=True, check=False, timeout=600).returncode != 0


@pytest.fixture(scope="module")
def vllm():
    """vLLM's own server with the lab, the middleware inside, and a reasoning parser."""
    server = neighbour("_vllm_server").VLLMServer(
        VLLM, LAB, env={"PYTHONPATH": str(ROOT / "src"), "DEIMOS_SWITCH": "enable_thinking"},
        more=[
            "--middleware", "deimos.serve.middleware.ThinkingRouter", "--reasoning-parser", "qwen3",
            "--served-model-name", "m",
        ],
    )  # fmt: skip
    with server:
        yield server


@needs_vllm
def test_the_middleware_inside_vllm(vllm):
    on = post(vllm.port, chat("What is 17 + 25 - 8?", max_tokens=400, temperature=0))
    assert status_of(on) == 200, on
    message = json.loads(body_of(on))["choices"][0]["message"]
    assert message["reasoning"] and headers_of(on)["x-deimos-mode"] == "on"
    off = post(vllm.port, chat(FORM, max_tokens=64, temperature=0))
    message = json.loads(body_of(off))["choices"][0]["message"]
    assert not message["reasoning"] and message["content"] is not None
    assert headers_of(off)["x-deimos-mode"] == "off"
    broken = post(vllm.port, b"{", accept="application/json")
    assert status_of(broken) == 400 and headers_of(broken)["x-deimos-mode"] == "default"


@needs_vllm
def test_the_self_test_against_vllm(vllm):
    import asyncio

    report = asyncio.run(examine_upstream(vllm.url, Switch.parse("enable_thinking")))
    assert report.models == ("m",) and report.software == "vllm"
    assert not [s for s in report.findings if ", off" in s or ", on" in s], report.findings


@needs_vllm
def test_a_client_that_leaves_the_forwarder_frees_vllms_row(vllm):
    app = Guard(ThinkingRouter(Forwarder(vllm.url), Router()))
    with serving(app) as port:
        body = json.dumps(
            chat("What is 2 + 3?", stream=True, ignore_eos=True, max_tokens=900)
        ).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(head.encode() + body)
            assert client.recv(1 << 16).startswith(b"HTTP/1.1 200")
        end, before = time.monotonic() + 30, -1
        while time.monotonic() < end and vllm.generated() != before:
            before = vllm.generated()
            time.sleep(0.5)
        assert vllm.generated() == before, "vLLM goes on decoding for a client that has left"
