r"""The choice grader: which option does the answer name?

Only explicit answers count: ``\boxed{B}``, "answer is (B)", a letter standing alone as the answer
or on its last line. Never an article ("the answer is a triangle"), never a letter out of an
option's text, never an option's text without its letter. Two different letters are wrong.
Reference: ``{"letter": "B", "options": [3 to 10 texts]}``; a digit as letter means digit labels.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from deimos.graders.extract import boxes, last_line
from deimos.registry import grader
from deimos.types import Verdict

LETTERS = "ABCDEFGHIJ"
DIGITS = "123456789"
MIN_OPTIONS, MAX_OPTIONS = 3, 10

_WRAPPING = re.compile(
    r"\\(?:text|textbf|textrm|textit|mathrm|mathbf|mbox|boxed)\b|[$*_`{}]|\\[()\[\]]"
)
_STATED = re.compile(
    r"\banswer\s{0,3}(?:choice\s{0,3}|option\s{0,3})?(?:is|:|=|would\s+be|must\s+be)\s{0,3}:?\s{0,3}"
    r"(?:(?:definitely|clearly|therefore|thus|option|choice|letter)\s+){0,2}",
    re.IGNORECASE,
)


@grader("choice")
def choice(answer: str, reference: Mapping[str, Any]) -> Verdict:
    """Judge an answer that names one of the options."""
    gold = str(reference["letter"]).strip().upper()
    named = named_labels(answer, reference["options"], digits=gold in DIGITS)
    if not named:
        return Verdict.of(False, "no option named explicitly")
    if len(named) > 1:
        return Verdict.of(False, f"names different options: {', '.join(sorted(named))}")
    label = next(iter(named))
    return Verdict.of(label == gold, "equal" if label == gold else f"{label} is not {gold}")


choice.fast = choice  # pyright: ignore[reportFunctionMemberAccess]


def labels_of(reference: Mapping[str, Any]) -> str:
    """The labels that a reference's options bear, one character each; ValueError where it is none."""
    options, letter = reference["options"], str(reference["letter"]).strip().upper()
    if not MIN_OPTIONS <= len(options) <= MAX_OPTIONS:
        raise ValueError(f"{len(options)} options: a choice has {MIN_OPTIONS} to {MAX_OPTIONS}")
    labels = (DIGITS if letter in DIGITS else LETTERS)[: len(options)]
    if len(letter) != 1 or letter not in labels:
        raise ValueError(f"letter {letter!r} is none of {', '.join(labels)}")
    return labels


def named_labels(answer: str, options: list[str], *, digits: bool) -> set[str]:
    """All labels that the answer gives as its choice, wherever it does."""
    text = unicodedata.normalize("NFKC", answer)
    label = "[0-9]" if digits else "[A-J]"
    named: set[str] = set()
    for box in boxes(text):
        named |= _from_box(_bare(box), label, options)
    # Markup is bared line by line behind the boxes, so that **(B)** reads as (B).
    plain = _bare(text)
    for statement in _STATED.finditer(plain):
        named |= _from_statement(plain[statement.end() : statement.end() + 60], label)
    if not named:
        named |= _from_line(last_line(plain), label, options)
    return named


def _bare(text: str) -> str:
    return _WRAPPING.sub("", text).strip()


def _from_box(box: str, label: str, options: list[str]) -> set[str]:
    if whole := re.fullmatch(rf"\(?({label}|{label.lower()})[).:]?", box):
        return {whole[1].upper()}
    if labelled := _labelled(box, label, options):
        return labelled
    several = re.findall(rf"(?<!\w){label}(?!\w)", box)
    return set(several) if len(set(several)) > 1 and _only_labels(box) else set()


def _only_labels(box: str) -> bool:
    return re.fullmatch(r"(?:\(?\w\)?|and|or|[\s,;/&])+", box) is not None


def _labelled(line: str, label: str, options: list[str]) -> set[str]:
    """The label of ``B. text`` or ``(B) text``; the owner's too where the text is another option's."""
    match = re.match(rf"(?:\(({label})\)|({label})\s?[.):])\s*(\S.*)", line, re.DOTALL)
    if match is None or re.match(r"\d+\.\d", line):
        return set()
    found = match[1] or match[2]
    owners = _owners(match[3], label, options)
    return {found} if not owners or found in owners else {found, *owners}


def _owners(text: str, label: str, options: list[str]) -> set[str]:
    """Labels of the options that read like this text."""
    labels = DIGITS if label == "[0-9]" else LETTERS
    pairs = zip(labels, options, strict=False)
    return {key for key, option in pairs if _words(str(option)) == _words(text)}


def _words(text: str) -> str:
    return " ".join(_bare(text).casefold().split()).rstrip(".")


def _from_statement(rest: str, label: str) -> set[str]:
    bracketed = rf"[(\[]({label}|{label.lower()})[)\]]"
    # A bare letter must be followed by something that ends it: "A." yes, "A triangle" no.
    bare = rf"({label})(?=\s*(?:$|\n|[,;:)!?]|\.(?!\d)|\b(?:because|since|as|and|or)\b|[/&]))"
    match = re.match(rf"(?:{bracketed}|{bare})", rest)
    if match is None:
        return set()
    named = {(match[1] or match[2]).upper()}
    more = re.match(
        rf"\s*(?:,\s*(?:and|or)?|and|or|/|&)\s*[(\[]?({label})(?!\w)", rest[match.end() :]
    )
    return named | {more[1]} if more else named


def _from_line(line: str, label: str, options: list[str]) -> set[str]:
    if alone := re.fullmatch(rf"[(\[]?({label})[)\].:]{{0,2}}", line):
        return {alone[1]}
    match = re.match(rf"\(?{label}\)?\s?[.):]?\s*(\S.*)", line)
    # Behind a letter only its own option's words may stand: else it may open a sentence.
    return _labelled(line, label, options) if match and _owners(match[1], label, options) else set()
