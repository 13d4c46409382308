"""What a request's thinking mode is, and who set it."""

import pytest

from deimos.models.switch import NO_SWITCH, Switch
from deimos.serve.router import Decision, Router, decide

ASKED = [{"role": "user", "content": "What is 17 times 23?"}]


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


def test_arguments_are_the_templates_own():
    levels = Switch.parse("enable_thinking+reasoning_effort=xhigh/")
    wanted = {"enable_thinking": True, "reasoning_effort": "xhigh"}
    assert Router(switch=levels).decide(ASKED, {}).kwargs == wanted
