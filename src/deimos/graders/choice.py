r"""The choice grader: which option does the answer name?

Only explicit answers count: ``\boxed{B}``, ``<answer>B</answer>``, "answer is (B)" in thirty languages,
"B is correct", "So it is B.", a letter standing alone as the answer or on its first or last line. Never an
article ("the answer is a triangle"), never a letter out of an option's text, never an option's text without its letter, never what is only supposed, asked or
denied ("if the answer is A", "the answer is not B"). Two different letters are wrong, unless the
second statement corrects the first ("wait, no: the answer is B").
Reference: ``{"letter": "B", "options": [3 to 10 texts]}``; a digit as letter means digit labels.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deimos.graders.choice_sentences import Stated, plain_sentences, that_stand
from deimos.graders.choice_words import ANSWER_IS, DENIED, ENDS, OR
from deimos.graders.extract import BOX, boxes, last_line
from deimos.graders.statements import is_withdrawn, speaks_of_another
from deimos.registry import grader
from deimos.types import Verdict

LETTERS = "ABCDEFGHIJ"
DIGITS = "123456789"
MIN_OPTIONS, MAX_OPTIONS = 3, 10
IN_PROCESS_LENGTH = 20_000
"""Characters; longer answers are scanned by a worker."""
STATEMENT = 400
"""Characters behind "answer is" that are read: its letter, and an option's text or a remark."""
SECOND_THOUGHT = 60
"""Characters behind "wait" in which another letter must stand."""
CLAUSE = 80
"""Characters before it in which it may be denied."""

_BOX_MARK = "\f"
"""Stands where a box began once its markup is gone; white space to every pattern."""
_BOXED = re.compile(BOX)
_WRAPPING = re.compile(r"\\(?:text|textbf|textrm|textit|mathrm|mathbf|mbox)\b|[$*_`{}]|\\[()\[\]]")
_FRAME = re.compile(
    r"<(answer|final_answer|final|ans|choice|option|result|response|solution)>\s{0,9}(.{0,300}?)\s{0,9}</\1>",
    re.IGNORECASE | re.DOTALL,
)
_TAG = re.compile(
    r"</?(?:answer|final_answer|final|ans|choice|option|result|response|solution)>", re.IGNORECASE
)
_QUOTES = "\"'“”„‟‘’‚‛«»‹›「」『』"
_QUOTED = re.compile(rf"[{_QUOTES}]\s?(\(?[A-J1-9]\)?)[.]?\s?[{_QUOTES}]")
_STATED = re.compile(
    r"\b(?:(?:answer|(?:correct|right|best)\s{1,3}(?:option|choice|letter))"
    r"[\"']?\s{0,3}(?:choice\s{0,3}|option\s{0,3})?"
    r"(?:is|:|=|[-–—]\s|(?:would|must|should|has\s{1,3}to|ought\s{1,3}to|can\s{1,3}only|turns\s{1,3}out\s{1,3}to)\s{1,3}be)"
    r"|(?:i|we)(?:[’']d|[’']ll|\s{1,3}would|\s{1,3}will)?\s{1,3}(?:choose|pick|select|go\s{1,3}with)\b)"
    r"\s{0,3}:?\s{0,3}(?:(?:definitely|clearly|therefore|thus|option|choice|letter)\s{1,3}){0,2}",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(
    r"[.,;:!?\n。、]|\b(?:and|but|so|hence|thus|then|therefore)\b", re.IGNORECASE
)
_UNCERTAIN = re.compile(
    r"n[’']t\b|\b(?:not|never|if|unless|whether|might|may|could|suppose|supposing|assume|assuming"
    r"|tempting|nor|neither|cannot)\b|(?<!\bi\s)\bwould\b",
    re.IGNORECASE,
)
_SECOND_THOUGHT = re.compile(
    r"\b(?:wait|actually|scratch\s{1,3}that|correction|on\s{1,3}second\s{1,3}thought|i\s{1,3}mean|sorry"
    r"|or\s{1,3}maybe|rather(?!\s{1,3}than)|instead(?!\s{1,3}of)|no[,:;.!])",
    re.IGNORECASE,
)
_REMARK = re.compile(r"\s{0,3}\(([^()\n]{1,390})\)")
_WRONG = re.compile(
    r"\b(?:wrong|incorrect|false|other\s{1,3}than|over|rather\s{1,3}than|instead\s{1,3}of)\b",
    re.IGNORECASE,
)
_LABEL_WORD = re.compile(r"(?:option|choice|answer|letter)\s{0,3}:?\s{0,3}", re.IGNORECASE)


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
    named = named_labels(answer, reference["options"], digits=expected in DIGITS)
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


def named_labels(answer: str, options: list[str], *, digits: bool) -> set[str]:
    """All labels that the answer gives as its choice, wherever it does."""
    text = _uncut(unicodedata.normalize("NFKC", answer))
    reader = _DIGITS if digits else _LETTERS
    framed = [frame for _, frame in _FRAME.findall(text)]
    bared = [_bare(box) for box in (*boxes(text), *framed)]
    named = {label for box in bared for label in reader.box(box, options)}
    # Markup is bared line by line behind the boxes, so that **(B)** reads as (B).
    plain = _bare(_TAG.sub("\n", text))
    said, corrected, end = _said(plain, reader, options)
    line = last_line(plain)
    closing = reader.line(line, options)
    opening, opened = _opening(plain, reader, options)
    named |= said | closing | (opening - corrected)
    end = max(
        end, opened, plain.rfind(_BOX_MARK), len(plain) - len(line) if closing or framed else 0
    )
    if named and is_withdrawn(reader.behind_label(plain[end:])):
        return set()
    if named:
        named |= reader.second_thoughts(plain[end:])
        for box in bared:  # a box with another option's text, and no letter
            owners = _owners(box, reader.labels, options)
            named |= set() if owners & named or reader.box(box, options) else owners
        named -= reader.denied(plain[end:])
    if digits:  # "The answer is 2" where 2 is what another option says
        named |= {owner for label in named for owner in _owners(label, DIGITS, options)}
    return named


def _said(plain: str, reader: _ClaimReader, options: list[str]) -> tuple[set[str], set[str], int]:
    """The labels that sentences give as the answer, those they take back, and where the last of them stands."""
    found: list[Stated] = []
    end = 0
    for pattern, doubts in ((_STATED, _UNCERTAIN), (ANSWER_IS, DENIED)):
        for statement in pattern.finditer(plain):
            rest = plain[statement.end() : statement.end() + STATEMENT]
            if labels := reader.statement(rest, options):
                end = max(end, statement.end())
                if _claimed(plain, statement, doubts):
                    found.append(Stated(statement.start(), statement.end() + 1, frozenset(labels)))
    for match in reader.correct.finditer(plain):
        if _doubtless(plain, match.start(), _UNCERTAIN):
            end = max(end, match.start())
            found.append(Stated(match.start(), match.end(), frozenset([match[1]])))
    if reader.labels == LETTERS:
        found += plain_sentences(plain)
        end = max([end, *(one.start for one in found)])
    standing = {label for one in that_stand(plain, found) for label in one.labels}
    return standing, {label for one in found for label in one.labels} - standing, end


def _opening(plain: str, reader: _ClaimReader, options: list[str]) -> tuple[set[str], int]:
    """The label that a first line consists of ("B", then why), and where that line ends.

    None where it begins a list of the options.
    """
    first, _, rest = plain.partition("\n")
    found = reader.line(first.strip(), options) if rest else set()
    if not found or reader.lists_options(first, rest):
        return set(), 0
    return found, len(first)


@dataclass(frozen=True)
class _ClaimReader:
    """How labels of one sort, letters or digits, are read."""

    label: str
    """A pattern for one label."""
    labels: str
    correct: re.Pattern[str]
    """"B is correct", "option 2 is the right answer"; the label is its first group."""

    @property
    def any_case(self) -> str:
        return f"{self.label}|{self.label.lower()}"

    @property
    def ended(self) -> str:
        """A bare label and what must follow it: "A." yes, "A triangle", "2.5" and "2,000" no."""
        label = self.label
        stop = r"\s*(?:$|\n|[;)!\"”»」]|['’](?!\w)|[,:.](?!\d)|\s[-–—]\s|\b(?:because|since|as|and|or|not|rather|instead)\b|[/&](?!\s*\d{2}))"
        return rf"({label})(?={stop}|{ENDS})"

    def box(self, box: str, options: list[str]) -> set[str]:
        """The labels that a box holds as its answer."""
        box = _LABEL_WORD.sub("", box, count=1) if _LABEL_WORD.match(box) else box
        if whole := re.fullmatch(rf"\(?({self.any_case})[).:]?", box):
            return {whole[1].upper()}
        if labelled := self.labelled(box, options):
            return labelled
        several = set(re.findall(rf"(?<!\w){self.label}(?!\w)", box))
        # One way to match each text: "and" is letters, a branch of its own doubles the ways.
        only_labels = re.fullmatch(r"(?:\(?\w\)?|[\s,;/&])+", box) is not None
        return several if len(several) > 1 and only_labels else set()

    def labelled(self, line: str, options: list[str]) -> set[str]:
        """The label of ``B. text`` and its like; the owner's too where the text is another option's."""
        found, text = self.split(line)
        owners = _owners(text, self.labels, options) if found else set()
        if found and not owners and (other := re.fullmatch(rf"\(?({self.label})\)?", text)):
            return {found, other[1]}
        return ({found} if found else set()) | (set() if found in owners else owners)

    def split(self, line: str) -> tuple[str, str]:
        """Label and text of ``B. text``, ``(B) text``, ``B (text)`` or ``B - text``; both empty if it is none."""
        match = re.match(
            rf"(?:[(\[]({self.label})[)\]]|({self.label})(?:\s?[.):]|\s[-–—](?=\s)|\s?(?=\()))\s*(\S.*)",
            line, re.DOTALL,
        )  # fmt: skip
        if match is None or re.match(r"\d+\.\d", line):
            return "", ""
        return match[1] or match[2], match[3]

    def statement(self, rest: str, options: list[str]) -> set[str]:
        """The labels that stand directly behind "answer is"."""
        rest = rest.lstrip(_QUOTES)
        match = re.match(rf"(?:[(\[]({self.any_case})[)\]]|{self.ended})", rest)
        match = match or (self._small(rest) if self._may_be_small(options) else None)
        if match is None:
            return self._with_text(rest, options)
        named = {(match[1] or match[2]).upper()}
        behind = rest[match.end() :]
        joint = rf"\s*(?:,\s*(?:and|or|{OR})?|and|or|{OR}|/|&)\s*[(\[]?"
        joined = re.match(joint, behind)
        rest = behind[joined.end() :] if joined else ""
        more = re.match(self.ended, rest) or (
            self._small(rest) if (match[2] or "").islower() else None
        )
        named |= {(more[1] or more[2]).upper()} if more else set()
        remark = _REMARK.match(behind)
        return named | (self._remarked(remark[1], named, options) if remark else set())

    def _small(self, rest: str) -> re.Match[str] | None:
        """A small letter as a label: "b.", "b because"; "a triangle" begins with an article, "b - c" is a formula."""
        stop = r"\s{0,3}(?:$|\n|[.,;:!)](?![\w^])|,?\s(?:because|since|as|not|and|or)\b)"
        return re.match(rf"()({self.label.lower()})(?={stop})", rest)

    def _may_be_small(self, options: list[str]) -> bool:
        """Whether no option's text is a letter itself."""
        return self.labels == LETTERS and all(len(_words(str(option))) > 1 for option in options)

    def _with_text(self, rest: str, options: list[str]) -> set[str]:
        """The label in front of its option's own words, or of a remark in brackets: "B (green)"."""
        small = "" if self.labels == DIGITS else "|[b-j]"
        match = re.match(rf"({self.label}{small})(?=\s)", rest) or re.match(
            rf"({self.label})(?=\()", rest
        )
        if match is None:
            return set()
        label, behind = match[1].upper(), rest[match.end() :]
        if remark := _REMARK.match(behind):
            return {label} | self._remarked(remark[1], {label}, options)
        sentence = re.split(r"[.!?](?:\s|$)|\n", behind, maxsplit=1)[0]
        return {label} if label in _owners(sentence, self.labels, options) else set()

    def _remarked(self, remark: str, named: set[str], options: list[str]) -> set[str]:
        """Other labels that a remark in brackets behind a label gives: the remark may be an option's text."""
        if owners := _owners(remark, self.labels, options):
            return set() if owners & named else owners
        if _UNCERTAIN.search(remark) or _WRONG.search(remark):
            return set()
        found = re.findall(rf"(?<!\w)(?:[(\[]({self.label})[)\]]|{self.ended})", remark)
        return {one or other for one, other in found}

    def lists_options(self, first: str, rest: str) -> bool:
        """Whether a first line begins a list of options: two other lines begin as it does."""
        bare = re.fullmatch(rf"\W*{self.label}\W*", first) is not None
        behind = r"[)\].:]{0,2}\s{0,9}$" if bare else r"[)\].:\s]"
        begun = rf"^\s{{0,9}}[(\[]?({self.label}){behind}"
        return len(set(re.findall(begun, rest, re.MULTILINE))) > 1

    def behind_label(self, text: str) -> str:
        """A text without the label that it begins with."""
        return re.sub(rf"^[\s\f(\[]{{0,6}}(?:{self.any_case})[)\].:]{{0,2}}", "", text)

    def denied(self, text: str) -> set[str]:
        """Labels that a text calls wrong: "B is incorrect", "B is not the answer"."""
        said = rf"(?<!\w)\(?({self.label})\)?\s{{1,3}}(?:is|was)(?:\s{{1,3}}(?:wrong|incorrect|false|not)\b|n[’']t)"
        return set(re.findall(said, text))

    def line(self, line: str, options: list[str]) -> set[str]:
        """The label that a line consists of, or that stands before its own option's words."""
        unquoted = line.strip(_QUOTES)
        spoken = _LABEL_WORD.match(unquoted)
        if alone := re.fullmatch(
            rf"[(\[]{{0,2}}({self.label})[)\].:]{{0,2}}", unquoted[spoken.end() if spoken else 0 :]
        ):
            return {alone[1]}
        # Behind a letter only its own option's words may stand: else it may open a sentence.
        for text in (line, unquoted):  # quotes may be the option's own
            if _owners(self.split(text)[1], self.labels, options):
                return self.labelled(text, options)
        return set()

    def second_thoughts(self, text: str) -> set[str]:
        """Labels behind "wait", "actually" and the like: what was said before is then in doubt."""
        found = set()
        for turn in _SECOND_THOUGHT.finditer(text):
            rest = text[turn.end() : turn.end() + SECOND_THOUGHT].partition("\n")[0]
            if match := re.search(rf"(?<!\w)(?:[(\[]({self.label})[)\]]|{self.ended})", rest):
                found.add(match[1] or match[2])
        return found


def _reader(label: str, labels: str, before: str) -> _ClaimReader:
    correct = re.compile(
        rf"(?:{before})(?-i:\(?({label})\)?)\s{{1,3}}is\s{{1,3}}"
        r"(?:(?:the\s{1,3})?(?:correct|right|best)(?=\s{1,3}(?:answer|option|choice|one)|\s*(?:$|[.,;!\n]))"
        r"|the\s{1,3}(?:final\s{1,3})?answer(?=\s*(?:$|[.,;!\n])))",
        re.IGNORECASE | re.MULTILINE,
    )
    return _ClaimReader(label, labels, correct)


_NAMED_SO = r"\b(?:option|choice|answer)\s{1,3}"
_LETTERS = _reader(
    "[A-J]", LETTERS,
    rf"{_NAMED_SO}|\b(?:so|thus|hence|therefore)\s{{1,3}}|^\s{{0,3}}|[.;:!,]\s{{1,3}}",
)  # fmt: skip
# A sentence may begin with a number that is right, so a digit must be called an option.
_DIGITS = _reader("[0-9]", DIGITS, _NAMED_SO)


def _claimed(text: str, statement: re.Match[str], doubts: re.Pattern[str]) -> bool:
    """Whether a statement is about the answer, and nothing before it denies, doubts or supposes it."""
    at = statement.start()
    names_it = doubts is _UNCERTAIN and not re.match(r"(?:i|we)\b", statement[0], re.IGNORECASE)
    return _doubtless(text, at, doubts) and not (names_it and speaks_of_another(text, at))


def _doubtless(text: str, at: int, doubts: re.Pattern[str]) -> bool:
    """Whether nothing in the clause before a statement denies, doubts or supposes it."""
    before = text[max(0, at - CLAUSE) : at]
    clause = _CLAUSE_END.split(before)[-1]
    return doubts.search(clause) is None


def _uncut(text: str) -> str:
    """The text without a last box that never closes: what else it was to hold isn't known."""
    at = max((match.start() for match in _BOXED.finditer(text)), default=-1)
    return text if at < 0 or "{" not in text[at:] or "}" in text[at:] else text[:at]


def _bare(text: str) -> str:
    return _QUOTED.sub(r"\1", _WRAPPING.sub("", _BOXED.sub(_BOX_MARK, text))).strip()


def _owners(text: str, labels: str, options: list[str]) -> set[str]:
    """Labels of the options that read like this text, or like what stands in its brackets."""
    read = dict(zip(labels, map(_words, map(str, options))))
    bare = text.rstrip(". ")
    inside = bare[1:-1] if bare[:1] + bare[-1:] == "()" else text
    for wanted in (_words(text), _words(inside)):
        if owners := {label for label, words in read.items() if words == wanted}:
            return owners
    return set()


def _words(text: str) -> str:
    return " ".join(_bare(text).casefold().split()).rstrip(".")
