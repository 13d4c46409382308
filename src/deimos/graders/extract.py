r"""Finding marked answers in a text: ``\boxed{…}``, ``#### …``, the last line.

Every scan is linear in the text's length, whatever the text (a megabyte of open braces too).
Says nothing of whether the expression is right, or even mathematics.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

BOX = r"\\(?:boxed|fbox|framebox)(?![A-Za-z])(?:\s{0,4}\[[^\[\]{}\n]{0,20}\]){0,2}"
"""A box's command; LaTeX's ``\\framebox`` may be given a width and a place."""
_BRACES = re.compile(BOX + r"\s*(?=\{)|\\.|[{}]", re.DOTALL)
_BARE_BOX = re.compile(BOX + r"\s{1,4}([^\s\\${}]{1,40})")
_BOX_AT_END = re.compile(BOX + r"\s*$")
_PHANTOM = re.compile(r"\\h?phantom\s*\{[^{}]*\}")
_HASHES = re.compile(r"^[ \t]{0,8}####[ \t]*(\S[^\n]*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Box:
    """A box's content, stripped, and where the whole box stands in the text."""

    content: str
    start: int
    end: int


def boxes(text: str) -> list[str]:
    r"""Contents of all outermost ``\boxed{…}``, ``\fbox{…}`` and ``\framebox{…}`` with balanced braces, in order, stripped.

    Escaped braces (``\{``) don't count; a box that never closes is no box. TeX's brace-less
    ``\boxed 5`` counts if no braced box is there. Empty boxes
    (``\boxed{\phantom{0}}`` too, a blank to be filled in) are left out.
    """
    return [box.content for box in find_boxes(text)[0]]


def find_boxes(text: str) -> tuple[list[Box], bool]:
    """The boxes of ``boxes`` with their places, and whether a last one is opened and never closed."""
    found: list[tuple[int, int, int]] = []
    opened: list[tuple[int, int] | None] = []
    at_box = -1
    for token in _BRACES.finditer(text):
        if token.group()[0] == "\\" and token.group()[1:2] in ("b", "f") and len(token.group()) > 2:
            at_box = token.start()
        elif token.group() == "{":
            opened.append((at_box, token.end()) if at_box >= 0 else None)
            at_box = -1
        elif token.group() == "}" and opened:
            start = opened.pop()
            if start is not None:
                while found and found[-1][0] > start[0]:
                    found.pop()  # lies inside this one
                found.append((*start, token.start()))
    last = max((box[0] for box in opened if box is not None), default=-1)
    if at_end := _BOX_AT_END.search(text, max(0, len(text) - 40)):
        last = max(last, at_end.start())
    unclosed = last > (found[-1][0] if found else -1)
    if not found:
        bare = _BARE_BOX.finditer(text)
        return [Box(match[1], match.start(), match.end()) for match in bare], unclosed
    boxed = (Box(_PHANTOM.sub("", text[a:b]).strip(), start, b + 1) for start, a, b in found)
    return [box for box in boxed if box.content], unclosed


def hashes(text: str) -> list[str]:
    """What follows ``####`` on a line of its own, in order: GSM8K's own form."""
    return [line.strip() for line in _HASHES.findall(text)]


def last_line(text: str) -> str:
    """The last line that isn't blank, stripped; "" where all are."""
    return text.rstrip().rpartition("\n")[2].strip()
