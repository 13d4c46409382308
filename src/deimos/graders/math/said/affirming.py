r"""Sentences behind a result that affirm it, or say something else that is not against it: "I hope it helps", "(Not 36!)"."""

from __future__ import annotations

import re

from deimos.graders.math.said.claims import CLAUSE, DOUBT
from deimos.graders.math.said.retractions import TAKEN_BACK
from deimos.graders.statements import is_withdrawn

_AFFIRMS = re.compile(
    r"\b(?:answer|correct|correctly|confident|result|match(?:es)?|hope|done|good|same|add\sup|adds\sup|confirms?|confirmed|consistent|right"
    r"|sure|satisfied|solved|solution)\b",
    re.IGNORECASE,
)
_ADDS_UP = re.compile(
    r"\beverything\s(?:seems|appears)\sto\s(?:add\sup|check\sout|work\sout|be\s(?:right|correct|consistent))\b",
    re.IGNORECASE,
)
_COURTESY = re.compile(
    r"\W{0,3}(?:i\shope\s(?:this|that|it)\shelps|hope\s(?:this|that|it)\shelps|let\sme\sknow\s(?:if|in\scase)\b|please\slet\sme\sknow"
    r"|feel\sfree\sto\sask|if\syou\shave\s(?:any|more|further)\s(?:\w{1,8}\s)?questions|(?:i[’']m\s|i\sam\s)?happy\sto\shelp|good\sluck)\b",
    re.IGNORECASE,
)
_BREAKS_OFF = re.compile(
    r"\W{0,6}(?:so|then|thus|hence|therefore|now|next|and|but|wait|because|since|consider|let\w*|if|finally|also|first)\b(?:\s(?:we|i|it|the|that|this|let|if|us|consider|there))?[\s,:;.…]{0,9}",
    re.IGNORECASE,
)
"""A sentence that was only begun: what stands before it is no result yet."""
_NO_OTHER = re.compile(
    r"\W{0,6}(?:no\sother\s[\w\s]{1,30}(?:works?|exists?|(?:is|are)\spossible|satisf\w+|remains?)|there(?:\sis|[’']s|\sare)\sno\s(?:other|contradiction|more)\b"
    r"|(?:this|that|it)(?:[’']s\snot|\sisn[’']t|\sis\snot)\s(?:surprising|a\stypo|hard|difficult|obvious|a\scoincidence)\b|thank(?:s|\syou)\b)",
    re.IGNORECASE,
)
"""Says something of the rest, not against the result."""
_DENIES_ALL = re.compile(
    r"\W{0,6}(?:(?:actually|ouch|oops|h+m+|well|wait|but|oh|ah|ok(?:ay)?|um+|uh)\b\W{0,6}){0,3}(?:no(?!\s(?:doubt|problem|other|more))|nope|nah|not|wrong|false|never|incorrect|hardly|unlikely)\b",
    re.IGNORECASE,
)
_UNSURE = re.compile(
    r"\bnot\b|n[’']t\b|\b(?:unsure|wrong|mistakes?|errors?|guess\w*)\b", re.IGNORECASE
)
_BESIDES = re.compile(
    r"\W{0,4}\(?not\s-?\d[\d,.]{0,20}\W{0,4}$|\W{0,4}(?:it|this|that)\scan(?:not|[’']t)\sbe\s(?:any\s)?(?:larger|smaller|more|less|greater|bigger|higher|lower|fewer)\b",
    re.IGNORECASE,
)
"""A sentence that rules out other numbers than the result: "(Not 36!)", "It cannot be larger, as only 36 fit."."""


def rules_out_others(sentence: str) -> bool:
    """Whether a sentence with a number only rules out other numbers than the result."""
    return _BESIDES.match(sentence) is not None


def affirms(sentence: str) -> bool:
    """Whether a sentence without numbers only affirms what stands before it ("I hope it helps")."""
    if _COURTESY.match(sentence) and not _UNSURE.search(sentence):
        return True
    doubts = (
        DOUBT.search(_ADDS_UP.sub(" confirmed", sentence))
        or TAKEN_BACK.search(sentence)
        or "?" in sentence
    )
    if _BREAKS_OFF.fullmatch(sentence) or _DENIES_ALL.match(sentence) or is_withdrawn(sentence):
        return False
    if _NO_OTHER.match(sentence):
        return True
    short = len(sentence) <= CLAUSE + 40
    return (
        short
        and not doubts
        and (_AFFIRMS.search(sentence) is not None or len(sentence.split()) <= 3)
    )
