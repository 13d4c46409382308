r"""Answers that go through the options one by one, as "A: incorrect. B: correct. C: incorrect." does.

They name the option that is called correct if all others are called wrong, each once. English and signs (✓, ✗).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_RIGHT = r"correct|right|true|yes|[✓✔✅☑]"
_WRONG = r"incorrect|wrong|false|no|not\s{1,3}(?:correct|right|true)|[✗✘❌✖]"
_VERDICT = re.compile(
    r"(?:\s{0,3}[,:=–—-]{1,2}|\s{1,3}(?:is|was)(?=\s)|(?<=[.)\]:]))?\s{0,3}(?:(?:this|that|it)\s{1,3}(?:is|was)\s{1,3})?"
    rf"(?:(?P<right>{_RIGHT})|(?P<wrong>{_WRONG}))\ufe0f?"
    r"(?=\s{0,3}(?:$|[.,;!(\n–—]|-\s)|\s{1,3}(?:because|since|as)\b)",
    re.IGNORECASE,
)
_ITEM = re.compile(
    r"(?:^|\n|[.;,!]\s)[\s\-•]{0,6}(?:(?:option|choice|statement|answer)\s{1,3})?[(\[]?(?-i:([A-J]))(?!\w)(?:[)\]][.:]?|[.:])?",
    re.IGNORECASE,
)


def find_only_right(text: str, texts: Sequence[str]) -> tuple[str, int, int] | None:
    """The letter that alone is called right, and where the list begins and ends; None if it is no such list.

    Args:
        text: the whole of it.
        texts: patterns for the options' own words, in order.
    """
    labels = "ABCDEFGHIJ"[: len(texts)]
    said: dict[str, bool] = {}
    begin = end = 0
    for item in _ITEM.finditer(text):
        label = item[1]
        at = item.end()
        if label in labels:
            own = re.compile(r"\s{0,3}" + texts[labels.index(label)], re.IGNORECASE).match(text, at)
            at = own.end() if own else at
        verdict = _VERDICT.match(text, at)
        if verdict is None:
            continue
        right = verdict["right"] is not None
        if label not in labels or said.get(label, right) is not right:
            return None
        begin = begin if said else item.start(1)
        said[label], end = right, verdict.end()
    if set(said) != set(labels) or sum(said.values()) != 1:
        return None
    return next(label for label, right in said.items() if right), begin, end
