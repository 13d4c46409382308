"""A configuration of vLLM's Semantic Router in which a policy's evidence decides about thinking.

For those who run that router already: ``deimos serve RUN --emit vllm-sr``, checked with
``vllm-sr config validate`` (0.4.0). Its signals are lists of words, so what is written is our rules
for requests whose form a program could check, without the fitted weights: coarser than the policy,
and the file says so. Other kinds for which the policy has evidence stay with thinking on, and are
named in the file. Not covered: answers in headers, sampling, budgets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import yaml

from deimos.models.effort import ARGUMENT
from deimos.models.switch import NAMES, Switch
from deimos.route.phrases import PHRASES, UNITS
from deimos.serve.forward import read_address
from deimos.serve.keys import ServeError
from deimos.serve.router import TRAINED_OFF, Router

SIGNALS: Mapping[str, Iterable[str]] = {
    "bounds": PHRASES["bounded"], "units": UNITS, "casing": PHRASES["cased"],
    "whole-answer": PHRASES["whole_answer"],
    "quantity": ("how many", "how much", "calculate", "compute", "solve", "prove", "equation"),
}  # fmt: skip
"""The router's keyword signals; ``quantity`` keeps exercises out."""
FORM = "format"
"""The kind that these signals find."""


def write_router_config(router: Router, model: str, upstream: str, port: int = 8899) -> str:
    """The configuration, as YAML.

    Args:
        router: whose policy's evidence decides, with the switch of the model's chat template.
        model: its name at the server.
        upstream: the server's address, http or https.
        port: that the router listens on.

    Raises:
        ServeError: the switch cannot be written as the router has it, or the address is none.
    """
    base = urlsplit(read_address(upstream))
    policy, switch, on = router.policy, router.switch, not router.trained_off
    off = sorted({s.kind for s in policy.strata if s.at_least is None and s.gain_bound > 0})
    decisions = [
        _decide(
            "thinking-on" if on else "thinking-off",
            1, {"operator": "AND", "conditions": []}, model, switch, on,
        )
    ]  # fmt: skip
    if on and FORM in off and switch:
        decisions.insert(0, _decide("strict-format", 100, _find_form(), model, switch, False))
    config = {
        "version": "v0.3",
        "listeners": [{"name": f"http-{port}", "address": "127.0.0.1", "port": port, "timeout": "3600s"}],
        "providers": {
            "defaults": {"model": model},
            "models": [
                {
                    "name": model,
                    **({"reasoning": _describe_switch(switch)} if switch else {}),
                    "backend_refs": [
                        {
                            "name": "primary", "provider": "vllm", "endpoint": base.netloc,
                            "protocol": base.scheme, "weight": 100,
                        }
                    ],
                }
            ],
        },
        "routing": {
            "modelCards": [{"name": model}],
            "signals": {"keywords": [_list_words(*signal) for signal in SIGNALS.items()]},
            "decisions": decisions,
        },
    }  # fmt: skip
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=100)
    return _say_what_it_is(router, off) + text


def _say_what_it_is(router: Router, off: list[str]) -> str:
    policy, left = router.policy, [kind for kind in off if kind != FORM]
    lines = [f"Thinking off: {TRAINED_OFF}."] if router.trained_off else [
        f"Thinking on or off, by the evidence of policy {policy.identity}.",
        policy.evidence,
        "Words stand in for the policy's fitted rules: coarser than `deimos serve --upstream`.",
        *([f"Left on, as no words tell them apart: {', '.join(left)}."] if left else []),
    ]  # fmt: skip
    return "".join(f"# {' '.join(line.split())}\n" for line in lines)


def _list_words(name: str, phrases: Iterable[str]) -> dict[str, Any]:
    words = sorted({_plain(phrase) for phrase in phrases})
    return {"name": name, "operator": "OR", "keywords": words, "case_sensitive": False}


def _plain(phrase: str) -> str:
    """A phrase as people write it: the lists have its tokens apart, and stems marked."""
    return phrase.replace(" - ", "-").removesuffix("~")


def _find_form() -> dict[str, Any]:
    def signal(name: str) -> dict[str, str]:
        return {"type": "keyword", "name": name}

    counted = {"operator": "AND", "conditions": [signal("bounds"), signal("units")]}
    anyway = {"operator": "OR", "conditions": [counted, signal("casing"), signal("whole-answer")]}
    no_exercise = {"operator": "NOT", "conditions": [signal("quantity")]}
    return {"operator": "AND", "conditions": [anyway, no_exercise]}


def _decide(
    name: str, priority: int, rules: Mapping[str, Any], model: str, switch: Switch, on: bool
) -> dict[str, Any]:
    effort = (switch.on if on else switch.off).get(ARGUMENT)
    given = {"reasoning_effort": effort} if effort else {}
    thinks = bool(switch) and (on or not switch.ends_thinking)
    return {
        "name": name, "priority": priority, "rules": dict(rules),
        "modelRefs": [{"model": model, "use_reasoning": thinks, **given}],
    }  # fmt: skip


def _describe_switch(switch: Switch) -> dict[str, Any]:
    """The switch as the router has it: true and false, levels, or both."""
    flag = next((name for name in NAMES if name in switch.off or name in switch.on), None)
    levels = [switch.on.get(ARGUMENT), switch.off.get(ARGUMENT)]
    known = [level for level in dict.fromkeys(levels) if level]
    modes = {"modes": ["enabled", "disabled"], "default_mode": "enabled"}
    if known:
        starts = {"activation_parameter": flag, **modes} if flag else {}
        return {
            "type": "reasoning_effort", "parameter": ARGUMENT, "levels": known,
            "default": known[0], **starts,
        }  # fmt: skip
    if flag is None:
        raise ServeError(
            f"--emit vllm-sr: the thinking switch {switch} has no name that vllm-sr knows"
        )
    return {"type": "chat_template_kwargs", "parameter": flag, **modes}
