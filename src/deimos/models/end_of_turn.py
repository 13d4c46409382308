"""Which tokens end an assistant's turn, read from the tokenizer, the model and the chat template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from deimos.models.ref import ModelRef

_ANSWER = "This is the assistant's answer"
"""The assistant's message in the conversations that are rendered here."""


def eos_ids_of(tokenizer: Any, ref: ModelRef) -> frozenset[int]:
    """Every id that ends a turn: the tokenizer's, the generation config's, the chat template's.

    A token that is in the vocabulary does not end a turn for that reason alone. gpt-oss, for
    example, has ``<|end|>``: it ends the thinking (its "analysis channel"), and the turn goes on.
    """
    found = {tokenizer.eos_token_id, *_configured_ids(ref), _template_id(tokenizer)}
    return frozenset(int(i) for i in found if i is not None)


def _configured_ids(ref: ModelRef) -> list[int]:
    """The end-of-turn ids of the model's generation config, at the model's revision."""
    from transformers import GenerationConfig

    try:  # unlike the other loaders, this one takes no None for the revision
        config = GenerationConfig.from_pretrained(ref.path, revision=ref.revision or "main")
    except OSError:  # a model need not come with a generation config
        return []
    ids = config.eos_token_id
    if ids is None:
        return []
    return ids if isinstance(ids, list) else [ids]


def _template_id(tokenizer: Any) -> int | None:
    """The special token with which the chat template ends an assistant's turn, if it has one.

    Two conversations are rendered: one that ends with the answer, and one in which the user replies
    to it. The tokens that follow the answer in both belong to the end of the turn, and the last of
    them ends it. If the two have none in common (gpt-oss rewrites earlier turns), the first token
    after a last answer ends it; if no token follows a last answer (GLM), the one that begins the
    user's reply does.
    """
    user = {"role": "user", "content": "Hello."}
    assistant = {"role": "assistant", "content": _ANSWER}
    after_last = _ids_after_answer(tokenizer, [user, assistant])
    before_reply = _ids_after_answer(tokenizer, [user, assistant, user])
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(after_last, before_reply))
    ends = [token for token, _ in pairs] or after_last[:1] or before_reply[:1]
    return ends[-1] if ends else None


def _ids_after_answer(tokenizer: Any, messages: Sequence[Mapping[str, str]]) -> list[int]:
    """Ids of the special tokens that directly follow the answer in a rendered conversation."""
    from jinja2 import TemplateError

    try:
        text = tokenizer.apply_chat_template([dict(m) for m in messages], tokenize=False)
    except (TemplateError, TypeError, ValueError):  # the template accepts no such conversation
        return []
    rest = text.rpartition(_ANSWER)[2].lstrip() if _ANSWER in text else ""
    added = {
        token.content: i
        for i, token in tokenizer.added_tokens_decoder.items()
        if token.content.strip()
    }
    ids = []
    while matching := [content for content in added if rest.startswith(content)]:
        longest = max(matching, key=len)
        ids.append(added[longest])
        rest = rest[len(longest) :].lstrip()
    return ids
