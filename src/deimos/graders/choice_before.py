r"""What stands before a claim in its sentence: is it about this question, and does the text make it itself?

"A common mistake is to think that the answer is B", "had they asked about plants, the answer would be B" and
"example: the answer is B" name no option. English; all scans are linear.
"""

from __future__ import annotations

import re

from deimos.graders.statements import CLAUSE_ENDS, SENTENCE

BEFORE = 200
"""Characters before a claim that are looked at."""

_NOUN = r"(?:that\s{1,3})?(?:(?:the|my|our|its)\s{1,3})?(?:(?:correct|right|final|best)\s{1,3}){0,2}\s{0,3}$"
"""What may stand between the words below and "answer", or the letter itself."""
_SAYING = r"(?:say|think|believ|assum|conclud|choos|pick|claim|suppos|select|answer|writ|stat|suggest|insist|maintain|infer|guess|decid)(?:e|es|s|ing|ed)?"
_ERROR = r"\b(?:mistake|error|trap|misconception|fallacy|pitfall|myth|temptation|confusion|misunderstanding|misreading|blunder|illusion)s?\b"
_AN_ERROR = re.compile(
    rf"{_ERROR}(?:\s{{1,3}}(?!is\b|was\b|of\b|in\b|to\b|that\b)[\w’'-]{{1,15}}){{0,4}}?\s{{1,3}}(?:is|was|would\s{{1,3}}be|lies\s{{1,3}}in|of|in|to|that)\b"
    rf"\s{{0,3}}:?\s{{0,3}}(?:[\w’'-]{{1,15}}\s{{1,3}}){{0,3}}?(?:{_SAYING}\s{{1,3}})?{_NOUN}"
    r"|\b(?:common|frequent|typical|popular|widespread|classic|usual|students?[’']?|beginner[’']s)\s{1,3}(?:\w{1,15}\s{1,3})?"
    rf"{_ERROR}\s{{0,3}}:\s{{0,3}}{_NOUN}|\b(?:wrong|false|incorrect|mistaken)\s{{1,3}}(?:conclusion|answer|reasoning|argument|claim|idea)\s{{0,3}}:\s{{0,3}}{_NOUN}|\b(?:misconception|trap|fallacy|pitfall|myth)s?\s{{0,3}}:\s{{0,3}}{_NOUN}",
    re.IGNORECASE,
)
_WRONGLY = re.compile(
    rf"\b(?:wrongly|falsely|mistakenly|incorrectly|erroneously|naively|carelessly)\s{{1,3}}{_SAYING}(?:\s{{0,3}}:)?\s{{1,3}}{_NOUN}"
    rf"|\b{_SAYING}\s{{1,3}}(?:wrongly|falsely|mistakenly|incorrectly|erroneously|naively),?\s{{1,3}}{_NOUN}",
    re.IGNORECASE,
)
_EXAMPLE = re.compile(
    r"(?:\b(?:example|instance|illustration|template|sample|format)s?(?:(?:\s{1,3}of\s{1,3}(?:a|an|the))?\s{1,3}(?:reply|response|output|sentence|solution|answer))?\s{0,3}[:,]|\be\.g\.,?:?"
    r"|\b(?:you|one|students)\s{1,3}(?:should|must|can|could|may|might|would)\s{1,3}(?:\w{1,12}\s{1,3})?(?:write|say|reply|respond|output|end\s{1,3}with|type|print)\s{0,3}:?"
    r"|(?:^|[.!?]\s|\n)\s{0,3}(?:please\s{1,3})?(?:write|end\s{1,3}with|reply\s{1,3}with|respond\s{1,3}with|say|type|output)\s{0,3}:?)\s{0,3}[\"“‘']?\s{0,3}"
    + _NOUN,
    re.IGNORECASE,
)
_OF_ANOTHER = re.compile(
    r"(?:^|[,;:]\s{1,3})(?:but\s{1,3}|and\s{1,3})?(?:in|on|for|to)\s{1,3}(?:(?:the|a|an|my|your)\s{1,3})?"
    r"(?:other|last\s{1,3}year[’']s|another|different|previous|similar|earlier|related|practice|sample|older|alternative|alternate)\s{1,3}(?:[\w-]{1,15}\s{1,3})?"
    r"(?:version|question|quiz|problem|exam|test|variant|edition|exercise|worksheet|one)s?\b",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    r"\bfor\s{1,3}(?:the\s{1,3})?(?:question|problem|item|number|no\.|exercise)\s{0,3}#?\d",
    re.IGNORECASE,
)
_THIS_ONE = re.compile(
    r"\bfor\s{1,3}(?:this\s{1,3}(?:one|question|problem|item)|the\s{1,3}(?:present|current)\b|question\s{1,3}\d)",
    re.IGNORECASE,
)
_ASKS = r"(?:question|problem|task|exercise|quiz|prompt|wording|passage|text)"
_PAST = r"(?:asked|asking|were|had|did|meant|said|stated|read|wanted|mentioned|concerned|specified|referred|was|spoke|instead)"
_OTHERWISE = re.compile(
    rf"\bif\s{{1,3}}(?:the|this|that|it|they|we)\s{{1,3}}(?:{_ASKS}\s{{1,3}})?(?:had\s{{1,3}}|only\s{{1,3}}|instead\s{{1,3}})?{_PAST}\b"
    r"|\bif\b[^,;]{1,80}\b(?:were|had\s{1,3}been|instead)\b|(?:^|[,;]\s{1,3}|\bbut\s{1,3})(?:had|were)\s{1,3}(?:the|this|that|it|they|we|there)\b"
    rf"|\b(?:suppose|supposing|imagine|assume|assuming)\s{{1,3}}(?:that\s{{1,3}})?(?:(?:the|this|that)\s{{1,3}}{_ASKS}|it|they)\s{{1,3}}(?:{_PAST}|is|asks)\b|\bif\s{{1,3}}only\b"
    r"|\bunless\b(?!\s{1,3}(?:i|we)\b)|\botherwise\b",
    re.IGNORECASE,
)
_WOULD = re.compile(
    r"\bwould\s{1,3}(?:\w{1,15}\s{1,3})?be\b|[’']d\s{1,3}be\b|\bwould\b", re.IGNORECASE
)
_CARRIED_ON = re.compile(r"\s{0,3}(?:then|in\s{1,3}that\s{1,3}case)\b", re.IGNORECASE)
"""The sentence goes on with what the one before it supposes."""
_CONCLUDES = re.compile(r"\b(?:so|hence|thus|therefore)\b", re.IGNORECASE)


_ZH_QUESTION = re.compile(r"(?:如果|假如|若|要是)(?:题目|題目|问题|問題|这题|這題)[^。\n]{0,40}$")
"""If the question asked something else, in Chinese."""


def names_another(text: str, at: int, behind: str) -> bool:
    """Whether a claim is called an error or an example, or is about another question than the one asked.

    Args:
        text: the whole of it.
        at: where the claim begins: "answer is B", "B is correct".
        behind: the text behind it.
    """
    before = _before(text, at)
    if _EXAMPLE.search(before) or _ZH_QUESTION.search(before):
        return True
    sentence = SENTENCE.split(before)[-1]
    clause = CLAUSE_ENDS.split(sentence)[-1]
    if _AN_ERROR.search(clause) or _WRONGLY.search(clause):
        return True
    if _OF_ANOTHER.search(sentence) and not _CONCLUDES.search(sentence):
        return True
    return bool(_NUMBERED.search(sentence) and _THIS_ONE.search(behind[:BEFORE]))


def is_unreal(text: str, at: int, claim: str) -> bool:
    """Whether a claim says what would be the answer if things were otherwise, and concludes nothing from that.

    Args:
        text: the whole of it.
        at: where the claim begins.
        claim: its words.
    """
    if not _WOULD.search(claim):
        return False
    sentences = SENTENCE.split(_before(text, at))
    sentence = sentences[-1]
    if _CARRIED_ON.match(sentence):
        sentence = ". ".join(sentences[-2:])
    supposed = list(_OTHERWISE.finditer(sentence))
    return bool(supposed) and not _CONCLUDES.search(sentence, supposed[-1].end())


def _before(text: str, at: int) -> str:
    """The words before a claim; a head line that ends with a colon belongs to what it introduces."""
    return re.sub(r":\s{0,9}\n\s{0,9}", ": ", text[max(0, at - BEFORE) : at])
