r"""Results of last lines that are no formulas: a time of day, a ratio, a word ("The train arrives at 5:15 p.m.").

Only looked for if the reference is one; a line that denies, doubts or supposes gives nothing. English.
"""

from __future__ import annotations

import re

from deimos.graders.math.reading import Element
from deimos.graders.math.said.claims import MARKS
from deimos.graders.math.said.closing import claims_nothing

_TIME = re.compile(
    r"(?<![\d:.])\d{1,2}(?::\d{2}){1,2}(?!\d)(?:\s?(?:[ap]\.?\s?m\b\.?|noon\b|midnight\b))?|(?<![\d:.])\d{1,2}\s?[ap]\.?\s?m\b\.?",
    re.IGNORECASE,
)
_RATIO = re.compile(
    r"(?:\b(?:is|are|be|equals?|of)|=)\s(?P<ratio>\d[\d.]{0,12}(?:\s?:\s?\d[\d.]{0,12})+)[\s.!$]*$",
    re.IGNORECASE,
)
_WORD = re.compile(
    r"^\W{0,4}(?:so|thus|therefore|hence|consequently|finally)\b.*\b(?:is|was|are|were|be|on)\s(?:on\s|in\s|an?\s|the\s)?(?P<word>[A-Za-z][A-Za-z’' -]{1,40}?)[\s.!]*$",
    re.IGNORECASE,
)


def find_named_result(line: str, reference: Element) -> str:
    """The time, ratio or word that a line gives as the result; "" if the reference is another thing, or the line gives none."""
    line = MARKS.sub("", line)
    if claims_nothing(line):
        return ""
    if reference.clock is not None:
        times = _TIME.findall(line)
        return times[0] if len(times) == 1 else ""
    if reference.ratio is not None:
        ratio = _RATIO.search(line)
        return ratio["ratio"] if ratio else ""
    if reference.words is not None:
        word = _WORD.match(line)
        return word["word"] if word else ""
    return ""
