r"""Sentences that name an option without "the answer is": "So it is B.", "It's not A but B.", "B ist richtig".

And which statements a later one corrects: "The answer is A. Wait, no: the answer is B." names B; a mere
list of both names both. Letters only: a sentence may end with a number that is no option.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from deimos.graders.choice_words import IS_CORRECT

TURN = 60
"""Characters before a statement in which "wait" and the like make it a correction."""

_BEGIN = r"(?:^|[.!?;:]\s{1,3}|\n\s{0,9})"
_SO = r"(?:so|thus|therefore|hence|consequently|in\s{1,3}conclusion)[,:]?\s{1,3}"
_END = r"(?=\s{0,3}(?:$|\n|[.!](?!\w))|,?\s{1,3}(?:not|because|since|rather\s{1,3}than|instead\s{1,3}of)\b)"
_CONCLUDED = re.compile(
    rf"{_BEGIN}(?:{_SO}(?:it(?:\s{{1,3}}is|[’']s|\s{{1,3}}must\s{{1,3}}be)\s{{1,3}})?|it(?:\s{{1,3}}is|[’']s|\s{{1,3}}must\s{{1,3}}be)\s{{1,3}})"
    rf"(?:option\s{{1,3}}|choice\s{{1,3}})?(?-i:[(\[](?P<held>[A-J])[)\]]|(?P<bare>[A-J])){_END}",
    re.IGNORECASE,
)
_CONTRASTED = re.compile(
    rf"{_BEGIN}(?:{_SO})?(?:(?:(?:the\s{{1,3}})?(?:(?:correct|right)\s{{1,3}})?(?:answer|option|choice)|it|that)(?:\s{{1,3}}is|[’']s|(?=\s{{1,3}}isn))?\s{{1,3}})?"
    r"(?:not|isn[’']t)\s{1,3}(?:option\s{1,3})?(?-i:[(\[]?[A-J][)\]]?),?\s{1,3}but\s{1,3}(?:rather\s{1,3})?(?:option\s{1,3})?"
    rf"(?-i:[(\[]?(?P<label>[A-J])[)\]]?){_END}",
    re.IGNORECASE,
)
_TURN = re.compile(
    r"\b(?:wait|actually|scratch\s{1,3}that|correction|on\s{1,3}second\s{1,3}thought|i\s{1,3}mean|sorry|no[,:;.!])",
    re.IGNORECASE,
)
_STILL_OPEN = re.compile(
    r"\b(?:maybe|perhaps|possibly|probably|might|may|could|would|if|whether|or|also)\b|\?",
    re.IGNORECASE,
)


class Stated(NamedTuple):
    """One statement: where it begins and ends, and the labels that it names."""

    start: int
    end: int
    labels: frozenset[str]


def plain_sentences(text: str) -> Iterator[Stated]:
    """The sentences of a text that name one letter as what a thought comes to, or contrast it with another."""
    for match in _CONCLUDED.finditer(text):
        yield Stated(match.start(), match.end(), frozenset([match["held"] or match["bare"]]))
    for match in _CONTRASTED.finditer(text):
        yield Stated(match.start(), match.end(), frozenset([match["label"]]))
    for match in IS_CORRECT.finditer(text):
        yield Stated(match.start(), match.end(), frozenset([match["label"]]))


def that_stand(text: str, statements: Sequence[Stated]) -> list[Stated]:
    """The statements, in order, without those that a later one corrects."""
    standing: list[Stated] = []
    for one in sorted(statements):
        if standing:
            between = text[standing[-1].end : one.start]
            turn = _TURN.search(between[-TURN:]) or _TURN.match(between.lstrip(" .,;:!\n)]*"))
            if turn and not _STILL_OPEN.search(between[-TURN:]):
                standing = []
        standing.append(one)
    return standing
