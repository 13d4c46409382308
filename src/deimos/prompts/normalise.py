"""Texts as they are compared: what looks the same is the same.

Folded are Unicode compatibility forms and case; gone are characters without a width (soft hyphens,
zero-width spaces and joiners, variation selectors, accents that are characters of their own).
Scripts that put no spaces between words are taken character by character. Not covered: letters of
one script that look like another's, and traditional against simplified Chinese.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache

_SPACELESS = (
    "\u3005-\u3007\u3021-\u3029\u3031-\u3035\u303b\u3041-\u3096\u309d-\u309f\u30a1-\u30fa"
    "\u30fc-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua48c"
    "\uf900-\ufaff\U00020000-\U0003ffff"  # Han, kana, bopomofo, Yi
    "\u0e01-\u0e4e\u0e81-\u0ece\u1000-\u103f\u1780-\u17d3"  # Thai, Lao, Burmese, Khmer
)
_CHARACTER = re.compile(f"[{_SPACELESS}]")
_WORD = re.compile(r"[^\W_]+")
_SIGN = re.compile(r"[^\W_]+|[^\w\s]|_")
# Unicode's Default_Ignorable_Code_Point: drawn as nothing at all.
_IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)


def fold(text: str) -> str:
    """A text without what a reader cannot see: compatibility forms, case, characters of no width."""
    if text.isascii():
        return text.casefold()
    seen = unicodedata.normalize("NFKC", _IGNORABLE.sub("", text)).casefold()
    return seen.translate(_marks())


def words(text: str) -> list[str]:
    """The folded words of a text, without punctuation; a character each in scripts without spaces."""
    return _WORD.findall(_set_apart(fold(text)))


def words_and_signs(text: str) -> list[str]:
    """As ``words``, and every other visible character too: ``x-1`` is not ``x+1``."""
    return _SIGN.findall(_set_apart(fold(text)))


def is_spaceless(word: str) -> bool:
    """Whether a word is a character of a script without spaces."""
    return not word.isascii() and _CHARACTER.match(word) is not None


def _set_apart(folded: str) -> str:
    return folded if folded.isascii() else _CHARACTER.sub(r" \g<0> ", folded)


@cache
def _marks() -> dict[int, None]:
    """Characters that are drawn over others, to be deleted by ``str.translate``."""
    points = range(0x300, sys.maxunicode + 1)
    return {point: None for point in points if unicodedata.category(chr(point))[0] == "M"}
