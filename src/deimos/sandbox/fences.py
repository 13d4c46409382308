"""Fenced blocks of an answer, as models write them: more loosely than Markdown has it.

A fence is a run of three or more backticks or tildes with nothing but a language behind it; words may
stand before it ("Code: ```python"). A block ends at the first fence that leaves it Python that can be
parsed: fences inside a docstring don't end it, a fence at the end of a line of code does, and so does the
next block's opening where a closing fence was forgotten. Blocks in quotations (``>``), in HTML's ``<pre>`` and
``<code>`` and in tags (``[PYTHON] … [/PYTHON]``) at the beginning of a line are read as if they were fenced.
Outside of fences a program may be indented.
"""

from __future__ import annotations

import ast
import html
import re
import textwrap
from bisect import bisect
from collections.abc import Sequence
from itertools import islice, takewhile
from typing import NamedTuple

_FENCE = re.compile(
    r"^(?P<before>.*?)(?<!`)(?<!~)(?P<run>`{3,}+|~{3,}+)(?P<info>[^`\n]*)$", re.MULTILINE
)
_QUOTED = re.compile(r"(?:^[ \t]{0,3}>(?!>)[^\n]*(?:\n|\Z))+", re.MULTILINE)
_QUOTE_MARK = re.compile(r"^[ \t]{0,3}>(?!>)", re.MULTILINE)
_FRAME = re.compile(
    r"^[ \t]{0,3}(?:(?P<html><pre\b[^<>\n]{0,100}>(?:\s{0,3}<code\b[^<>\n]{0,100}>)?|<code\b[^<>\n]{0,100}>(?=[ \t]*\n))"
    r"|\[(?P<square>(?-i:PYTHON3?|PY|CODE|BEGIN|SOLUTION|ANSWER|PROGRAM))\]"
    r"|<(?P<angle>python3?|py|python_code|answer|final_answer|solution|program)>)",
    re.MULTILINE | re.IGNORECASE,
)
_TAG_AT_END = re.compile(r"^(?P<before>.*?)\[/(?:PYTHON3?|PY|CODE|SOLUTION|ANSWER)\]", re.MULTILINE)
_LINE_OF_FENCE = re.compile(r"^[ \t]{0,9}(?:`{3}|~{3})", re.MULTILINE)
_HTML_END = re.compile(r"(?:</code>\s{0,3})?</pre>|</code>", re.IGNORECASE)
_INLINE = re.compile(r"(?<!`)```(?:(?:python3?|py)[ \t]{1,4}|[ \t]{0,4})([^`\n]+)```(?!`)")
_LANGUAGE_LINE = re.compile(r"\s{0,20}(?:python3?|py)[ \t]{0,9}\n", re.IGNORECASE)
"""A language on the line behind the fence."""
_LANGUAGE = re.compile(r"\s*\{?\.?(\w*)")
_PYTHON = frozenset({"", "python", "python2", "python3", "py", "py3", "ipython", "ipython3"})
_CODE = r"(?:(?:async )?def |class |import |from \w+ import |@\w)"
_CODE_BEGINS = re.compile(f"^{_CODE}", re.MULTILINE)
_INDENTED_CODE_BEGINS = re.compile(f"^(?P<indent>[ \t]+){_CODE}", re.MULTILINE)
_OF_CODE = re.compile(
    rf"\s|$|{_CODE}|[#@)\]}}]|(?:if|elif|for|while|with|try|except|else|finally|return|assert|print)\b.*[:)]\s*(?:#.*)?$"
    r"|[A-Za-z_][\w.]*(?:\[[^\]\n]{0,80}\])?(?:\s?:\s?[\w.\[\], ]{1,40})?\s?[-+*/%|&]{0,2}=(?!=)|[\w.]{1,80}\(.*\)\s*(?:#.*)?$"
)
"""What a line of a program may begin with, if no sentence does."""
NOT_PARSED = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What parsing raises for text that is no Python, or too much of it."""
TRIES = 8
"""Ends that are tried for a block: parsing is what a hostile answer would spend time on."""
QUOTED_TWICE = 2
"""Quotations within a quotation that are taken out."""
MOST = 200
"""Fences that are looked at; text behind the last of them is one block or none."""


class _Fence(NamedTuple):
    start: int
    """Where its line begins."""
    run_at: int
    end: int
    """Where its line ends."""
    run: str
    bare: bool
    """Nothing before it on its line."""
    info: str

    def closes(self, opening: _Fence) -> bool:
        """Whether Markdown lets it close a block."""
        return self.bare and not self.info and self.run.startswith(opening.run)


class Texts(NamedTuple):
    """What of an answer may be a program."""

    blocks: list[str]
    """Python in fences, in order, its common indentation removed."""
    others: list[str]
    """The whole answer, text between blocks, and of such text what begins with code; the best first."""


def texts_of(answer: str) -> Texts:
    """All texts in an answer that may be Python, or a part of it."""
    answer = _fenced(answer)
    fences = [
        _Fence(
            found.start(), found.start("run"), found.end(), found["run"],
            not found["before"].strip(), found["info"].strip(),
        )
        for found in islice(_FENCE.finditer(answer), MOST)
    ]  # fmt: skip
    blocks, outside = [], []
    at = number = 0
    while number < len(fences):
        opening = fences[number]
        outside.append(answer[at : opening.run_at])
        text, number, at = _block(answer, fences, number)
        if _is_python(opening):
            language = None if opening.info else _LANGUAGE_LINE.match(text)
            blocks.append(text[language.end() :] if language else text)
    outside.append(answer[at:])
    pieces = [*reversed(outside), answer]
    begun = [piece[found.start() :] for piece in pieces if (found := _CODE_BEGINS.search(piece))]
    begun += [_without_prose(text) for text in begun]
    indented = [textwrap.dedent(piece) for piece in pieces if piece[:1].isspace()]
    indented += [code for piece in pieces if (code := _indented_code(piece))]
    return Texts(
        blocks, list(dict.fromkeys([*pieces, *begun, *_INLINE.findall(answer), *indented]))
    )


def _without_prose(code: str) -> str:
    """The first lines of a text that begins with code, up to one that begins a sentence."""
    return "\n".join(takewhile(lambda line: _OF_CODE.match(line), code.splitlines()))


def _indented_code(text: str) -> str:
    """The first lines of a text that begin with code and are indented, without that; "" if some code is not."""
    found = _INDENTED_CODE_BEGINS.search(text)
    if found is None or _CODE_BEGINS.search(text):
        return ""
    lines = text[found.start() :].splitlines()
    indented = takewhile(lambda line: not line.strip() or line.startswith(found["indent"]), lines)
    return "\n".join(line.removeprefix(found["indent"]) for line in indented)


def _fenced(answer: str) -> str:
    """The answer with quoted fences taken out of their quotation, and HTML blocks and tags as fences."""
    if ">" in answer:
        answer = _QUOTED.sub(lambda m: _unquoted(m[0]), answer)
    if ">" not in answer and "]" not in answer:
        return answer
    pieces, at = [], 0
    fences = [m.start() for m in islice(_LINE_OF_FENCE.finditer(answer), MOST)]
    never_closed: set[str] = set()
    for opening in islice(_FRAME.finditer(answer), MOST):
        ends = _ends_of(opening)
        in_fence = bisect(fences, opening.start()) % 2 == 1
        if ends.pattern in never_closed or opening.start() < at or in_fence:
            continue
        closing = ends.search(answer, opening.end())
        if closing is None:
            never_closed.add(ends.pattern)
            continue
        code = answer[opening.end() : closing.start()]
        pieces += [answer[at : opening.start()], _framed(code, in_html=opening["html"] is not None)]
        at = closing.end()
    if not pieces and not fences:  # the tag that opens may have stood in the prompt
        answer = _TAG_AT_END.sub("\\g<before>\n````\n", answer, count=1)
    return "".join([*pieces, answer[at:]])


def _ends_of(opening: re.Match[str]) -> re.Pattern[str]:
    """What ends a block that HTML or a tag opens."""
    if opening["html"]:
        return _HTML_END
    if opening["square"] == "BEGIN":
        return re.compile(r"\[(?:DONE|END|/BEGIN)\]")
    tag = rf"\[/{opening['square']}\]" if opening["square"] else rf"</{opening['angle']}>"
    return re.compile(tag, re.IGNORECASE)


def _framed(code: str, *, in_html: bool) -> str:
    """What stands in HTML or tags as a fenced block; what tags hold only if it is Python, without fences of its own."""
    code = html.unescape(code) if in_html else code.lstrip(" ")
    if not in_html and (_LINE_OF_FENCE.search(code) or parse(textwrap.dedent(code)) is None):
        return f"\n{code}\n"
    return "\n````python\n" + code.strip("\n") + "\n````\n"


def _unquoted(quotation: str, depth: int = 0) -> str:
    """A quotation without its marks if it holds a fence; else as it is."""
    spaced = all(line.lstrip()[1:2] in ("", " ") for line in quotation.splitlines())
    bare = _QUOTE_MARK.sub("", quotation)
    bare = re.sub(r"^ ", "", bare, flags=re.MULTILINE) if spaced else bare
    if depth < QUOTED_TWICE and _QUOTED.match(bare):
        return _unquoted(bare, depth + 1)
    return bare if _LINE_OF_FENCE.search(bare) else quotation


def parse(text: str) -> ast.Module | None:
    """The text as Python; None if it is none."""
    try:
        return ast.parse(text)
    except NOT_PARSED:
        return None


def _block(answer: str, fences: Sequence[_Fence], number: int) -> tuple[str, int, int]:
    """The text behind a fence, the number of the fence to go on with, and where text goes on."""
    opening, later = fences[number], range(number + 1, len(fences))
    of_its_sort = [n for n in later if fences[n].run[0] == opening.run[0]]
    closing = [n for n in of_its_sort if fences[n].closes(opening)]
    ends = [*closing, *(n for n in of_its_sort if n not in closing)]
    if _is_python(opening):
        for n in ends[:TRIES]:
            text = _between(answer, opening, fences[n])
            if parse(text) is not None:
                return text, *_behind(fences, n)
    if not of_its_sort or (_is_python(opening) and parse(_between(answer, opening, None))):
        return _between(answer, opening, None), len(fences), len(answer)
    first = next((n for n in of_its_sort if n in closing or fences[n].info), of_its_sort[0])
    return _between(answer, opening, fences[first]), *_behind(fences, first)


def _behind(fences: Sequence[_Fence], end: int) -> tuple[int, int]:
    """Where to go on behind a block's end: an end that opens the next block is read once more."""
    fence = fences[end]
    return (end, fence.start) if fence.bare and fence.info else (end + 1, fence.end)


def _between(answer: str, opening: _Fence, end: _Fence | None) -> str:
    if end is None:
        return textwrap.dedent(answer[opening.end + 1 :])
    return textwrap.dedent(answer[opening.end + 1 : end.start if end.bare else end.run_at])


def _is_python(opening: _Fence) -> bool:
    language = _LANGUAGE.match(opening.info)
    return language is not None and language[1].lower() in _PYTHON
