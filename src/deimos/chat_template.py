"""Chat templates: what they are given, and what of it they ignore.

What a template's text mentions proves nothing, so none of it is believed: messages are rendered twice,
with one thing changed, and the two texts compared. Not covered: tags and shapes of thinking
(thinking.py), and efforts (models/effort.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

NOW = "strftime_now"
"""The function by which a template asks transformers for the current date."""
RENDERING = (
    "messages", "conversation", "chat_template", "add_generation_prompt", "continue_final_message",
    "tokenize", "padding", "truncation", "max_length", "return_tensors", "return_dict",
    "return_assistant_tokens_mask", "tokenizer_kwargs", NOW, "raise_exception",
)  # fmt: skip
"""Names that rendering sets itself, or that are no variables of the template."""
Conversation = Sequence[Mapping[str, str]]
_PROBE = "Is this sentence rendered, or is it left out?"
_SWITCHES = re.compile(r"\b\w*(?:think|reason)\w*\b")
"""Words in a template that may name a switch of thinking; each is tried."""


@dataclass(frozen=True, slots=True)
class TemplateArguments:
    """What a recipe gives the chat template besides the messages."""

    thinking_key: str = "enable_thinking"
    """The template's name for the switch that turns thinking on and off."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Other arguments, by the template's names; the same for every prompt."""

    def with_thinking(self, thinking: bool | None) -> dict[str, Any]:
        """All arguments as the template takes them; None leaves the switch out."""
        return {**self.fixed, **({} if thinking is None else {self.thinking_key: thinking})}


@dataclass(frozen=True)
class ChatTemplate:
    """A tokenizer's chat template with arguments that stay the same from text to text."""

    tokenizer: Any
    given: Mapping[str, Any]

    def render(self, messages: Conversation, *, begin_answer: bool = True, **changes: Any) -> str:
        """The messages as the template renders them, up to where the assistant begins to write.

        Raises:
            TemplateError: jinja2's: the template refuses them.
        """
        options = {**self.given, **changes, "tokenize": False}
        return self.tokenizer.apply_chat_template(
            [dict(m) for m in messages], add_generation_prompt=begin_answer, **options
        )

    def try_render(self, messages: Conversation, **options: Any) -> str | None:
        """The same; None if the template refuses."""
        from jinja2 import TemplateError

        try:
            return self.render(messages, **options)
        except (TemplateError, TypeError, ValueError):
            return None


def date_argument(today: date | None) -> dict[str, Any]:
    """What makes a template that writes the current date write this one, at midnight; None: nothing.

    A variable of this name hides transformers' own.
    """
    return {} if today is None else {NOW: datetime.combine(today, time()).strftime}


def find_ignored(template: ChatTemplate, messages: Conversation) -> str:
    """What the template ignores of the messages or of the turn that is to begin.

    Returns:
        One sentence with what to do about it; empty if nothing is ignored.
    """
    text = template.render(messages)
    for at, message in enumerate(messages):
        changed = [*messages[:at], {**message, "content": _PROBE}, *messages[at + 1 :]]
        content: object = message.get("content")  # of a request to a server it may be anything
        if content and isinstance(content, str) and template.try_render(changed) == text:
            return _say_dropped(template, messages, at)
    header = _missing_header(template, messages, text)
    if header:
        return (
            "the chat template ignores add_generation_prompt: the prompt does not end with "
            f"{header!r}, behind which the assistant writes: use a template that renders it"
        )
    return ""


def _say_dropped(template: ChatTemplate, messages: Conversation, at: int) -> str:
    """Of a message whose text makes no difference: what is dropped, and what to do."""
    role = messages[at]["role"]
    said = messages[at]["content"]
    parts: Any = [*messages]
    parts[at] = {**messages[at], "content": [{"type": "text", "text": said}]}
    in_parts = template.try_render(parts)
    if in_parts and said.strip() in in_parts:
        return (
            f"the chat template drops content that is plain text (the {role}'s), as it takes lists of "
            "parts: use a template that takes plain text"
        )
    hint = "put its text into the user's message" if role == "system" else "leave it out"
    return f"the chat template drops the {role} message: {hint}, or use a template that renders it"


def _missing_header(template: ChatTemplate, messages: Conversation, text: str) -> str:
    """What the template writes before an assistant's turn and the prompt does not end with."""
    if template.try_render(messages, begin_answer=False) != text:
        return ""  # the argument makes a difference
    answered = [*messages, {"role": "assistant", "content": _PROBE}]
    whole = template.try_render(answered, begin_answer=False) or ""
    header, found, _ = whole.removeprefix(text).partition(_PROBE)
    return header.strip() if found and whole.startswith(text) else ""


def find_switches(template: ChatTemplate, messages: Conversation) -> Iterator[str]:
    """Names in the template by which the prompt becomes another one: true against false."""
    for name in sorted({*_SWITCHES.findall(template.tokenizer.get_chat_template())}):
        on, off = (template.try_render(messages, **{name: value}) for value in (True, False))
        if on is not None and off is not None and on != off:
            yield name


def find_ignored_switch(
    template: ChatTemplate, messages: Conversation, key: str, opening: str, closing: str
) -> str:
    """Why a prompt that leaves the thought to the model is not one of a model that thinks in tags.

    Args:
        template: with the switch on among what it is given.
        messages: a prompt's.
        key: the switch's name.
        opening: the tag that opens a thought.
        closing: the tag that closes it.

    Returns:
        One sentence with what to do about it; empty if the switch makes a difference, or if the
        template treats thoughts between these tags and has no switch of another name.
    """
    if template.try_render(messages, **{key: False}) != template.try_render(messages):
        return ""
    if _treats_thoughts(template, messages, opening, closing) and not any(
        find_switches(template, messages)
    ):
        return ""
    fault = f"the chat template knows neither {opening} nor {key}"
    return _say_fault(template, messages, key, True, fault)


def say_wrong_end(
    template: ChatTemplate, messages: Conversation, key: str, thinking: bool, closing: str
) -> str:
    """One sentence about a prompt that ends in an empty thought and should not, or the reverse."""
    fault = f"the rendered prompt {'ends' if thinking else 'does not end'} with {closing}"
    return _say_fault(template, messages, key, thinking, fault)


def _say_fault(
    template: ChatTemplate, messages: Conversation, key: str, thinking: bool, fault: str
) -> str:
    """A prompt is not as ``model.thinking`` asks: one sentence with what to do about it."""
    other = next((name for name in find_switches(template, messages) if name != key), None)
    hint = f"model.thinking_key to {other} (the template's own switch), " if other else ""
    return (
        f"model.thinking is {str(thinking).lower()} but {fault}: set {hint}model.thinking to null "
        "(to take the template as it is) or model.tags to null (the model has no tags)"
    )


def _treats_thoughts(
    template: ChatTemplate, messages: Conversation, opening: str, closing: str
) -> bool:
    """Whether the template does something about thoughts of an assistant's turn between these tags.

    It leaves them out of an earlier turn, or writes the tags around a thought that is given apart.
    """
    thought, answer = "A thought to look for.", "An answer to look for."
    said = {"role": "assistant", "content": f"{opening}\n{thought}\n{closing}\n\n{answer}"}
    apart = {"role": "assistant", "content": answer, "reasoning_content": thought}
    last = next((m for m in reversed(messages) if m["role"] == "user"), messages[-1])
    earlier = template.try_render([*messages, said, last])
    if earlier is not None and answer in earlier and thought not in earlier:
        return True
    beside = template.try_render([*messages, apart], begin_answer=False) or ""
    return thought in beside and opening in beside
