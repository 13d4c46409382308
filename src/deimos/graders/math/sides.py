r"""What stands before "=" in a sentence: "the total = 8" gives 8, but "2x = 8" or "x + y = 8" is still an equation."""

from __future__ import annotations

import re

_RUN = re.compile(
    r"(?<!\S)(?:(?:\d[\d.]*|[b-zB-HJ-Z]|ln|log|sqrt|exp|sin|cos|tan|minus|times|plus)\s{1,3}|\S{1,40}\s{0,3}[-+*/^·×÷]\s{0,3}){0,8}\S{1,60}\s{0,3}$"
)
_WORD = re.compile(r"[(\"']?(?:[a-z]+-)?[A-Za-z][a-z]+(?:[’']s)?[)\"']?")
_OF_OPERATOR = re.compile(r"[-+*/^·×÷]\s*\S+$")
_ABOUT_ANOTHER = re.compile(
    r"\b(?:twice|double|triple|half|thrice|third|square|cube|root|reciprocal|negative|opposite|logarithm|product|difference)"
    r"(?:\sroot)?(?:\s(?:of|the|value)){0,3}\s[A-Za-z]\s{0,3}$",
    re.IGNORECASE,
)
"""The square of x = 8."""


def whole_equation(before: str, right: str) -> str:
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
    if chained := _NAMED_BEFORE.search(before[-CONTEXT:].rstrip().removesuffix(left)):
        left = f"{chained[1]} = {left}"
    return f"{left} = {right}"


_NAMED_BEFORE = re.compile(r"(?<![\w=+*/^-])([A-Za-z](?:_\w)?)\s{0,3}=\s{0,3}$")
"""The x of "x = y = 8", which is about both."""
_MENTIONS = re.compile(
    r"\b(?:derived\sfrom|far\sfrom|among|such\sas|(?:lower|upper)\sbound|estimate|nobody|no\sone|number\s(?:after|before)|less\s\d"
    r"|gave\sup|give\sup|(?:squared|cubed)$|for\s(?:example|instance)|(?:next|adjacent|related|similar|opposite)\sto)\b"
    r"|^\W*(?:after|before)\s|[~≈]\s?[-$]?\d",
    re.IGNORECASE,
)


def only_mentions(sentence: str) -> bool:
    """Whether a sentence bounds its number, or mentions it on the way to another one: "derived from 30"."""
    return _MENTIONS.search(sentence) is not None


CONTEXT = 160
"""Characters before the equation that are looked at."""
