"""Decoding requests while their tokens are read: for serving.

As ``collect`` decodes them, think budgets included, but with the tokens on the way. Where a thought
may still be closed at its budget, only those of its tokens are sent that stay in any case: what has
been sent is never taken back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

from deimos.engines.base import Done, Engine, Key, Token
from deimos.engines.collect import Flight, Request
from deimos.thinking import Shape, ThinkCounter


async def stream(
    engine: Engine, tokenizer: Any, eos_ids: Collection[int], requests: Sequence[Request]
) -> AsyncIterator[Token | Done]:
    """Decode every request; its tokens come as they are decoded, then its one ``Done``.

    Args:
        engine: what samples; without ``Capabilities.streams`` all of a request's tokens come at once.
        tokenizer: turns ids to text.
        eos_ids: ids that end a turn.
        requests: with ``Request.stream``; one that has none has only its ``Done``.

    Raises:
        ValueError: two requests have the same prompt and index.
    """
    flight = Flight(tokenizer, eos_ids)
    has_ids = engine.capabilities.token_ids
    sent = {r.key: _SentTokens(r, tokenizer, eos_ids, has_ids) for r in requests}
    async for event in engine.sample(flight.jobs(requests)):
        if isinstance(event, Token):
            if found := sent[event.key].push(event):
                yield found
        elif isinstance(event, Done):
            ended = flight.end(event)
            if last := sent[event.key].end(ended[0] if ended else flight.request_of(event.key)):
                yield last
            if ended:
                yield ended[0]


class _SentTokens:
    """What has been sent of a request, and what may be sent now."""

    def __init__(
        self, request: Request, tokenizer: Any, eos_ids: Collection[int], has_ids: bool
    ) -> None:
        self._key: Key = request.key
        self._wanted = request.stream
        self._tokenizer, self._eos_ids, self._has_ids = tokenizer, eos_ids, has_ids
        may_close = request.rendered.shape in (Shape.OPEN, Shape.FREE) and not request.begun
        self._budget = request.think_budget if may_close else None
        self._counter = ThinkCounter(request.rendered.think)
        self._ids: list[int] = []
        self._sent = 0
        """Ids."""
        self._text_sent = 0
        """Characters, if the engine has no ids."""

    def push(self, token: Token) -> Token | None:
        """The next tokens of a job: what of them, and of those held back, may be sent."""
        if not self._has_ids:
            if self._budget is not None:
                return None  # nothing says where in the text the budget is: sent with the job's end
            self._text_sent += len(token.text or "")
            return token
        self._ids += token.token_ids
        if self._budget is not None:
            for token_id in token.token_ids:
                if token_id not in self._eos_ids:
                    self._counter.push(token_id)
        return self._up_to(self._find_settled())

    def end(self, ended: Done | Request) -> Token | None:
        """What is left to be sent: of a completion, or of a thought that has been closed."""
        self._budget = None
        ids = ended.completion_ids if isinstance(ended, Done) else ended.begun
        if self._has_ids:
            self._ids = [*ids]
            return self._up_to(len(ids))
        whole = ended.text or "" if isinstance(ended, Done) else self._decode(ids)
        rest, self._text_sent = whole[self._text_sent :], max(self._text_sent, len(whole))
        return Token(self._key, (), rest) if rest and self._wanted else None

    def _decode(self, ids: Sequence[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=False)

    def _find_settled(self) -> int:
        """How many of the ids stay, whatever follows."""
        if self._budget is None:
            return len(self._ids)
        thought, most = self._counter.think_tokens, self._budget.tokens
        if self._counter.closed and thought <= most:
            self._budget = None
            return len(self._ids)
        # The thought is as long as the budget if it is closed, less what is put before its end.
        begin = len(self._ids) - len(self._counter.pending) - thought
        return min(len(self._ids), begin + max(0, most - len(self._budget.before)))

    def _up_to(self, number: int) -> Token | None:
        found = tuple(self._ids[self._sent : number])
        self._sent = max(self._sent, number)
        return Token(self._key, found) if found and self._wanted else None
