r"""What is counted: the noun behind a number, and whether two of them can be one thing.

``10\text{ apples}`` is not ``10\text{ pears}``. Number, article, adjectives and words such as "left" or "in
total" make no difference; "pieces of candy" are candies and pieces, but cups of flour are not cups of
sugar. Not covered: synonyms, besides the words for ways to do something, and for numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from deimos.graders.math.tokens import small, word_set

_PHRASE_ENDS = word_set(
    "in on at for with from to that which who where when is are was were have has had can could will and or but by"
    " after before among between because since if so as not than into out under over within without during"
)
_NO_NOUNS = word_set(
    # Behind a noun, or instead of one: they say nothing of what is counted.
    "total altogether more left remaining overall combined each apiece old tall long wide deep high away apart ago later"
    " earlier now only exactly change profit cost all together correct daily weekly monthly yearly units unit times time"
    " a an the of per square cubic squared cubed sq cu additional extra other others them these those it different"
    " possible distinct such answer answers result points pts point"
)
_IRREGULAR = {
    "people": "person", "men": "man", "women": "woman", "children": "child", "mice": "mouse", "geese": "goose",
    "teeth": "tooth", "dice": "die", "oxen": "ox", "vertices": "vertex", "indices": "index", "matrices": "matrix",
    "kids": "child", "kid": "child", "axes": "axis", "bases": "basis", "feet": "foot",
}  # fmt: skip
_SYNONYMS = (
    word_set(
        "way arrangement combination permutation possibility choice method seating outcome ordering order sequence option"
    ),
    word_set("number integer value digit"),
)
_SINGLE = word_set("piece item member bit copy copie number slot unit example individual")
"""One of these is one of what follows "of"; a pair of socks is not one sock."""
_SEPARATOR = re.compile(r"\s+(?:of|per)\s+(?:(?:the|a|an|his|her|their|our|my|your)\s+)?|/")


def counted_things(words: Sequence[str]) -> tuple[str, ...]:
    """The noun phrases of "red apples", "cups of flour" (cups, flour), "apples per day"; () if it has none."""
    phrase: list[str] = []
    for word in words:
        if word.lower().strip(",;:") in _PHRASE_ENDS:
            break
        phrase.append(word.strip(",;:"))
    parts = (_nouns(part.split()) for part in _SEPARATOR.split(" ".join(phrase)))
    return tuple(part for part in parts if part)


def _nouns(words: Sequence[str]) -> str:
    """The words that say what is counted, the noun itself last; "" if none does."""
    named = [word for word in words if re.fullmatch(r"[A-Za-z][A-Za-z'’-]*", word)]
    return " ".join(small(word) for word in named if word.lower() not in _NO_NOUNS)


def are_other_things(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two phrases cannot mean one thing; unknown abbreviations may mean anything.

    A phrase may describe more closely (red apples, apples), not otherwise (red apples, green apples).
    """
    if not one or not other:
        return False
    if _alike(_noun(one[0]), _noun(other[0])):
        if _described_otherwise(one[0], other[0]):
            return True
        return len(one) > 1 and len(other) > 1 and not _alike(_noun(one[1]), _noun(other[1]))
    for short, long in ((one, other), (other, one)):
        single = len(short) == 1 and len(long) > 1 and _singulars(_noun(long[0])) & _SINGLE
        if single and _alike(_noun(short[0]), _noun(long[1])):
            return False  # candies, and pieces of candy
    return True


def _noun(phrase: str) -> str:
    return phrase.rpartition(" ")[2]


def _described_otherwise(one: str, other: str) -> bool:
    ours, theirs = one.split()[:-1], other.split()[:-1]
    shared = any(_alike(a, b) for a in ours for b in theirs)
    return bool(ours and theirs) and not shared


def _alike(one: str, other: str) -> bool:
    if is_code(one) and is_code(other):
        return one == other
    if is_code(one) or is_code(other):
        return True
    ours, theirs = _singulars(one), _singulars(other)
    return bool(ours & theirs) or any(ours & kind and theirs & kind for kind in _SYNONYMS)


def is_code(word: str) -> bool:
    """Whether it is no ordinary word: a genotype (``Rr``), a formula (``CO``), an abbreviation (``pcs``)."""
    return not word.islower() or not re.search(r"[aeiouy]", word) or len(word) < 3


def _singulars(word: str) -> frozenset[str]:
    """The forms that a noun may have in the singular: "boxes" may be of "boxe" or "box"."""
    if word in _IRREGULAR:
        return frozenset([_IRREGULAR[word]])
    found = {word}
    for ending, singular in (("s", ""), ("es", ""), ("ies", "y"), ("ves", "f"), ("ves", "fe")):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            found.add(word.removesuffix(ending) + singular)
    return frozenset(found)
