"""What is refused: each request gets one sentence, and none of them reaches the upstream server."""

from __future__ import annotations

import gzip
import json
import socket
import time

import pytest
from tests.serve.running import (
    Upstream,
    ask,
    begin_stream,
    body_of,
    chat,
    error_of,
    event,
    headers_of,
    post,
    serving,
    status_of,
    write_chunk,
)

from deimos.serve import connections, guard
from deimos.serve.fields import RequestLimits
from deimos.serve.forward import Forwarder
from deimos.serve.guard import Guard
from deimos.serve.keys import Keys, ServeError, check_bind, read_keys
from deimos.serve.middleware import ThinkingRouter
from deimos.serve.router import Router

LIMITS = RequestLimits(
    body=100_000, messages=50, n=4, max_tokens=4096, concurrency=4, body_seconds=1
)
NAN = b'{"model": "m", "temperature": NaN, "messages": [{"role": "user", "content": "x"}]}'


@pytest.fixture(scope="module")
def upstream():
    with Upstream() as server:
        yield server


@pytest.fixture(scope="module")
def port(upstream):
    """Everything in front of a server that answers plainly."""
    app = Guard(ThinkingRouter(Forwarder(upstream.url), Router()), limits=LIMITS, models=["m"])
    with serving(app) as number:
        yield number


@pytest.fixture(scope="module")
def locked_port(upstream):
    """The same with keys."""
    app = Guard(
        ThinkingRouter(Forwarder(upstream.url), Router()),
        keys=Keys(("a-key-of-ours",)),
        local=False,
    )
    with serving(app) as number:
        yield number


def refused(answer, status, part, upstream, before):
    """The answer is a refusal that says why, marked as all answers are; the upstream saw nothing."""
    assert status_of(answer) == status, answer[:300]
    assert part in error_of(answer), error_of(answer)
    assert "\n" not in error_of(answer)
    assert headers_of(answer)["x-deimos-mode"] == "default"
    assert len(upstream.requests) == before


def test_a_good_request_passes(port, upstream):
    answer = post(port, chat())
    assert status_of(answer) == 200
    assert json.loads(body_of(answer))["choices"][0]["message"]["content"] == "4"
    assert upstream.requests[-1]["chat_template_kwargs"] == {"enable_thinking": True}
    assert headers_of(answer)["x-deimos-mode"] == "on"


GOOD = {
    "stop": "x", "n": 4, "temperature": 2, "top_p": 1, "top_k": -1, "seed": -5, "stream": False,
    "max_tokens": 4096, "logit_bias": {"12": -100}, "stream_options": {"include_usage": True},
    "response_format": {"type": "json_object"}, "tool_choice": "auto", "logprobs": True,
    "top_logprobs": 20, "reasoning_effort": "none", "thinking_token_budget": 0, "user": "u",
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_each_field_passes_untouched_and_may_be_null(name, port, upstream):
    assert status_of(post(port, chat(**{name: GOOD[name]}))) == 200
    assert upstream.requests[-1][name] == GOOD[name]
    assert status_of(post(port, chat(**{name: None}))) == 200


def test_messages_of_every_role_pass(port, upstream):
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "system", "content": "s"}, {"role": "developer", "content": "d"},
        {"role": "user", "content": [{"type": "text", "text": "t"}], "name": "n"},
        {"role": "assistant", "content": None, "tool_calls": [call], "reasoning": "r"},
        {"role": "tool", "content": "42", "tool_call_id": "1"},
    ]  # fmt: skip
    assert status_of(post(port, {"model": "m", "messages": messages})) == 200
    assert upstream.requests[-1]["messages"] == messages


def test_a_schema_with_definitions_passes(port):
    schema = {
        "$defs": {"a": {"type": "string"}},
        "properties": {"x": {"$ref": "#/$defs/a"}, "y": {"$ref": "#/$defs/a"}},
    }
    form = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
    assert status_of(post(port, chat(response_format=form))) == 200


LOOP = {
    "$defs": {"a": {"items": {"$ref": "#/$defs/b"}}, "b": {"items": {"$ref": "#/$defs/a"}}},
    "items": {"$ref": "#/$defs/a"},
}


def with_message(**message):
    return {"model": "m", "messages": [message]}


def with_part(**part):
    return with_message(role="user", content=[part])


def with_schema(schema):
    return chat(
        response_format={"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
    )


BODIES = {
    "not utf-8": (b'{"model": "\xff"}', "not UTF-8"),
    "byte order mark": ("\ufeff{}".encode(), "not valid JSON"),
    "empty": (b"", "not valid JSON"),
    "not an object": (b"[]", "must be a JSON object"),
    "cut": (b'{"model": "m"', "not valid JSON"),
    "key twice": (b'{"model": "m", "model": "n", "messages": []}', "named twice"),
    "deep": (b'{"model": ' + b"[" * 90 + b"]" * 90 + b"}", "64 levels"),
    "very deep": (b'{"model": ' + b"[" * 40_000, "64 levels"),
    "many digits": (b'{"seed": ' + b"9" * 5000 + b"}", "has 5,000 digits: at most"),
    "nan": (NAN, "NaN"),
    "infinity": (NAN.replace(b"NaN", b"1e999"), "too large"),
    "half a surrogate": (NAN.replace(b"NaN", b"0").replace(b'"x"', b'"\\ud800"'), "surrogate"),
    "null character": (NAN.replace(b"NaN", b"0").replace(b'"x"', b'"a\\u0000b"'), "U+0000"),
    "n 0": (chat(n=0), "n = 0: must be a whole number from 1 to 4"),
    "n -1": (chat(n=-1), "n = -1"),
    "n 1e9": (chat(n=10**9), "from 1 to 4"),
    "n text": (chat(n="8"), "n = '8'"),
    "n true": (chat(n=True), "n = true"),
    "n 1.5": (chat(n=1.5), "n = 1.5"),
    "temperature -1": (chat(temperature=-1), "temperature = -1: must be a number from 0 to 2"),
    "temperature text": (chat(temperature="0"), "temperature = '0'"),
    "top_p 0": (chat(top_p=0), "above 0 and at most 1"),
    "max_tokens 0": (chat(max_tokens=0), "from 1 to 4096"),
    "max_tokens 2^63": (chat(max_tokens=2**63), "from 1 to 4096"),
    "max_completion_tokens": (chat(max_completion_tokens=4097), "from 1 to 4096"),
    "seed": (chat(seed=2**64), "seed"),
    "stops": (chat(stop=["x"] * 10_000), "at most 16"),
    "empty stop": (chat(stop=""), "1 to 256"),
    "stream": (chat(stream="yes"), "stream = 'yes': must be true or false"),
    "switch 0": (
        chat(chat_template_kwargs={"enable_thinking": 0}),
        "chat_template_kwargs.enable_thinking = 0: must be true or false",
    ),
    "switch in quotes": (
        chat(chat_template_kwargs={"thinking": "false"}),
        "chat_template_kwargs.thinking = 'false': must be true or false",
    ),
    "no messages": ({"model": "m"}, "messages is missing"),
    "messages null": ({"model": "m", "messages": None}, "messages is missing"),
    "messages empty": ({"model": "m", "messages": []}, "1 to 50 messages"),
    "messages many": ({"model": "m", "messages": [{"role": "user", "content": ""}] * 2000}, "1 to 50"),
    "message text": ({"model": "m", "messages": ["hello"]}, "messages[0] = 'hello': must be an object"),
    "role": (with_message(role="root", content="x"), "messages[0].role = 'root'"),
    "role number": (with_message(role=3, content="x"), "messages[0].role = 3"),
    "role list": (with_message(role=["user"], content="x"), "messages[0].role"),
    "content null": (with_message(role="user", content=None), "content is missing"),
    "content object": (with_message(role="user", content={"a": 1}), "must be text or a list of parts"),
    "content number": (with_message(role="user", content=5), "must be text"),
    "content part text": (with_message(role="user", content=["x"]), "must be text"),
    "message field": (with_message(role="user", content="x", base_url="http://x"), "base_url"),
    "file address": (with_part(type="image_url", image_url={"url": "file:///etc/passwd"}), "must be text"),
    "metadata address": (with_part(type="image_url", image_url={"url": "http://169.254.169.254/"}), "must be text"),
    "mapped address": (with_part(type="image_url", image_url={"url": "http://[::ffff:127.0.0.1]/"}), "must be text"),
    "address in a text part": (with_part(type="text", text="x", image_url="http://x"), "nothing else"),
    "video": (with_part(type="video_url", video_url={"url": "https://x"}), "must be text"),
    "model unknown": (chat() | {"model": "other"}, "served here: m"),
    "model path": (chat() | {"model": "../../etc"}, "must be the name of a model"),
    "model list": (chat() | {"model": ["m"]}, "must be the name of a model"),
    "api_base": (chat(api_base="http://x"), "api_base: unknown field"),
    "base_url": (chat(base_url="http://x"), "base_url: unknown field"),
    "extra_body": (chat(extra_body={}), "extra_body: unknown field"),
    "guided_regex": (chat(guided_regex="(a+)+$"), "guided_regex: unknown field"),
    "structured_outputs": (chat(structured_outputs={"regex": "(a+)+$"}), "structured_outputs"),
    "chat_template": (chat(chat_template="{{ 1 }}"), "chat_template: unknown field"),
    "template argument": (chat(chat_template_kwargs={"tools": []}), "chat_template_kwargs.tools: unknown"),
    "template argument object": (chat(chat_template_kwargs={"thinking": {}}), "chat_template_kwargs.thinking"),
    "template arguments": (chat(chat_template_kwargs=[]), "must be an object"),
    "mm_processor_kwargs": (chat(mm_processor_kwargs={}), "mm_processor_kwargs"),
    "schema of itself": (with_schema({"items": {"$ref": "#"}}), "must not be recursive"),
    "schema loop": (with_schema(LOOP), "must not be recursive"),
    "schema address": (with_schema({"$ref": "http://169.254.169.254/x"}), "must begin with #/"),
    "schema none": (chat(response_format={"type": "json_schema"}), "json_schema.schema"),
    "response_format": (chat(response_format={"type": "grammar"}), "must be an object whose type"),
    "tools schema": (
        chat(tools=[{"type": "function", "function": {"name": "f", "parameters": {"items": {"$ref": "#"}}}}]),
        "recursive",
    ),
    "tools": (chat(tools=[{"type": "web"}]), "of type function"),
    "logit_bias": (chat(logit_bias={"a": 1}), "token ids"),
    "reasoning_effort": (chat(reasoning_effort="much"), "must be one of none"),
    "reasoning_effort list": (chat(reasoning_effort=["high"]), "must be one of none"),
    "tool_choice": (chat(tool_choice=["x"]), "tool_choice"),
    "long unknown name": (chat(**{"x" * 5000: 1}), "unknown field"),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_bad_bodies(name, port, upstream):
    body, part = BODIES[name]
    before = len(upstream.requests)
    answer = post(port, body)
    refused(answer, 404 if name == "model unknown" else 400, part, upstream, before)


@pytest.mark.parametrize(
    ("prompt", "part"),
    [
        (None, "prompt is missing"),
        ([], "prompt"),
        (["x"] * 5, "at most 4"),
        ([1.5], "prompt"),
        ({}, "prompt"),
    ],
    ids=str,
)
def test_bad_prompts(prompt, part, port, upstream):
    before = len(upstream.requests)
    refused(
        post(port, {"model": "m", "prompt": prompt}, "/v1/completions"), 400, part, upstream, before
    )


@pytest.mark.parametrize("prompt", ["x", ["x", "y"], [1, 2, 3], [[1], [2]]], ids=str)
def test_prompts(prompt, port, upstream):
    assert status_of(post(port, {"model": "m", "prompt": prompt}, "/v1/completions")) == 200
    assert upstream.requests[-1]["prompt"] == prompt


def test_a_large_body_is_refused_before_it_is_read(port, upstream):
    before = len(upstream.requests)
    refused(post(port, b"x" * 200_000), 413, "100000 bytes", upstream, before)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\n\r\n"
    refused(ask(port, head + b"x" * 150_000), 413, "100000 bytes", upstream, before)


def send_on(port, head, total, piece=65_536):
    """Send a whole body whatever comes meanwhile, and read only then; the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(head)
        for _ in range(0, total, piece):
            client.sendall(b"x" * piece)
            time.sleep(0.001)  # so that the answer comes while this still sends
        got = b""
        while more := client.recv(65_536):
            got += more
        return got


BEGIN = "host: localhost\r\ncontent-type: application/json\r\n"
TOTAL = 20 << 20


@pytest.mark.parametrize(
    ("head", "status", "part"),
    [
        (f"POST /v1/chat/completions HTTP/1.1\r\n{BEGIN}content-length: {TOTAL}", 413, "100000 bytes"),
        (f"POST /v1/chat/completions HTTP/1.1\r\n{BEGIN}transfer-encoding: chunked", 400, "HTTP/1.1"),
        (f"POST /v1/nothing HTTP/1.1\r\n{BEGIN}content-length: {TOTAL}", 404, "not served"),
        (f"PUT /v1/chat/completions HTTP/1.1\r\n{BEGIN}content-length: {TOTAL}", 405, "takes POST"),
        (f"POST /v1/chat/completions HTTP/1.1\r\nx: y\r\n z\r\n{BEGIN}content-length: {TOTAL}", 400, "well-formed"),
    ],
    ids=("too large", "no chunks", "no such path", "another method", "a folded line"),
)  # fmt: skip
def test_a_client_that_is_still_sending_gets_the_sentence(head, status, part, port, upstream):
    before = len(upstream.requests)
    refused(send_on(port, f"{head}\r\n\r\n".encode(), TOTAL), status, part, upstream, before)


def test_a_client_that_asks_first_need_not_send_what_is_too_large(port, upstream):
    before = len(upstream.requests)
    head = f"POST /v1/chat/completions HTTP/1.1\r\n{BEGIN}expect: 100-continue\r\ncontent-length: {TOTAL}"
    answer = ask(port, f"{head}\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 413"), "not first 100 Continue"
    refused(answer, 413, "100000 bytes", upstream, before)


def test_a_client_that_sends_for_ever_is_cut(port, monkeypatch):
    monkeypatch.setattr(connections, "LINGER_SECONDS", 0.2)
    head = f"POST /v1/nothing HTTP/1.1\r\n{BEGIN}content-length: {1 << 40}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(head.encode())
        with pytest.raises(OSError):
            for _ in range(1_000):
                client.sendall(b"x" * 1_000)
                time.sleep(0.01)


@pytest.mark.parametrize(
    ("headers", "status", "part"),
    [
        ({"content_type": "text/plain"}, 415, "application/json"),
        ({"content_type": None}, 415, "application/json"),
        ({"content_encoding": "gzip"}, 415, "compressed"),
        ({"content_encoding": "br"}, 415, "compressed"),
        ({"host": "evil.example"}, 421, "localhost"),
        ({"host": "127.0.0.1.evil.example:80"}, 421, "localhost"),
        ({"transfer_encoding": "chunked"}, 400, "exclude each other"),
    ],
    ids=str,
)
def test_bad_headers(headers, status, part, port, upstream):
    before = len(upstream.requests)
    body = gzip.compress(json.dumps(chat()).encode()) if "content_encoding" in headers else chat()
    refused(post(port, body, **headers), status, part, upstream, before)


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "LOCALHOST", "[::1]:80", "127.8.8.8"])
def test_names_of_this_machine_pass(host, port):
    assert status_of(post(port, chat(), host=host)) == 200


PATHS = [
    "/invocations", "/pause", "/resume", "/update_weights", "/tokenize", "/score", "/load",
    "/v1/responses", "/v1/load_lora_adapter", "/v1/embeddings", "//v1/chat/completions",
    "/v1//chat/completions", "/%2e%2e/v1/chat/completions", "/v1/../pause", "/v1/chat/completions/",
    "/v1/chat/completions;/x", "/v1/Chat/Completions", "/V1/chat/completions",
    "/v1/chat/completions.", "/v1/chat/completions%00", "/v1/chat%2fcompletions",
    "/v1/chat/%63ompletions", "/v1/models/", "/v1/models/other", "/v1/models/../pause",  "http://localhost/v1/chat/completions", "/docs", "/openapi.json",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_other_paths_are_unknown(path, port, upstream):
    before = len(upstream.requests)
    refused(post(port, chat(), path), 404, "is not served here", upstream, before)


def test_one_models_card_can_be_read(port, upstream):
    assert status_of(ask(port, b"GET /v1/models/m HTTP/1.1\r\nhost: localhost\r\n\r\n")) == 200
    assert upstream.heads[-1].startswith("GET /v1/models/m ")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods(method, port, upstream):
    before = len(upstream.requests)
    raw = f"{method} /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()
    answer = ask(port, raw)
    refused(answer, 405, "takes POST", upstream, before)
    assert headers_of(answer)["allow"] == "POST"


@pytest.mark.parametrize(
    "raw",
    [
        b"HEAD /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"CONNECT localhost:80 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: eA==\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\nhost: localhost\n\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx: a\rcontent-length: 5\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx: a\0b\r\n\r\n",
        b"POST /v1/chat/completions\0 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length : 5\r\n\r\n",
        b"POST /v1/chat/completions HTTP/2.0\r\nhost: localhost\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx: "
        + b"a" * 100_000
        + b"\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx: "
        + b"a" * 10_000_000
        + b"\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n" + b"x: a\r\n" * 1000 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
    ids=range(19),
)
def test_broken_http(raw, port, upstream):
    before = len(upstream.requests)
    try:
        answer = ask(port, raw)
    except (BrokenPipeError, ConnectionResetError):
        answer = b""  # refused while 10 MB of headers were still being sent
    assert 400 <= status_of(answer) < 500 or (not answer and len(raw) > 1 << 20), answer[:200]
    assert len(upstream.requests) == before


def test_no_second_request_hides_in_a_first_one(port, upstream):
    """Pipelined, in a body's shadow, or behind a length that two servers read differently."""
    second = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    body = json.dumps(chat()).encode()
    first = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    before = len(upstream.requests)
    answer = ask(port, first + f"content-length: {len(body)}\r\n\r\n".encode() + body + second)
    assert answer.count(b"HTTP/1.1") == 1 and status_of(answer) == 200
    assert len(upstream.requests) == before + 1
    chunked = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    answer = ask(
        port, first + b"transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n" + chunked + second
    )
    assert answer.count(b"HTTP/1.1") == 1 and status_of(answer) == 400
    assert len(upstream.requests) == before + 1


def test_chunked_bodies_and_old_http_are_served(port, upstream):
    body = json.dumps(chat()).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n"
    chunks = b"".join(f"1;x=y\r\n{c}\r\n".encode() for c in body.decode())
    assert (
        status_of(ask(port, head + b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"))
        == 200
    )
    old = (
        head.replace(b"HTTP/1.1", b"HTTP/1.0")
        + f"content-length: {len(body)}\r\n\r\n".encode()
        + body
    )
    assert status_of(ask(port, old)) == 200


def test_a_body_that_does_not_come_is_not_waited_for(port, upstream):
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"
    before, began = len(upstream.requests), time.monotonic()
    refused(ask(port, head), 408, "1 seconds", upstream, before)
    assert time.monotonic() - began < 10


def test_a_head_that_does_not_come_is_not_waited_for(port, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    answer = ask(port, b"POST /v1/chat/completions HTTP/1.1\r\nhost: loc")
    assert status_of(answer) == 408
    with socket.create_connection(("127.0.0.1", port), timeout=10) as silent:
        try:
            assert silent.recv(1) == b""
        except ConnectionResetError:
            pass


@pytest.mark.parametrize(
    "header",
    [
        None, "", "a-key-of-ours", "Bearer", "Bearer ", "Bearer a-key-of-our", "Bearer a-key-of-ours2",
        "Bearer A-KEY-OF-OURS", "Basic a-key-of-ours", "Token a-key-of-ours", "Bearer ké",
        "Bearer a-key-of-ours, Bearer x", "Bearer " + "x" * 20_000,
    ],
    ids=range(13),
)  # fmt: skip
def test_wrong_keys(header, locked_port, upstream):
    before = len(upstream.requests)
    for path in ("/v1/chat/completions", "/v1/models", "/metrics", "/invocations"):
        answer = post(
            locked_port, b"{broken", path, **({} if header is None else {"authorization": header})
        )
        refused(answer, 401, "key" if header else "", upstream, before)
        assert headers_of(answer)["www-authenticate"].startswith("Bearer")


def test_a_very_long_key_and_two_keys(locked_port, upstream):
    before = len(upstream.requests)
    assert status_of(post(locked_port, chat(), authorization="Bearer " + "x" * 100_000)) == 431
    raw = b"GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer a-key-of-ours\r\nauthorization: Bearer b\r\n\r\n"
    refused(ask(locked_port, raw), 401, "sent twice", upstream, before)


@pytest.mark.parametrize(
    "header",
    [
        "Bearer a-key-of-ours",
        "bearer a-key-of-ours",
        "BEARER   a-key-of-ours ",
        "Basic OmEta2V5LW9mLW91cnM=",
        "Basic dXNlcjphLWtleS1vZi1vdXJz",
    ],
)
def test_right_keys(header, locked_port, upstream):
    assert status_of(post(locked_port, chat(), authorization=header)) == 200
    assert "authorization" not in upstream.heads[-1].lower()


def test_health_needs_no_key(locked_port):
    raw = b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    assert status_of(ask(locked_port, raw)) != 401


def test_too_many_at_once_are_told_when_to_come_again(upstream):
    async def wait(server, data, writer):
        import asyncio

        await asyncio.sleep(30)

    with Upstream(wait) as slow:
        app = Guard(ThinkingRouter(Forwarder(slow.url), Router()), limits=LIMITS)
        with serving(app) as port:
            body = json.dumps(chat()).encode()
            head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            held = [socket.create_connection(("127.0.0.1", port)) for _ in range(4)]
            for one in held:
                one.sendall(head.encode() + body)
            until(lambda: app.running == 4)
            answer = post(port, chat())
            assert status_of(answer) == 429 and headers_of(answer)["retry-after"] == "1"
            for one in held:
                one.close()
            until(lambda: app.running == 0)


def until(holds, seconds=20):
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    assert holds()


async def count_for_ever(server, data, writer):
    import asyncio

    await begin_stream(writer)
    while True:
        await write_chunk(writer, event("x" * 1000))
        await asyncio.sleep(0.01)


def test_a_key_that_is_removed_ends_its_running_answers(tmp_path, monkeypatch):
    monkeypatch.setattr(guard, "RECHECK", 0.1)
    file = tmp_path / "keys"
    file.write_text("first-key-1\nsecond-key-2\n")
    with Upstream(count_for_ever) as endless:
        keys = Keys(file=file)
        app = Guard(ThinkingRouter(Forwarder(endless.url), Router()), keys=keys, local=False)
        with serving(app) as port:
            body = json.dumps(chat(stream=True)).encode()
            head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            raw = (
                f"{head}authorization: Bearer first-key-1\r\ncontent-length: {len(body)}\r\n\r\n".encode()
                + body
            )
            with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
                client.sendall(raw)
                assert client.recv(1 << 16).startswith(b"HTTP/1.1 200")
                file.write_text("second-key-2\n")
                try:
                    while client.recv(1 << 16):
                        pass
                except ConnectionResetError:
                    pass
            until(lambda: endless.closed)
            assert status_of(post(port, chat(), authorization="Bearer first-key-1")) == 401


async def flood(server, data, writer):
    await begin_stream(writer)
    while True:
        await write_chunk(writer, event("x" * 100_000))


def test_a_client_that_does_not_read_is_let_go():
    with Upstream(flood) as endless:
        limits = RequestLimits(stall_seconds=0.5)
        app = Guard(ThinkingRouter(Forwarder(endless.url), Router()), limits=limits)
        with serving(app) as port:
            body = json.dumps(chat(stream=True)).encode()
            head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            client.sendall(head.encode() + body)
            until(lambda: endless.closed, 60)
            until(lambda: app.running == 0)
            client.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", ""])
def test_without_keys_only_loopback_is_listened_on(host):
    with pytest.raises(ServeError, match="DEIMOS_KEYS"):
        check_bind(host, Keys())
    check_bind(host, Keys(("12345678",)))


def test_loopback_needs_no_keys():
    for host in ("127.0.0.1", "localhost", "::1"):
        check_bind(host, Keys())


def test_keys_are_read_from_the_environment(tmp_path):
    assert not read_keys({})
    assert read_keys({"DEIMOS_KEYS": "first-key-1, second-key-2"}).check(
        [(b"authorization", b"Bearer second-key-2")]
    )
    for bad in ("short", "k" * 600, "ключ-из-букв"):
        with pytest.raises(ServeError, match="characters"):
            read_keys({"DEIMOS_KEYS": bad})
    with pytest.raises(ServeError, match="cannot be read"):
        read_keys({"DEIMOS_KEYS_FILE": str(tmp_path / "none")})
    (tmp_path / "keys").write_text("")
    assert read_keys({"DEIMOS_KEYS_FILE": str(tmp_path / "keys")})  # no key in it: nobody is let in
