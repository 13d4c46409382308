"""Quantities of several units or things: ``2 hours 15 minutes``, ``5 boys and 7 girls``.

Each number belongs to the word behind it, so that such a text is neither one product nor a list whose order
means nothing. Only the text is taken apart here; whether its words are units is for ``reading.py`` to say.
"""

from __future__ import annotations

import re

_UPRIGHT = re.compile(r"\\text\{([^{}]*)\}")
_AND = re.compile(r"[\s,;&]*(?<![A-Za-z\\])and(?![A-Za-z])\s*")
_WORDS = re.compile(r"(?<![A-Za-z\\])[A-Za-z]+(?:[ .'’-]{1,3}[A-Za-z]+)*\.?")
_NAMED = re.compile(r"(?:[A-Za-z]|\\text\{[A-Za-z ]{1,40}\}|[A-Za-z ]{2,40})\s?=\s?(?=[-\d\\$])")
"""The name in front of "Time = 2 hours 15 minutes"."""
LONGEST = 300
"""Characters of a text that is taken apart."""


def find_quantities(text: str) -> tuple[list[tuple[str, str]], bool]:
    """Numbers, each with the words behind it, and whether commas or "and" part all of them.

    No pairs if the text is anything but two or more of them.
    """
    if len(text) > LONGEST or not re.search(r"\d", text):
        return [], False
    upright = "\\text" in text
    if named := _NAMED.match(text):
        text = text[named.end() :]
    flat = _AND.sub(" , ", _UPRIGHT.sub(r" \1 ", text))
    pairs: list[tuple[str, str]] = []
    parted, at = True, 0
    for words in _WORDS.finditer(flat):
        chunk = flat[at : words.start()].strip()
        number = chunk.lstrip(",;& ")
        if not number or number[-1] in ",;&" or (not pairs and number != chunk):
            return [], False
        parted = parted and (not pairs or number != chunk)
        pairs.append((number, words[0]))
        at = words.end()
    if not upright and all(len(words) == 1 for _, words in pairs):
        return [], False  # 3h4m may be a product
    return (pairs, parted) if len(pairs) > 1 and not flat[at:].strip(" .,") else ([], False)
