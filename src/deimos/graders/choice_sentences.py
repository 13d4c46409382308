r"""Sentences that name an option without "the answer is": "So it is B.", "It's not A but B.", "B ist richtig".

And which statements a later one corrects: "The answer is A. Wait, no: the answer is B." names B; a mere
list of both names both. Letters only: a sentence may end with a number that is no option.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from deimos.graders.choice_words import IS_CORRECT, NOT_THIS_BUT_THAT

TURN = 60
"""Characters before a statement in which "wait" and the like make it a correction."""

_BEGIN = r"(?:^|[.!?;:]\s{1,3}|\n\s{0,9})"
_SO = r"(?:so|thus|therefore|hence|consequently|in\s{1,3}conclusion|by\s{1,3}(?:process\s{1,3}of\s{1,3})?elimination)[,:]?\s{1,3}"
_END = r"(?=\s{0,3}(?:$|\n|[.!](?!\w))|,?\s{1,3}(?:not|because|since|rather\s{1,3}than|instead\s{1,3}of)\b)"
_CLAUSE_BEGIN = r"(?:^|[.!?;:,]\s{1,3}|\n\s{0,9})"
_CONCLUDED = re.compile(
    rf"{_BEGIN}(?:{_SO}(?:it(?:\s{{1,3}}is|[’']s|\s{{1,3}}(?:must|can\s{{1,3}}only|has\s{{1,3}}to)\s{{1,3}}be)\s{{1,3}})?|that(?:\s{{1,3}}is|[’']s)\s{{1,3}}|it(?:\s{{1,3}}is|[’']s|\s{{1,3}}(?:must|can\s{{1,3}}only|has\s{{1,3}}to)\s{{1,3}}be)\s{{1,3}})"
    rf"(?:option\s{{1,3}}|choice\s{{1,3}})?(?-i:[(\[](?P<held>[A-J])[)\]]|(?P<bare>[A-J])){_END}",
    re.IGNORECASE,
)
_CONTRASTED = re.compile(
    rf"{_BEGIN}(?:{_SO})?(?:(?:(?:the\s{{1,3}})?(?:(?:correct|right)\s{{1,3}})?(?:answer|option|choice)|it|that)(?:\s{{1,3}}is|[’']s|(?=\s{{1,3}}isn))?\s{{1,3}})?"
    r"(?:not|isn[’']t)\s{1,3}(?:option\s{1,3})?(?-i:[(\[]?[A-J][)\]]?),?\s{1,3}but\s{1,3}(?:rather\s{1,3})?(?:option\s{1,3})?"
    rf"(?-i:[(\[]?(?P<label>[A-J])[)\]]?){_END}",
    re.IGNORECASE,
)
_OTHERS = r"(?:option\s{1,3})?(?-i:[(\[]?[A-J][)\]]?)(?:(?:,\s{0,3}(?:and\s{1,3}|n?or\s{1,3}|not\s{1,3})?|\s{1,3}(?:and|n?or)\s{1,3}(?:not\s{1,3})?)(?-i:[(\[]?[A-J][)\]]?)(?!\w)){0,8}"
_RULED_OUT = re.compile(
    rf"{_BEGIN}(?:{_SO})?(?:(?:(?:the\s{{1,3}})?(?:(?:correct|right)\s{{1,3}})?(?:answer|option|choice)|it|that)\s{{0,3}}(?:is|was|can|could|[’']s)?\s{{0,3}})?"
    rf"(?:(?:not|n[’']t|neither|cannot|[’']t)\s{{1,3}}(?:possibly\s{{1,3}})?(?:be\s{{1,3}})?(?:either\s{{1,3}})?{_OTHERS}"
    rf"|{_OTHERS}\s{{1,3}}(?:is|are)\s{{1,3}}(?:all\s{{1,3}}|both\s{{1,3}})?(?:wrong|incorrect|false|out|impossible|eliminated|excluded|ruled\s{{1,3}}out))\s{{0,3}}[;:,.–—-]\s{{0,3}}"
    rf"(?:(?:{_SO}|then\s{{1,3}}|and\s{{1,3}}so\s{{1,3}})?(?:it|that|the\s{{1,3}}(?:(?:correct|right)\s{{1,3}})?(?:answer|option|one))(?:\s{{1,3}}(?:is|must\s{{1,3}}be|has\s{{1,3}}to\s{{1,3}}be|can\s{{1,3}}only\s{{1,3}}be)|[’']s)\s{{1,3}}"
    rf"|{_SO}|(?<=:\s)|(?<=[–—-]\s))(?:option\s{{1,3}})?(?-i:[(\[]?(?P<label>[A-J])[)\]]?){_END}",
    re.IGNORECASE,
)
"""Other letters are ruled out first: "The answer is not A; it is B.", "Not A, not C: B."."""
_RIGHT_ONE = re.compile(
    rf"{_CLAUSE_BEGIN}(?:{_SO})?(?:the|my|our)\s{{1,3}}(?:only\s{{1,3}})?(?:correct|right|best|true|valid)\s{{1,3}}one(?:\s{{1,3}}here)?\s{{1,3}}(?:is|must\s{{1,3}}be)\s{{0,3}}:?\s{{1,3}}(?:option\s{{1,3}})?(?-i:[(\[]?(?P<label>[A-J])[)\]]?){_END}",
    re.IGNORECASE,
)
_LABEL = r"(?:(?:option|choice|letter|answer)\s{1,3})?(?-i:[(\[]?(?P<label>[A-J])[)\]]?)"
_FITS = (
    r"(?:(?:works|remains|qualifies|applies|holds|survives|stands|is\s{1,3}(?:left|true|valid|possible|suitable|plausible|acceptable|accurate))(?:\s{1,3}here)?"
    r"|(?:fits?|matches|satisfies|meets|answers|completes|agrees|makes\s{1,3}sense|is\s{1,3}(?:correct|right|consistent|supported)"
    r"|(?:can|could)\s{1,3}be\s{1,3}(?:correct|right|true|valid))"
    r"(?:\s{1,3}(?!(?:not|is|than|but|and|or|if|when|unless|without|until|only|though|although|except|as|for|wrong)\b)[\w’'-]{1,20}){0,9}?)"
)
"""What an answer does, and what it fits: words, among them none that denies it, or begins another sentence."""
_SORT = r"(?:correct|right|possible|remaining|viable|valid|plausible|reasonable|sensible|logical|suitable|consistent|acceptable|fitting|true|good|other)"
_THING = r"(?:option|choice|answer|one|letter|statement|alternative|candidate|match|fit|description|explanation)"
_MOST_SO = (
    r"(?:most\s{1,3}(?:accurate|appropriate|likely|suitable|plausible|reasonable|fitting|logical|consistent|probable|precise"
    r"|complete|correct|sensible)|best)"
)
_ONLY = re.compile(
    rf"\bthe\s{{1,3}}(?:only\s{{1,3}}(?:{_SORT}\s{{1,3}})?{_THING}(?:\s{{1,3}}(?:(?:that|which)\s{{1,3}}{_FITS}|left|remaining))?"
    rf"|{_THING}\s{{1,3}}(?:that|which)\s{{1,3}}(?:(?:best|correctly)\s{{1,3}}{_FITS}|{_FITS}\s{{1,3}}best)"
    rf"|{_MOST_SO}\s{{1,3}}{_THING}(?:\s{{1,3}}(?:here|(?:among|of)\s{{1,3}}(?:these|those|them|the\s{{1,3}}(?:four|options))))?)"
    rf"\s{{1,3}}is\s{{0,3}}:?\s{{1,3}}{_LABEL}{_END}",
    re.IGNORECASE,
)
_ONLY_IT = re.compile(
    rf"{_CLAUSE_BEGIN}(?:{_SO})?(?:only|just)\s{{1,3}}{_LABEL}\s{{1,3}}{_FITS}{_END}"
    rf"|{_CLAUSE_BEGIN}(?:{_SO})?{_LABEL.replace('<label>', '<last>')}\s{{1,3}}is\s{{1,3}}the\s{{1,3}}only\s{{1,3}}(?:{_SORT}\s{{1,3}})?(?:option|choice|answer|one|letter)"
    rf"(?:\s{{1,3}}(?:(?:that|which)\s{{1,3}}{_FITS}|left|remaining))?{_END}",
    re.IGNORECASE,
)
_LEFT = re.compile(
    rf"(?:\b(?:we|you|i)(?:\s{{1,3}}(?:are|am)|[’'](?:re|m))\s{{1,3}}(?:then\s{{1,3}}|now\s{{1,3}}|thus\s{{1,3}})?left\s{{1,3}}(?:only\s{{1,3}})?with"
    rf"|\b(?:that|this|which|it)\s{{1,3}}(?:only\s{{1,3}})?leaves(?:\s{{1,3}}us)?(?:\s{{1,3}}with)?|\bleaving(?:\s{{1,3}}us)?(?:\s{{1,3}}with)?\s{{1,3}}(?:only|just))"
    rf"\s{{1,3}}(?:only\s{{1,3}}|just\s{{1,3}})?{_LABEL}(?:\s{{1,3}}as\s{{1,3}}the\s{{1,3}}(?:only|correct|right|best)[\w\s]{{1,30}}?)?{_END}",
    re.IGNORECASE,
)
_MAKES = re.compile(
    rf"(?:\b(?:that|this|which|it)\s{{1,3}}(?:(?:clearly|thus|therefore|only|also|then)\s{{1,3}})?makes|\bmaking)\s{{1,3}}{_LABEL}\s{{1,3}}"
    rf"(?:the\s{{1,3}}(?:only\s{{1,3}}|best\s{{1,3}})?(?:{_SORT}\s{{1,3}})?{_THING}|(?:the\s{{1,3}})?(?:correct|right|best))(?:\s{{1,3}}here)?{_END}",
    re.IGNORECASE,
)
_MOST = re.compile(
    rf"{_CLAUSE_BEGIN}(?:{_SO})?{_LABEL}\s{{1,3}}(?:is|seems|appears\s{{1,3}}to\s{{1,3}}be)\s{{1,3}}(?:the\s{{1,3}}(?:single\s{{1,3}})?{_MOST_SO}"
    rf"(?:\s{{1,3}}(?:{_THING}|of\s{{1,3}}(?:these|them|all|the\s{{1,3}}four|the\s{{1,3}}options)))?|the\s{{1,3}}one\s{{1,3}}(?:that|which)\s{{1,3}}{_FITS}){_END}",
    re.IGNORECASE,
)
_I_THINK = re.compile(
    rf"{_BEGIN}(?:{_SO})?(?:i\s{{1,3}}(?:think|believe|say|would\s{{1,3}}say|am\s{{1,3}}sure)|i[’']d\s{{1,3}}say)\s{{1,3}}(?:that\s{{1,3}})?"
    rf"(?:it(?:\s{{1,3}}is|[’']s|\s{{1,3}}must\s{{1,3}}be)\s{{1,3}})?{_LABEL}{_END}",
    re.IGNORECASE,
)
_SURELY = re.compile(
    rf"{_BEGIN}(?:it(?:\s{{1,3}}is|[’']s)\s{{1,3}})?(?:definitely|clearly|certainly|obviously|surely),?\s{{1,3}}{_LABEL}{_END}",
    re.IGNORECASE,
)
_FITS_BEST = re.compile(
    rf"{_BEGIN}(?:{_SO})?(?:all\s{{1,3}}(?:the\s{{1,3}})?others?\s{{1,3}}(?:options\s{{1,3}})?(?:are\s{{1,3}}(?:wrong|false|incorrect|out)|fail)[,;]\s{{1,3}}(?:so\s{{1,3}})?)?{_LABEL}(?:\s{{1,3}}(?:fits|matches|remains|works|is\s{{1,3}}left)(?:\s{{1,3}}(?:best|here|perfectly|exactly))?){_END}"
    rf"|{_BEGIN}all\s{{1,3}}(?:the\s{{1,3}})?others?\s{{1,3}}(?:options\s{{1,3}})?(?:are\s{{1,3}}(?:wrong|false|incorrect|out)|fail)[,;]\s{{1,3}}so\s{{1,3}}{_LABEL.replace('<label>', '<last>')}{_END}",
    re.IGNORECASE,
)
_PICK = re.compile(
    rf"{_BEGIN}(?:{_SO})?(?:choose|select|pick|mark|tick)\s{{1,3}}{_LABEL}{_END}", re.IGNORECASE
)
_WITH_REASON = re.compile(
    r"^[ \t]{0,3}(?:option[ ]|choice[ ])?(?-i:[(\[](?P<held>[A-J])[)\]]|(?P<label>[A-J]))[.]?"
    r"(?:,[ ]{1,3}(?:because|since(?![ ]you)|(?:as|for)(?=[ ](?:it|only|[A-J])\b))|[ ]{1,3}because(?![ ]of\b))\b"
    r"(?P<why>[^\n?!.]{1,600})(?:[.!\n]|$)",
    re.IGNORECASE | re.MULTILINE,
)
"""A line that begins with the letter and its reason: "B, because it releases energy."""
_PREDICATE = re.compile(
    r",\s{1,3}(?:is|was|would|seems|looks|cannot|can[’']t|could|might|may|must|should|does|has|fails|but|yet|though|although)\b"
    r"|\b(?:many|people|students|some)\s{1,3}(?:say|think|believe)|\b(?:is|was|would\s{1,3}be)\s{1,3}(?:my|wrong|incorrect|a\s{1,3}mistake|tempting)\b",
    re.IGNORECASE,
)
"""Behind such a reason: the letter was the subject of a sentence, or something is said against it."""
_CORRECTED = re.compile(
    r"(?:^|\n|[.!;]\s{1,3})[\W_]{0,4}(?P<word>(?:edit(?:ed)?|correction|corrected|update|updated|revised|revision|amended|amendment|erratum|fix(?:ed)?|changed|new)"
    r"(?:\s{1,3}(?:answer|choice|option|version|final\s{1,3}answer|to))?\s{0,3}[:=–—-]{1,2}\s{0,3}(?:(?:the\s{1,3})?(?:(?:correct|right|final)\s{1,3})?(?:answer|option|choice)\s{1,3}(?:is\s{1,3})?)?)"
    rf"(?-i:[(\[]?(?P<label>[A-J])[)\]]?){_END}",
    re.IGNORECASE,
)
_CHANGED = re.compile(
    r"\b(?:but|yet|however|no|rather|actually)[,:]?\s{1,3}(?:(?:actually|really|instead|in\s{1,3}fact|rather),?\s{1,3})?(?:it|that|mine|the\s{1,3}(?:correct\s{1,3}|right\s{1,3})?one)"
    rf"(?:\s{{1,3}}(?:is|must\s{{1,3}}be|should\s{{1,3}}be)|[’']s)\s{{1,3}}(?:(?:actually|really|in\s{{1,3}}fact|rather|instead)\s{{1,3}})?{_LABEL}{_END}",
    re.IGNORECASE,
)
_TURN = re.compile(
    r"\b(?:wait|actually|scratch\s{1,3}that|correction|on\s{1,3}second\s{1,3}thought|i\s{1,3}mean|sorry|no[,:;.!])"
    r"|(?:^|\n|[.!;]\s{1,3})[\W_]{0,4}(?:edit(?:ed)?|corrected|updated?|revised|revision|amended|erratum|fix(?:ed)?|changed)\b(?=[\w ]{0,20}[:=–—-])",
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
    for pattern in (_CONTRASTED, _RULED_OUT, _RIGHT_ONE, IS_CORRECT, NOT_THIS_BUT_THAT, _CHANGED):
        for match in pattern.finditer(text):
            label = next(
                filter(None, map(match.groupdict().get, ("label", "ja", "ko", "tr", "de", "de2")))
            )
            yield Stated(match.start(), match.end(), frozenset([label]))
    for match in _CORRECTED.finditer(text):
        yield Stated(match.end("word"), match.end(), frozenset([match["label"]]))


def weak_sentences(text: str) -> Iterator[Stated]:
    """Sentences that name the answer where nothing else does, and are a thought on the way where something does.

    "Only B fits", "that leaves B", "I think it's B", "B, because it releases energy".
    """
    for pattern in (_ONLY, _LEFT, _MAKES, _MOST, _I_THINK, _SURELY, _PICK):
        for match in pattern.finditer(text):
            yield Stated(match.start(), match.end(), frozenset([match["label"]]))
    for pattern in (_ONLY_IT, _FITS_BEST):
        for match in pattern.finditer(text):
            yield Stated(match.start(), match.end(), frozenset([match["label"] or match["last"]]))
    for match in _WITH_REASON.finditer(text):
        if not _PREDICATE.search(match["why"]):
            label = match["held"] or match["label"]
            yield Stated(match.start(), match.start("why"), frozenset([label]))


def drop_corrected(text: str, statements: Sequence[Stated]) -> list[Stated]:
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
