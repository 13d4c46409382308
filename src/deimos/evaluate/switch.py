"""Whether a model's thinking can be turned on and off: by rendering both prompts, not by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from deimos.chat_template import TemplateArguments
from deimos.thinking import Shape, Tags, render, shape_of


def explain_no_switch(
    tokenizer: Any,
    messages: Sequence[Mapping[str, str]],
    tags: Tags | None,
    today: date | None = None,
    template: TemplateArguments | None = None,
) -> str:
    """Why the chat template cannot turn thinking on and off for these messages; empty if it can.

    Both prompts are rendered and compared: what the template's text mentions is not proof.

    Args:
        tokenizer: with its chat template.
        messages: a prompt's.
        tags: of a thought; None: the model thinks in no tags.
        today: the date for a template that writes one.
        template: what the recipe gives the chat template, the switch's name among them.

    Raises:
        ThinkingError: there is no template, or it refuses the messages.
    """
    if tags is None:
        return "the model does not think in tags (model.tags is null): there is no thinking to turn off"
    # Rendered as a model without tags: else a template that ignores the switch would be refused.
    on, off = (
        render(tokenizer, messages, tags=None, thinking=switch, today=today, template=template).text
        for switch in (True, False)
    )
    key = (template or TemplateArguments()).thinking_key
    if on == off:
        return f"the chat template renders the same prompt with {key} true and false"
    if shape_of(off, tags) is not Shape.SHUT:
        return f"with {key} false the rendered prompt does not end with {tags.close}"
    if shape_of(on, tags) is Shape.SHUT:
        return f"with {key} true the rendered prompt still ends with {tags.close}"
    return ""
