"""The self-test finds what a server ignores, and nothing where it does as told."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.serve.running import Upstream, begin_stream, write, write_chunk

from deimos.models.switch import NO_SWITCH, Switch
from deimos.serve.keys import ServeError
from deimos.serve.selftest import BUDGET_TOKENS, examine_upstream

SWITCH = Switch.parse("enable_thinking")


def make_server(ignores=(), owner="vllm", budget_key="thinking_token_budget", counts=True):
    """A server with a thought of 80 words, less what it ignores."""

    async def answer(server, data, writer):
        if not data:
            cards = [{"id": "m", "owned_by": owner}]
            return await write(
                writer, 200, "application/json", json.dumps({"data": cards}).encode()
            )
        thinks = data["chat_template_kwargs"].get("enable_thinking") or "switch" in ignores
        budget = data.get(budget_key)
        if isinstance(budget, dict):
            budget = budget["thinking_budget"]
        words = ["step"] * (80 if budget is None or "budget" in ignores else budget)
        words = words[: data["max_tokens"]] if thinks and "thought" not in ignores else []
        content = "65" if len(words) < data["max_tokens"] else None
        if "content" in ignores and not words:
            words, content = ["65"], None
        if "answer" in ignores and budget is not None:
            content = None
        thought = " ".join(words)
        if "parser" in ignores and thought:
            thought, content, words = "", f"<think>{thought}</think>{content or ''}", []
        if data["stream"]:
            return await stream(writer, words, content)
        message = {"role": "assistant", "content": content, "reasoning": thought or None}
        usage = {"completion_tokens_details": {"reasoning_tokens": len(words)}} if counts else {}
        body = {"choices": [{"message": message}], "usage": usage}
        await write(writer, 200, "application/json", json.dumps(body).encode())

    return answer


async def stream(writer, words, content):
    await begin_stream(writer)
    for delta in [*({"reasoning": word} for word in words), {"content": content}]:
        await write_chunk(
            writer, f"data: {json.dumps({'choices': [{'delta': delta}]})}\n\n".encode()
        )
    await write_chunk(writer, b"data: [DONE]\n\n")
    writer.write(b"0\r\n\r\n")


def examine(script, switch=SWITCH, **more):
    with Upstream(script) as upstream:
        return asyncio.run(examine_upstream(upstream.url, switch, **more)), upstream


@pytest.mark.parametrize("counts", [True, False])
def test_a_server_that_does_as_told_has_no_findings(counts):
    report, upstream = examine(make_server(counts=counts))
    assert report.findings == () and report.models == ("m",) and report.software == "vllm"
    assert len(upstream.requests) == 7  # models, and three requests with streaming and without


@pytest.mark.parametrize(
    ("owner", "key"), [("sglang", "custom_params"), ("llamacpp", "thinking_budget_tokens")]
)
def test_budgets_have_each_servers_name(owner, key):
    report, _ = examine(make_server(owner=owner, budget_key=key))
    assert report.findings == ()


@pytest.mark.parametrize(
    ("ignored", "mode", "part"),
    [
        ("switch", "off", "enable_thinking is ignored"),
        ("content", "off", "content is null"),
        ("thought", "on", "there is no thought"),
        ("parser", "on", "stands in content"),
        ("budget", "budget", f"thinking_token_budget is ignored: a budget of {BUDGET_TOKENS}"),
        ("answer", "budget", "no answer behind the thought"),
    ],
)
@pytest.mark.parametrize("counts", [True, False])
def test_what_is_ignored_is_said_streaming_and_not(ignored, mode, part, counts):
    report, _ = examine(make_server({ignored}, counts=counts))
    for way in (f"self-test, {mode}: ", f"self-test, {mode}, streaming: "):
        assert any(s.startswith(way) and part in s for s in report.findings), report.findings
    assert all("\n" not in s for s in report.findings)


def test_a_request_that_fails_is_said():
    async def refuse(server, data, writer):
        if not data:
            return await make_server()(server, data, writer)
        await write(writer, 400, "application/json", b'{"error": {"message": "no"}}')

    report, _ = examine(refuse)
    assert len(report.findings) == 6 and all("failed" in s for s in report.findings)


def test_without_a_switch_only_the_models_are_asked_for():
    report, upstream = examine(make_server(), NO_SWITCH)
    assert report.models == ("m",) and len(upstream.requests) == 1


async def no_models(server, data, writer):
    await write(writer, 200, "application/json", b'{"data": []}')


async def no_key(server, data, writer):
    await write(writer, 401, "application/json", b"{}")


@pytest.mark.parametrize("script", [no_models, no_key])
def test_a_server_without_models_is_refused(script):
    with pytest.raises(ServeError, match="gives no models"):
        examine(script)


def test_an_unknown_model_is_refused():
    with pytest.raises(ServeError, match="serves m"):
        examine(make_server(), model="other")


def test_a_server_that_is_not_there_is_refused():
    with pytest.raises(ServeError, match="gives no models"):
        asyncio.run(examine_upstream("http://127.0.0.1:1", SWITCH))
