"""The app over the lab model, on real sockets."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from tests.serve.running import serving

from deimos.chat_template import TemplateArguments
from deimos.engines.base import Key
from deimos.engines.collect import Request, collect
from deimos.lab.source import lab
from deimos.serve import guard
from deimos.serve.app import make_app
from deimos.serve.bodies import ChatBody
from deimos.serve.completions import ask_chat
from deimos.serve.keys import Keys
from deimos.serve.metrics import ServingMetrics
from deimos.serve.models import ServedModel
from deimos.thinking import Shape, Tags, render, split
from deimos.types import Prompt, Sampling

ASK = [{"role": "user", "content": lab(take=1, seed=0, split="test")[0].messages[-1]["content"]}]


def ask(url: str, path: str = "/v1/chat/completions", **body: Any) -> httpx2.Response:
    body = {"messages": ASK, **body} if "chat" in path else body
    return httpx2.post(f"{url}{path}", json=body, timeout=60)


def answer(url: str, **body: Any) -> dict[str, Any]:
    found = ask(url, **body)
    assert found.status_code == 200, found.text
    return found.json()


def events(url: str, path: str = "/v1/chat/completions", **body: Any) -> list[Any]:
    text = ask(url, path, stream=True, **body).text
    lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def joined(chunks: list[Any], field: str, index: int = 0) -> str:
    choices = [c for chunk in chunks for c in chunk["choices"] if c["index"] == index]
    return "".join(choice["delta"].get(field) or "" for choice in choices)


def greedy(model: ServedModel, thinking: bool, budget: int = 512) -> Any:
    """What the engine gives, asked as a benchmark asks it."""
    prompt = Prompt.of(task="t", kind="math", messages=ASK, reference="1")
    rendered = render(model.tokenizer, ASK, tags=Tags(), thinking=thinking)
    request = Request(prompt, rendered, 0, 0, Sampling(temperature=0, max_tokens=budget))

    async def main() -> Any:
        engine: Any = model.thread.engine
        while engine._call is not None:  # the server has not left it yet
            await asyncio.sleep(0.01)
        (found,) = [c async for c in collect(engine, model.tokenizer, model.eos_ids, [request])]
        return found

    return asyncio.run(main())


@pytest.mark.parametrize("thinking", [True, False])
def test_a_greedy_answer_is_the_benchmarks(lab_model, lab_server, thinking):
    expected = greedy(lab_model, thinking)
    reply = answer(lab_server, chat_template_kwargs={"enable_thinking": thinking})
    message = reply["choices"][0]["message"]
    assert message["content"] == expected.answer and expected.answer
    assert message["reasoning"] == (expected.think or None)
    assert bool(message["reasoning"]) == thinking
    assert reply["usage"]["completion_tokens"] == len(expected.completion_ids)
    details = reply["usage"]["completion_tokens_details"]
    assert details["reasoning_tokens"] == expected.think_tokens
    assert reply["choices"][0]["finish_reason"] == "stop"
    chunks = events(lab_server, chat_template_kwargs={"enable_thinking": thinking})
    assert joined(chunks, "content") == expected.answer
    assert joined(chunks, "reasoning") == expected.think
    assert len(chunks) > 3, "it came in one piece"
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_effort_none_is_thinking_off(lab_server):
    message = answer(lab_server, reasoning_effort="none")["choices"][0]["message"]
    assert message["reasoning"] is None and message["content"]


@pytest.mark.parametrize("body", [{"reasoning_effort": "none"}, {"thinking_token_budget": 0}])
def test_no_thought_is_asked_for_as_the_template_turns_it_off(lab_model, body):
    tokenizer = copy.deepcopy(lab_model.tokenizer)
    tokenizer.chat_template = tokenizer.chat_template.replace("enable_thinking", "deliberate")
    model = dataclasses.replace(
        lab_model, tokenizer=tokenizer, template=TemplateArguments(thinking_key="deliberate")
    )
    for own in ({}, {"chat_template_kwargs": {"other": 1}}):
        (rendered,) = ask_chat(
            ChatBody.model_validate({"messages": ASK, **body, **own}), model
        ).prompts
        assert rendered.shape is Shape.SHUT
    (rendered,) = ask_chat(ChatBody(messages=ASK, thinking_token_budget=1), model).prompts
    assert rendered.shape is Shape.FREE


def test_usage_stands_in_a_stream_if_asked_for(lab_server):
    chunks = events(lab_server, stream_options={"include_usage": True}, max_tokens=9)
    assert chunks[-1]["choices"] == []
    usage = chunks[-1]["usage"]
    assert usage["completion_tokens"] == 9
    assert usage["total_tokens"] == usage["prompt_tokens"] + 9
    assert "usage" not in events(lab_server, max_tokens=9)[-1]


def test_ids_are_given_if_asked_for(lab_model, lab_server):
    expected = list(greedy(lab_model, True).completion_ids)
    assert answer(lab_server, return_token_ids=True)["choices"][0]["token_ids"] == expected
    chunks = events(lab_server, return_token_ids=True)
    assert [c["choices"][0].get("token_ids") for c in chunks] == [None] * (len(chunks) - 1) + [
        expected
    ]
    text = ask(lab_server, "/v1/completions", prompt="12 + 5", max_tokens=3, return_token_ids=True)
    assert len(text.json()["choices"][0]["token_ids"]) == 3
    assert "token_ids" not in answer(lab_server)["choices"][0]


def test_tokens_so_far_stand_beside_every_text_if_asked_for(lab_server):
    options = {"include_usage": True, "continuous_usage_stats": True}
    chunks = events(lab_server, stream_options=options)
    counts = [chunk["usage"]["completion_tokens"] for chunk in chunks]
    assert counts == sorted(counts) and counts[0] < counts[len(counts) // 2] < counts[-1]
    last, total = chunks[-2]["usage"], chunks[-1]["usage"]
    assert last == total and total["completion_tokens_details"]["reasoning_tokens"] > 0


def test_a_thought_that_is_cut_has_no_content(lab_server):
    choice = answer(lab_server, max_tokens=9)["choices"][0]
    assert choice["message"]["content"] is None and choice["message"]["reasoning"]
    assert choice["finish_reason"] == "length"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("budget", [0, 1, 2, 3, 5, 20])
def test_a_budget_closes_the_thought_and_an_answer_comes(lab_server, budget, stream):
    if stream:
        chunks = events(
            lab_server, thinking_token_budget=budget, stream_options={"include_usage": True}
        )
        content, usage = joined(chunks, "content"), chunks[-1]["usage"]
        finish = chunks[-2]["choices"][0]["finish_reason"]
    else:
        reply = answer(lab_server, thinking_token_budget=budget)
        content, usage = reply["choices"][0]["message"]["content"], reply["usage"]
        finish = reply["choices"][0]["finish_reason"]
    assert content and finish == "stop" and "think>" not in content
    assert usage["completion_tokens_details"]["reasoning_tokens"] == budget


def test_the_thought_is_left_out_if_not_wanted(lab_server):
    assert answer(lab_server, include_reasoning=False)["choices"][0]["message"]["reasoning"] is None
    assert joined(events(lab_server, include_reasoning=False), "reasoning") == ""


def test_several_choices_and_seeds(lab_server):
    wanted = {"n": 4, "temperature": 1.0, "seed": 11, "max_tokens": 40}
    first, again = (answer(lab_server, **wanted)["choices"] for _ in range(2))
    texts = [choice["message"]["reasoning"] for choice in first]
    assert [c["index"] for c in first] == [0, 1, 2, 3] and len({*texts}) == 4
    assert texts == [choice["message"]["reasoning"] for choice in again]
    chunks = events(lab_server, **wanted)
    assert [joined(chunks, "reasoning", i) for i in range(4)] == texts
    other = answer(lab_server, **{**wanted, "seed": -12})["choices"]
    assert texts != [choice["message"]["reasoning"] for choice in other]
    unseeded = {**wanted, "seed": None}
    assert answer(lab_server, **unseeded)["choices"] != answer(lab_server, **unseeded)["choices"]


@pytest.mark.parametrize("stream", [True, False])
def test_a_stop_text_ends_the_answer_and_not_the_thought(lab_server, stream):
    whole = answer(lab_server)["choices"][0]["message"]
    stop = whole["content"][2:5]
    assert stop and stop in whole["content"]
    if stream:
        chunks = events(lab_server, stop=[stop, "never in it"])
        content, thought = joined(chunks, "content"), joined(chunks, "reasoning")
    else:
        message = answer(lab_server, stop=stop)["choices"][0]["message"]
        content, thought = message["content"], message["reasoning"]
    assert content == whole["content"][: whole["content"].index(stop)]
    assert thought == whole["reasoning"]


def test_tools_reach_the_template_untouched(lab_model, lab_server):
    own = lab_model.tokenizer.chat_template
    tools = [{"type": "function", "function": {"name": "add", "parameters": {"b": 1, "a": 2}}}]
    calls = [{"id": "1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}]
    messages = [
        *ASK,
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "content": "3", "tool_call_id": "1"},
    ]
    probe = (
        "{{- tools | tojson if tools else '' }}{{ messages[1].tool_calls | tojson }}"
        "{{ messages[2].tool_call_id }}"
    )
    lab_model.tokenizer.chat_template = probe + own
    try:
        length = {
            choice: answer(
                lab_server, messages=messages, tools=tools, tool_choice=choice, max_tokens=1
            )["usage"]["prompt_tokens"]
            for choice in ("auto", "none")
        }
        prompt = lab_model.render(messages, {"tools": tools}).text
    finally:
        lab_model.tokenizer.chat_template = own
    assert json.dumps(calls) in prompt and json.dumps(tools) in prompt
    assert length["auto"] > length["none"]


def test_parts_of_text_are_put_together(lab_server):
    text = ASK[0]["content"]
    parts = [{"type": "text", "text": text[:7]}, {"type": "text", "text": text[7:]}]
    reply = answer(lab_server, messages=[{"role": "user", "content": parts}])
    assert reply["choices"][0]["message"] == answer(lab_server)["choices"][0]["message"]


def test_texts_are_continued_as_they_are(lab_model, lab_server):
    rendered = render(lab_model.tokenizer, ASK, tags=Tags(), thinking=True)
    expected = greedy(lab_model, True)
    path = "/v1/completions"
    for prompt in (rendered.text, list(rendered.ids)):
        reply = ask(lab_server, path, prompt=prompt, max_tokens=512).json()
        text = reply["choices"][0]["text"]
        assert split(text, rendered.shape, Tags()).answer == expected.answer
        chunks = events(lab_server, path, prompt=prompt, max_tokens=512)
        assert "".join(c["text"] for chunk in chunks for c in chunk["choices"]) == text
    reply = ask(lab_server, path, prompt=[rendered.text, "1 + 1"], n=2, max_tokens=4).json()
    assert [c["index"] for c in reply["choices"]] == [0, 1, 2, 3]
    assert reply["usage"]["completion_tokens"] == 16
    one = [
        ask(lab_server, path, prompt=p, max_tokens=1).json()["usage"]["prompt_tokens"]
        for p in (rendered.text, "1 + 1")
    ]
    assert reply["usage"]["prompt_tokens"] == sum(one)


def test_models_health_and_unknown_paths(lab_server):
    models = httpx2.get(f"{lab_server}/v1/models").json()["data"]
    assert [(m["id"], m["max_model_len"]) for m in models] == [("lab", 1024)]
    assert httpx2.get(f"{lab_server}/v1/models/lab").json()["id"] == "lab"
    assert httpx2.get(f"{lab_server}/v1/models/other").status_code == 404
    assert httpx2.get(f"{lab_server}/health").json() == {"status": "ok"}
    for found, status in (
        (httpx2.get(f"{lab_server}/v1/chat/completions"), 405),
        (httpx2.get(f"{lab_server}/nothing"), 404),
    ):
        assert found.status_code == status and found.json()["error"]["message"]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"messages": []}, "messages"),
    ({"messages": "hello"}, "messages"),
    ({"messages": [{"role": "wizard", "content": "x"}]}, "wizard"),
    ({"messages": [{"role": "user", "content": None}]}, "content"),
    ({"messages": [{"role": "user", "content": {"a": 1}}]}, "content"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "image_url"),
    ({"messages": [{"role": "user", "content": "long " * 3000}]}, "1024"),
    ({"n": 0}, "n = 0"),
    ({"n": 10**9}, "n = 1000000000"),
    ({"n": "8"}, "n = '8'"),
    ({"n": True}, "n = true"),
    ({"n": 1.5}, "n = 1.5"),
    ({"temperature": -1}, "temperature"),
    ({"temperature": "0"}, "temperature"),
    ({"top_p": 0}, "top_p"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"seed": 2**63}, "seed"),
    ({"stop": ["x"] * 10_000}, "stop"),
    ({"stop": ""}, "stop"),
    ({"stop": 3}, "stop"),
    ({"stream": "yes"}, "stream"),
    ({"stream_options": {"include_usage": True}}, "stream_options"),
    ({"logprobs": True}, "logprobs"),
    ({"logit_bias": {"5": 100}}, "logit_bias"),
    ({"ignore_eos": True}, "ignore_eos = true: is not offered"),
    ({"stop_token_ids": [7]}, "stop_token_ids = [7]: is not offered"),
    ({"response_format": {"type": "json_object"}}, "response_format"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"chat_template_kwargs": {"chat_template": "{{ 1 }}"}}, "chat_template"),
    ({"chat_template_kwargs": {"tokenize": True}}, "tokenize"),
    ({"chat_template_kwargs": 3}, "chat_template_kwargs"),
    ({"thinking_token_budget": -1}, "thinking_token_budget"),
    ({"api_base": "http://example.org"}, "api_base"),
    ({"extra_body": {}}, "extra_body"),
    ({"guided_regex": "(a+)+$"}, "guided_regex"),
]


@pytest.mark.parametrize(("body", "named"), BAD, ids=[str(b)[:40] for b, _ in BAD])
def test_what_is_not_accepted_is_one_sentence(lab_server, body, named):
    found = ask(lab_server, **body)
    assert found.status_code == 400
    message = found.json()["error"]["message"]
    assert named in message and "\n" not in message and len(message) < 400


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"messages": NaN}', b"\xff\xfe", b'{"a": "\\ud800"}', b"[" * 5000],
    ids=str,
)
def test_a_body_that_is_no_json_object_is_refused(lab_server, body):
    found = httpx2.post(f"{lab_server}/v1/chat/completions", content=body[:5000])
    assert found.status_code == 400 and found.json()["error"]["message"]


@pytest.mark.parametrize("prompt", [None, "", [], [""], [[]], [1, "a"], 5, [10**9], [-1], [True]])
def test_a_prompt_that_is_none_is_refused(lab_server, prompt):
    found = ask(lab_server, "/v1/completions", prompt=prompt)
    assert found.status_code == 400 and "prompt" in found.json()["error"]["message"]


def test_an_unknown_model_is_not_found(lab_server):
    found = ask(lab_server, model="../../adapter")
    assert found.status_code == 404 and "lab" in found.json()["error"]["message"]


def test_a_template_that_refuses_is_the_clients_fault(lab_model, lab_server):
    own = lab_model.tokenizer.chat_template
    lab_model.tokenizer.chat_template = "{{ raise_exception('roles must alternate') }}"
    try:
        found = ask(lab_server)
    finally:
        lab_model.tokenizer.chat_template = own
    assert found.status_code == 400 and "roles must alternate" in found.json()["error"]["message"]


def leave(url: str, stream: bool, decoding: threading.Event) -> None:
    """Ask for something long, and close the connection while it is decoded."""
    body = json.dumps(
        {"messages": ASK, "max_tokens": 900, "stream": stream, "temperature": 2.0, "min_p": 0}
    ).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + body)
        # the head of a stream comes before the engine has the request
        assert decoding.wait(60)


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_frees_its_row(lab_model, lab_server, stream, monkeypatch):
    stopped: list[Key] = []
    engine = lab_model.thread.engine
    own = engine.stop
    monkeypatch.setattr(engine, "stop", lambda key: (stopped.append(key), own(key)))
    deadline = time.monotonic() + 60
    while engine._call is not None and time.monotonic() < deadline:
        time.sleep(0.01)  # the batch of the test before may still run, and would be joined
    # nothing it says ends by itself: every end-of-turn token is only drawn, never one
    batch = engine.new_batch

    def endless() -> Any:
        made = batch()
        made._eos[:] = False
        return made

    monkeypatch.setattr(engine, "new_batch", endless)
    step = engine.step
    decoding = threading.Event()
    steps: list[int] = []

    def slow(batch: Any, *args: Any) -> Any:
        time.sleep(0.05)  # else a busy machine may decode all of it before the end is noticed
        steps.append(len(batch))
        decoding.set()
        return step(batch, *args)

    monkeypatch.setattr(engine, "step", slow)
    leave(lab_server, stream, decoding)
    deadline = time.monotonic() + 60
    while (not stopped or engine._call is not None) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert stopped and engine._call is None, "it decodes for nobody"
    assert len(steps) < 450, "it decoded on for long"


def test_requests_join_one_batch(lab_model, lab_server, monkeypatch):
    engine = lab_model.thread.engine
    rows: list[int] = []
    own = engine.step

    def watched(batch: Any, *rest: Any) -> Any:
        rows.append(len(batch))
        return own(batch, *rest)

    monkeypatch.setattr(engine, "step", watched)
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: answer(lab_server), range(8)))
    assert max(rows) > 1, "one after the other"
    assert len({r["choices"][0]["message"]["content"] for r in replies}) == 1


def test_an_engine_that_fails_is_a_clear_answer_and_the_next_one_works(
    lab_model, lab_server, monkeypatch
):
    engine = lab_model.thread.engine

    def fail(*_: Any) -> Any:
        raise RuntimeError("secret detail")

    with monkeypatch.context() as patched:
        patched.setattr(engine, "step", fail)
        found = ask(lab_server)
        assert found.status_code == 500
        assert "failed" in found.json()["error"]["message"] and "secret" not in found.text
        chunks = events(lab_server)
        assert chunks[-1]["error"]["type"] == "server_error"
    assert answer(lab_server)["choices"][0]["message"]["content"]


def test_metrics_count_what_was_answered(lab_server):
    def read() -> dict[str, float]:
        text = httpx2.get(f"{lab_server}/metrics").text
        lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in lines}

    before = read()
    usage = events(lab_server, stream_options={"include_usage": True})[-1]["usage"]
    ask(lab_server, n=0)
    after = read()

    def gained(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    path = 'deimos_requests_total{path="/v1/chat/completions",status='
    assert gained(f'{path}"200"}}') == gained(f'{path}"400"}}') == 1
    think = usage["completion_tokens_details"]["reasoning_tokens"]
    assert gained('deimos_think_tokens_total{model="lab"}') == think > 0
    assert gained('deimos_prompt_tokens_total{model="lab"}') == usage["prompt_tokens"]
    assert 0 < gained('deimos_answer_tokens_total{model="lab"}') < usage["completion_tokens"]
    for name in ("first_token", "first_answer", "request"):
        assert gained(f"deimos_{name}_seconds_count") == 1
    assert after["deimos_requests_running"] == 0


def test_a_key_that_is_removed_cuts_the_stream_and_blames_no_engine(
    lab_model, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(guard, "RECHECK", 0.0)
    file = tmp_path / "keys"
    file.write_text("first-key-1\nsecond-key-2\n")
    app = make_app({"lab": lab_model}, ServingMetrics())
    with serving(guard.Guard(app, keys=Keys(file=file), local=False)) as port:
        head = {"authorization": "Bearer first-key-1"}
        body = {"model": "lab", "messages": ASK, "stream": True}
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        text = ""
        with (
            httpx2.stream("POST", url, json=body, headers=head, timeout=60) as reply,
            pytest.raises(httpx2.RemoteProtocolError),
        ):
            for piece in reply.iter_text():
                text += piece
                file.write_text("second-key-2\n")
    assert "data: " in text and "error" not in text and "[DONE]" not in text
    assert "decoding failed" not in caplog.text


def test_refusals_are_counted_once_under_known_paths(lab_model):
    metrics = ServingMetrics()
    app = guard.Guard(make_app({"lab": lab_model}, metrics), count=metrics.count_request)
    with serving(app) as port:
        url = f"http://127.0.0.1:{port}"
        assert httpx2.head(f"{url}/health").status_code == 200
        assert httpx2.head(f"{url}/v1/models").status_code == 405
        assert httpx2.get(f"{url}/nowhere").status_code == 404
        assert ask(url, n=0).status_code == 400  # the guard's
        assert ask(url, logprobs=True).status_code == 400  # the app's
        text = httpx2.get(f"{url}/metrics").text
    counted = [line for line in text.splitlines() if line.startswith("deimos_requests_total{")]
    assert sorted(counted) == [
        'deimos_requests_total{path="/v1/chat/completions",status="400"} 2.0',
        'deimos_requests_total{path="/v1/models",status="405"} 1.0',
        'deimos_requests_total{path="other",status="404"} 1.0',
    ]
