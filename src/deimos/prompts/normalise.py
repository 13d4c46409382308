"""Texts as they are compared: what looks the same is the same.

Folded are HTML's entities (``&nbsp;``), Unicode compatibility forms, case and the accents of Latin letters; gone
are characters without a width (soft hyphens, zero-width spaces and joiners, variation selectors, accents that are
characters of their own), unless they stand for the spaces of what would be one endless word. Cyrillic and Greek letters that look like Latin ones are
these in words that mix scripts and, among Latin words, in words of nothing else.
Scripts that put no spaces between words are taken character by character. Not covered: look-alikes of
other scripts, and traditional against simplified Chinese.
"""

from __future__ import annotations

import html
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


LONGEST_WORD = 24
"""Letters; characters without a width part what would be a longer word."""
_UNSPACED = re.compile(r"\S+")
# Cyrillic and Greek letters by the Latin ones that they are drawn like, in both cases.
_LOOKS = {
    **dict(zip("авекмнорстухіјѕһԁԛԝӏгп", "abekmhopctyxijshdqwlrn")),
    **dict(zip("АВЕКМНОРСТУХІЈЅҺԚԜӀ", "ABEKMHOPCTYXIJSHQWI")),
    **dict(zip("αβγεικνορτυχωηκϲϳ", "abyeikvoptuxwnkcj")),
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹ", "ABEZHIKMNOPTYXC")),
    **dict(zip("ıɑɡ", "iag")),
}
_LOOK_ALIKES = str.maketrans(_LOOKS)
_FOREIGN = re.compile("[\u0131\u0251\u0261\u0370-\u03ff\u0400-\u052f]")
_LATIN = re.compile("[A-Za-z]")
# Latin letters with a stroke or joined, which Unicode does not take apart.
_PLAIN = dict(zip("øłđħŧðıœæþ", ["o", "l", "d", "h", "t", "d", "i", "oe", "ae", "th"], strict=True))
_ACCENTED = (*range(0xC0, 0x250), *range(0x1E00, 0x1F00))
"""Where Unicode has Latin letters with accents."""
ESCAPED_TWICE = 2
"""Times that a text may have been escaped for HTML: ``&amp;nbsp;``."""


def fold(text: str) -> str:
    """A text without what a reader cannot see, or may write plainer.

    Entities, compatibility forms, case, accents of Latin letters, characters of no width, look-alikes.
    """
    text = _unescaped(text)
    if text.isascii():
        return text.casefold()
    seen = unicodedata.normalize("NFKC", _UNSPACED.sub(_without_ignorable, text))
    return _in_one_script(seen).casefold().translate(_marks())


def _unescaped(text: str) -> str:
    """A text with the characters that HTML's entities stand for."""
    for _ in range(ESCAPED_TWICE):
        if "&" not in text:
            break
        text = html.unescape(text)
    return text


def _without_ignorable(match: re.Match[str]) -> str:
    """Characters between blanks without those of no width, or parted by them if they would be no word."""
    joined = _IGNORABLE.sub("", match[0])
    return joined if len(joined) <= LONGEST_WORD else _IGNORABLE.sub(" ", match[0])


def _in_one_script(text: str) -> str:
    """A text whose Cyrillic and Greek look-alikes are Latin letters, if they are meant to be read so.

    They are in words that mix scripts, and in words of nothing else whose nearest words that cannot be
    mistaken are Latin on both sides; so a Russian text keeps its small words ("а", "как") inside an
    English frame too.
    """
    if not _FOREIGN.search(text):
        return text
    found = list(_WORD.finditer(text))
    scripts = [_script_of(match[0]) for match in found]
    before = _nearest(scripts)
    behind = _nearest(scripts[::-1])[::-1]
    pieces, at = [], 0
    for match, script, *around in zip(found, scripts, before, behind):
        if script == "mixed" or (script == "alike" and {*around} - {""} == {"latin"}):
            pieces += [text[at : match.start()], match[0].translate(_LOOK_ALIKES)]
            at = match.end()
    return "".join(pieces) + text[at:]


def _script_of(word: str) -> str:
    """latin, other, mixed (of letters), alike (all letters look like Latin ones), or "" (no letters of these)."""
    foreign = _FOREIGN.search(word) is not None
    if _LATIN.search(word):
        return "mixed" if foreign else "latin"
    if not foreign:
        return ""
    return "alike" if all(letter in _LOOKS for letter in word) else "other"


def _nearest(scripts: list[str]) -> list[str]:
    """For each word the script of the last word before it that is plainly of one; "" if there is none."""
    nearest, last = [], ""
    for script in scripts:
        nearest.append(last)
        if script in ("latin", "mixed", "other"):
            last = "other" if script == "other" else "latin"
    return nearest


def words(text: str, *, parted: bool = False) -> list[str]:
    """The folded words of a text, without punctuation; a character each in scripts without spaces.

    ``parted``: characters without a width are spaces, all of them.
    """
    return _WORD.findall(
        _set_apart(fold(_IGNORABLE.sub(" ", _unescaped(text)) if parted else text))
    )


def has_ignorable(text: str) -> bool:
    """Whether a text has characters without a width."""
    text = _unescaped(text)
    return not text.isascii() and _IGNORABLE.search(text) is not None


def words_and_signs(text: str) -> list[str]:
    """As ``words``, and every other visible character too: ``x-1`` is not ``x+1``."""
    return _SIGN.findall(_set_apart(fold(text)))


def is_spaceless(word: str) -> bool:
    """Whether a word is a character of a script without spaces."""
    return not word.isascii() and _CHARACTER.match(word) is not None


def _set_apart(folded: str) -> str:
    return folded if folded.isascii() else _CHARACTER.sub(r" \g<0> ", folded)


@cache
def _marks() -> dict[int, str | None]:
    """For ``str.translate``: Latin letters without accents, and nothing for what is drawn over others."""
    points = range(0x300, sys.maxunicode + 1)
    marks = {point: None for point in points if unicodedata.category(chr(point))[0] == "M"}
    apart = ((point, unicodedata.normalize("NFD", chr(point))) for point in _ACCENTED)
    bare = {point: parts[0] for point, parts in apart if parts[0].isascii()}
    return {**marks, **bare, **str.maketrans(_PLAIN)}
