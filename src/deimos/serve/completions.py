"""Completions on their way to a client: what is asked of the engine, and what has come of it so far.

Knows nothing of HTTP. Not covered: the form of replies (``replies.py``).
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from deimos.engines.base import Done, Key, Token
from deimos.engines.collect import Request
from deimos.models.switch import NO_EFFORT
from deimos.serve.bodies import ChatBody, CommonBody, CompletionBody
from deimos.serve.http import RequestFault
from deimos.serve.models import ServedModel
from deimos.serve.texts import AnswerText
from deimos.thinking import Counts, Part, Rendered, Shape, ThinkIds, ThinkingError, count
from deimos.types import Prompt, Sampling


class EngineFailed(RuntimeError):
    """The engine could not decode a request."""


@dataclass(frozen=True)
class PreparedRequest:
    """What a body asks of a model."""

    model: ServedModel
    prompts: Sequence[Rendered]
    sampling: Sampling
    think_budget: int | None = None


def ask_chat(body: ChatBody, model: ServedModel) -> PreparedRequest:
    """What a chat request asks.

    Raises:
        RequestFault: the template refuses it, it is too long, or this model has no thought to close.
    """
    if body.thinking_token_budget is not None and model.closing is None:
        raise RequestFault(
            400,
            f"thinking_token_budget = {body.thinking_token_budget}: {model.name} does not think in "
            "tags, so there is no thought to close; leave it out",
            param="thinking_token_budget",
        )
    try:
        rendered = _render(body, model)
    except ThinkingError as e:
        raise RequestFault(400, str(e), param="messages") from e
    except Exception as e:  # a template is a program, and its input is the client's
        reason = f"the chat template fails on the messages: {type(e).__name__}: {e}"
        raise RequestFault(400, reason.splitlines()[0], param="messages") from e
    left = _room_behind([rendered], model, "messages")
    return PreparedRequest(
        model, [rendered], _sampling(body, body.budget, left, model), body.thinking_token_budget
    )


def _render(body: ChatBody, model: ServedModel) -> Rendered:
    """The prompt; a thought of no tokens is asked for as the template turns thinking off.

    A model knows that form from its training. Behind a thought that is closed as soon as it begins it
    may think on, and close it again in its answer.
    """
    arguments, key = body.template_arguments, model.template.thinking_key
    if body.reasoning_effort == NO_EFFORT:
        arguments.setdefault(key, False)
    if body.thinking_token_budget == 0:
        without = model.render(body.messages, {**arguments, key: False})
        if without.shape is Shape.SHUT:
            return without
    return model.render(body.messages, arguments)


def ask_text(body: CompletionBody, model: ServedModel) -> PreparedRequest:
    """What a request to continue texts asks; they are taken as they are, without a template.

    Raises:
        RequestFault: a token id that the model does not have, or a text that is too long.
    """
    prompts = []
    for prompt in body.prompts:
        ids = model.tokenizer(prompt)["input_ids"] if isinstance(prompt, str) else prompt
        if wrong := [i for i in ids if not 0 <= i < len(model.tokenizer)]:
            most = len(model.tokenizer) - 1
            raise RequestFault(
                400, f"prompt has token id {wrong[0]}: must be from 0 to {most}", param="prompt"
            )
        prompts.append(Rendered("", tuple(ids), ThinkIds(Shape.PLAIN), None))
    left = _room_behind(prompts, model, "prompt")
    return PreparedRequest(model, prompts, _sampling(body, body.max_tokens, left, model))


def _room_behind(prompts: Sequence[Rendered], model: ServedModel, param: str) -> int | None:
    """Tokens that fit behind the longest prompt; None: not known."""
    if model.context is None:
        return None
    longest = max(len(prompt.ids) for prompt in prompts)
    if longest >= model.context:
        raise RequestFault(
            400,
            f"{param}: {longest} tokens as the model sees them, and {model.name} holds "
            f"{model.context} with the answer: shorten them",
            param=param,
        )
    return model.context - longest


def _sampling(
    body: CommonBody, budget: int | None, left: int | None, model: ServedModel
) -> Sampling:
    """How tokens are drawn: as the body says, and the model's defaults if it leaves that open."""
    defaults = model.defaults

    def chosen(name: str) -> float:
        value = getattr(body, name)
        return getattr(defaults, name) if value is None else value

    most = defaults.max_tokens if budget is None else budget
    return Sampling(
        temperature=chosen("temperature"), top_p=chosen("top_p"),
        top_k=max(0, int(chosen("top_k"))), min_p=chosen("min_p"),
        repetition_penalty=chosen("repetition_penalty"),
        presence_penalty=chosen("presence_penalty"),
        frequency_penalty=chosen("frequency_penalty"),
        max_tokens=most if left is None else min(most, left),
    )  # fmt: skip


class RunningCompletion:
    """One completion while it is decoded: its texts so far, its tokens, its end.

    Args:
        asked: what is asked.
        rendered: its prompt.
        index: of the choice.
        body: for the stop texts and the seed.
        name: of the reply; no two have the same.
    """

    def __init__(
        self, asked: PreparedRequest, rendered: Rendered, index: int, body: CommonBody, name: str
    ) -> None:
        self.index = index
        self.model = asked.model
        self.rendered = rendered
        self.texts: dict[Part, str] = {"think": "", "answer": ""}
        self.ids: list[int] = []
        self.finish = ""
        """``stop`` or ``length``; empty: it is not over."""
        self.closed = False
        """Whether there is an answer: the thought, if there was one, has been closed."""
        self._stops = body.stops
        self._text = AnswerText(asked.model.tokenizer, rendered, asked.model.silent_ids, body.stops)
        seed, drawn_as = _seed(body.seed, rendered, index)
        self.request = Request(
            prompt=Prompt(name, "chat", "instruction", (), None), rendered=rendered, index=index,
            seed=seed, sampling=asked.sampling,
            think_budget=asked.model.think_budget(asked.think_budget),
            stream=bool(body.stream or body.stops),  # else its end is all that is needed
            drawn_as=drawn_as,
        )  # fmt: skip

    async def follow(self) -> AsyncGenerator[list[tuple[Part, str]], None]:
        """Decode it; the parts of text that have come since the last time, perhaps none.

        Leaving frees its row at once.

        Raises:
            EngineFailed: the engine ended it in an error.
        """
        async with contextlib.aclosing(self.model.thread.follow(self.request)) as batches:
            async for events in batches:
                if not self._stops:  # behind a stop text no token counts, so each is looked at
                    events = _merge_tokens(events)
                parts = [part for event in events for part in self._take(event)]
                for part, text in parts:
                    self.texts[part] += text
                yield parts
                if self.finish:
                    return

    def _take(self, event: Token | Done) -> list[tuple[Part, str]]:
        if self.finish:
            return []  # behind a stop text
        if isinstance(event, Token):
            self.ids += event.token_ids
            parts = self._text.push(event.token_ids, event.text)
            if self._text.stopped_by is not None:
                self._end("stop")
            return parts
        if event.finish == "error":
            raise EngineFailed(event.error)
        self.ids = [*event.completion_ids]
        parts = [] if self.request.stream else self._text.push(self.ids, event.text)
        parts += self._text.finish()
        self._end("length" if event.finish == "length" else "stop")
        return parts

    def _end(self, finish: str) -> None:
        self.finish = finish
        self.closed = not self._text.is_open

    @property
    def counts(self) -> Counts:
        """Tokens of thought and answer so far."""
        counts = count(self.ids, self.rendered.think, self.model.eos_ids)
        if self.rendered.shape is Shape.PLAIN or self._text.answered_at_once:
            return Counts(0, max(counts.think_tokens, counts.answer_tokens))
        return counts


def _merge_tokens(events: Sequence[Token | Done]) -> list[Token | Done]:
    """The events with tokens that came together as one: their text is made at once, not one by one."""
    merged: list[Token | Done] = []
    for event in events:
        last = merged[-1] if merged else None
        if isinstance(event, Token) and isinstance(last, Token):
            text = None if event.text is None else (last.text or "") + event.text
            merged[-1] = Token(event.key, last.token_ids + event.token_ids, text)
        else:
            merged.append(event)
    return merged


def _seed(seed: int | None, rendered: Rendered, index: int) -> tuple[int, Key | None]:
    """The engine's seed, and whose random numbers are drawn: the same for the same request."""
    if seed is None:
        return secrets.randbits(31), None
    content = hashlib.sha256(repr(rendered.ids).encode()).hexdigest()
    if index == 0:
        return seed % 2**31, Key(content, 0)
    digest = hashlib.sha256(f"{seed}/{index}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1, Key(content, index)
