r"""Finding what an answer gives as its final expression: ``\boxed{…}``, ``#### …``, "answer is …".

Every scan is linear in the text's length, whatever the text (a megabyte of open braces too).
Says nothing of whether the expression is right, or even mathematics.
"""

from __future__ import annotations

import re

_BRACES = re.compile(r"\\boxed\s*(?=\{)|\\.|[{}]", re.DOTALL)
_BARE_BOX = re.compile(r"\\boxed\s{1,4}([^\s\\${}]{1,40})")
_PHANTOM = re.compile(r"\\h?phantom\s*\{[^{}]*\}")
_HASHES = re.compile(r"^[ \t]{0,8}####[ \t]*(\S[^\n]*)$", re.MULTILINE)
_STATED = re.compile(r"\banswer[ \t*_]{0,4}(?:is|:|=)[ \t*_:]{0,6}(\S[^\n]*)", re.IGNORECASE)
_REMARKS = frozenset(
    [
        "correct",
        "right",
        "indeed",
        "wrong",
        "incorrect",
        "consistent",
        "reasonable",
        "plausible",
        "unique",
        "clear",
        "unclear",
    ]
)
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")
_MARKS = ("**", "__", "$$", "$", "`")


def boxes(text: str) -> list[str]:
    r"""Contents of all outermost ``\boxed{…}`` with balanced braces, in order, stripped.

    Escaped braces (``\{``) don't count; a box that never closes is no box. TeX's brace-less
    ``\boxed 5`` counts where no braced box is there. Empty boxes
    (``\boxed{\phantom{0}}`` too, a blank to be filled in) are left out.
    """
    found: list[tuple[int, int]] = []
    opened: list[int | None] = []
    pending = False
    for token in _BRACES.finditer(text):
        if token.group().startswith("\\boxed"):
            pending = True
        elif token.group() == "{":
            opened.append(token.end() if pending else None)
            pending = False
        elif token.group() == "}" and opened:
            start = opened.pop()
            if start is not None:
                while found and found[-1][0] > start:
                    found.pop()  # lies inside this one
                found.append((start, token.start()))
    if not found:
        return _BARE_BOX.findall(text)
    contents = (_PHANTOM.sub("", text[start:end]).strip() for start, end in found)
    return [content for content in contents if content]


def hashes(text: str) -> list[str]:
    """What follows ``####`` on a line of its own, in order: GSM8K's own form."""
    return [line.strip() for line in _HASHES.findall(text)]


def stated(text: str) -> list[str]:
    """What follows "answer is" or "answer:", up to the end of its formula or sentence, in order.

    What only remarks on an answer ("the answer is correct") gives none.
    """
    found = (first_expression(rest) for rest in _STATED.findall(text))
    return [expression for expression in found if expression and expression not in _REMARKS]


def first_expression(text: str) -> str:
    r"""The formula that a text begins with (``$…$``, ``\(…\)``, ``**…**``), or its first sentence."""
    for opening, closing in (("\\(", "\\)"), ("\\[", "\\]"), *((m, m) for m in _MARKS)):
        if text.startswith(opening):
            inside, closed, after = _until(text[len(opening) :], closing)
            if closed and not re.match(r"\s*(?:,|or\b|and\b)", after):
                return inside.strip()
    end = _SENTENCE_END.search(text)
    return (text[: end.start()] if end else text).strip().strip("*_` ")


def _until(text: str, closing: str) -> tuple[str, str, str]:
    r"""``partition`` at the first closing sign that isn't escaped (``\$`` is a currency)."""
    at = text.find(closing)
    while at > 0 and text[at - 1] == "\\" and closing[0] != "\\":
        at = text.find(closing, at + 1)
    return text.partition(closing) if at < 0 else (text[:at], closing, text[at + len(closing) :])


def last_line(text: str) -> str:
    """The last line that isn't blank, stripped; "" where all are."""
    return text.rstrip().rpartition("\n")[2].strip()
