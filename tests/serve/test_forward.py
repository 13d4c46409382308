"""The forwarder before servers that go wrong, and clients that leave."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time

import pytest
from tests.serve.running import (
    COMPLETION,
    Upstream,
    answer_plainly,
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
    write,
    write_chunk,
)

from deimos.serve.forward import Forwarder, Waits, read_address
from deimos.serve.guard import Guard
from deimos.serve.keys import ServeError
from deimos.serve.middleware import ThinkingRouter
from deimos.serve.router import Router

QUICK = Waits(connect=5, first=1, idle=1)
"""For servers that never answer."""


def fronted(url, **more):
    return Guard(ThinkingRouter(Forwarder(url, **more), Router()))


def events_of(answer):
    return [
        part.removeprefix("data: ")
        for part in body_of(answer).decode().split("\n\n")
        if part.strip()
    ]


def test_answers_pass_byte_by_byte():
    with Upstream() as upstream, serving(fronted(upstream.url + "/v1/")) as port:
        answer = post(port, chat())
        assert body_of(answer) == json.dumps(COMPLETION).encode()
        answer = post(port, chat(stream=True))
        assert body_of(answer) == event("a") + event("b") + event("c") + b"data: [DONE]\n\n"
        assert headers_of(answer)["content-type"] == "text/event-stream"
        assert headers_of(answer)["x-deimos-mode"] == "on"
        assert len(upstream.requests) == 2


def test_only_harmless_headers_go_either_way(monkeypatch):
    async def chatty(server, data, writer):
        more = (
            "set-cookie: a=b",
            "server: x",
            "x-deimos-mode: off",
            "x-request-id: 7",
            "access-control-allow-origin: *",
        )
        await write(writer, 200, "application/json", b"{}", *more)

    with Upstream(chatty) as upstream, serving(fronted(upstream.url, key="upstream-key")) as port:
        answer = post(
            port, chat(), cookie="a=b", authorization="Bearer theirs", x_forwarded_for="1.2.3.4",
            x_request_id="8", proxy_authorization="x", te="trailers", accept_encoding="gzip",
        )  # fmt: skip
        head = upstream.heads[0].lower()
        assert "authorization: bearer upstream-key" in head and "x-request-id: 8" in head
        for name in ("cookie", "theirs", "x-forwarded-for", "proxy-", "te:", "gzip"):
            assert name not in head
        got = headers_of(answer)
        assert got["x-request-id"] == "7" and got["x-deimos-mode"] == "on"
        assert not {"set-cookie", "server", "access-control-allow-origin"} & {*got}


@pytest.mark.parametrize(
    ("software", "fields"),
    [
        ("vllm-0.32.0", {"thinking_token_budget": 7}),
        ("llamacpp", {"thinking_budget_tokens": 7, "reasoning_budget_tokens": 7}),
        ("sglang", {"custom_params": {"thinking_budget": 7}}),
    ],
)
def test_the_budget_has_the_name_that_the_server_reads(software, fields):
    with Upstream() as upstream, serving(fronted(upstream.url, software=software)) as port:
        assert status_of(post(port, chat(thinking_token_budget=7))) == 200
        (sent,) = upstream.requests
        assert fields.items() <= sent.items()
        assert ("thinking_token_budget" in sent) == ("thinking_token_budget" in fields)


async def fail_plainly(server, data, writer):
    await write(writer, 500, "application/json", b'{"error": {"message": "out of memory"}}')


async def fail_in_html(server, data, writer):
    await write(writer, 503, "text/html", b"<html>busy</html>")


async def answer_in_html(server, data, writer):
    await write(writer, 200, "text/html", b"<html>hello</html>")


async def answer_with_half(server, data, writer):
    await write(writer, 200, "application/json", b'{"choices": [')


async def answer_short(server, data, writer):
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{}"
    )
    await writer.drain()


async def redirect(server, data, writer):
    await write(writer, 307, "text/plain", b"", "location: http://169.254.169.254/")


async def talk_garbage(server, data, writer):
    writer.write(b"\x00\x01garbage\r\n\r\n")
    await writer.drain()


async def send_a_large_head(server, data, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nx: " + b"a" * (1 << 20) + b"\r\n\r\n")
    await writer.drain()


async def reset(server, data, writer):
    writer.transport.abort()


async def hang(server, data, writer):
    await asyncio.sleep(60)


@pytest.mark.parametrize(
    ("script", "status", "part"),
    [
        (fail_plainly, 500, None),
        (fail_in_html, 502, "503 with something that is not a JSON object"),
        (answer_in_html, 502, "not a JSON object"),
        (answer_with_half, 502, "not a JSON object"),
        (answer_short, 502, "broke off"),
        (redirect, 502, "redirect (307)"),
        (talk_garbage, 502, "not HTTP"),
        (send_a_large_head, 502, "not HTTP"),
        (reset, 502, "broke off"),
        (hang, 504, "in time"),
    ],
    ids=lambda v: getattr(v, "__name__", None),
)
@pytest.mark.parametrize("stream", [False, True])
def test_faults_before_an_answer(script, status, part, stream):
    waits = QUICK if script is hang else None
    with Upstream(script) as upstream, serving(fronted(upstream.url, waits=waits)) as port:
        answer = post(port, chat(stream=stream))
        assert status_of(answer) == status
        assert headers_of(answer)["x-deimos-mode"] == "on"
        if part is None:
            assert json.loads(body_of(answer))["error"]["message"] == "out of memory"
        else:
            assert part in error_of(answer)
        assert "169.254" not in str(answer) and len(upstream.requests) == 1


def test_a_server_that_is_not_there():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
    with serving(fronted(f"http://127.0.0.1:{number}")) as port:
        answer = post(port, chat())
        assert status_of(answer) == 503 and headers_of(answer)["retry-after"] == "1"
        assert "cannot be reached" in error_of(answer)


async def begin(writer):
    await begin_stream(writer)
    await write_chunk(writer, event("a"))


async def stop_in_an_event(server, data, writer):
    await begin(writer)
    await write_chunk(writer, event("b")[:20])
    writer.transport.abort()


async def end_too_early(server, data, writer):
    await begin(writer)
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def end_in_a_chunk(server, data, writer):
    await begin(writer)
    writer.write(b"100\r\ndata: ")
    await writer.drain()


async def hang_in_a_stream(server, data, writer):
    await begin(writer)
    await asyncio.sleep(60)


@pytest.mark.parametrize(
    ("script", "part"),
    [
        (stop_in_an_event, "broke off"), (end_too_early, "before the answer was whole"),
        (end_in_a_chunk, "broke off"), (hang_in_a_stream, "in time"),
    ],
)  # fmt: skip
def test_half_a_stream_ends_in_an_error_that_clients_read(script, part):
    waits = QUICK if script is hang_in_a_stream else None
    with Upstream(script) as upstream, serving(fronted(upstream.url, waits=waits)) as port:
        events = events_of(post(port, chat(stream=True)))
        assert json.loads(events[0])["choices"][0]["delta"]["content"] == "a"
        assert part in json.loads(events[-1])["error"]["message"]
        assert "[DONE]" not in events


def test_an_event_split_on_every_byte_passes():
    async def drip(server, data, writer):
        await begin_stream(writer)
        for byte in event("déimos ☾") + b"data: [DONE]\n\n":
            await write_chunk(writer, bytes([byte]))
        writer.write(b"0\r\n\r\n")

    with Upstream(drip) as upstream, serving(fronted(upstream.url)) as port:
        assert body_of(post(port, chat(stream=True))) == event("déimos ☾") + b"data: [DONE]\n\n"


def test_a_huge_event_passes():
    async def shout(server, data, writer):
        await begin_stream(writer)
        await write_chunk(writer, event("x" * (20 << 20)))
        await write_chunk(writer, b"data: [DONE]\n\n")
        writer.write(b"0\r\n\r\n")

    with Upstream(shout) as upstream, serving(fronted(upstream.url)) as port:
        assert len(body_of(post(port, chat(stream=True)))) > 20 << 20


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_ends_the_upstream_request_at_once(stream):
    async def talk(server, data, writer):
        if not data.get("stream"):
            await asyncio.sleep(60)
        await begin_stream(writer)
        while True:
            await write_chunk(writer, event("x"))
            await asyncio.sleep(0.01)

    with (
        Upstream(talk) as upstream,
        serving(Guard(ThinkingRouter(Forwarder(upstream.url), Router()))) as port,
    ):
        body = json.dumps(chat(stream=stream)).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(head.encode() + body)
        if stream:
            client.recv(1000)
        end = time.monotonic() + 10
        while not upstream.requests and time.monotonic() < end:
            time.sleep(0.01)
        left = time.monotonic()
        client.close()
        while not upstream.closed and time.monotonic() < end:
            time.sleep(0.005)
        assert upstream.closed and upstream.closed[0] - left < 2  # 0.2 s on an idle machine


@pytest.mark.parametrize(
    "address",
    [
        "",
        "localhost:8000",
        "ftp://x",
        "http://",
        "http://user:pw@host",
        "http://host?x=1",
        "http://host/#a",
        "http://host:99999",
        "file:///etc",
    ],
)
def test_bad_addresses(address):
    with pytest.raises(ServeError, match="--upstream"):
        read_address(address)


def test_the_servers_models_and_health_are_its_own():
    async def models(server, data, writer):
        await write(writer, 200, "application/json", b'{"data": []}')

    with Upstream(models) as upstream, serving(fronted(upstream.url)) as port:
        assert (
            body_of(ask(port, b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n"))
            == b'{"data": []}'
        )
        assert upstream.heads[0].startswith("GET /v1/models ")
        assert status_of(ask(port, b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")) == 200


def test_many_at_once_each_get_their_own_answer():
    async def repeat(server, data, writer):
        await asyncio.sleep(0.01)
        answer = {**COMPLETION, "id": data["messages"][0]["content"]}
        await write(writer, 200, "application/json", json.dumps(answer).encode())

    with Upstream(repeat) as upstream, serving(fronted(upstream.url)) as port:
        got: dict[int, str] = {}

        def one(i):
            got[i] = json.loads(body_of(post(port, chat(str(i)))))["id"]

        threads = [threading.Thread(target=one, args=(i,)) for i in range(60)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert got == {i: str(i) for i in range(60)}


def test_a_script_that_answers_plainly_is_what_clients_expect():
    """The scripted server itself, without us: so that its faults are ours to find."""
    with Upstream(answer_plainly) as upstream:
        assert status_of(post(upstream.port, chat())) == 200
