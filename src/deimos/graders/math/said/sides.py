r"""What stands beside a number or an equation in a sentence, and whether it belongs to it.

The 7 of "the total is √7", "−7", "7π", "log 7", "half of 7" and "7 squared" is no answer 7. Before it a verb
may stand, or a word that leads to it ("a total of"), behind it a unit or a noun. If signs tie it to an
expression, that expression is what the sentence gives. "The total = 8" gives 8, but "2x = 8" or "x + y = 8" is
still an equation.
"""

from __future__ import annotations

import re

from deimos.graders.math.tokens import word_set

_RUN = re.compile(
    r"(?<!\S)(?:(?:\d[\d.]*|[b-zB-HJ-Z]|ln|log|sqrt|exp|sin|cos|tan|minus|times|plus)\s{1,3}"
    r"|\S{1,40}\s{1,3}[-+*/^·×÷]\s{0,3}|\S{0,40}[-+*/^·×÷]\s{1,3}){0,8}\S{1,160}\s{0,3}$"
)
"""Words up to the end of a text between which operators stand, or numbers, letters or names of functions.

Each alternative ends at a space: one that ended inside a word could be had in as many ways as the word
has operators, and a line of dashes would take minutes."""
_WORD = re.compile(r"[(\"']?(?:[a-z]+-)?[A-Za-z][a-z]+(?:[’']s)?[)\"']?")
_OF_OPERATOR = re.compile(r"[-+*/^·×÷]\s*\S+$")
_ABOUT_ANOTHER = re.compile(
    r"\b(?:twice|double|triple|half|thrice|third|square|cube|root|reciprocal|negative|opposite|logarithm|product|difference)"
    r"(?:\sroot)?(?:\s(?:of|the|value)){0,3}\s[A-Za-z]\s{0,3}$",
    re.IGNORECASE,
)
"""The square of x = 8."""


def complete_equation(before: str, right: str) -> str:
    """An equation at the end of a sentence with its left side, unless that is words; "" if it is about another thing."""
    right = re.sub(r"^[\s=,.]+", "", right).strip()
    if _ABOUT_ANOTHER.search(before[-CONTEXT:]):
        return ""
    run = _RUN.search(before[-CONTEXT:])
    left = run[0].strip().rstrip(":") if run else ""
    if not left or (_WORD.fullmatch(left.split()[-1]) and not _OF_OPERATOR.search(left)):
        return right
    if left.count("(") != left.count(")"):
        return ""
    if "=" in right and re.search(r"[A-Za-z]{3,}\s{0,3}[-+*/×·]\s{0,3}[A-Za-z]{3,}", left):
        return right  # names of quantities: "April + May = 48 + 24 = 72"
    if chained := _NAMED_BEFORE.search(before[-CONTEXT:].rstrip().removesuffix(left)):
        left = f"{chained[1]} = {left}"
    return f"{left} = {right}"


_NAMED_BEFORE = re.compile(r"(?<![\w=+*/^-])([A-Za-z](?:_\w)?)\s{0,3}=\s{0,3}$")
"""The x of "x = y = 8", which is about both."""
CONTEXT = 160
"""Characters before the equation that are looked at."""

_QUOTES = "\"'“”‘’*_`"
_LEADING_VERBS = (
    r"(?:is|are|was|were|be|been|becomes?|became|equals?|has|have|had|gives?|gave|gets?|got|makes?|made|obtains?|obtained|finds?"
    r"|found|needs?|needed|costs?|earns?|earned|pays?|paid|saves?|saved|spends?|spent|takes?|took|sells?|sold|leaves?|leaving|left"
    r"|remains?|eats?|ate|buys?|bought|receives?|received|travels?|travel+ed|walks?|walked|runs?|ran|uses?|used|weighs?"
    r"|weighed|owes?|owed|drinks?|drank|collects?|collected|contains?|totals?|yields?|requires?|reads?|grows?|grew|holds?|lasts?"
    r"|scores?|scored|wins?|won|loses?|lost|works?|worked|drives?|drove|lives?|lived|finish(?:es|ed)?|gains?|gained|produces?"
    r"|produced|adds?|added|raises?|raised|builds?|built|charges?|charged|measures?|sleeps?|slept|plays?|played|answers?|returns?"
    r"|returned|carr(?:y|ies|ied)|fits?|serves?|served|bakes?|baked|plants?|planted|catch(?:es)?|caught|completes?|completed"
    r"|increased?|decreased?|shows?|writes?|wrote|donates?|donated|invites?|invited|rides?|rode|picks?|picked|lends?|lent|flew|fl(?:y|ies)|swam|swims?|climbs?|cycles?|jogs?|wraps?|knits?|sews?|delivers?"
    r"|(?!divided|multiplied|subtracted|started|supposed|assumed|mentioned|squared|derived|cubed|listed|labell?ed)[a-z]{3,}ed)"
)
_LEADS = re.compile(
    rf"(?:^|\b(?:{_LEADING_VERBS}|(?:that|it)[’']s|only|exactly|just|simply|still|then|thus|therefore|so|hence|also|indeed|actually|now|finally|precisely"
    r"|(?:takes?|took|gives?|gave|costs?|leaves?|left|earns?|earned|makes?|made|saves?|saved)\s(?-i:[A-Z][a-z]+)|him|her|them|us|me|you|each|both|all|another|for|with|the\stotal|his|its|their|answer|correct|approximately|in|at|by"
    r"|(?:comes?\sout|came\sout|works\sout|comes?|came|adds?|up|equal|amounts?|amounted|equates|simplif\w+|reduces?|evaluates?|sums?|due|rounds?|rounded|works\sout)\sto"
    r"|(?:total|sum|average|mean|median|mode|maximum|minimum|amount|result|value|area|volume|perimeter|length|width|height|cost"
    r"|price|profit|distance|speed|rate|probability|number|answer|count|age|weight|score|revenue|loss|change|difference|product"
    r"|balance|tip|tax|fee|bill|payment|salary|income|share|range|ratio|radius|diameter|circumference|time|duration|temperature|degree"
    r"|rest|remainder|quotient|combination|and|order)\s(?:of|as|to)|as|that|total|totals?|altogether|overall|[:=])\s{0,4})$",
    re.IGNORECASE,
)
"""What may stand right before a number that is the answer."""
_ORDINAL = re.compile(r"(?:st|nd|rd|th)\b")
_FREE = re.compile(rf"[{_QUOTES}]*(?:$|[.,;:!?)](?![\w.])|\s)")
_SIGN_BEHIND = re.compile(
    r"!(?=\s[a-z])|\s{0,3}(?:[^\w\s.,;:!?()\"'“”‘’*_`%°|–—-]|\\|\(\s?mod|[-–—]\s?\d|\((?=\d)|[*_](?=\d)|[^\x00-\x7f]\w*)"
)
_CHANGED = word_set(
    "squared cubed factorial half halves thirds third quarters quarter fourths fifths sixths sevenths eighths ninths tenths hundredths"
    " over times plus minus mod modulo or to through point percentile choose multiplied divided raised power dozen dozens pairs million"
    " billion trillion hundred thousand digits"
)  # fmt: skip
_AND_A_PART = re.compile(r"\s{1,3}and\s(?:an?|one|two|three|\d+)\s(?:half|third|quarter|\w+ths?)\b", re.IGNORECASE)  # fmt: skip
_MAGNITUDE = re.compile(r"(?:hundred|thousand|million|billion|trillion|dozens?)\b", re.IGNORECASE)
_NEXT_WORD = re.compile(r"\s{0,3}([A-Za-z]+)")
_VERB = re.compile(
    r"(?:\b(?:is|are|was|were|equals?|be|becomes|gives?|get|got|obtain|have|has|needs?|costs?|leaves?|makes?)\b|=|:)\s{0,3}"
    r"(?:(?:only|exactly|just|simply|thus|therefore|still|then|actually|a\stotal\sof|equal\sto)\s{1,3}){0,3}",
    re.IGNORECASE,
)
_EXPRESSION = re.compile(
    r"(?P<core>(?:[^A-Za-z\s\"“”?!;]|\\[A-Za-z]+|(?<![A-Za-z])(?:[A-Za-z](?![A-Za-z])|(?:sqrt|sin|cos|tan|log|ln|pi|exp)(?![A-Za-z]))|[ \t](?!(?!sqrt|cbrt|pi\b)[A-Za-z]{2}))+)"
    r"(?P<unit>(?:\s[A-Za-z]{1,14}(?:\^?[23²³])?(?:/[A-Za-z]{1,5})?){0,3})"
)
_HAS_SIGN = re.compile(r"[^\w\s.,$€£%]|[a-z\\]|[²³¹⁰-⁹₀-₉½¼¾⅓⅔π]", re.IGNORECASE)

_NEGATIVE = re.compile(r"(?:negative|minus)\s(?=\d)", re.IGNORECASE)
_PHRASE = re.compile(
    r"\s(?:for|at|on|from|during|across|throughout)\b|(?<=[a-z]{2})\s(?:in|over|to)\s(?=\w)",
    re.IGNORECASE,
)
"""Begins another phrase behind a number and its noun."""


def stands_alone(body: str, start: int, end: int) -> bool:
    """Whether the number at a place of a sentence is by itself what the words around it speak of.

    Args:
        body: the sentence.
        start: where the number begins, with its sign and currency.
        end: where it ends.
    """
    before, behind = body[:start].rstrip(_QUOTES), body[end:]
    if not _LEADS.search(before):
        return False
    if _ORDINAL.match(behind) or _SIGN_BEHIND.match(behind) or _AND_A_PART.match(behind):
        return False
    if not (_FREE.match(behind) or re.match(r"[A-Za-z%°]", behind)):
        return False
    word = _NEXT_WORD.match(behind)
    grown = _MAGNITUDE.search(body[start:end]) or (word and _MAGNITUDE.fullmatch(word[1]))
    return word is None or bool(grown) or word[1].lower() not in _CHANGED


def find_expression_at_end(body: str) -> str:
    """The expression that a sentence's last verb leads to ("the total is 2√3 cm"); "" if that is words, or a number."""
    verbs = list(_VERB.finditer(body))
    if not verbs:
        return ""
    tail = _NEGATIVE.sub("-", body[verbs[-1].end() :].strip().strip(_QUOTES))
    match = _EXPRESSION.fullmatch(tail)
    if match is None or not _HAS_SIGN.search(match["core"]) or tail.count("$") % 2:
        return ""
    return re.sub(r"^[–−]\s?(?=\d)", "-", tail)


def unit_in(words: str) -> str:
    """The words behind a number up to the one that begins another phrase: "apples for it" gives "apples"."""
    return _PHRASE.split(words, maxsplit=1)[0]


def is_bare_formula(body: str, start: int, end: int) -> bool:
    """Whether nothing ties a formula between dollars to signs and magnitudes outside of them: "-$7$", "$5$ million"."""
    before, behind = body[:start].rstrip(), body[end:]
    tied = re.search(r"(?:[-−–±√+*/^·×÷]|\d)$", before)
    return not (tied or re.match(r"[\w^(!²³]", behind) or _follows_changing(behind))


def _follows_changing(behind: str) -> bool:
    word = _NEXT_WORD.match(behind)
    return bool(word) and word[1].lower() in _CHANGED
