"""What a request's thinking mode is, and who set it."""

import pytest

from deimos.models.switch import NO_SWITCH, Switch
from deimos.serve.router import Decision, Router, decide

ASKED = [{"role": "user", "content": "What is 17 times 23?"}]
STRICT = [
    {"role": "user", "content": "Describe a cat in exactly three sentences, without the word fur."}
]


def test_without_evidence_a_prompt_is_thought_about():
    decision = decide(ASKED, {"messages": ASKED})
    assert isinstance(decision, Decision)
    assert (decision.mode, dict(decision.kwargs)) == ("on", {"enable_thinking": True})
    assert decision.reason.isascii() and decision.policy.startswith("default-")


@pytest.mark.parametrize(
    ("body", "mode"),
    [
        ({"chat_template_kwargs": {"enable_thinking": False}}, "off"),
        ({"chat_template_kwargs": {"enable_thinking": True}}, "on"),
        ({"chat_template_kwargs": {"thinking": False}}, "off"),
        ({"reasoning_effort": "none"}, "off"),
        ({"reasoning_effort": "low"}, "on"),
        ({"chat_template_kwargs": {"reasoning_effort": "high"}}, "on"),
        ({"chat_template_kwargs": {"enable_thinking": "yes"}}, "default"),
    ],
)
def test_what_the_client_sets_wins(body, mode):
    decision = decide(ASKED, body)
    assert (decision.mode, dict(decision.kwargs)) == (mode, {})
    assert decision.reason == "set by the client"


@pytest.mark.parametrize(
    "body", [{}, None, {"chat_template_kwargs": None}, {"reasoning_effort": None}, {"chat_template_kwargs": {"tools": 1}}]
)  # fmt: skip
def test_what_the_client_leaves_open_is_decided(body):
    assert decide(ASKED, body).kwargs == {"enable_thinking": True}


def test_a_template_without_a_switch_is_left_as_it_is():
    decision = Router(switch=NO_SWITCH).decide(ASKED, {})
    assert (decision.mode, dict(decision.kwargs)) == ("default", {})
    assert "no switch" in decision.reason


def test_a_model_that_was_trained_without_thoughts_answers_without():
    router = Router(trained_off=True)
    decision = router.decide(ASKED, {})
    assert (decision.mode, dict(decision.kwargs)) == ("off", {"enable_thinking": False})
    assert "trained and measured with thinking off" in decision.reason and decision.margin == 0
    assert router.decide(ASKED, {"chat_template_kwargs": {"enable_thinking": True}}).mode == "on"


def test_arguments_are_the_templates_own():
    levels = Switch.parse("enable_thinking+reasoning_effort=xhigh/")
    wanted = {"enable_thinking": True, "reasoning_effort": "xhigh"}
    assert Router(switch=levels).decide(ASKED, {}).kwargs == wanted


def test_a_strict_format_goes_off_and_says_why():
    decision = decide(STRICT, {})
    assert (decision.mode, dict(decision.kwargs)) == ("off", {"enable_thinking": False})
    assert decision.margin > 0
    assert "strict format" in decision.reason and "2505.11423" in decision.reason


def test_the_lowest_effort_stands_for_off_if_the_template_has_no_off():
    router = Router(switch=Switch.parse("reasoning_effort=medium/low"))
    assert router.decide(STRICT, {}).kwargs == {"reasoning_effort": "low"}
    assert router.decide(STRICT, {"reasoning_effort": "low"}).mode == "off"


def test_a_clients_own_switch_counts_by_the_templates_values():
    router = Router(switch=Switch.parse("deep_mode"))
    assert router.decide(STRICT, {"chat_template_kwargs": {"deep_mode": True}}).mode == "on"
    assert router.decide(STRICT, {"chat_template_kwargs": {"deep_mode": False}}).mode == "off"
    assert router.decide(STRICT, {"chat_template_kwargs": {"deep_mode": [1]}}).mode == "default"


@pytest.mark.parametrize(
    "messages", [None, [], "x", [None], [{"role": "user", "content": None}], [{"role": "user", "content": "\ud800"}]]
)  # fmt: skip
def test_no_request_breaks_a_decision(messages):
    decision = decide(messages, {"messages": messages})
    assert decision.mode in ("on", "off")
    assert decision.reason.isascii() and "\n" not in decision.reason
