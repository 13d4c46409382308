"""Function-word rate of a text: the share of articles, pronouns, auxiliaries and the like.

Fragments ("Total 42. Done.") leave them out; whole sentences cannot. English only: a text in another
language has a rate near 0, as have the base's own answers in it.
"""

from __future__ import annotations

import re

from deimos.types import Kind

_CLOSED_CLASSES = {
    "articles and determiners": (
        "a an the this that these those each every either neither some any no all both half such "
        "another other much many more most few fewer less several enough"
    ),
    "pronouns": (
        "i me my mine myself we us our ours ourselves you your yours yourself yourselves he him "
        "his himself she her hers herself it its itself they them their theirs themselves one "
        "ones someone anyone everyone something anything everything nothing nobody none "
        "who whom whose which what"
    ),
    "prepositions": (
        "of in to for with on at from by about as into like through after over between out "
        "against during without before under around among within along across behind beyond near "
        "off above below up down per than toward towards upon via until since despite except"
    ),
    "conjunctions and connecting adverbs": (
        "and or but nor so yet if because although though while whereas unless whether when where "
        "why how then thus hence therefore however also too"
    ),
    "auxiliaries and modals": (
        "am is are was were be been being have has had having do does did doing will would shall "
        "should can could may might must ought"
    ),
    "negation and place holders": "not there here",
}
FUNCTION_WORDS = frozenset(word for words in _CLOSED_CLASSES.values() for word in words.split())
"""The closed classes of English, as grammars list them; contractions count by their first part."""

MIN_WORDS = 4
"""With fewer words there is no rate: one word more or less would change it by a third, and a short
answer ("The answer is B") looks like a fragment."""

_STRIPPED = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"```.*?(?:```|\Z)",  # code blocks
        r"`[^`\n]*`",
        r"\$\$.*?\$\$",
        r"\$[^$\n]*\$",
        r"\\\[.*?\\\]",
        r"\\\(.*?\\\)",
        r"\\begin\{(\w+\*?)\}.*?\\end\{\1\}",
        r"https?://\S+",
    )
)
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")


def function_word_rate(answer: str, kind: Kind) -> float | None:
    """Share of function words among the words of an answer's prose, from 0 to 1.

    Code, mathematics and numbers are taken out first. None if there is nothing to measure: code
    answers, and fewer than ``MIN_WORDS`` words (a bare choice).
    """
    if kind == "code":
        return None
    words = [word.lower() for word in _WORD.findall(_prose(answer))]
    if len(words) < MIN_WORDS:
        return None
    return sum(re.split("['\u2019]", word)[0] in FUNCTION_WORDS for word in words) / len(words)


def _prose(text: str) -> str:
    for pattern in _STRIPPED:
        text = pattern.sub(" ", text)
    return _without_commands(text)


def _without_commands(text: str) -> str:
    """Take LaTeX commands out with their braced arguments, however deep these nest."""
    out: list[str] = []
    at = 0
    for command in re.finditer(r"\\[A-Za-z]+", text):
        if command.start() < at:
            continue
        out.append(text[at : command.start()])
        at = command.end()
        while at < len(text) and text[at] == "{":
            at = _closing_brace(text, at)
    return " ".join([*out, text[at:]])


def _closing_brace(text: str, at: int) -> int:
    """Index behind the brace that closes the one at ``at``; the text's end if none does."""
    depth = 0
    for i in range(at, len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if depth == 0:
            return i + 1
    return len(text)
