"""How a chat template is asked to think, or not: its own switch, found by rendering it.

Templates have switches of several names: ``enable_thinking`` (Qwen3 to Qwen3.8, Nemotron, GLM,
Gemma 4), ``thinking`` (DeepSeek V3.1, Granite), levels of ``reasoning_effort`` (gpt-oss; Qwen3.8
beside its ``enable_thinking``), and many have none. What a template's text mentions is no proof, so
it is rendered with every candidate and the prompts are compared. Never read from a model's name.
Not covered: switches in the user's own text (``/no_think``), efforts given as numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

from deimos.models.effort import ARGUMENT, find_levels, make_extensions

Mode = Literal["on", "off", "default"]
"""``default``: as the template has it without arguments."""
NAMES = ("enable_thinking", "thinking")
"""Switches that take true and false, the customary one first."""
NO_EFFORT = "none"
"""The level of ``reasoning_effort`` by which a client turns thinking off (vLLM; OpenAI's API)."""


class SwitchError(ValueError):
    """A text that does not describe a switch; one sentence."""


@dataclass(frozen=True)
class Switch:
    """What a chat template is given to think, and not to think.

    Attributes:
        on: template arguments of thinking ON; without any, the template has no switch.
        off: those of OFF, or of the lowest effort if the template cannot end thinking.
    """

    on: Mapping[str, Any] = field(default_factory=dict)
    off: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.on != self.off

    @cached_property
    def names(self) -> frozenset[str]:
        """The template arguments that it is made of."""
        return frozenset(self.on) | frozenset(self.off)

    @property
    def ends_thinking(self) -> bool:
        """Whether OFF means no thought at all, not only less of one."""
        return bool(self) and any(value is False for value in self.off.values())

    def arguments(self, mode: Mode) -> dict[str, Any]:
        """What the chat template is given for a mode; empty for ``default``."""
        return dict({"on": self.on, "off": self.off}.get(mode, {}))

    def read_client(self, request: Mapping[str, Any]) -> Mode | None:
        """The mode that a request sets itself; None if it leaves it open.

        ``chat_template_kwargs`` with one of the switch's arguments or one of the customary names,
        or ``reasoning_effort`` beside the messages. What cannot be read is the client's all the
        same: ``default``.

        Args:
            request: the body of a chat completion request.
        """
        own = request.get("chat_template_kwargs")
        own = own if isinstance(own, Mapping) else {}
        for name in self.names:
            if own.get(name) is not None and own[name] in (self.on.get(name), self.off.get(name)):
                return "off" if own[name] == self.off.get(name) else "on"
        for name in NAMES:
            if isinstance(own.get(name), bool):
                return "on" if own[name] else "off"
        effort = own.get(ARGUMENT, request.get(ARGUMENT))
        if effort is not None:
            lowest = not self.ends_thinking and effort == self.off.get(ARGUMENT)
            return "off" if effort == NO_EFFORT or lowest else "on"
        known = self.names.union(NAMES)
        return "default" if any(own.get(name) is not None for name in known) else None

    def __str__(self) -> str:
        if not self:
            return "none"
        return "+".join(
            _describe(name, self.on, self.off) for name in (*self.on, *self._only_off())
        )

    def _only_off(self) -> Iterator[str]:
        return (name for name in self.off if name not in self.on)

    @classmethod
    def parse(cls, text: str) -> Switch:
        """Read a switch from text, as ``str`` writes it.

        ``none``; ``enable_thinking`` (short for ``enable_thinking=true/false``);
        ``reasoning_effort=medium/low`` (ON, then OFF); several joined by ``+``; an empty value
        leaves the argument out.

        Raises:
            SwitchError: it is none of these.
        """
        if text.strip() == "none":
            return cls()
        on: dict[str, Any] = {}
        off: dict[str, Any] = {}
        for part in text.strip().split("+"):
            name, given, values = part.strip().partition("=")
            first, slash, second = (values if given else "true/false").partition("/")
            if not name.isidentifier() or not slash or not (first or second) or "/" in second:
                raise SwitchError(
                    f"thinking switch {text!r}: accepted: none, enable_thinking, or "
                    "NAME=ON/OFF, several joined by + (reasoning_effort=medium/low)"
                )
            on |= {name: _value(first)} if first else {}
            off |= {name: _value(second)} if second else {}
        return cls(on, off)


ENABLE_THINKING = Switch({"enable_thinking": True}, {"enable_thinking": False})
"""The customary switch, taken if no template is at hand."""
NO_SWITCH = Switch()


def find_switch(template: str, key: str = NAMES[0]) -> Switch:
    """The switch of a chat template, by rendering it.

    Args:
        template: its text (Jinja).
        key: the name that is tried before the customary ones (``model.thinking_key``).

    Returns:
        ``NO_SWITCH`` if nothing makes a difference, or the template cannot be rendered.
    """
    render = _renderer(template)
    if render is None:
        return NO_SWITCH
    levels = find_levels(template)
    default = _default_level(render, levels)
    effort = {} if default is None else {ARGUMENT: default}
    for name in dict.fromkeys((key, *NAMES)):
        if _differ(render({name: True}), render({name: False})):
            return Switch({name: True, **effort}, {name: False})
    return Switch(effort, {ARGUMENT: levels[0]}) if effort and levels[0] != default else NO_SWITCH


def has_switch(template: str, name: str) -> bool | None:
    """Whether a chat template renders another prompt with an argument true than with it false.

    Args:
        template: its text (Jinja).
        name: the argument's.

    Returns:
        None if the template cannot be rendered.
    """
    render = _renderer(template)
    return None if render is None else _differ(render({name: True}), render({name: False}))


def _default_level(render: Any, levels: list[str]) -> str | None:
    """The level that a template takes if it is given none; None if it has no levels."""
    if len({render({ARGUMENT: level}) for level in levels} - {None}) < 2:
        return None
    as_it_is = render({})
    return next(
        (level for level in reversed(levels) if render({ARGUMENT: level}) == as_it_is), None
    )


def _differ(first: str | None, second: str | None) -> bool:
    return first is not None and second is not None and first != second


def _renderer(template: str) -> Any:
    """A function that renders the template for one message with some arguments; None on a fault."""
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def fail(message: str) -> None:
        raise TemplateError(message)

    # As transformers sets it up (utils/chat_template_utils.py): templates are written for that.
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=make_extensions()
    )
    environment.filters["tojson"] = lambda value, **_: json.dumps(value, ensure_ascii=False)
    environment.globals["raise_exception"] = fail
    environment.globals["strftime_now"] = datetime(2026, 1, 1, tzinfo=UTC).strftime
    try:
        compiled = environment.from_string(template)
    except TemplateError:
        return None
    tokens = {"bos_token": "", "eos_token": "", "unk_token": "", "pad_token": ""}
    messages = [{"role": "user", "content": "Hello."}]

    def render(arguments: Mapping[str, Any]) -> str | None:
        try:
            return compiled.render(
                messages=messages, add_generation_prompt=True, **{**tokens, **arguments}
            )
        except (TemplateError, TypeError, ValueError, KeyError, AttributeError):
            return None  # the template refuses the argument's value, or a message without more

    return render


def _describe(name: str, on: Mapping[str, Any], off: Mapping[str, Any]) -> str:
    if on.get(name) is True and off.get(name) is False:
        return name
    return f"{name}={_text(on.get(name))}/{_text(off.get(name))}"


def _text(value: Any) -> str:
    words: dict[Any, str] = {None: "", True: "true", False: "false"}
    return words.get(value, str(value))


def _value(text: str) -> Any:
    return {"true": True, "false": False}.get(text, text)
