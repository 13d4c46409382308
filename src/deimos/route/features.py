"""What a request looks like to a router: rules for what can be verified, and hashed n-grams.

Standard library only, as it runs for every request: no numpy, no tokenizer. The same functions are
used to fit a policy and to serve it. Rules find what a program could check in an answer (counts,
casing, forbidden words and punctuation, exact formats) and what takes reasoning (formulas, asked
quantities, code), in the larger languages; n-grams are words, numbers (all alike) and signs, alone
and in twos, by their hash. Only the last message of the user is read, with the one before if it is
very short, and of a long one its beginning and its end.
Not covered: what a system message asks, images, languages in which no rule has words.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from operator import xor
from typing import Any, NamedTuple
from zlib import crc32

from deimos.route import phrases

VERSION = 2
"""Of the features: a policy that was fitted on others is refused."""
BUCKETS = 2**18
"""n-grams are counted by their hash modulo this."""
_MASK = BUCKETS - 1
_FIRST, _SECOND = 31, 17
WINDOW = 600
"""Characters of a longer text that are read, at its beginning and again at its end."""
SHORT = 30
"""Characters under which a message is read together with the user's one before ("and for 7?")."""

PAIRS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], int]] = {
    "counted": (("0",), phrases.UNITS, 4),
    "forbidden": (phrases.NEGATIONS, phrases.USES, 12),
    "bordered": (phrases.BORDERS, phrases.WITHS, 10),
    "keyworded": (phrases.KEYWORDS, phrases.QUOTES, 4),
    "frequent": (phrases.APPEARS, phrases.TIMES, 12),
}
"""Rules of two words: one of the first, then one of the second at most so many tokens later."""
SHAPES = ("numbers_2", "numbers_4", "options", "signature", "asked", "short", "long", "upper")
"""Rules about the whole text: how many numbers, options to choose from, a line of code that begins a
function, a question mark at its end, under 80 and over 600 characters, a word in capitals."""
RULE_NAMES = (*PAIRS, *phrases.PHRASES, *SHAPES)
"""The rules, in the order of their weights."""
_AT = {name: i for i, name in enumerate(RULE_NAMES)}
# Words of alphabets, numbers, and every other sign alone: scripts without spaces come in signs.
_TOKEN = re.compile("[a-z\u00df-\u024f\u0370-\u1fff]+(?:'[a-z]+)?|\\d+|[^\\s]")
_SIGNATURE = re.compile(
    r"^[ \t]*(?:def|fn|func|function|static|class) .*[({:]\s*$|^#include <", re.MULTILINE
)


class Features(NamedTuple):
    """One text."""

    rules: tuple[int, ...]
    """Indices in ``RULE_NAMES`` of the rules that hold."""
    grams: frozenset[int]
    """Buckets of its n-grams."""


def read_text(messages: Any) -> str:
    """What the user asks last; empty if the messages hold no such text.

    Args:
        messages: of a chat request, whatever the client sent.
    """
    asked: list[str] = []
    for message in reversed(messages) if isinstance(messages, Sequence) else ():
        if isinstance(message, Mapping) and message.get("role") == "user":
            asked.append(_text_of(message.get("content")))
            if len(asked) == 2 or len(asked[0]) >= SHORT:
                break
    return "\n".join(reversed(asked))


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, Sequence) else ()
    texts = (part.get("text") for part in parts if isinstance(part, Mapping))
    return "\n".join(text for text in texts if isinstance(text, str))


def find_features(text: str) -> Features:
    """Rules and n-grams of a text; of a long one, of its beginning and its end."""
    if len(text) > 2 * WINDOW:
        text = f"{text[:WINDOW]}\n{text[-WINDOW:]}"
    lowered = text.lower().replace("’", "'")
    words = [_VOCABULARY[token] for token in _TOKEN.findall(lowered)]
    unlike = set(words)
    grams = {word.bucket for word in unlike}
    # _bucket_of_two of neighbours, as lists, as it is much of a decision's time.
    firsts = [_BEGIN, *[word.as_first for word in words]]
    grams.update(map(xor, firsts, [word.as_second for word in words]))
    rules = {_AT[name] for name in _find_shape(text, lowered, words)}
    rules.update(_find_pairs(words))
    for word in unlike:
        if word.rules:
            rules.update(word.rules)
    if begun := _LONGER.keys() & grams:
        spaced = f" {' '.join([word.text for word in words])} "
        rules.update([rule for two in begun for phrase, rule in _LONGER[two] if phrase in spaced])
    if not lowered.isascii():
        rules.update(_find_unspaced(lowered))
    return Features(tuple(sorted(rules)), frozenset(grams))


def _as_first(hashed: int) -> int:
    """The part of a word in the bucket of two words of which it is the first."""
    return hashed * _FIRST >> 3 & _MASK


def _as_second(hashed: int) -> int:
    """The same of the second."""
    return hashed * _SECOND >> 3 & _MASK


def _bucket_of_two(first: int, second: int) -> int:
    """The bucket of two words that follow each other, by their hashes."""
    return _as_first(first) ^ _as_second(second)


_BEGIN = _as_first(1)
"""Before the first word there is one whose hash is 1."""


def _find_unspaced(lowered: str) -> Iterator[int]:
    for name, wanted in phrases.UNSPACED.items():
        if any(phrase in lowered for phrase in wanted):
            yield _AT[name]


def _find_pairs(words: Sequence[_Word]) -> Iterator[int]:
    """Rules of two words that stand near each other."""
    last: dict[int, int] = {}
    for at, word in [(at, word) for at, word in enumerate(words) if word.paired]:
        for pair, span in word.seconds:
            if at - last.get(pair, -span - 1) <= span:
                yield pair
        for pair in word.firsts:
            last[pair] = at


def _find_shape(text: str, lowered: str, words: Sequence[_Word]) -> Iterator[str]:
    numbers = words.count(_VOCABULARY["0"])
    if numbers >= 2:
        yield "numbers_2"
    if numbers >= 4:
        yield "numbers_4"
    if ("a)" in lowered and "b)" in lowered) or ("\na." in lowered and "\nb." in lowered):
        yield "options"
    if _SIGNATURE.search(lowered):
        yield "signature"
    if lowered.rstrip().endswith(("?", "？", "؟")):
        yield "asked"
    if len(text) < 80:
        yield "short"
    if len(text) > 600:
        yield "long"
    if any(word.isupper() and len(word) > 3 for word in text.split(maxsplit=40)[:40]):
        yield "upper"


class _Lexicon:
    """The single words and stems among phrases."""

    def __init__(self, wanted: Sequence[str]) -> None:
        single = [phrase for phrase in wanted if " " not in phrase]
        self.words = frozenset(word for word in single if not word.endswith("~"))
        self.stems = tuple(word[:-1] for word in single if word.endswith("~"))

    def has(self, word: str) -> bool:
        return word in self.words or word.startswith(self.stems)


class _Word:
    """What is known of a token."""

    __slots__ = ("as_first", "as_second", "bucket", "firsts", "paired", "rules", "seconds", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        hashed = _hash_word(text)
        self.bucket = hashed & _MASK
        self.as_first, self.as_second = _as_first(hashed), _as_second(hashed)
        self.rules = tuple(rule for rule, lexicon in _SINGLE if lexicon.has(text))
        self.firsts = tuple(rule for rule, first, _, _ in _PAIRED if first.has(text))
        self.seconds = tuple((rule, n) for rule, _, second, n in _PAIRED if second.has(text))
        self.paired = bool(self.firsts or self.seconds)


class _Vocabulary(dict[str, _Word]):
    """Tokens by their text, looked up once; numbers are one word."""

    MOST = 1 << 16

    def __missing__(self, token: str) -> _Word:
        number = token[0].isdecimal() or token in phrases.NUMBER_WORDS
        word = self["0"] if number and token != "0" else _Word(token)
        if len(self) >= self.MOST:
            self.clear()
        return self.setdefault(token, word)


def _hash_word(word: str) -> int:
    return crc32(word.encode("utf-8", "replace"))


def _index_longer() -> dict[int, list[tuple[str, int]]]:
    """Phrases of several words with their rules, by the hash of their first two."""
    found: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for name, wanted in phrases.PHRASES.items():
        for phrase in wanted:
            first, *rest = phrase.split(" ")
            if rest:
                two = _bucket_of_two(_hash_word(first), _hash_word(rest[0]))
                found[two].append((f" {phrase} ", _AT[name]))
    return dict(found)


_SINGLE = [(_AT[name], _Lexicon(wanted)) for name, wanted in phrases.PHRASES.items()]
_PAIRED = [(_AT[name], _Lexicon(a), _Lexicon(b), n) for name, (a, b, n) in PAIRS.items()]
_LONGER = _index_longer()
_VOCABULARY = _Vocabulary()
