"""From token ids to the texts that a reader gets: thought and answer apart, up to a stop text.

Everything works on what has come so far and takes nothing back: characters whose bytes are not all
there, what may begin a tag, and what may begin a stop text are held until that is clear.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from deimos.thinking import Part, Rendered, Shape, StreamSplitter, overlap

UNFINISHED = "\ufffd"
"""How a decoder shows bytes that are no character yet."""
LONGEST_CHARACTER = 4
"""Bytes, and so tokens, that one character may take."""


class Detokenizer:
    """Token ids to text as they come.

    The text of a token depends on those before it (spaces, bytes of one character), so each step
    decodes the last few tokens with and without the new ones, as vLLM does.

    Args:
        tokenizer: the model's.
        silent_ids: ids that make no text: special tokens, but not the think tags.
    """

    def __init__(self, tokenizer: Any, silent_ids: Collection[int]) -> None:
        # the library's own object where there is one: the wrapper around it takes longer than it
        self._decode = getattr(tokenizer, "backend_tokenizer", tokenizer).decode
        self._silent_ids = silent_ids
        self._ids: list[int] = []
        self._from = 0
        """Ids from here on are decoded again, for what they mean to the next."""
        self._read = 0
        """Ids before here have been handed out as text."""

    def push(self, ids: Sequence[int]) -> str:
        """The next ids; returns the text that is sure now."""
        self._ids += [i for i in ids if i not in self._silent_ids]
        total = len(self._ids)
        for end in range(total, max(self._read, total - LONGEST_CHARACTER), -1):
            if not (text := self._text(end)).endswith(UNFINISHED):
                return self._hand_out(end, text)
        if total - self._read <= LONGEST_CHARACTER:
            return ""
        return self._hand_out(total, self._text(total))

    def finish(self) -> str:
        """No more ids come; returns what was held back."""
        end = len(self._ids)
        return self._hand_out(end, self._text(end))

    def _hand_out(self, end: int, text: str) -> str:
        old = self._text(self._read) if self._read > self._from else ""
        self._from, self._read = self._read, end
        return text[len(old) :]

    def _text(self, end: int) -> str:
        return self._decode(self._ids[self._from : end], skip_special_tokens=False)


class StopSeeker:
    """Cuts a text that comes in pieces before the first of some texts.

    Args:
        stops: the texts; none of them is empty.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._held = ""
        self.found: str | None = None
        """The text that ended it."""

    def push(self, text: str) -> str:
        """The next piece; returns what is sure to stand before any stop text."""
        if self.found is not None:
            return ""
        if not self._stops:
            return text
        self._held += text
        hits = [(at, stop) for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if hits:
            at, self.found = min(hits)
            return self._held[:at]
        keep = max(overlap(self._held, stop) for stop in self._stops)
        clear, self._held = self._held[: len(self._held) - keep], self._held[-keep:] * bool(keep)
        return clear

    def finish(self) -> str:
        """No more text comes; returns what was held back."""
        rest, self._held = ("" if self.found is not None else self._held), ""
        return rest


class AnswerText:
    """One completion's text as it comes, in parts.

    Args:
        tokenizer: the model's.
        rendered: the prompt: how to read what follows it.
        silent_ids: ids that make no text; those of think tags do in any case.
        stops: texts that end the answer; a thought is not searched.
    """

    def __init__(
        self,
        tokenizer: Any,
        rendered: Rendered,
        silent_ids: Collection[int],
        stops: Sequence[str],
    ) -> None:
        tags = {*rendered.think.open_ids, *rendered.think.close_ids}
        self._texts = Detokenizer(tokenizer, {*silent_ids} - tags)
        self._tags = rendered.tags
        self._splitter = StreamSplitter(rendered.shape, rendered.tags)
        self._undecided = rendered.shape is Shape.FREE
        self._lead = ""
        """Text that may still open a thought."""
        self.answered_at_once = False
        """Whether the model opened no thought where it might have: then all is answer."""
        self._stops = StopSeeker(stops)

    @property
    def stopped_by(self) -> str | None:
        """The stop text that ended the answer."""
        return self._stops.found

    @property
    def is_open(self) -> bool:
        """Whether the thought has not been closed; known once the text has ended."""
        whole = self._splitter.whole
        return whole is not None and not whole.closed

    def push(self, ids: Sequence[int], text: str | None = None) -> list[tuple[Part, str]]:
        """The next ids, or the next text from an engine without ids; returns the parts that are sure."""
        return self._split(self._texts.push(ids) if text is None else text)

    def finish(self) -> list[tuple[Part, str]]:
        """The completion has ended; returns what was held back."""
        parts = self._split(self._texts.finish(), last=True)
        parts += self._cut(self._splitter.finish())
        if rest := self._stops.finish():
            parts.append(("answer", rest))
        return parts

    def _split(self, text: str, *, last: bool = False) -> list[tuple[Part, str]]:
        if self._undecided and self._tags is not None:
            self._lead += text
            begun, tag = self._lead.lstrip(), self._tags.open
            if tag.startswith(begun) and begun != tag and not last:
                return []
            self._undecided, text = False, self._lead
            if begun and not tag.startswith(begun) and not begun.startswith(tag):
                self.answered_at_once = True
                self._splitter = StreamSplitter(Shape.PLAIN, None)
        return self._cut(self._splitter.push(text))

    def _cut(self, parts: Sequence[tuple[Part, str]]) -> list[tuple[Part, str]]:
        found: list[tuple[Part, str]] = []
        for part, text in parts:
            if kept := (text if part == "think" else self._stops.push(text)):
                found.append((part, kept))
        return found
