r"""What takes an answer back: a denial in front of a box, "that is wrong", "wait, it is 8", "no, it is eight"."""

from __future__ import annotations

import re

from deimos.graders.math.numerals import with_digits
from deimos.graders.statements import is_withdrawn

REMARK = 120
"""Characters behind an answer in which it may be taken back."""
CLAUSE = 80
"""Characters behind a second thought in which another answer must stand."""

_SECOND_THOUGHT = re.compile(
    r"\b(?:wait|actually|scratch\s{1,3}that|correction|on\s{1,3}second\s{1,3}thought|i\s{1,3}mean(?:t\b(?:\s{1,3}to\s{1,3}(?:say|write|put))?)?|i\s{1,3}should\s{1,3}have\s{1,3}(?:said|written|put)|sorry|or\s{1,3}maybe|or\s{1,3}perhaps"
    r"|or\s{1,3}rather|no[,:;.!]|it\s{1,3}should\s{1,3}be|let\s{1,3}me\s{1,3}re|hmm|oops)",
    re.IGNORECASE,
)
TAKEN_BACK = re.compile(
    r"\b(?:that|this|it|which)(?:\s{1,2}is|\s{1,2}was|[’']s)\s{1,2}(?:probably\s|clearly\s|obviously\s)?(?:wrong|incorrect|not\s{1,2}(?:right|correct|true|it)|false|a\s{1,2}(?:mistake|guess|lie))",
    re.IGNORECASE,
)
_IS_WRONG = re.compile(
    r"[\s$)\]\\*.]{0,6}(?:is|was)\s(?:probably\s|clearly\s)?(?:wrong|incorrect|false|not\s(?:right|correct|true|the\sanswer))\b",
    re.IGNORECASE,
)
"""Right behind a box."""
_INSTEAD = re.compile(
    r"[\s,.:;!*$\\(]{0,6}(?:(?:no|wait|actually|rather|so|then|but)[\s,]{1,3}){0,3}"
    r"(?:i\s(?:actually\s|really\s|rather\s)?(?:mean[t]?|intended|wanted|should\shave\s(?:said|written|put))\s(?:to\s(?:say|write|put)\s)?|make\s(?:it|that)\s|let[’']s\s(?:say|make\sit)\s)?"
    r"(?:(?:it|that|this|[a-z]|the\s(?:\w{1,9}\s)?(?:answer|value|result))\s?(?:is|was|[’']s|should\sbe|must\sbe|would\sbe|=|equals)\s{1,2}"
    r"(?:actually\s|really\s|rather\s)?)?[\s$\\({]{0,4}(?:boxed\{)?(-?\d[\d,]{0,30}(?:[./]\d+)?)",
    re.IGNORECASE,
)
"""What a second thought puts in its place: "wait, it is 8"."""
_INSTEAD_IN_WORDS = re.compile(
    r"[\s,.:;!]{0,6}(?:(?:no|wait|actually|rather|so|then|but)[\s,]{1,3}){0,3}(?:it|that|the\s(?:\w{1,9}\s)?(?:answer|value|result))"
    r"\s?(?:is|was|[’']s|should\sbe|must\sbe)\s{1,2}(?P<words>[a-z][a-z -]{2,40}?)\s{0,2}(?:[.,;!]|$)",
    re.IGNORECASE,
)


_BESIDE = re.compile(
    r"^[\s.,;:!$)*\]\\–—-]{0,6}(?:but\s|and\s|or\s)?(?:also|likewise|alternatively|otherwise|if\snot|or\selse|as\swell\sas|(?:another|an?\sother|one\smore|a\ssecond)\s(?:\w{1,12}\s)?"
    r"(?:possibility|answer|option|solution|value|candidate|choice)\s(?:is|would\sbe|could\sbe))[,:]?\s{1,2}(?:it\s(?:is|would\sbe|could\sbe)\s|maybe\s|perhaps\s)?"
    r"[\s$\\({]{0,4}(?:boxed\{)?(-?\d[\d,]{0,30}(?:[./]\d+)?)(?=[\s$)}*]{0,4}(?:[.,;!]|$))",
    re.IGNORECASE,
)
"""Another answer that is put beside the first: "Also 392.", "If not, 392."."""
_OTHERWISE = re.compile(
    r"\b(?:when|if|for|where)\b[^.;\n]{1,60}[;,]\s(?:otherwise|else)\s(?:it\s(?:is|would\sbe)\s)?\$?(-?\d[\d,]{0,30}(?:[./]\d+)?)",
    re.IGNORECASE,
)
_CASE = r"(?:for|when|if|where|in|at|with|on|otherwise|else)\b"
_BY_CASES = re.compile(
    rf"^[\s$)*\\\]]{{0,6}},?\s?{_CASE}[^.;\n]{{1,60}}?(?:[,;]|\band\b|\bbut\b|\bor\b)\s(?:(?:and|but|or|it\sis|is|then|also)\s){{0,2}}[\s$\\({{]{{0,4}}(-?\d[\d,]{{0,30}}(?:[./]\d+)?)[\s$)}}*]{{1,4}}{_CASE}",
    re.IGNORECASE,
)
"""Another answer for another case: "4 for even n, 5 for odd n"."""
_REPLACED = re.compile(
    r"\b(?:(?:(?:and|but|so|then|now|here|,)\s)?(?:it|that|this)|(?:the\s)?(?:right|correct|true|real|actual|proper|better)\s(?:one|answer|value|number|result)"
    r"|(?:it|that|this|the\sanswer)\s(?:could|may|might)(?:\s(?:also|well|equally))?)\s{0,2}(?:is|was|be|[’']s|should\sbe|must\sbe|would\sbe)\s{1,2}"
    r"(?:actually\s|really\s|rather\s)?[\s$\\({]{0,4}(?:boxed\{)?(-?\d[\d,]{0,30}(?:[./]\d+)?)(?=[\s$)}*]{0,4}(?:[.,;!]?\s|[.,;!]?$))(?!\s[A-Za-z(%^*/+-])"
    r"|\b(?:edit|update|updated|correction|corrected|revised|revision|amended|fixed|rechecking|rechecked|recalculated)(?:\s(?:answer|result|value))?\s?[:=]\s{0,2}"
    r"(?:it\sis\s)?[\s$\\({*]{0,4}(?:boxed\{)?(-?\d[\d,]{0,30}(?:[./]\d+)?)",
    re.IGNORECASE,
)
"""Another answer that no second thought announces: "it could be 20", "the right one is 20", "Edit: 20"."""


def is_denied_before(text: str, at: int) -> bool:
    r"""Whether a box at this place is denied directly: "is not \\boxed{7}"."""
    before = text[max(0, at - 40) : at].rstrip(" $\\([{")
    return re.search(r"(?:\bnot(?:\sequal\sto)?|n[’']t(?:\sbe)?|\bnever|\\neq?|≠|\bwrong(?:\sanswer)?(?:\sis)?:?|\brather\sthan|\binstead\sof|\bcannot\sbe)$", before, re.IGNORECASE) is not None  # fmt: skip


def find_retraction(text: str) -> str:
    """What a text says at once instead of the answer before it ("wait, it is 8"); "" if it stands by it.

    A remark that the answer is wrong, without another one, comes back as it is. What follows
    later may be a check, with numbers of its own.
    """
    text = text[:REMARK]
    if remark := TAKEN_BACK.search(text) or _IS_WRONG.match(text):
        return remark[0].strip()
    if is_withdrawn(text):
        return "a remark behind it"
    if beside := _BESIDE.match(text) or _OTHERWISE.search(text) or _BY_CASES.match(text):
        return beside[1].rstrip(",")
    if replaced := _REPLACED.search(text):
        return (replaced[1] or replaced[2]).rstrip(",")
    for turn in _SECOND_THOUGHT.finditer(text):
        rest = text[turn.end() : turn.end() + CLAUSE].partition("\n")[0]
        if number := _INSTEAD.match(rest):
            return number[1].rstrip(",")
        if in_words := _in_words(rest):
            return in_words
    return ""


def _in_words(rest: str) -> str:
    """The number, in digits, of "no, it is seven" behind a second thought; "" if there is none.

    "it is one" may be of anything and is left alone.
    """
    match = _INSTEAD_IN_WORDS.match(rest)
    digits = with_digits(match["words"]) if match else ""
    return "" if digits.split()[:1] == ["1"] else digits
