"""The chat template of a model that has been taught thinking tags: its own, and then the opening tag.

What the template renders for a model that thinks in no tags stays as it is, to the character; behind
it the thought is opened, or, with ``enable_thinking`` false, opened and closed at once. The shape is
that of Qwen3.5's template. Not covered: earlier turns, whose thoughts the template shows if the client
sends them.
"""

from __future__ import annotations

import copy
from typing import Any

from deimos.thinking import Shape, Tags, ThinkingError, render

_ASKED = ([{"role": "user", "content": "What is 2 + 3?"}],
          [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
           {"role": "user", "content": "c"}])  # fmt: skip
"""Conversations for which the two templates are compared."""


def teach_tokenizer(tokenizer: Any, tags: Tags) -> Any:
    """A copy of a tokenizer whose chat template opens a thought.

    Args:
        tokenizer: of a model that thinks in no tags.
        tags: what its thoughts are to stand between.

    Raises:
        ThinkingError: it has no template, its template writes these tags already, or it does not
            render what it rendered before.
    """
    plain = [render(tokenizer, ask, tags=None, thinking=None).text for ask in _ASKED]
    template = tokenizer.get_chat_template()
    if tags.open in template or tags.close in template:
        raise ThinkingError(
            f"train.teach: the chat template writes {tags.open} or {tags.close} already: name the tags in "
            "model.tags instead, or teach others"
        )
    taught = copy.deepcopy(tokenizer)
    taught.chat_template = _extend(template, tags)
    for ask, before in zip(_ASKED, plain):
        on, off = (render(taught, ask, tags=tags, thinking=t) for t in (None, False))
        opened = f"{before}{tags.open}\n"
        if (on.text, off.text) != (opened, f"{opened}\n{tags.close}\n\n"):
            raise ThinkingError(
                f"train.teach: the chat template cannot be made to open a thought with {tags.open}: it has "
                "a thinking switch of its own, or text behind its generation prompt"
            )
        assert (on.shape, off.shape) == (Shape.OPEN, Shape.SHUT)
    return taught


def _extend(template: str, tags: Tags) -> str:
    """The template with the opening tag behind its generation prompt."""
    # Jinja leaves a template's last line break out; in the middle of one it would be text.
    head = template[:-1] if template.endswith("\n") else template
    return (
        f"{head}{{%+ if add_generation_prompt %}}{{{{ {_literal(tags.open)} ~ '\\n' }}}}"
        "{% if enable_thinking is defined and enable_thinking is false %}"
        f"{{{{ '\\n' ~ {_literal(tags.close)} ~ '\\n\\n' }}}}{{% endif %}}{{% endif %}}"
    )


def _literal(text: str) -> str:
    """A text as Jinja's own literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
