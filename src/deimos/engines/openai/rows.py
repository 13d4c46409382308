"""One candidate on its way through servers: what it has said, and whether it may go on.

``Row`` is for servers that send the sampled ids. ``TextRow`` is for those that send text only: its
ids are the text tokenised again, so they are ``rendered``, and what was broken off begins again.
Not covered: sending requests (openai.py), and who gets them (openai_servers.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from deimos.engines.base import Done, Job
from deimos.engines.openai.servers import Server
from deimos.engines.openai.stream import Chunk, Fault
from deimos.engines.stream_state import RemoteRow

LOOK = 64
"""Characters of new text until a text is tokenised again to see how long its thought is."""


class Row(RemoteRow):
    """A job in flight at servers."""

    def __init__(self, job: Job, eos_ids: Collection[int], now: float) -> None:
        """Take a job up; ``now`` is the loop's time, for ``seconds``."""
        super().__init__(job, eos_ids, now)
        self.failures = 0
        """Failed requests since the last token that was kept."""
        self.attempts = 0
        """Waits since then."""
        self.server: Server | None = None
        """Where its request is, while there is one."""
        self.deadline: asyncio.Timeout | None = None
        self.asked = now
        """When its request was sent."""
        self.heard: float | None = None
        """When the request's last token came; None: none has."""
        self.task: asyncio.Task[tuple[str, str]] | None = None

    def ask(self) -> dict[str, Any]:
        """What the next request adds to the sampling parameters."""
        return {"prompt": self.prompt, "max_tokens": self.left, "seed": self.seed}

    def take(self, chunk: Chunk) -> None:
        """Learn what came.

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
        """The completion is whole; ``end`` ends a turn where the server keeps that token to itself."""
        if finish == "stop" and not (self.ids and self.ids[-1] in self._eos_ids):
            token = matched if matched in self._eos_ids else end
            if token is not None and len(self.ids) < self.job.sampling.max_tokens:
                self.ids.append(token)

    def broke_off(self) -> None:
        """A request failed: keep what can be gone on from."""
        if not self.resumable:
            self.ids.clear()
            self.recount()


class TextRow(Row):
    """A job at servers that send text only.

    Args:
        job: what is asked; its ``done_ids`` are not gone on from.
        eos_ids: ids that end a turn.
        now: the loop's time.
        tokenizer: the model's.
    """

    def __init__(self, job: Job, eos_ids: Collection[int], now: float, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._text = ""
        self._looked = 0
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

    def ask(self) -> dict[str, Any]:
        """From the prompt on, whatever there was."""
        limit = {"max_tokens": self.job.sampling.max_tokens, "seed": self.job.seed}
        return {"prompt": [*self.job.prompt_ids], **limit}

    def take(self, chunk: Chunk) -> None:
        """Learn what came; now and then, tokenise it to see how long the thought is."""
        self._text += chunk.text
        if len(self._text) - self._looked < max(LOOK, len(self._text) // 8):
            return
        self._looked = len(self._text)
        # The last word may still grow: as far as here, its tokens would not be the final ones.
        self._count(self._text.rpartition(" ")[0].rstrip())

    def _count(self, text: str) -> None:
        self.ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        self.recount()

    def finished(self, finish: str, matched: int | None, end: int | None) -> None:
        """Tokenise the whole text, and end it as the model did.

        Raises:
            Fault: the tokens do not spell the text, so nobody could be trained on them.
        """
        for mark in self._ends:
            self._text = self._text.removesuffix(mark)
        self._count(self._text)
        if self._tokenizer.decode(self.ids, skip_special_tokens=False) != self._text:
            raise Fault("request", "sent a text that the model's tokenizer does not give back")
        super().finished(finish, matched, end)

    def broke_off(self) -> None:
        """Begin again."""
        self._text, self._looked = "", 0
        super().broke_off()

    def done(self, finish: str, error: str, now: float) -> Done:
        """The job's end, with its text."""
        if finish == "stopped":
            self._count(self._text)
        told = super().done(finish, error, now)
        return Done(told.key, told.completion_ids, told.finish, told.seconds, error, self._text)
