"""The unmodified OpenAI client against the lab model on the local engine, as `deimos serve` puts it up."""

import pytest
from openai import NotFoundError
from openai_client import ask, check_headers_of_errors, check_modes, open_client
from running import serving

from deimos.models.switch import find_switch
from deimos.serve.app import make_app
from deimos.serve.chat_page import ChatPage, page_paths
from deimos.serve.guard import Guard
from deimos.serve.metrics import ServingMetrics
from deimos.serve.middleware import ThinkingRouter
from deimos.serve.router import Router


@pytest.fixture(scope="module")
def client(lab_model):
    router = Router(switch=find_switch(lab_model.tokenizer.chat_template))
    app = ThinkingRouter(make_app({"lab": lab_model}, ServingMetrics()), router)
    app = Guard(ChatPage(app, router.switch), models=["lab"], pages=page_paths())
    with serving(app) as port, open_client(f"http://127.0.0.1:{port}/v1") as opened:
        yield opened


def test_both_usages_of_the_card_and_the_router(client):
    check_modes(client, "lab")


def test_a_refusal_says_what_was_decided(client):
    check_headers_of_errors(client, "lab")


def test_the_models_that_there_are(client):
    assert [model.id for model in client.models.list()] == ["lab"]
    with pytest.raises(NotFoundError, match="served here: lab"):
        ask(client, "gpt-4", stream=False)
