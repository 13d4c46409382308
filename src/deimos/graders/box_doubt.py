r"""Whether the words right before a box deny it, doubt it or call it wrong: "It is not \boxed{B}", "Perhaps \boxed{B}".

A box is otherwise an answer wherever it stands. Between such a word and the box only words may stand that add
nothing ("I doubt *that it is* \boxed{B}"): in "A is not red so we take \boxed{B}" something else is denied. Nor is
a box denied that holds what a question asks for: "The statement that is not true is \boxed{B}". English; linear.
"""

from __future__ import annotations

import re

BEFORE = 120
"""Characters before a box that are looked at."""

_DISPLAY = re.compile(r"\n[ \t]{0,9}(?:\$\$|\\\[)\s{0,9}$")
_MARKUP = re.compile(
    r"\\(?:text|textbf|textrm|textit|mathrm|mathbf|mbox)\b|\\quad\b|\\[,;:! ]|\\[()\[\]]|[$*_`{}()\[\]\"“”]"
)
_CLAUSE_END = re.compile(
    r"[.,;:!?\n]|\b(?:and|(?<!anything )(?<!all )(?<!everything )but|so|hence|thus|then|therefore)\b",
    re.IGNORECASE,
)
_NOUN = r"(?:answers?|options?|choices?|letters?|ones?|solutions?|picks?|guess(?:es)?)"
_ADDS_NOTHING = (
    r"(?:(?:that|it|this|is|was|are|be|being|been|were|would|will|the|an?|my|our|to|for|of|as|by|really|actually|simply|likely"
    rf"|necessarily|always|exactly|i|we|you|they|say|choose|pick|select|answer|called|{_NOUN}"
    rf"|(?:correct|right|best|true|final)(?=\s{{1,3}}{_NOUN})|it[’']s|that[’']s)\b\s{{0,3}}){{0,9}}$"
)
_PEOPLE = r"(?:many|some|most|students|people|others|they|beginners|everyone|everybody)"
_SAY = r"(?:choose|pick|select|say|think|believe|answer|guess|claim|assume)s?"
_DENIES = re.compile(
    rf"(?:\b(?:not|never|nor|neither|hardly|perhaps|maybe|possibly|conceivably|supposedly|allegedly|unlikely|tempting|tempted)\b|n[’']t\b)"
    rf"\s{{0,3}}(?:(?:think|believe|say|claim|mean|agree|convinced|certain|sure|certain)\s{{1,3}})?{_ADDS_NOTHING}"
    rf"|\b(?:if|whether|unless|supposing|suppose|assuming|assume|imagine|imagining|pretend|except|excluding)\b\s{{0,3}}{_ADDS_NOTHING}"
    rf"|\bif\s{{1,3}}only\s{{1,3}}{_ADDS_NOTHING}|\bno\s{{1,3}}(?:way|chance|reason)\s{{1,3}}{_ADDS_NOTHING}"
    rf"|\bif\b[^.;,:!?\n]{{1,80}}\bwould\s{{1,3}}(?:then\s{{1,3}}|also\s{{1,3}})?be\s{{0,3}}{_ADDS_NOTHING}"
    rf"|\bi\s{{1,3}}(?:guess|suppose)\b\s{{0,3}}{_ADDS_NOTHING}"
    rf"|\b(?:anything|all|everything)\s{{1,3}}but\s{{0,3}}$"
    rf"|(?:\b(?:might|may|could|cannot|can\s{{1,3}}not)|\b(?:ca|could)n[’']t)\s{{1,3}}(?:(?:well|also|possibly|not|just|easily|really|still)\s{{1,3}}){{0,2}}be\b(?!\s{{1,3}}(?:is|was)\b)\s{{0,3}}{_ADDS_NOTHING}"
    rf"|(?<!no )(?<!not )(?<!never )(?<!any )(?<!n[’']t )\b(?:doubt(?:s|ed|ful)?|den(?:y|ies|ied)|disagree|unsure|uncertain|unclear"
    rf"|questionable|improbable|reject(?:s|ed)?|discard|dismiss|exclude|avoid|rules?\s{{1,3}}out|ruled\s{{1,3}}out|ruling\s{{1,3}}out)\b\s{{0,3}}(?:(?:if|whether)\s{{1,3}})?{_ADDS_NOTHING}"
    rf"|\b(?:(?:wrong|incorrect|mistaken|false|bad|naive|popular|tempting|trap|trick|decoy|distractor|bogus|fake|dummy)\s{{1,3}}(?:answers?|guess(?:es)?|repl(?:y|ies)|responses?|picks?|conclusions?)"
    rf"|(?:an?|another|one|some)\s{{1,3}}(?:wrong|incorrect|bad|false)\s{{1,3}}(?:options?|choices?|ones?|letters?))\s{{1,3}}(?:here\s{{1,3}})?{_ADDS_NOTHING}"
    rf"|\b(?:wrongly|mistakenly|falsely|erroneously|naively|carelessly)\s{{1,3}}(?:{_SAY}\s{{1,3}})?{_ADDS_NOTHING}"
    rf"|\b(?:mistake|error|misconception|trap|fallacy|pitfall|blunder)s?\s{{1,3}}(?:here\s{{1,3}})?(?:is|was|would\s{{1,3}}be|are|of|lies\s{{1,3}}in)\s{{1,3}}(?:choosing\s{{1,3}}|picking\s{{1,3}}|saying\s{{1,3}})?{_ADDS_NOTHING}"
    rf"|\b{_PEOPLE}\s{{1,3}}(?:(?:people|students|would|might|may|will|often|tend\s{{1,3}}to)\s{{1,3}}){{0,2}}{_SAY}\s{{1,3}}{_ADDS_NOTHING}"
    rf"|\b(?:nobody|no\s{{1,3}}one|none\s{{1,3}}of\s{{1,3}}(?:us|them|you))\s{{1,3}}(?:(?:would|could|can|will|should|ever|really|has)\s{{1,3}}){{0,2}}\w{{2,12}}\s{{1,3}}{_ADDS_NOTHING}"
    rf"|\b(?:refus(?:e|es|ed|ing)|declin(?:e|es|ed|ing)|hesitat(?:e|es|ed|ing)|unwilling|unable|reluctant|not\s{{1,3}}ready)\s{{1,3}}to\s{{1,3}}\w{{2,12}}\s{{1,3}}{_ADDS_NOTHING}"
    rf"|(?<!not )(?<!never )(?<!n[’']t )\b(?:ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?(?:\s{{1,3}}about)?|eras(?:e|ing)|delet(?:e|ing)|strike(?:\s{{1,3}}out)?|scratch|cancel|drop|cross\s{{1,3}}out|withdraw|retract|take\s{{1,3}}back|undo)\s{{1,3}}{_ADDS_NOTHING}"
    rf"|\beither\s{{0,3}}$"
    rf"|\b(?:is|was|could|might|would|can)\s{{1,3}}(?:it|this|that|the\s{{1,3}}{_NOUN})\s{{1,3}}(?:really\s{{1,3}}|be\s{{1,3}}){{0,2}}$",
    re.IGNORECASE,
)
_LED = re.compile(
    r"\b(?:perhaps|maybe|possibly|for\s{1,3}(?:example|instance)|e\.g\.)\s{0,3}[,:]?\s{0,3}$"
    r"|(?<!cannot be anything )(?<!not be anything )(?<!nothing )\b(?:other\s{1,3}than|rather\s{1,3}than|instead\s{1,3}of|different\s{1,3}from)\s{0,3}$",
    re.IGNORECASE,
)
_FALSE_THAT = re.compile(
    r"(?:\b(?:false|untrue|wrong|incorrect|impossible|absurd|doubtful|questionable|unlikely|not\s(?:true|right|correct|so|possible|certain|clear|the\scase))|n[’']t\s(?:true|right|correct|possible|the\scase))"
    r"\s(?:to\s(?:say|claim|think|believe|assume|conclude)\s)?that\b",
    re.IGNORECASE,
)
"""All that the clause goes on to say is denied: "It is false that x = 7"."""
_NAMED = re.compile(r"[A-Za-z](?:_\w)?\s?=\s?$")
"""The name of what a box holds: "I don't think that x ="."""


def is_doubted(text: str, at: int) -> bool:
    """Whether the words before a box at this place deny, doubt or suppose what it holds, or call it wrong."""
    before = text[max(0, at - BEFORE) : at]
    if displayed := _DISPLAY.search(before):
        before = before[: displayed.start()]
        before = before if before.endswith("\n") else before + " "
    words = _MARKUP.sub(" ", before)
    line = words.rpartition("\n")[2]
    clause = _NAMED.sub("", re.sub(r"\s+", " ", _CLAUSE_END.split(line)[-1]))
    return any(map(re.Pattern.search, (_LED, _FALSE_THAT, _DENIES), (line, clause, clause)))
