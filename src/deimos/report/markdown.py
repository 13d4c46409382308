"""Text of others in Markdown: task names, model names and traces stay what they are, text.

A Hub page shows GitHub's Markdown with HTML and formulas in it. So every sign that could mean
something there is escaped, what no reader can see (signs that turn the direction of writing, signs
of no width, control characters) is written out, and a block's fence is longer than any in the text.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST = 300
"""Characters of a name in running text or in a table."""
LONGEST_SENTENCE = 5_000
"""Characters of a sentence."""
_FILLERS = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and signs that are drawn as nothing."""
_SIGNS = re.compile(r"([\\`*_{}\[\]<>#|~$&@!^])")
_LINKS = re.compile(r"(?i)\b(https?|ftp|mailto|xmpp|javascript|data)(?=:)|\bwww(?=\.)")
_LIST = re.compile(r"^([-+=]|\d{1,9}(?=[.)](\s|$)))")


def show_hidden(text: str) -> str:
    """Write out what no reader can see: U+202E as ``[U+202E]``; line breaks and tabs stay.

    A lone surrogate is written out as well, so the result can always be encoded.
    """
    if text.isascii() and text.isprintable():
        return text
    unified = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n")
    return "".join(_shown(sign) for sign in unified.replace("\u2029", "\n").replace("\x85", "\n"))


def prose(text: object) -> str:
    """A sentence with text of others in it, as ``cell``."""
    return cell(text, LONGEST_SENTENCE)


def cell(text: object, longest: int = LONGEST) -> str:
    """Text for a table cell or a sentence: one line of at most ``longest`` characters, no markup."""
    one_line = " ".join(show_hidden(str(text)).split())
    if len(one_line) > longest:
        one_line = one_line[: longest - 1] + "…"
    escaped = _LINKS.sub(_broken_link, _SIGNS.sub(r"\\\1", one_line))
    return _LIST.sub(_broken_list, escaped)


def code(text: object) -> str:
    """Text as a code span, for running text: not for tables, in which a pipe would end the cell."""
    one_line = " ".join(show_hidden(str(text)).split())
    ticks = "`" * (_longest_run(one_line) + 1)
    pad = " " if one_line.startswith("`") or one_line.endswith("`") else ""
    return f"{ticks}{pad}{one_line}{pad}{ticks}" if one_line else ""


def block(text: str, language: str = "") -> str:
    """Text as a code block whose fence is longer than any run of backticks in it.

    Args:
        text: may hold anything, fences too.
        language: what the block is highlighted as; one plain word.
    """
    shown = show_hidden(text)
    fence = "`" * max(3, _longest_run(shown) + 1)
    return f"{fence}{language}\n{shown.rstrip()}\n{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def _shown(sign: str) -> str:
    if sign in "\n\t":
        return sign
    hidden = sign in _FILLERS or unicodedata.category(sign) in ("Cc", "Cf", "Co", "Cs", "Cn")
    return f"[U+{ord(sign):04X}]" if hidden else sign


def _broken_link(found: re.Match[str]) -> str:
    """The sign behind the word is escaped, so that no address begins there."""
    return f"{found[0]}\\"


def _broken_list(found: re.Match[str]) -> str:
    return f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}"
