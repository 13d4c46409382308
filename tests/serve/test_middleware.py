"""What the middleware writes into requests and answers."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
from typing import Any

import pytest

from deimos.models.switch import ENABLE_THINKING, NO_SWITCH, Switch
from deimos.route.policy import LinearModel, Policy, Stratum, default_policy, write_policy
from deimos.serve import middleware
from deimos.serve.http import CHAT, COMPLETIONS, read_body, send_json
from deimos.serve.middleware import ThinkingRouter
from deimos.serve.router import CLIENT, Router


def strict(name: str = "test", because: str = "a count of words is asked for") -> Policy:
    """A policy by which whatever asks for a count of words goes OFF."""
    rules = {"counted": (0.0, 40.0, 0.0, 0.0), "formula": (40.0, 0.0, 0.0, 0.0)}
    recogniser = LinearModel((0.0,) * 4, rules, {})
    return Policy(name, "", recogniser, [Stratum("format", None, 0.125, because)], -0.06)


def call(router, body, path=CHAT, method="POST", app=None, pieces=1):
    """What the app behind got, and the messages that were sent."""
    got: dict[str, Any] = {}
    sent: list[Any] = []
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    cuts = [
        raw[i : i + max(1, len(raw) // pieces)]
        for i in range(0, len(raw), max(1, len(raw) // pieces))
    ] or [b""]
    queue = [
        {"type": "http.request", "body": cut, "more_body": i < len(cuts) - 1}
        for i, cut in enumerate(cuts)
    ]

    async def echo(scope, receive, send):
        got["raw"] = await read_body(receive, 1 << 30)
        got["scope"] = scope
        await send_json(send, 200, {}, [(b"x-deimos-mode", b"stale")])

    async def receive():
        return queue.pop(0) if queue else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    headers = [(b"content-length", str(len(raw)).encode()), (b"host", b"localhost")]
    scope = {"type": "http", "method": method, "path": path, "headers": headers, "root_path": ""}
    wrapped = ThinkingRouter(app or echo, **router)
    asyncio.run(wrapped(scope, receive, send))
    got["headers"] = [*sent[0]["headers"]]
    return got, sent


def ours(got):
    """Our headers of an answer, each there once."""
    found = [(k.decode(), v.decode()) for k, v in got["headers"] if k.startswith(b"x-deimos-")]
    assert len(found) == 4
    return {k.removeprefix("x-deimos-"): v for k, v in found}


def told(switch=ENABLE_THINKING, sampling=None):
    return {"router": Router(strict(), switch), "sampling": sampling or {}}


def chat(text, **more):
    return {"messages": [{"role": "user", "content": text}], **more}


def test_the_mode_is_written_into_requests_that_leave_it_open():
    got, _ = call(told(), chat("in 20 words", model="m"))
    assert json.loads(got["raw"])["chat_template_kwargs"] == {"enable_thinking": False}
    assert ours(got) == {
        "mode": "off", "reason": "strict format (1.00): a count of words is asked for", "margin": "0.1250",
        "policy": strict().identity,
    }  # fmt: skip
    got, _ = call(told(), chat("2 + 2", chat_template_kwargs={"preserve_thinking": True}))
    kwargs = {"enable_thinking": True, "preserve_thinking": True}
    assert json.loads(got["raw"])["chat_template_kwargs"] == kwargs
    assert ours(got)["mode"] == "on"


@pytest.mark.parametrize(
    ("set_by_client", "mode"),
    [
        ({"chat_template_kwargs": {"enable_thinking": True}}, "on"),
        ({"chat_template_kwargs": {"enable_thinking": False}}, "off"),
        ({"chat_template_kwargs": {"thinking": False}}, "off"),
        ({"reasoning_effort": "none"}, "off"),
        ({"reasoning_effort": "high"}, "on"),
    ],
)
@pytest.mark.parametrize("text", ["in 20 words", "2 + 2"])
def test_what_the_client_sets_wins(text, set_by_client, mode):
    body = chat(text, **set_by_client)
    got, _ = call(told(), body)
    assert json.loads(got["raw"]) == body
    assert (ours(got)["mode"], ours(got)["reason"]) == (mode, CLIENT)


def test_levels_of_effort_are_written_as_the_template_names_them():
    got, _ = call(told(Switch.parse("reasoning_effort=medium/low")), chat("in 20 words"))
    assert json.loads(got["raw"])["chat_template_kwargs"] == {"reasoning_effort": "low"}


def test_without_a_switch_nothing_is_written():
    raw = json.dumps(chat("in 20 words")).encode() + b"  "
    got, _ = call(told(NO_SWITCH), raw)
    assert got["raw"] == raw
    assert ours(got)["mode"] == "default" and "no switch" in ours(got)["reason"]


def test_sampling_is_filled_in_where_it_is_open():
    sampling = {"temperature": 0.6, "top_p": 0.95, "max_tokens": 900, "thinking_token_budget": 300}
    got, _ = call(told(sampling=sampling), chat("2 + 2", temperature=0, top_p=None))
    sent = json.loads(got["raw"])
    assert (sent["temperature"], sent["top_p"], sent["max_tokens"]) == (0, 0.95, 900)
    assert sent["thinking_token_budget"] == 300
    got, _ = call(told(sampling=sampling), chat("in 20 words", max_completion_tokens=5))
    sent = json.loads(got["raw"])
    assert "max_tokens" not in sent and "thinking_token_budget" not in sent
    got, _ = call(told(sampling=sampling), {"prompt": "x"}, COMPLETIONS)
    sent = json.loads(got["raw"])
    assert "chat_template_kwargs" not in sent and sent["temperature"] == 0.6
    assert ours(got)["mode"] == "default"


def test_the_length_is_that_of_the_new_body_also_if_it_came_in_pieces():
    got, _ = call(told(), chat("in 20 words, please"), pieces=7)
    lengths = [v for k, v in got["scope"]["headers"] if k == b"content-length"]
    assert lengths == [str(len(got["raw"])).encode()]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b"\xff\xfe", b"null", b"[" * 200_000], ids=range(6)
)
def test_what_cannot_be_read_passes_as_it_is(body):
    got, _ = call(told(), body)
    assert got["raw"] == body
    assert ours(got)["mode"] == "default"


@pytest.mark.parametrize(
    "messages",
    [
        None,
        3,
        [],
        [3],
        [{}],
        [{"content": 3}],
        [{"role": "user", "content": [{"type": "text", "text": "words"}]}],
    ],
)
def test_messages_of_any_shape_pass(messages):
    got, _ = call({"router": Router(), "sampling": {}}, {"messages": messages})
    assert json.loads(got["raw"])["messages"] == messages
    assert ours(got)["mode"] in ("on", "off")


def test_a_large_body_passes_whole(monkeypatch):
    monkeypatch.setattr(middleware, "BODY", 100)
    raw = json.dumps(chat("words " * 100)).encode()
    got, _ = call(told(), raw, pieces=5)
    assert got["raw"] == raw
    assert ours(got)["mode"] == "default"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/models"), ("POST", "/tokenize"), ("GET", CHAT)]
)
def test_other_requests_pass_and_are_marked(method, path):
    raw = b'{"messages": []}'
    got, _ = call(told(), raw, path, method)
    assert got["raw"] == raw and ours(got)["mode"] == "default"


def test_a_failing_app_is_answered_for_and_marked():
    async def fail(scope, receive, send):
        raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"):
        call(told(), chat("in 20 words"), app=fail)
    sent: list[Any] = []

    async def receive():
        return {"type": "http.request", "body": b'{"messages": []}', "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": CHAT, "headers": [], "root_path": ""}
    with pytest.raises(RuntimeError):
        asyncio.run(ThinkingRouter(fail, **told())(scope, receive, send))
    assert sent[0]["status"] == 500
    assert (b"x-deimos-mode", b"on") in sent[0]["headers"]
    assert json.loads(sent[1]["body"])["error"]["code"] == 500


def test_the_decision_is_logged_and_the_prompt_is_not(caplog):
    caplog.set_level(logging.INFO, "deimos.serve")
    call(told(), chat("a secret in 20 words", model="m\nmode=on"))
    assert "mode=off" in caplog.text and "secret" not in caplog.text
    assert "\nmode=on" not in caplog.text
    caplog.set_level(logging.DEBUG, "deimos.serve")  # deimos serve --log-prompts
    call(told(), chat("a secret in 20 words"))
    assert "a secret in 20 words" in caplog.text


def test_no_header_can_hold_a_second_line():
    bad = Router(strict("ü\n", "two\r\nset-cookie: x=1 ü"))
    got, _ = call({"router": bad, "sampling": {}}, chat("in 20 words"))
    assert ours(got)["reason"] == "strict format (1.00): two??set-cookie: x=1 ?"


LOCKED = """version: 1
tuned:
  decoding: {temperature: 0.6, top_p: 0.9, top_k: 0, max_tokens: 700}
  think_budget: 256
base:
  decoding: {temperature: 1.0}
  think_budget: null
"""


def test_the_environment_says_what_arguments_would(monkeypatch, tmp_path):
    path = tmp_path / "locked.yaml"
    path.write_text(LOCKED)
    monkeypatch.setenv("DEIMOS_LOCKED", str(path))
    monkeypatch.setenv("DEIMOS_SWITCH", "thinking")
    write_policy(tmp_path / "policy.json", strict("of-a-run"))
    monkeypatch.setenv("DEIMOS_POLICY", str(tmp_path / "policy.json"))
    got, _ = call({}, chat("2 + 2", temperature=0.1))
    sent = json.loads(got["raw"])
    assert sent["chat_template_kwargs"] == {"thinking": True}
    assert (sent["temperature"], sent["top_p"], sent["top_k"]) == (0.1, 0.9, -1)
    assert (sent["max_tokens"], sent["thinking_token_budget"]) == (700, 256)
    assert ours(got)["policy"] == strict("of-a-run").identity
    monkeypatch.delenv("DEIMOS_POLICY")
    got, _ = call({}, chat("2 + 2"))
    assert ours(got)["policy"] == default_policy().identity


@pytest.mark.parametrize(("model", "text", "sent"), [
    ("tuned", "x = 2", "plain"), ("tuned", "hello", "tuned"), ("other", "x = 2", "other"),
])  # fmt: skip
def test_where_the_adapter_loses_the_base_answers(monkeypatch, model, text, sent):
    policy = dataclasses.replace(
        strict(), base=[Stratum("reasoning", None, 0.1, "the base is more accurate")]
    )
    router = {"router": Router(policy), "sampling": {}}
    got, _ = call(router, chat(text, model=model))
    assert json.loads(got["raw"])["model"] == model, "only if the server's two names are given"
    monkeypatch.setenv("DEIMOS_BASE", "tuned=plain")
    got, _ = call(router, chat(text, model=model))
    assert json.loads(got["raw"])["model"] == sent


def test_inside_vllm_the_switch_is_that_of_the_served_template(tmp_path, monkeypatch):
    """vLLM keeps its arguments in the app's state; the class is given the app alone."""
    monkeypatch.delenv("DEIMOS_SWITCH", raising=False)
    template = "{{ messages[0].content }}{% if thinking %}<think>{% endif %}"
    (tmp_path / "chat_template.jinja").write_text(template)

    class Args:
        model, tokenizer = str(tmp_path), None

    class App:
        class state:
            args = Args

    got: dict[str, Any] = {}

    async def echo(scope, receive, send):
        got["raw"] = await read_body(receive, 1 << 20)
        await send_json(send, 200, {})

    async def receive():
        return {
            "type": "http.request",
            "body": json.dumps(chat("2 + 2")).encode(),
            "more_body": False,
        }

    async def send(message):
        pass

    scope = {"type": "http", "method": "POST", "path": CHAT, "headers": [], "app": App}
    asyncio.run(ThinkingRouter(echo)(scope, receive, send))
    assert json.loads(got["raw"])["chat_template_kwargs"] == {"thinking": True}
