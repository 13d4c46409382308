r"""What an answer gives as its final expression.

In this order: the last ``\boxed{…}`` (or several that one sentence joins), what ``<answer>…</answer>``
holds, the last ``####``, what is stated ("the answer is …"), the whole answer if it is one line, the result on the
last line. An answer that opens a box and never closes it, or takes its result back, gives none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from deimos.graders.extract import Box, find_boxes, hashes, last_line
from deimos.graders.math.compare import same
from deimos.graders.math.exact import is_number
from deimos.graders.math.numerals import ordinal_of, with_digits
from deimos.graders.math.prose import (
    drop_lead,
    find_foreign_statement,
    mark_unit,
    only_supposes,
    prepare_last_lines,
)
from deimos.graders.math.reading import read
from deimos.graders.math.said.around import (
    are_steps,
    find_alternative,
    find_objection,
    is_limited,
    with_bare_words,
)
from deimos.graders.math.said.claims import BOUND, find_statements
from deimos.graders.math.said.closing import (
    claims_nothing,
    find_closing_result,
    find_lone_formula,
)
from deimos.graders.math.said.mentions import is_spoken_against
from deimos.graders.math.said.named import find_named_result
from deimos.graders.math.said.phrases import drop_restatement, find_restatement
from deimos.graders.math.said.retractions import find_retraction, is_denied_before
from deimos.graders.math.tokens import Unreadable

_JOINED = re.compile(
    r"[\s$]*(?:\\[)\]]|\\text\{)?[\s$,;&]*(?:and|or|&)?[\s$,;}]*(?:\\(?:[(\[]|q?quad))?[\s$]*(?:[A-Za-z](?:_\{?\w{1,3}\}?)?\s{0,2}=\s{0,2})?[\s$]*"
)
_NAME_BEFORE = re.compile(
    r"(?<![\w\\^_+*/-])([A-Za-z](?:_\{?\w{1,3}\}?)?)\s{0,2}=\s{0,2}[$\s]{0,3}$"
)
_FRAMED = re.compile(r"<answer>([^<]{1,200})</answer>", re.IGNORECASE)
_TOTAL_ROW = re.compile(
    r"\|[ *_]{0,4}(?:grand\s)?(?:total|answer|final\sanswer|result|sum)[ *_:]{0,4}\|(?:[ *_]{0,4}\|){0,4}[ *_]{0,4}(?P<number>-?[$€£]?\d[\d,]{0,30}(?:\.\d+)?)[ *_]{0,4}\|",
    re.IGNORECASE,
)
"""The last row of a table."""
_WORDS_OR_MARKS = re.compile(r"\\(?:boxed|fbox)|####|[a-z]{2,}\s[a-z]{2,}", re.IGNORECASE)
_VALUE_LINE = re.compile(
    r"[-*•]?\s{0,3}(?:\(?\w{1,2}[.)]\s{1,3})?[$*]{0,3}(?P<name>(?:[A-Za-z](?:_\w)?\s?=\s?)?)[$*]{0,3}(?P<value>-?[$€£]?\d[\d,]{0,20}(?:[./]\d+)?)%?[$*.,;]{0,4}"
)
_SEVERAL = re.compile(
    r"(?:or|either:?|maybe:?|perhaps:?|\W{0,4}(?:the\s)?(?:possible|potential|candidate|some)\s?(?:\w{1,12}\s?){0,2}(?:are|is)?:?|\W{0,4}(?:the\s)?(?:candidates?|options|choices|guesses)(?:\sare)?:?)",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?:that\s)?(?:[A-Z][a-z]+|he|she|it|they|there|we|the)\s[a-z]{2,}")
_ARROW = re.compile(
    r"^\s{0,4}\$?\s?(?:∴|⇒|=>|->|→|➡️?|⟹|\\(?:Rightarrow|therefore|implies|to)(?![A-Za-z]))\s{0,4}"
)
_CLUELESS = re.compile(
    r"\bi\s(?:do\snot|don[’']t)\s(?:really\s|actually\s)?know\b|\bi\s(?:have|[’']ve)\s(?:got\s)?no\s(?:idea|clue)\b|\bi(?:\sam|[’']m)\snot\s(?:at\sall\s)?(?:sure|certain)\b",
    re.IGNORECASE,
)
_SO = re.compile(
    r"^(?:so|thus|therefore|hence|then|finally|consequently)\b[,:]?\s{1,3}", re.IGNORECASE
)
_OPTION_LINE = re.compile(r"^\W{0,4}B\s?[:.)]", re.MULTILINE)
_OPENS, _CLOSES = "<answer>", "</answer>"
_CHEERS = " \t\n✅✔☑✓🎉\ufe0f"
"""What may end an answer without saying anything."""
_END_TOKENS = re.compile(
    r"(?:\s{0,9}(?:<\|[\w▁-]{2,30}\|>|<｜[^｜<>]{2,30}｜>|</s>|<eos>|<end_of_turn>)){1,4}$"
)
MOST_WORDS = 8
"""Words of an answer of one line that is an expression by itself ("all real numbers"), no sentence."""
MOST_FRAMES = 10
LONGEST_LINE = 3000
"""Characters of a last line that may be the answer as a whole."""
LONGEST_JOINT = 40
"""Characters between two boxes of one sentence."""


@dataclass(frozen=True, slots=True)
class Finals:
    """Expressions that are given as final, the one that counts last; or why there is none."""

    expressions: tuple[str, ...] = ()
    trouble: str = "no final answer found"


def find_finals(answer: str, reference: str) -> Finals:
    """What the answer gives as final, for a reference: numbers in sentences only count for numbers."""
    answer = _END_TOKENS.sub("", answer.rstrip(_CHEERS)).rstrip(_CHEERS)
    found, unclosed = find_boxes(answer)
    if unclosed:
        return Finals(trouble="the last box never closes")
    if found:
        return _of_boxes(answer, found)
    if _OPENS in answer.lower():
        return _of_frames(answer, reference)
    if lines := hashes(answer):
        behind = answer[answer.rfind("####") :].partition("\n")[2]
        said = [c.expression for c in find_statements(behind) if _is_plain_number(c.expression)]
        lines = [
            c.expression for line in lines for c in find_statements(line)[-1:] if c.plain
        ] or lines
        return Finals((*said, *lines) if _is_plain_number(lines[-1]) else tuple(lines))
    number = _is_plain_number(reference)
    claims = [
        claim for claim in find_statements(answer) if not number or _may_be_number(claim.expression)
    ]
    if claims and not claims[-1].plain:
        return Finals(trouble="what it calls the answer is that of something else")
    if claims:
        behind = answer[claims[-1].end :]
        instead = find_retraction(behind) or find_alternative(behind) or find_restatement(behind)
        if is_limited(behind):
            return Finals(trouble="only about a number")
        if instead and not _agrees(claims[-1].expression, instead):
            return Finals(trouble=f"takes its answer back: {instead}")
        said = (_from_sentence(claim.expression) if number else "" for claim in claims)
        expressions = (found or claim.expression for found, claim in zip(said, claims))
        return Finals(tuple(map(mark_unit, expressions) if number else expressions))
    return _of_last_line(answer, reference, number)


def _of_frames(answer: str, reference: str) -> Finals:
    """What the last answer frames hold; a frame that never closes, or is empty, spoils the answer."""
    found: list[str] = []
    for opened in [m.end() for m in re.finditer(_OPENS, answer, re.IGNORECASE)][-MOST_FRAMES:]:
        closed = answer.lower().find(_CLOSES, opened)
        framed = answer[opened:closed].strip() if closed >= 0 else ""
        if not framed:
            return Finals(trouble="the last answer frame never closes, or is empty")
        inner = find_finals(framed, reference) if _has_words(framed) else Finals()
        found += inner.expressions or (framed,)
    return Finals(tuple(found))


def _has_words(framed: str) -> bool:
    """Whether a frame holds sentences, or marks of its own; else it is an expression as a whole."""
    return _OPENS not in framed.lower() and _WORDS_OR_MARKS.search(framed) is not None


def _of_boxes(answer: str, found: list[Box]) -> Finals:
    last = found[-1]
    if is_denied_before(answer, last.start):
        return Finals(trouble="the last box is denied")
    if trouble := find_objection(answer, last):
        return Finals(trouble=trouble)
    behind = with_bare_words(answer[last.end :])
    instead = [
        other
        for other in (find_retraction(behind), find_alternative(behind), *hashes(behind))
        if other
    ]
    instead += [framed.strip() for framed in _FRAMED.findall(behind)]
    if _is_plain_number(last.content):
        said = (claim.expression for claim in find_statements(behind))
        instead += [expression for expression in said if _is_plain_number(expression)]
    if other := next((other for other in instead if not _agrees(last.content, other)), ""):
        return Finals(trouble=f"takes its answer back: {other}")
    if len(found) > 1 and not all(_agrees(last.content, box.content) for box in found[:-1]):
        between = [answer[a.end : b.start] for a, b in pairwise(found)]
        if all(len(text) <= LONGEST_JOINT and _JOINED.fullmatch(text) for text in between):
            joint = " or " if any(" or " in text for text in between) else ", "
            return Finals((joint.join(_with_names(answer, found)),))
        if are_steps(answer, found):
            return Finals((last.content,))
    return Finals(tuple(box.content for box in found))


def _with_names(answer: str, found: list[Box]) -> list[str]:
    """What the boxes hold, each with the letter in front of it, if all have one: "y = 2"."""
    before = [_NAME_BEFORE.search(answer[max(0, box.start - 20) : box.start]) for box in found]
    if not all(before) or any("=" in box.content for box in found):
        return [box.content for box in found]
    return [f"{name[1]} = {box.content}" for name, box in zip(before, found) if name]


def _of_last_line(answer: str, reference: str, number: bool) -> Finals:
    answer = prepare_last_lines(_said_once(answer))
    line = last_line(answer)
    if (foreign := find_foreign_statement(line)) and _is_expression(foreign, number):
        return Finals((foreign,))
    if _CLUELESS.search(line[-LONGEST_LINE:]):
        return Finals(trouble="it says that it does not know")
    wanted = read(reference).parts
    short = len(line) <= LONGEST_LINE
    if short and len(wanted) == 1 and (named := find_named_result(line, wanted[0])):
        return Finals((named,))
    if total := _TOTAL_ROW.fullmatch(line):
        return Finals((total["number"],))
    whole = line == answer.strip()
    if not whole and _is_one_of_candidates(answer, line):
        return Finals(trouble="several candidates, a line each")
    if alone := find_lone_formula(answer):
        return Finals((alone,))
    if re.match(r"~\s?[-$]?\d", line):
        return Finals(trouble="only about a number")
    line = _led(answer, line) if number else line
    line = mark_unit(line) if number and "$" not in line else line
    expression = read(line)
    node = expression.parts[0].node if len(expression.parts) == 1 else None
    is_value = not expression.trouble and node is not None and is_number(node)
    if number and is_value and not is_spoken_against(line):
        return Finals((line,))
    if found := find_closing_result(answer, number=number):
        return Finals((mark_unit(found) if number else found,))
    if number or not whole or not line or not short or only_supposes(line):
        return Finals()
    line = drop_lead(line)
    if re.search(r"[=<>≤≥$]|\\[lg]eq?\b", line) and (claims_nothing(line) or BOUND.search(line)):
        return Finals()
    words = len(re.findall(r"(?<![\\A-Za-z{])[A-Za-z]{2,}", line))
    return Finals((line,)) if words <= MOST_WORDS else Finals()


def _led(answer: str, line: str) -> str:
    """The number behind an arrow, "So," or "A:" that is all else on a line; another line as it is."""
    inner = _ARROW.sub("", line)
    if not _OPTION_LINE.search(answer):
        inner = re.sub(r"^\W{0,4}A\s?:\W{1,4}", "", inner)
    inner = _SO.sub("", inner).rstrip(". ")
    return inner if inner != line and _is_plain_number(inner) else line


def _is_one_of_candidates(answer: str, line: str) -> bool:
    """Whether the lines before a number, or a name's value, give other ones, or say that it is one of several."""
    last = _VALUE_LINE.fullmatch(line)
    if last is None:
        return False
    before = [each.strip() for each in answer.rstrip()[-400:].split("\n")[:-1] if each.strip()][-2:]
    if before and _SEVERAL.fullmatch(before[-1]):
        return True
    other = _VALUE_LINE.fullmatch(before[-1]) if before else None
    return other is not None and other["name"] == last["name"] and other["value"] != last["value"]


def _from_sentence(expression: str) -> str:
    """The number of a sentence that stands as the answer ("that she sold 72 clips"); "" if it is no sentence."""
    if not _SENTENCE.match(expression) or _is_plain_number(expression):
        return ""
    return find_closing_result(expression.removeprefix("that "), number=True)


def _said_once(answer: str) -> str:
    """An answer whose last line says its number again in words ("30, i.e. thirty"), without that."""
    before, newline, line = answer.rstrip().rpartition("\n")
    once = drop_restatement(line)
    number = re.search(r"-?\d[\d,]*(?:\.\d+)?(?:/\d+)?$", once.rstrip("$*"))
    agrees = number and once != line and _agrees(number[0], find_restatement(line[len(once) :]))
    return before + newline + once if agrees else answer


def _is_plain_number(reference: str) -> bool:
    expression = read(reference)
    if len(expression.parts) != 1:
        return False
    node = expression.parts[0].node
    if node is not None and node.kind == "relation":
        node = node.parts[-1] if set(node.data) <= {"=", "~"} else None
    return node is not None and is_number(node)


def _is_expression(text: str, number: bool) -> bool:
    """Whether a text is nothing but an expression; a plain number, if that is asked for."""
    if number:
        return _is_plain_number(text)
    reading = read(text)
    return not reading.trouble and all(part.node is not None for part in reading.parts)


def _may_be_number(expression: str) -> bool:
    """Whether an expression has anything of a number; "obvious from the picture" has not."""
    if with_digits(expression) or ordinal_of(expression) or _is_plain_number(expression):
        return True
    return re.search(r"\d|\\pi|π|\\infty|∞|^\W*[ei]\W*$", expression) is not None


def _agrees(expression: str, other: str) -> bool:
    try:
        return same(expression, other, settled=False)
    except Unreadable:
        return False
