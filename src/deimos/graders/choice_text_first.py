r"""A letter behind its option's own words, as in "The answer is cellular respiration (B)".

What stands before the letter must read as the option does, but for articles and the like, and no more like
another one: so "not cellular respiration (B)" names nothing, nor does "vitamin (B)" where all are vitamins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

LONGEST = 300
"""Characters of an option's text before its letter."""

_SMALL = frozenset(re.findall(
    r"\w+",
    "a an the of to in on at by for with is are was its it this that as and from der die das la le el los las les il lo"
    " de du des del di da o os um uma en process called type kind",
))  # fmt: skip
"""Words that may stand beside the option's own."""
_HELD = re.compile(
    r"\s{0,3}(?:[(\[]\s?(?:(?:option|choice|answer|letter)\s{1,3})?(?-i:([A-J]))\s?[)\]]"
    r"|(?:[,;]|\s[-–—])?\s{1,3}(?:(?:which|that)\s{1,3}is\s{1,3}(?:(?:option|choice|answer|letter)\s{1,3})?"
    r"|(?:i\.e\.,?|that\s{1,3}is,?|so|thus|hence|therefore)\s{1,3}(?:(?:option|choice|answer|letter)\s{1,3})?|(?:option|choice|letter)\s{1,3})"
    r"(?-i:[(\[]?([A-J])[)\]]?))(?=\s{0,3}(?:$|\n|[.!;](?!\w))|,?\s{1,3}(?:because|since|as|not)\b)",
    re.IGNORECASE,
)
_QUOTES = "\"'“”„‘’«»"


def letter_behind(text: str, options: Mapping[str, str]) -> tuple[str, int] | None:
    """The letter that a statement ends with, its option's words before it, and where it ends; None if there is none.

    Args:
        text: what stands behind "answer is".
        options: label to the option's text, for all labels.
    """
    line = text[:LONGEST].partition("\n")[0]
    found = _HELD.search(line)
    if found is None:
        return None
    label, before = found[1] or found[2], line[: found.start()].strip(" " + _QUOTES)
    own = options.get(label)
    # An option that reads "vitamin (B)" is a text, and no text names itself.
    whole = _key(line[: found.end()])
    if own is None or not before or any(_key(option) == whole for option in options.values()):
        return None
    same = [one for one, option in options.items() if _key(option) == _key(before)]
    reads = label in same if same else _reads_like(before, label, options)
    return (label, found.end()) if reads else None


def _reads_like(text: str, label: str, options: Mapping[str, str]) -> bool:
    """Whether a text has words of an option, none that it hasn't, and more of them than of any other."""
    if not re.search(r"[^\W\d_]", text):  # a number, maybe in another form than the option's
        alike = [one for one, option in options.items() if _words(text) & _words(option)]
        return bool(_words(text)) and alike in ([], [label])
    shared = {one: len(_words(text) & _words(option)) for one, option in options.items()}
    best = [one for one, count in shared.items() if count == max(shared.values())]
    return shared[label] > 0 and best == [label] and not _words(text) - _words(options[label])


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", text.casefold())) - _SMALL


def _key(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" ." + _QUOTES)
