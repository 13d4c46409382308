"""Requests made from the OpenAPI description, allowed and not: no crash, no surprise in either way."""

from __future__ import annotations

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from tests.serve.running import COMPLETION, Upstream, serving, write

from deimos.serve.fields import RequestLimits
from deimos.serve.forward import Forwarder
from deimos.serve.guard import Guard
from deimos.serve.http import CHAT, COMPLETIONS, HEALTH, METRICS, MODELS
from deimos.serve.middleware import ThinkingRouter
from deimos.serve.openapi import describe_api
from deimos.serve.router import Router

LIMITS = RequestLimits(messages=5, n=2, max_tokens=100)
CONFIG = schemathesis.Config.from_dict({"generation": {"allow-x00": False}})
SCHEMA = schemathesis.openapi.from_dict(describe_api(LIMITS, ["m"]), config=CONFIG)
QUIET = settings(
    max_examples=60, deadline=None, database=None, derandomize=True,
    phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
)  # fmt: skip


async def answer(server: Any, data: Any, writer: Any) -> None:
    """Whole answers only: the description says nothing of streams."""
    if "/metrics" in server.heads[-1].split("\r\n")[0]:
        return await write(writer, 200, "text/plain", b"x 1\n")
    found = COMPLETION if data else {"data": []}
    await write(writer, 200, "application/json", json.dumps(found).encode())


@pytest.fixture(scope="module")
def address():
    with Upstream(answer) as upstream:
        routed = ThinkingRouter(Forwarder(upstream.url), Router())
        with serving(Guard(routed, limits=LIMITS, models=["m"])) as port:
            yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=str)
@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
def test_requests_for_completions(path, mode, address):
    statuses = set()

    @QUIET
    @given(case=SCHEMA[path]["POST"].as_strategy(generation_mode=mode))
    def send(case):
        answer = case.call_and_validate(base_url=address)
        statuses.add(answer.status_code)
        if answer.status_code != 200:
            assert "\n" not in answer.json()["error"]["message"]

    send()
    assert statuses & ({200} if mode is GenerationMode.POSITIVE else {400, 415})


@pytest.mark.parametrize("path", [HEALTH, MODELS, METRICS])
def test_what_is_read(path, address):
    @settings(QUIET, max_examples=5)
    @given(case=SCHEMA[path]["GET"].as_strategy())
    def send(case):
        case.call_and_validate(base_url=address)

    send()
