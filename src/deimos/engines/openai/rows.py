"""One candidate on its way through servers: what has come of it, and whether it may continue.

``RequestRow`` is for servers that send the sampled ids. ``TextRequestRow`` is for those that send
text only: its ids are the text tokenised again, so they are ``rendered``, and a request that fails
begins again. Not covered: sending requests (call.py), and which server gets them (servers.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from deimos.engines.base import Done, Job, Token
from deimos.engines.openai.servers import ModelServer
from deimos.engines.openai.stream import Chunk, Fault
from deimos.engines.stream_state import StreamState
from deimos.thinking import overlap

LOOK = 64
"""Characters of new text until a text is tokenised again to see how long its thought is."""


class RequestRow(StreamState):
    """A job in flight at servers.

    Args:
        job: what is asked.
        eos_ids: ids that end a turn.
        now: the event loop's time, for ``seconds``.
    """

    def __init__(self, job: Job, eos_ids: Collection[int], now: float) -> None:
        super().__init__(job, eos_ids, now)
        self.failures = 0
        """Failed requests since the last token that was kept."""
        self.attempts = 0
        """Waits since then."""
        self.server: ModelServer | None = None
        """Where its request is, while there is one."""
        self.deadline: asyncio.Timeout | None = None
        self.asked = now
        """When its request was sent."""
        self.heard: float | None = None
        """When the request's last token came; None: none has."""

    def request(self) -> dict[str, Any]:
        """What the next request adds to the sampling parameters."""
        return {"prompt": self.prompt, "max_tokens": self.left, "seed": self.seed}

    def take(self, chunk: Chunk) -> None:
        """Take in a chunk.

        Raises:
            Fault: text without ids, or more than was asked for.
        """
        if chunk.ids is None and chunk.text:
            raise Fault("unfit", "streams text without token ids (return_token_ids)")
        self.push(chunk.ids or ())
        if len(self.ids) > self.job.sampling.max_tokens:
            del self.ids[len(self.job.done_ids) if self.resumable else 0 :]
            self.recount()
            raise Fault("unfit", "sent more tokens than max_tokens, or echoes the prompt")

    def finished(self, finish: str, matched: int | None, end: int | None) -> None:
        """The completion is whole.

        Args:
            finish: stop or length.
            matched: the token that ended it, if the server names it.
            end: a token that ends a turn, for servers that do not send theirs.
        """
        if finish == "stop" and not (self.ids and self.ids[-1] in self._eos_ids):
            token = matched if matched in self._eos_ids else end
            if token is not None and len(self.ids) < self.job.sampling.max_tokens:
                self.ids.append(token)

    def restart(self) -> bool:
        """A request failed: drop what the next one cannot continue from.

        Returns:
            Whether the job may be asked for again. It may not if an event has sent what is dropped
            (tokens, or that the thought closed): the next request may say something else.
        """
        if self.resumable:
            return self.streamed <= len(self.ids)
        self.ids.clear()
        self.recount()
        return not self.closed_sent and not self.streamed


class TextRequestRow(RequestRow):
    """A job at servers that send text only.

    Args:
        job: what is asked; its ``done_ids`` are not continued from.
        eos_ids: ids that end a turn.
        now: the event loop's time.
        tokenizer: the model's.
    """

    def __init__(self, job: Job, eos_ids: Collection[int], now: float, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._text = ""
        self._counted = 0
        """Characters of the text when it was last tokenised."""
        self._ends = [t for t in (tokenizer.decode([i]) for i in sorted(eos_ids)) if t]
        super().__init__(job, eos_ids, now)

    @property
    def resumable(self) -> bool:
        """Never: the ids are not those that were sampled."""
        return False

    @property
    def ended(self) -> str:
        """Empty: every job needs a request."""
        return ""

    def request(self) -> dict[str, Any]:
        """The whole job, whatever has come before."""
        limit = {"max_tokens": self.job.sampling.max_tokens, "seed": self.job.seed}
        return {"prompt": [*self.job.prompt_ids], **limit}

    def take(self, chunk: Chunk) -> None:
        """Take in a chunk; now and then, tokenise the text to see how long the thought is."""
        self._text += chunk.text
        if len(self._text) - self._counted < max(LOOK, len(self._text) // 8):
            return
        self._counted = len(self._text)
        # The last word may still grow: up to here, its tokens would not be the final ones.
        self._count(self._text.rpartition(" ")[0].rstrip())

    def _count(self, text: str) -> None:
        self.ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        self.recount()

    def finished(self, finish: str, matched: int | None, end: int | None) -> None:
        """Tokenise the whole text, and end it as the model did.

        Raises:
            Fault: the tokens do not spell the text, so no model could be trained on them.
        """
        for mark in self._ends:
            self._text = self._text.removesuffix(mark)
        self._count(self._text)
        if self._tokenizer.decode(self.ids, skip_special_tokens=False) != self._text:
            raise Fault("request", "sent a text that the model's tokenizer does not give back")
        super().finished(finish, matched, end)

    def restart(self) -> bool:
        """Drop the text."""
        self._text, self._counted = "", 0
        return super().restart()

    def token(self, *, last: bool = False) -> Token | None:
        """The text since the last ``Token``, without what may become an end-of-turn mark."""
        if not self.job.stream:
            return None
        text = self._text if last else self._without_end(self._text)
        if len(text) <= self.streamed:
            return None
        new, self.streamed = text[self.streamed :], len(text)
        return Token(self.job.key, (), new)

    def _without_end(self, text: str) -> str:
        """A text without end-of-turn marks at its end, the last of which may be incomplete."""
        text = text[: len(text) - max((overlap(text, mark) for mark in self._ends), default=0)]
        while mark := next((m for m in self._ends if text.endswith(m)), ""):
            text = text.removesuffix(mark)
        return text

    def done(self, finish: str, error: str, now: float) -> Done:
        """The job's end, with its text."""
        if finish == "stopped":
            self._count(self._text)
        done = super().done(finish, error, now)
        return Done(done.key, done.completion_ids, done.finish, done.seconds, error, self._text)
