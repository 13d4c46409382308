r"""The choice grader: which option does the answer name?

Only explicit answers count: ``\boxed{B}``, ``<answer>B</answer>``, "answer is (B)" in thirty languages,
"B is correct", "So it is B.", a letter standing alone as the answer or on its first or last line; in a box, a
tag or behind "the answer is" one option's own words too, whole. Never an article ("the answer is a
triangle"), never a letter out of an option's text, never what is only supposed, asked, doubted or
denied ("if the answer is A", "the answer is not B", "it is not \boxed{B}"). Two different letters are wrong, unless the
second statement corrects the first ("wait, no: the answer is B"). Behind a last box that never closes nothing counts.
Reference: ``{"letter": "B", "options": [3 to 10 texts]}``; a digit as letter means digit labels.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

from deimos.graders.box_doubt import is_doubted
from deimos.graders.choice_behind import find_called_right, is_taken_back, second_letters
from deimos.graders.choice_labels import (
    BOX_MARK,
    DIGIT_READER,
    DIGITS,
    LETTER_READER,
    LETTERS,
    QUOTES,
    UNCERTAIN,
    LabelReader,
    owners_of,
    strip_markup,
)
from deimos.graders.choice_sentences import Stated, drop_corrected, plain_sentences, weak_sentences
from deimos.graders.choice_words import ANSWER_IS, DENIED
from deimos.graders.extract import find_boxes, last_line
from deimos.graders.statements import is_unreal, is_withdrawn, names_another, speaks_of_another
from deimos.registry import grader
from deimos.types import Verdict

MIN_OPTIONS, MAX_OPTIONS = 3, 10
IN_PROCESS_LENGTH = 20_000
"""Characters; longer answers are scanned by a worker."""
STATEMENT = 400
"""Characters behind "answer is" that are read: its letter, and an option's text or a remark."""
CLAUSE = 80
"""Characters before it in which it may be denied."""

_FRAME = re.compile(
    r"<(answer|final_answer|final|ans|choice|option|result|response|solution)>\s{0,9}(.{0,300}?)\s{0,9}</\1>",
    re.IGNORECASE | re.DOTALL,
)
_TAG = re.compile(
    r"</?(?:answer|final_answer|final|ans|choice|option|result|response|solution)>", re.IGNORECASE
)
_STATED = re.compile(
    r"\b(?:(?:answer|ans(?=\s{0,3}:|\.|\s{1,3}is\b)\.?|(?:correct|right|best)\s{1,3}(?:option|choice|letter)"
    r"|letter(?:\s{1,3}of\s{1,3}(?:the|my)\s{1,3}(?:(?:correct|right|best)\s{1,3})?(?:answer|option|choice))?"
    r"|(?:my|final)\s{1,3}(?:(?:final|actual)\s{1,3})?(?:choice|pick|selection)(?:,\s{1,3}(?:however|then|therefore|thus),?)?)"
    r"(?:\s{1,3}(?:to|for|of)\s{1,3}(?:the|this|that|your)\s{1,3}(?:(?:above|following|given|present|current|original|multiple[- ]choice)\s{1,3}){0,2}(?:question|problem|exercise|task|query|quiz|item))?"
    r"[\"']?\s{0,3}(?:(?:choice|option|letter)\s{0,3})?"
    r"(?:is|:|=|[→⇒⟹]|[-=]>|[-–—]\s|(?<=\bans\.)\s|(?:would|must|should|has\s{1,3}to|ought\s{1,3}to|can\s{1,3}only|turns\s{1,3}out\s{1,3}to)\s{1,3}be)"
    r"|(?:(?:the|my|our)\s{1,3}(?:final\s{1,3}|correct\s{1,3}|right\s{1,3})?solution\s{1,3}is|(?:selected|chosen)(?:\s{1,3}(?:answer|option|choice|letter))?\s{0,3}(?::|\s{1,3}is\b))(?=\s{0,3}(?:option\s{1,3})?(?-i:[(\[]?[A-J][)\]]?)(?![\w’']))"
    r"|(?:i|we)(?:\s{1,3}am|\s{1,3}are|[’']m|[’']re)\s{1,3}going\s{1,3}with\b|(?:i|we)(?:[’']d|[’']ll|\s{1,3}would|\s{1,3}will)?\s{1,3}(?:choose|pick|select|go\s{1,3}with)\b)"
    r"\s{0,3}:?\s{0,3}(?:(?:definitely|clearly|therefore|thus|(?:the\s{1,3})?(?:option|choice|letter))\s{1,3}){0,2}",
    re.IGNORECASE,
)
_CROSSES = re.compile("[❌✗✘☒✖]")
"""In an answer with crosses, ticks say which option is right."""
_CHEERS = " \t\n✅✔☑✓🎉👍😊🙂\ufe0f"
"""What may end an answer without saying anything."""
_BOLD = re.compile(r"^([ \t]{0,9})\*\*[(\[]?([A-J])[)\].:]?\*\*(?=[ \t]{1,9}\S)", re.MULTILINE)
"""A letter in bold before its option's words, which is as good as one in brackets: ``**B** green``."""
_RULED_OUT = re.compile(
    r"\b(?i:it|that|this)\s(?i:cannot|can[’']?t|can\snot)\s(?i:possibly\s|really\s)?(?i:be)\s(?:option\s)?([A-J])\b"
)
"""Takes nothing back where it is another letter: "The answer is B. It cannot be A."."""
_CLAUSE_END = re.compile(
    r"[.,;:!?\n。、]|\b(?:and|but|so|hence|thus|then|therefore)\b", re.IGNORECASE
)


def fast(answer: str, reference: Mapping[str, Any]) -> Verdict | None:
    """The verdict at once; None for an answer so long that it would hold up the event loop."""
    return choice(answer, reference) if len(answer) <= IN_PROCESS_LENGTH else None


@grader("choice", fast=fast)
def choice(answer: str, reference: Mapping[str, Any]) -> Verdict:
    """Judge an answer that names one of the options; null if the reference is not a choice."""
    try:
        labels_of(reference)
    except ValueError as e:
        return Verdict.of(None, f"the reference is no choice: {e}")
    expected = str(reference["letter"]).strip().upper()
    named = find_named_labels(answer, reference["options"], digits=expected in DIGITS)
    if not named:
        return Verdict.of(False, "no option named explicitly")
    if len(named) > 1:
        return Verdict.of(False, f"names different options: {', '.join(sorted(named))}")
    label = next(iter(named))
    return Verdict.of(
        label == expected, "equal" if label == expected else f"{label} is not {expected}"
    )


def labels_of(reference: Mapping[str, Any]) -> str:
    """The labels of a reference's options, one character each; ValueError if it is not a choice."""
    options, letter = reference["options"], str(reference["letter"]).strip().upper()
    if not MIN_OPTIONS <= len(options) <= MAX_OPTIONS:
        raise ValueError(f"{len(options)} options: a choice has {MIN_OPTIONS} to {MAX_OPTIONS}")
    labels = (DIGITS if letter in DIGITS else LETTERS)[: len(options)]
    if len(letter) != 1 or letter not in labels:
        raise ValueError(f"letter {letter!r} is none of {', '.join(labels)}")
    return labels


def find_named_labels(answer: str, options: list[str], *, digits: bool) -> set[str]:
    """All labels that the answer gives as its choice, wherever it does."""
    text = _BOLD.sub(r"\1(\2)", unicodedata.normalize("NFKC", answer))
    text = text if _CROSSES.search(text) else text.rstrip(_CHEERS)
    reader = DIGIT_READER if digits else LETTER_READER
    framed = [(found[2], found.start()) for found in _FRAME.finditer(text)]
    boxes, unclosed = find_boxes(text)
    if unclosed:  # what the last box was to hold isn't known, and it may be another letter
        return set()
    boxed = [(box.content, box.start) for box in boxes]
    meant = [one for one, at in (*boxed, *framed) if not is_doubted(text, at)]
    bared = [strip_markup(one) for one in meant]
    named = {label for box in bared for label in reader.box(box, options)}
    # Markup is bared line by line behind the boxes, so that **(B)** reads as (B).
    plain = strip_markup(_TAG.sub("\n", text))
    said, corrected, end = _said(plain, reader, options)
    line = last_line(plain)
    closing = reader.line(line, options) or reader.whole(plain, options)
    closing = closing or (reader.whole(line, options) if line[:1] in "OoCcLl" else closing)
    opening, opened = _opening(plain, reader, options)
    named |= said | closing | (opening - corrected)
    if not named:
        named, _, end = _said_weakly(plain, reader, options)
    framed_at = len(plain) - len(line) if closing or framed else 0
    shown = max(opened, plain.rfind(BOX_MARK), framed_at)
    rest = plain[max(end, shown) :]
    behind = _past_option(reader.behind_label(rest, named), named, reader, options)
    # What sentences say was looked at one by one: a later one that is taken back leaves the others.
    taken = shown >= end and is_taken_back(behind)
    if named and (taken or is_withdrawn(_without_others(behind, named))):
        return set()
    if named:
        named |= reader.second_thoughts(rest) | second_letters(behind, reader.label)
        named |= find_called_right(behind, reader.label, named)
        for box in bared:  # a box with another option's text, and no letter
            owners = owners_of(box, reader.labels, options)
            named |= set() if owners & named or reader.box(box, options) else owners
        named -= reader.denied(rest)
    if digits:  # "The answer is 2" where 2 is what another option says
        named |= {owner for label in named for owner in owners_of(label, DIGITS, options)}
    return named


def _without_others(behind: str, named: set[str]) -> str:
    """The words behind the last letter, without those that rule out another one."""
    words = behind[:STATEMENT]
    return _RULED_OUT.sub(lambda match: match[0] if match[1] in named else "", words)


_Said = tuple[set[str], set[str], int]
"""Labels that are given as the answer, those that are taken back, and where the last of them stands."""


def _said(plain: str, reader: LabelReader, options: list[str]) -> _Said:
    """What sentences say that are made for it: "the answer is B", "B is correct", "so it is B"."""
    found: list[Stated] = []
    end = 0
    for pattern, doubts in ((_STATED, UNCERTAIN), (ANSWER_IS, DENIED)):
        for statement in pattern.finditer(plain):
            rest = plain[statement.end() : statement.end() + STATEMENT]
            if labels := reader.statement(rest, options):
                end = max(end, statement.end())
                if _claimed(plain, statement, doubts):
                    at = statement.end() + reader.letter_end(rest, options)
                    found.append(Stated(statement.start(), at, frozenset(labels)))
    sentences = [*reader.called_correct(plain, options)]
    sentences += plain_sentences(plain) if reader.labels == LETTERS else []
    standing, corrected, last = _standing(plain, found, sentences, reader, options)
    return standing, corrected, max(end, last)


def _said_weakly(plain: str, reader: LabelReader, options: list[str]) -> _Said:
    """What sentences say that are thoughts on the way where something else is the answer."""
    if reader.labels != LETTERS:
        return set(), set(), 0
    sentences = [
        *weak_sentences(plain),
        *reader.texts_first(plain, options),
        *reader.only_one_right(plain, options),
    ]
    return _standing(plain, [], sentences, reader, options)


def _standing(
    plain: str,
    claims: list[Stated],
    sentences: list[Stated],
    reader: LabelReader,
    options: list[str],
) -> _Said:
    """What stands of claims, and of sentences that nothing before them puts in doubt."""
    sure = [one for one in sentences if _doubtless(plain, _place(plain, one), UNCERTAIN)]
    found = [*claims, *sure]
    meant = [full for one in found if (full := _in_full(plain, one, reader, options))]
    standing = {label for one in drop_corrected(plain, meant) for label in one.labels}
    # "If it were dry, the answer would be A; but the answer is B": two letters, to a strict reader.
    unreal = [one for one in found if is_unreal(plain, *_words_of(plain, one))]
    if standing:
        standing |= {label for one in unreal for label in one.labels}
    corrected = {label for one in meant for label in one.labels} - standing
    return standing, corrected, max((one.start for one in sure), default=0)


def _in_full(plain: str, one: Stated, reader: LabelReader, options: list[str]) -> Stated | None:
    """A statement with the letters that stand beside its first one; None if the text doesn't mean it."""
    at, words = _words_of(plain, one)
    behind = _past_option(plain[one.end : one.end + STATEMENT], one.labels, reader, options)
    elsewhere = names_another(plain, at, behind) or is_unreal(plain, at, words)
    if elsewhere or is_taken_back(behind):
        return None
    return one._replace(labels=one.labels | second_letters(behind, reader.label))


def _place(plain: str, one: Stated) -> int:
    """Where a sentence begins, behind the sign that ends another one; what a colon or comma follows is of it."""
    return _words_of(plain, one)[0] if plain[one.start] in ".!?\n" else one.start


def _words_of(plain: str, one: Stated) -> tuple[int, str]:
    """Where a statement's first word begins, behind the signs that end another sentence, and its words."""
    words = plain[one.start : one.end].lstrip(" \n.:;,!?")
    return one.end - len(words), words


def _past_option(
    behind: str, labels: Collection[str], reader: LabelReader, options: list[str]
) -> str:
    """What stands behind a letter, and behind its option's own words if they come first."""
    found = behind.lstrip(" (:,.–—-" + QUOTES)
    for label, option in zip(reader.labels, map(str, options), strict=False):
        if (
            label in labels
            and len(option) > 2
            and re.match(rf"{re.escape(option)}(?!\w)", found, re.IGNORECASE)
        ):
            return found[len(option) :].lstrip(")]." + QUOTES)
    return behind


def _opening(plain: str, reader: LabelReader, options: list[str]) -> tuple[set[str], int]:
    """The label that a first line consists of ("B", then why), and where that line ends.

    None where it begins a list of the options.
    """
    first, _, rest = plain.partition("\n")
    found = reader.line(first.strip(), options) if rest else set()
    if not found or reader.lists_options(first, rest):
        return set(), 0
    return found, len(first)


def _claimed(text: str, statement: re.Match[str], doubts: re.Pattern[str]) -> bool:
    """Whether a statement is about the answer, and nothing before it denies, doubts or supposes it."""
    at = statement.start()
    names_it = doubts is UNCERTAIN and not re.match(r"(?:i|we)\b", statement[0], re.IGNORECASE)
    return _doubtless(text, at, doubts) and not (names_it and speaks_of_another(text, at))


def _doubtless(text: str, at: int, doubts: re.Pattern[str]) -> bool:
    """Whether nothing in the clause before a statement denies, doubts or supposes it."""
    before = text[max(0, at - CLAUSE) : at]
    clause = _CLAUSE_END.split(before)[-1]
    return doubts.search(clause) is None
