"""What is written for vLLM's Semantic Router; the router's own check is in test_plugins_real.py."""

from __future__ import annotations

import dataclasses

import pytest
import yaml

from deimos.models.switch import NO_SWITCH, Switch
from deimos.route.policy import Stratum, default_policy
from deimos.serve.keys import ServeError
from deimos.serve.router import Router
from deimos.serve.vllm_sr import write_router_config


def write(switch="enable_thinking", policy=None, upstream="http://127.0.0.1:8000/v1", **more):
    found = Switch.parse(switch)
    return write_router_config(Router(policy, found), "m", upstream, **more)


def decisions(text):
    return {d["name"]: d["modelRefs"][0] for d in yaml.safe_load(text)["routing"]["decisions"]}


def test_the_policys_evidence_decides():
    text = write()
    assert decisions(text) == {
        "strict-format": {"model": "m", "use_reasoning": False},
        "thinking-on": {"model": "m", "use_reasoning": True},
    }
    assert default_policy().identity in text and default_policy().evidence in text
    (model,) = yaml.safe_load(text)["providers"]["models"]
    assert model["reasoning"]["parameter"] == "enable_thinking"
    assert model["backend_refs"][0]["endpoint"] == "127.0.0.1:8000"


def test_without_evidence_thinking_stays_on():
    none = dataclasses.replace(default_policy(), strata=[])
    assert [*decisions(write(policy=none))] == ["thinking-on"]


def test_kinds_that_words_do_not_find_are_named():
    more = [*default_policy().strata, Stratum("chat", None, 0.1, "because")]
    text = write(policy=dataclasses.replace(default_policy(), strata=more))
    assert "Left on, as no words tell them apart: chat." in text


def test_levels_of_effort_are_written_as_levels():
    found = decisions(write("reasoning_effort=medium/low"))
    assert found["strict-format"] == {
        "model": "m",
        "use_reasoning": True,
        "reasoning_effort": "low",
    }
    both = yaml.safe_load(write("enable_thinking+reasoning_effort=high/"))
    reasoning = both["providers"]["models"][0]["reasoning"]
    assert reasoning["activation_parameter"] == "enable_thinking" and reasoning["default"] == "high"


def test_without_a_switch_nothing_is_decided():
    text = write_router_config(Router(switch=NO_SWITCH), "m", "http://127.0.0.1:8000")
    assert [*decisions(text)] == ["thinking-on"]
    assert "reasoning" not in yaml.safe_load(text)["providers"]["models"][0]


def test_a_model_that_was_trained_without_thoughts_answers_without():
    text = write_router_config(
        Router(switch=Switch.parse("enable_thinking"), trained_off=True),
        "m",
        "http://127.0.0.1:8000",
    )
    assert decisions(text) == {"thinking-off": {"model": "m", "use_reasoning": False}}
    assert (
        default_policy().evidence not in text and "trained and measured with thinking off" in text
    )


def test_a_switch_that_the_router_does_not_know_is_refused():
    with pytest.raises(ServeError, match="has no name that vllm-sr knows"):
        write("think_mode=deep/quick")


def test_a_bad_address_is_refused():
    with pytest.raises(ServeError, match="--upstream"):
        write(upstream="nowhere")
