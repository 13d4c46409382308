r"""The clause of a last sentence that holds its result, without reasons, remarks and the same number said again."""

from __future__ import annotations

import re

from deimos.graders.math.compare import same
from deimos.graders.math.tokens import Unreadable

_REMARK_AT_END = re.compile(
    r",\s(?:(?:since|because)\s|as\s(?:claimed|desired|required|wanted|expected|needed|asked|before)\b|so\s(?!i\b|we\b|you\b|let)[^\d=]{1,80}$).*$",
    re.IGNORECASE,
)
_SAID_AGAIN = re.compile(
    r"(?<![\d.,/:=])(?P<one>-?[$€£]?\d[\d.,/]{0,20}%?)(?P<unit>(?:\s[A-Za-z]{1,14}){0,3}?)(?:,\s(?:or|i\.e\.,?|that\sis,?)\s|\s\((?:or\s|i\.e\.\s)?)"
    r"(?P<two>-?[$€£]?\d[\d.,/]{0,20}%?)(?:\s[A-Za-z]{1,14}){0,2}\)?[.!]?$"
)
"""The number twice: "3/4, or 75%", "$18 a day, or 18 dollars"."""


def find_main_clause(sentence: str) -> str:
    """The clause with the result: what stands behind a semicolon, without reasons and remarks at its end."""
    first, semicolon, last = sentence.rpartition("; ")
    if semicolon and re.search(r"\d", last) and not re.search(r"\d", first):
        sentence = last
    remark = _REMARK_AT_END.search(sentence)
    if remark and re.search(r"\d", sentence[: remark.start()]):
        sentence = sentence[: remark.start()]
    again = _SAID_AGAIN.search(sentence)
    return sentence[: again.end("unit")] if again and _says_same(again) else sentence


def _says_same(again: re.Match[str]) -> bool:
    try:
        return same(again["one"].strip("$"), again["two"].strip("$"), settled=False)
    except Unreadable:
        return False
