"""The form of replies: OpenAI's, with the thought in ``reasoning`` as vLLM has it."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from typing import Any, Protocol

from deimos.serve.completions import RunningCompletion
from deimos.thinking import Part

DONE = b"data: [DONE]\n\n"


def sse(value: Any) -> bytes:
    """One event of a stream."""
    return b"data: " + json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n\n"


def usage_of(completions: Sequence[RunningCompletion]) -> dict[str, Any]:
    """Tokens of a reply; each prompt counts once, however many choices it has."""
    prompts = {id(c.rendered): len(c.rendered.ids) for c in completions}
    prompt, completion = sum(prompts.values()), sum(len(c.ids) for c in completions)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "completion_tokens_details": {
            "reasoning_tokens": sum(c.counts.think_tokens for c in completions)
        },
    }


class ReplyForm(Protocol):
    """How one kind of request is replied to."""

    name: str
    """Of the reply."""
    has_ids: bool
    """Whether choices say which ids were sampled; a stream does at each choice's end."""
    has_counts: bool
    """Whether every piece of a stream says how many tokens there are so far."""

    def whole(self, completions: Sequence[RunningCompletion]) -> dict[str, Any]:
        """The reply to a request that is not streamed."""
        ...

    def opening(self, completion: RunningCompletion) -> list[dict[str, Any]]:
        """What a stream says of a choice before its first text."""
        ...

    def chunk(self, completion: RunningCompletion, part: Part, text: str) -> dict[str, Any] | None:
        """A text of a choice; None: it is not asked for."""
        ...

    def closing(self, completion: RunningCompletion) -> dict[str, Any]:
        """A choice's end."""
        ...

    def usage(self, completions: Sequence[RunningCompletion]) -> dict[str, Any]:
        """The last chunk of a stream, if it is asked for."""
        ...


class _CommonForm:
    """What both kinds have in common."""

    prefix = ""
    kind = ""
    chunk_kind = ""

    def __init__(self, model: str, engine: str) -> None:
        self.name = f"{self.prefix}{uuid.uuid4().hex}"
        self._model, self._engine, self._created = model, engine, int(time.time())
        self.has_ids = self.has_counts = False

    def _reply(self, kind: str, choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        return {
            "id": self.name,
            "object": kind,
            "created": self._created,
            "model": self._model,
            "choices": choices,
            "system_fingerprint": self._engine,
            **more,
        }

    def _piece(self, completion: RunningCompletion, choice: dict[str, Any]) -> dict[str, Any]:
        """One piece of a stream."""
        more = {"usage": usage_of([completion])} if self.has_counts else {}
        return self._reply(self.chunk_kind, [choice], **more)

    def _ids(self, completion: RunningCompletion) -> dict[str, Any]:
        """The ids of a choice that is over, if they are asked for."""
        return {"token_ids": completion.ids} if self.has_ids and completion.finish else {}

    def usage(self, completions: Sequence[RunningCompletion]) -> dict[str, Any]:
        """See ``ReplyForm``."""
        return self._reply(self.chunk_kind, [], usage=usage_of(completions))


class ChatForm(_CommonForm):
    """Replies of ``/v1/chat/completions``.

    Args:
        model: its name.
        engine: what decodes.
        reasoning: whether the thought is sent.
    """

    prefix, kind, chunk_kind = "chatcmpl-", "chat.completion", "chat.completion.chunk"

    def __init__(self, model: str, engine: str, *, reasoning: bool = True) -> None:
        super().__init__(model, engine)
        self._reasoning = reasoning

    def whole(self, completions: Sequence[RunningCompletion]) -> dict[str, Any]:
        """See ``ReplyForm``; ``content`` is null if the thought never closed."""
        choices = [
            {
                "index": c.index,
                "message": self._message(c),
                "logprobs": None,
                "finish_reason": c.finish,
                **self._ids(c),
            }
            for c in completions
        ]
        return self._reply(self.kind, choices, usage=usage_of(completions))

    def _message(self, completion: RunningCompletion) -> dict[str, Any]:
        thought = completion.texts["think"] if self._reasoning else ""
        return {
            "role": "assistant",
            "content": completion.texts["answer"] if completion.closed else None,
            "reasoning": thought or None,
            "refusal": None,
        }

    def opening(self, completion: RunningCompletion) -> list[dict[str, Any]]:
        """See ``ReplyForm``."""
        return [self._delta(completion, {"role": "assistant", "content": ""})]

    def chunk(self, completion: RunningCompletion, part: Part, text: str) -> dict[str, Any] | None:
        """See ``ReplyForm``."""
        if part == "think":
            return self._delta(completion, {"reasoning": text}) if self._reasoning else None
        return self._delta(completion, {"content": text})

    def closing(self, completion: RunningCompletion) -> dict[str, Any]:
        """See ``ReplyForm``."""
        return self._delta(completion, {}, completion.finish)

    def _delta(
        self, completion: RunningCompletion, delta: dict[str, Any], finish: str | None = None
    ) -> dict[str, Any]:
        choice = {
            "index": completion.index,
            "delta": delta,
            "logprobs": None,
            "finish_reason": finish,
        }
        return self._piece(completion, choice | (self._ids(completion) if finish else {}))


class TextForm(_CommonForm):
    """Replies of ``/v1/completions``: all of a completion is its text."""

    prefix, kind, chunk_kind = "cmpl-", "text_completion", "text_completion"

    def whole(self, completions: Sequence[RunningCompletion]) -> dict[str, Any]:
        """See ``ReplyForm``."""
        choices = [self._choice(c, c.texts["answer"], c.finish) | self._ids(c) for c in completions]
        return self._reply(self.kind, choices, usage=usage_of(completions))

    def opening(self, completion: RunningCompletion) -> list[dict[str, Any]]:
        """See ``ReplyForm``."""
        return []

    def chunk(self, completion: RunningCompletion, part: Part, text: str) -> dict[str, Any] | None:
        """See ``ReplyForm``."""
        return self._piece(completion, self._choice(completion, text, None))

    def closing(self, completion: RunningCompletion) -> dict[str, Any]:
        """See ``ReplyForm``."""
        last = self._choice(completion, "", completion.finish) | self._ids(completion)
        return self._piece(completion, last)

    def _choice(
        self, completion: RunningCompletion, text: str, finish: str | None
    ) -> dict[str, Any]:
        return {"index": completion.index, "text": text, "logprobs": None, "finish_reason": finish}
