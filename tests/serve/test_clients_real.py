"""The unmodified OpenAI client against vLLM's own server and what stands before it."""

from __future__ import annotations

import contextlib

import pytest
from openai_client import OFF, ON, ask, check_headers_of_errors, check_modes, open_client
from tests.engines.environments import ROOT, VLLM, needs_vllm, neighbour

LITELLM = ROOT / ".venv-litellm"
MODEL = "lab"
pytestmark = [pytest.mark.real, pytest.mark.timeout(3600), needs_vllm]


@pytest.fixture(scope="module")
def places():
    """How each place is started, once; all of them before one vLLM server."""
    module = neighbour("_serve_places")
    with contextlib.ExitStack() as stack:
        vllm = stack.enter_context(module.vllm_with_middleware(VLLM))
        urls = {"vllm": vllm}

        def start(name):
            if name not in urls:
                if name == "forwarder":
                    place = module.serve("lab", "--upstream", vllm)
                else:
                    place = module.litellm_with_hook(LITELLM / "bin/python", vllm)
                urls[name] = stack.enter_context(place)
            return urls[name]

        yield start


@pytest.fixture(scope="module", params=["vllm", "forwarder", "litellm"])
def client(request, places):
    if request.param == "litellm" and not (LITELLM / ".installed").is_file():
        pytest.skip(
            "there is no environment with LiteLLM: make .venv-litellm/.installed builds one"
        )
    with open_client(places(request.param) + "/v1") as opened:
        yield opened


def test_both_usages_of_the_card_and_the_router(client):
    check_modes(client, MODEL)


def test_a_refusal_says_what_was_decided(client):
    check_headers_of_errors(client, MODEL)


@pytest.mark.parametrize("stream", [False, True])
def test_effort_none_is_thinking_off_as_vllm_has_it(client, stream):
    off = ask(client, MODEL, stream=stream, reasoning_effort="none")
    assert (off.mode, off.thought) == ("off", "")
    assert off.text == ask(client, MODEL, stream=stream, extra_body=OFF).text


def test_a_budget_closes_the_thought(client):
    body = {**ON, "thinking_token_budget": 10}
    short = ask(client, MODEL, stream=True, extra_body=body)
    long = ask(client, MODEL, stream=True, extra_body=ON)
    assert len(short.thought) < len(long.thought)
