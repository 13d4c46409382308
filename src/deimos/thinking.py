"""The grammar of thinking: render a prompt, split a completion (or a stream), count its tokens.

The only file that knows the tags. The shape of a completion is read from the end of the *rendered
prompt*, never from a model's name. ``split`` works on text and is the truth; ``count`` and
``ThinkCounter`` work on token ids and agree with it, also if a tag takes several tokens or shares
one with its neighbour. A tag inside a code block or a quotation is a tag like any other.
Not covered: decoding, and rejecting what is malformed (the structure filter does).
"""

from __future__ import annotations

import weakref
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from itertools import accumulate
from typing import Any, Literal

from deimos import chat_template
from deimos.chat_template import ChatTemplate, Conversation, TemplateArguments

# Whitespace as text, and as byte-level BPE and SentencePiece spell it in their vocabularies.
BLANKS = " \t\n\r\u0120\u010a\u0109\u010d\u2581"
Part = Literal["think", "answer"]


class ThinkingError(ValueError):
    """Tokenizer, chat template and recipe disagree about thinking; one clear sentence."""


class Shape(StrEnum):
    """What a completion must look like."""

    OPEN = "open"  # the prompt has opened the thought: no open, one close
    FREE = "free"  # the model opens it: one leading open, one close
    SHUT = "shut"  # the prompt ends with an empty thought: no tags
    PLAIN = "plain"  # no tags at all: the whole text is trace and answer


@dataclass(frozen=True, slots=True)
class Tags:
    """The strings that open and close a thought; neither may contain the other."""

    open: str = "<think>"
    close: str = "</think>"

    def __post_init__(self) -> None:
        a, b = self.open, self.close
        if a != a.strip() or b != b.strip() or a in b or b in a:
            wanted = "two texts without whitespace around them, neither part of the other"
            raise ThinkingError(f"model.tags = {a!r}, {b!r}: must be {wanted}")


@dataclass(frozen=True, slots=True)
class ThinkIds:
    """The grammar in token ids, for following a completion while it is decoded.

    ``pieces``: vocabulary spelling of every token that can be part of a tag, and of blank tokens;
    empty: only the exact sequences ``open_ids`` and ``close_ids`` are tags.
    """

    shape: Shape
    open_ids: tuple[int, ...] = ()
    close_ids: tuple[int, ...] = ()
    pieces: Mapping[int, str] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        needed = {Shape.OPEN: (self.close_ids,), Shape.FREE: (self.open_ids, self.close_ids)}
        if not all(needed.get(self.shape, ())):
            raise ThinkingError(f"the {self.shape} shape needs the ids of its tags")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A prompt as the model sees it: its text and token ids, and how to read what follows."""

    text: str
    ids: tuple[int, ...]
    think: ThinkIds
    tags: Tags | None

    @property
    def shape(self) -> Shape:
        """The shape that completions of this prompt must have."""
        return self.think.shape


@dataclass(frozen=True, slots=True)
class Split:
    """A completion's text, taken apart."""

    think: str  # without tags and surrounding whitespace; empty in the plain shape
    answer: str  # behind the first close, without blank lines around it; plain: the whole text
    closed: bool  # False only for an unfinished thought (open and free shapes)
    malformed: str  # empty, or one sentence; unfinished is not malformed


@dataclass(frozen=True, slots=True)
class Counts:
    """Tokens without end of turn and whatever holds part of a tag; plain: both are the whole."""

    think_tokens: int
    answer_tokens: int


def shape_of(prompt_text: str, tags: Tags | None) -> Shape:
    """Read the shape from the end of a rendered prompt; ``tags=None`` is plain."""
    if tags is None:
        return Shape.PLAIN
    end = prompt_text.rstrip()
    if end.endswith(tags.open):
        return Shape.OPEN
    # A lone closing tag (DeepSeek's way to turn thinking off) shuts as well as an empty block.
    return Shape.SHUT if end.endswith(tags.close) else Shape.FREE


def render(
    tokenizer: Any,
    messages: Conversation,
    *,
    tags: Tags | None,
    thinking: bool | None,
    today: date | None = None,
    template: TemplateArguments | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> Rendered:
    """Render chat messages up to where the assistant begins to write.

    ``thinking`` is passed to the chat template by the switch of ``template``; None leaves it out.
    ``arguments`` are further ones of this call, over those of ``template``.
    ``today`` is the date for a template that writes the current one (``renders_date``), its time
    midnight; None: the clock's. Other templates are not affected.
    Raises ``ThinkingError`` if there is no template, or it refuses or ignores what it is given.
    """
    from jinja2 import TemplateError

    source, settings = _template_of(tokenizer), template or TemplateArguments()
    given = {**settings.with_thinking(thinking), **(arguments or {})}
    known = source, repr(sorted(given.items())), thinking, tags, tuple(m["role"] for m in messages)
    if chat_template.NOW in source:
        given |= chat_template.date_argument(today)
    asked, key = ChatTemplate(tokenizer, given), settings.thinking_key
    try:
        text = asked.render(messages)
    except TemplateError as e:
        raise ThinkingError(f"the chat template refuses the messages: {e}") from e
    shape = shape_of(text, tags)
    checked = _checked.setdefault(tokenizer, set())
    new = known not in checked  # messages of the same roles are treated alike
    fault = chat_template.find_ignored(asked, messages) if new else ""
    if not fault and tags is not None and thinking is not None:
        if thinking == (shape is Shape.SHUT):
            fault = chat_template.say_wrong_end(asked, messages, key, thinking, tags.close)
        elif new and shape is Shape.FREE:
            fault = chat_template.find_ignored_switch(asked, messages, key, tags.open, tags.close)
    if fault:
        raise ThinkingError(fault)
    if len(checked) > 1024:  # a server's clients may give ever new arguments
        checked.clear()
    checked.add(known)
    ids = tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
    return Rendered(text, ids, _think_ids(tokenizer, shape, tags), tags)


_checked: weakref.WeakKeyDictionary[Any, set[Any]] = weakref.WeakKeyDictionary()
"""By tokenizer: the calls whose template was seen to ignore nothing."""


def renders_date(tokenizer: Any) -> bool:
    """Whether the chat template writes the current date into prompts: each day's are others.

    Raises ``ThinkingError`` without a template.
    """
    return chat_template.NOW in _template_of(tokenizer)


def _template_of(tokenizer: Any) -> str:
    try:
        return tokenizer.get_chat_template()
    except ValueError as e:
        name = tokenizer.name_or_path or type(tokenizer).__name__
        raise ThinkingError(f"tokenizer {name!r} needs a (default) chat template: has none") from e


_known: weakref.WeakKeyDictionary[Any, dict[Any, ThinkIds]] = weakref.WeakKeyDictionary()


def _think_ids(tokenizer: Any, shape: Shape, tags: Tags | None) -> ThinkIds:
    if tags is None:
        return ThinkIds(shape)
    known = _known.setdefault(tokenizer, {})
    key = (tags, len(tokenizer))  # the length: added tokens change what a tag is
    if key not in known:
        both = tokenizer([tags.open, tags.close], add_special_tokens=False)["input_ids"]
        opens, closes = map(tuple, both)
        known[key] = ThinkIds(Shape.FREE, opens, closes, _pieces(tokenizer, both))
    return replace(known[key], shape=shape)


def _pieces(tokenizer: Any, tag_ids: Sequence[Sequence[int]]) -> dict[int, str]:
    """Spell the tokens that can be part of a tag; one scan of the vocabulary."""
    spelling = {i: raw for raw, i in tokenizer.get_vocab().items()}
    found = {i: raw for i, raw in spelling.items() if not raw.strip(BLANKS)}
    for ids in tag_ids:
        tag = "".join(spelling[i] for i in ids).strip(BLANKS)
        heads = tuple(tag[:n] for n in range(1, len(tag) + 1))
        tails = tuple(tag[n:] for n in range(len(tag)))
        for i, raw in spelling.items():
            if raw.endswith(heads) or raw.startswith(tails) or raw in tag or tag in raw:
                found[i] = raw
    return found


def split(text: str, shape: Shape, tags: Tags | None) -> Split:
    """Take a completion's text (without end-of-turn token) apart at the first closing tag.

    Open and free: without a closing tag there is no answer; half a tag at the end is dropped.
    """
    if tags is None or shape is Shape.PLAIN:
        return Split("", _trim(text), True, "")
    if shape is Shape.SHUT:
        return _split_shut(text, tags)
    head, close, tail = text.partition(tags.close)
    body, fault = _opened(head, shape, tags, cut=not close)
    if not close:
        return Split(body[: len(body) - overlap(body, tags.close)].strip(), "", False, fault)
    if not fault and tags.close in tail:
        fault = f"the thought is closed twice: a second {tags.close} is in the answer"
    if not fault and tags.open in tail:
        fault = f"a thought is opened again in the answer: {tags.open}"
    return Split(body.strip(), _trim(tail), True, fault)


def _opened(head: str, shape: Shape, tags: Tags, *, cut: bool) -> tuple[str, str]:
    """Thought and fault of what is before the first close."""
    if shape is Shape.FREE:
        lead = head.lstrip()
        if cut and tags.open.startswith(lead):
            return "", ""  # nothing yet, or half an opening tag
        if not lead.startswith(tags.open):
            return head, f"the completion does not begin with {tags.open}"
        head = lead[len(tags.open) :]
    inside = f"the thought is opened again inside itself: {tags.open}"
    return head, inside if tags.open in head else ""


def _split_shut(text: str, tags: Tags) -> Split:
    think, close, answer = text.partition(tags.close)
    if not close:
        answer, _, think = text.partition(tags.open)
    fault = "thinking is off but the completion has tags" if close or tags.open in text else ""
    return Split(think.strip().removeprefix(tags.open).strip(), _trim(answer), True, fault)


def _trim(text: str) -> str:
    return text.rstrip().lstrip("\r\n")  # never the indentation of the first line


def overlap(text: str, tag: str) -> int:
    """Length of the longest end of ``text`` that ``tag`` begins with."""
    lengths = range(min(len(text), len(tag)), 0, -1)
    return next((n for n in lengths if text.endswith(tag[:n])), 0)


class StreamSplitter:
    """Tells thought from answer in a text that comes in chunks; ``split`` of the whole is the truth.

    What ``push`` and ``finish`` return, put together, is exactly ``split``'s thought and answer, also
    if the thought is unfinished or the completion malformed. Only a malformed completion in the shut
    shape differs, as its answer cannot wait for a tag that should not come: a leading thought is one
    as in the free shape (with all of its text, if it is not closed), any other tag is answer.
    Held back is only what may begin a tag, and whitespace that ``split`` may trim.
    """

    def __init__(self, shape: Shape, tags: Tags | None) -> None:
        self.whole: Split | None = None
        """``split`` of the whole text, once it has ended."""
        self._shape = Shape.PLAIN if tags is None else shape
        self._tags = tags or Tags()
        self._all: list[str] = []
        self._leading = self._shape in (Shape.FREE, Shape.SHUT)  # the opening tag may still come
        self._part: Part = "answer" if self._shape is Shape.PLAIN else "think"
        self._unsent = ""  # it may begin a tag
        self._blanks = ""  # trimmed, unless more of the part comes
        self._begun = False

    def push(self, text: str) -> list[tuple[Part, str]]:
        """Take the next chunk; returns what is clear now, in order, without empty texts."""
        self._all.append(text)
        self._unsent += text
        sent = self._push_thought() if self._part == "think" else []
        if self._part == "answer":
            rest, self._unsent = self._unsent, ""
            sent += self._send(rest)
        return sent

    def finish(self) -> list[tuple[Part, str]]:
        """The text has ended; returns what was held back and belongs to a part."""
        self.whole = split("".join(self._all), self._shape, self._tags)
        rest, tags, shut = self._unsent, self._tags, self._shape is Shape.SHUT
        lead = rest.lstrip()
        if self._leading and shut and not lead.startswith(tags.open):
            self._turn_to_answer(rest)
        elif self._leading:
            rest = "" if tags.open.startswith(lead) else lead.removeprefix(tags.open)
        return self._send(rest if shut else rest[: len(rest) - overlap(rest, tags.close)])

    def _push_thought(self) -> list[tuple[Part, str]]:
        tags = self._tags
        head, close, tail = self._unsent.partition(tags.close)
        clear = head if close else head[: len(head) - overlap(head, tags.close)]
        held = head[len(clear) :]
        if self._leading:
            lead = clear.lstrip()
            opened, may_open = lead.startswith(tags.open), tags.open.startswith(lead)
            if may_open and not opened and not close:
                return []
            if self._shape is Shape.SHUT and not may_open and not opened:
                self._turn_to_answer(self._unsent)
                return []
            self._leading, clear = False, lead.removeprefix(tags.open)
        sent, self._unsent = self._send(clear), held
        if close:
            self._turn_to_answer(tail)
        return sent

    def _turn_to_answer(self, rest: str) -> None:
        self._part, self._leading = "answer", False
        self._unsent, self._blanks, self._begun = rest, "", False

    def _send(self, text: str) -> list[tuple[Part, str]]:
        """Text of the current part, trimmed as ``split`` trims it."""
        text = self._blanks + text
        if not self._begun:
            text = text.lstrip(None if self._part == "think" else "\r\n")
        kept = text.rstrip()
        self._blanks, self._begun = text[len(kept) :], self._begun or bool(kept)
        return [(self._part, kept)] if kept else []


def count(completion_ids: Sequence[int], think: ThinkIds, eos_ids: Collection[int]) -> Counts:
    """Count a completion's tokens; ``eos_ids`` are the tokens that end a turn, never counted."""
    counter, answer_tokens = ThinkCounter(think), 0
    for token_id in completion_ids:
        if token_id not in eos_ids:
            answer_tokens += counter.closed or think.shape is Shape.PLAIN
            counter.push(token_id)
    return Counts(counter.think_tokens, answer_tokens)


class ThinkCounter:
    """Follows one completion token by token; push everything but the end-of-turn token.

    ``think_tokens`` never runs ahead: what may begin a tag counts once it is clear that it does
    not. Plain: all count, ``closed`` stays False. Shut: none count, ``closed`` from the start.
    """

    def __init__(self, think: ThinkIds, done_ids: Sequence[int] = ()) -> None:
        self.think_tokens = 0
        self.closed = think.shape is Shape.SHUT
        ids = {*think.open_ids, *think.close_ids}
        # Without spellings each id is a letter of its own: sequences of ids match as text does.
        pieces = think.pieces or {i: chr(0xE000 + n) for n, i in enumerate(ids)}
        self._open = "".join(pieces[i] for i in think.open_ids).strip(BLANKS)
        self._close = "".join(pieces[i] for i in think.close_ids).strip(BLANKS)
        self._pieces = {} if think.shape is Shape.PLAIN else pieces
        self._leading = think.shape is Shape.FREE  # the opening tag may still come
        self._tail = ""  # what was written that may still become a tag
        self.pending: list[int] = []  # its tokens, not counted: lengths in _tail's characters
        for token_id in done_ids:
            self.push(token_id)

    def push(self, token_id: int) -> None:
        """Take the next token of the completion."""
        if self.closed:
            return
        if (piece := self._pieces.get(token_id)) is None:  # nearly always: no tag is near
            self.think_tokens += 1 + len(self.pending)
            self._leading, self._tail, self.pending = False, "", []
            return
        self._tail += piece
        self.pending.append(len(piece))
        if self._leading:
            lead = self._tail.lstrip(BLANKS)
            self._leading = lead != self._open and self._open.startswith(lead)
            if lead.startswith(self._open):
                self._tail, self.pending = lead[len(self._open) :], []
        if not self._leading:
            self._seek_close()

    def _seek_close(self) -> None:
        at = self._tail.find(self._close)
        self.closed = at >= 0
        if not self.closed:
            at = len(self._tail) - overlap(self._tail, self._close)
        untaken = len(self._tail) - sum(self.pending)  # left over from the opening tag's token
        settled = sum(untaken + end <= at for end in accumulate(self.pending))
        self.think_tokens += settled
        self._tail, self.pending = self._tail[at:], self.pending[settled:]
