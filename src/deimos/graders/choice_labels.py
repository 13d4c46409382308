"""How the letter of an option is read out of a text, or the digit: where it stands, and what must stand by it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

from deimos.graders.choice_behind import opens_a_sentence
from deimos.graders.choice_sentences import Stated
from deimos.graders.choice_text_first import letter_behind
from deimos.graders.choice_verdicts import find_only_right
from deimos.graders.choice_words import ENDS, OR
from deimos.graders.extract import BOX

LETTERS = "ABCDEFGHIJ"
DIGITS = "123456789"
SECOND_THOUGHT = 60
"""Characters behind "wait" in which another letter must stand."""

BOX_MARK = "\f"
"""Stands where a box began once its markup is gone; white space to every pattern."""
BOXED = re.compile(BOX)
_WRAPPING = re.compile(r"\\(?:text|textbf|textrm|textit|mathrm|mathbf|mbox)\b|[$*_`{}]|\\[()\[\]]")
QUOTES = "\"'“”„‟‘’‚‛«»‹›「」『』"
_QUOTED = re.compile(rf"[{QUOTES}]\s?(\(?[A-J1-9]\)?)[.]?\s?[{QUOTES}]")
UNCERTAIN = re.compile(
    r"n[’']t\b|\b(?:not|never|perhaps|maybe|possibly|if|unless|whether|might|may|could|suppose|supposing|assume|assuming"
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
_OVER = r"(?=\s{0,3}(?:$|\n|[.!](?!\w))|,?\s{1,3}(?:because|since|not)\b)"
"""Behind an option's own words: nothing more is said of it but why."""
_OR_ANOTHER = re.compile(
    r"[\s.!,;]{0,6}(?:(?:or|no|nope|and|also|maybe|perhaps|possibly|actually|wait|rather|but|sorry)\b[\s,:]{1,3}){1,4}",
    re.IGNORECASE,
)
_ALL_BUT = re.compile(
    r"\b(?:everything|anything|all|any|every|each)\s{1,3}(?:\w{1,10}\s{1,3}){0,2}(?:but|except(?:\s{1,3}for)?|besides)\s{1,3}(?:option\s{1,3}|choice\s{1,3})?\(?$",
    re.IGNORECASE,
)
_ARROW = re.compile(r"^\s{0,3}(?:[→⇒⟹∴➡✅✔☑👉]|[-=]>)\ufe0f?\s{0,3}")
_HEADING = re.compile(r"^#{1,6}\s{1,9}")
_IT_IS = re.compile(
    r"(?:^|[.!?;:]\s{1,3}|\n\s{0,9})(?:(?:so|thus|therefore|hence)[,:]?\s{1,3})?(?:it|this|that)(?:\s{1,3}(?:is|must\s{1,3}be)|[’']s)\s{1,3}",
    re.IGNORECASE,
)
_HEAD = re.compile(
    r"(?:final|solution|result|correct|(?:my|final)\s{1,3}(?:choice|pick|selection))\s{0,3}:\s{0,3}",
    re.IGNORECASE,
)
_LABEL_WORD = re.compile(r"(?:option|choice|answer|letter)\s{0,3}:?\s{0,3}", re.IGNORECASE)


@dataclass(frozen=True)
class LabelReader:
    """How labels of one sort, letters or digits, are read."""

    label: str
    """A pattern for one label."""
    labels: str
    correct: re.Pattern[str]
    """"B is correct", "option 2 is the right answer"; the label is its first group."""
    before_text: re.Pattern[str]
    """"So B)", where the option's own words and "is correct" may follow; the label is its first group."""

    @property
    def any_case(self) -> str:
        """A pattern for one label, capital or small."""
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
        if several and only_labels and len(several) > 1:
            return several
        owners = owners_of(box, self.labels, options) if self._is_text(box) else set()
        return owners if len(owners) == 1 else set()

    def labelled(self, line: str, options: list[str]) -> set[str]:
        """The label of ``B. text`` and its like; the owner's too where the text is another option's."""
        found, text = self.split(line)
        owners = owners_of(text, self.labels, options) if found else set()
        if found and not owners and (other := re.fullmatch(rf"\(?({self.label})\)?", text)):
            return {found, other[1]}
        return ({found} if found else set()) | (set() if found in owners else owners)

    def split(self, line: str) -> tuple[str, str]:
        """Label and text of ``B. text``, ``(B) text``, ``B (text)`` or ``B - text``; both empty if it is none."""
        match = re.match(
            rf"(?:[(\[]({self.label})[)\]](?:\s?:(?=\s))?|({self.label})(?:\s?[.):]|\s[-–—](?=\s)|\s?(?=\()))\s*(\S.*)",
            line, re.DOTALL,
        )  # fmt: skip
        if match is None or re.match(r"\d+\.\d", line):
            return "", ""
        return match[1] or match[2], match[3]

    def statement(self, rest: str, options: list[str]) -> set[str]:
        """The labels that stand directly behind "answer is"."""
        rest = rest.lstrip(QUOTES)
        match = re.match(rf"(?:[(\[]({self.any_case})[)\]]|{self.ended})", rest)
        match = match or (self._small(rest) if self._may_be_small(options) else None)
        if match is None:
            found = self._with_text(rest, options) or self._behind_text(rest, options)[0]
            return found or self._own_text(rest, options)[0]
        named = {(match[1] or match[2]).upper()}
        if not named <= {*self.labels[: len(options)]} and (
            own := self._own_text(rest, options)[0]
        ):
            return own  # "I and II" is an option's text
        behind = rest[match.end() :]
        joint = rf"\s*(?:,\s*(?:and|or|{OR})?|and|or|{OR}|/|&)\s*[(\[]?"
        joined = re.match(joint, behind)
        rest = behind[joined.end() :] if joined else ""
        more = re.match(self.ended, rest) or (
            self._small(rest) if (match[2] or "").islower() else None
        )
        if more and not opens_a_sentence(rest[more.end() :]):
            named.add((more[1] or more[2]).upper())
        named |= self._listed(behind, small=(match[2] or "").islower())
        remark = _REMARK.match(behind)
        return named | (self._remarked(remark[1], named, options) if remark else set())

    def letter_end(self, rest: str, options: list[str]) -> int:
        """Where the letter ends that stands behind "answer is"."""
        at_once = rf"[\s(\[{QUOTES}]{{0,6}}(?:{self.any_case})(?!\w)[)\]{QUOTES}]{{0,3}}"
        match = re.match(at_once, rest)
        if match:
            return match.end()
        return self._behind_text(rest, options)[1] or self._own_text(rest, options)[1]

    def _listed(self, behind: str, *, small: bool) -> set[str]:
        """Labels behind the first one of a list that has semicolons, or a lone one behind a full stop: "B; C", "B. C"."""
        label = self.any_case if small else self.label
        held = rf"[(\[]?({label})[)\]]?"
        stop = r"(?=\s{0,3}(?:$|\n|[.!;、。,](?!\w))|\s{1,3}(?:and|or)\b)"
        found = re.match(
            rf"[)\]{QUOTES}]?\s{{0,3}}[;、]\s{{0,3}}(?:(?:and|or|also)\s{{1,3}})?{held}{stop}",
            behind,
        )
        found = found or re.match(rf"[)\]{QUOTES}]?\.\s{{1,3}}{held}[.]?[ ]{{0,3}}(?:$|\n)", behind)
        if found is None or opens_a_sentence(behind[found.end() :]):
            return set()
        return {found[1].upper()}

    def _is_text(self, text: str) -> bool:
        """Whether a text may be an option's own words; a letter or digit alone is a label's."""
        words = _words(text)
        return self.labels == LETTERS and bool(words) and not (len(words) == 1 and words.isalpha())

    def _own_text(self, rest: str, options: list[str]) -> tuple[set[str], int]:
        """The label of the one option whose own words, whole, stand here, and where they end: "The answer is green."."""
        lead = len(rest) - len(rest.lstrip(" :" + QUOTES))
        found: dict[str, int] = {}
        for label, option in zip(self.labels, map(str, options), strict=False):
            match = re.compile(words_of(option) + _OVER, re.IGNORECASE).match(rest, lead)
            if match and self._is_text(option):
                found[label] = match.end()
        end = max(found.values(), default=0)
        if len(found) == 1 and (turn := _OR_ANOTHER.match(rest, end)):
            more = rest[turn.end() :]
            found |= dict.fromkeys(self._own_text(more, options)[0], end)
        return set(found), end

    def _behind_text(self, rest: str, options: list[str]) -> tuple[set[str], int]:
        """The letter behind its option's own words, and where it ends: "green (B)"."""
        if self.labels == DIGITS:
            return set(), 0
        found = letter_behind(rest, dict(zip(LETTERS, map(str, options), strict=False)))
        return ({found[0]}, found[1]) if found else (set(), 0)

    def called_correct(self, plain: str, options: list[str]) -> Iterator[Stated]:
        """Sentences as "B is correct"; between the two only the option's own words may stand."""
        for match in self.correct.finditer(plain):
            if _ALL_BUT.search(plain[: match.start(1)][-40:]):
                continue
            text = match["text"] or match["apart"]
            if not text or match[1] in owners_of(text, self.labels, options):
                yield Stated(match.start(), match.end(), frozenset([match[1]]))
        texts = dict(zip(self.labels, map(str, options), strict=False))
        for match in self.before_text.finditer(plain):
            text = re.compile(words_of(texts.get(match[1], "")) + _IS_RIGHT, re.IGNORECASE)
            if self._is_text(texts.get(match[1], "")) and (right := text.match(plain, match.end())):
                yield Stated(match.start(), right.end(), frozenset([match[1]]))

    def only_one_right(self, plain: str, options: list[str]) -> Iterator[Stated]:
        """A list that calls one option right and all others wrong."""
        if found := find_only_right(plain, [words_of(str(option)) for option in options]):
            yield Stated(found[1], found[2], frozenset([found[0]]))

    def texts_first(self, plain: str, options: list[str]) -> Iterator[Stated]:
        """Sentences as "it is green (B)"."""
        for match in _IT_IS.finditer(plain):
            labels, length = self._behind_text(plain[match.end() : match.end() + 400], options)
            if labels:
                yield Stated(match.start(), match.end() + length, frozenset(labels))

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
        return {label} if label in owners_of(sentence, self.labels, options) else set()

    def _remarked(self, remark: str, named: set[str], options: list[str]) -> set[str]:
        """Other labels that a remark in brackets behind a label gives: the remark may be an option's text."""
        if owners := owners_of(remark, self.labels, options):
            return set() if owners & named else owners
        if UNCERTAIN.search(remark) or _WRONG.search(remark):
            return set()
        found = re.findall(rf"(?<!\w)(?:[(\[]({self.label})[)\]]|{self.ended})", remark)
        return {one or other for one, other in found}

    def lists_options(self, first: str, rest: str) -> bool:
        """Whether a first line begins a list of options: two other lines begin as it does."""
        bare = re.fullmatch(rf"\W*{self.label}\W*", first) is not None
        behind = r"[)\].:]{0,2}\s{0,9}$" if bare else r"[)\].:\s]"
        begun = rf"^(?:#{{1,6}}\s)?\s{{0,9}}[(\[]?({self.label}){behind}"
        return len(set(re.findall(begun, rest, re.MULTILINE))) > 1

    def behind_label(self, text: str, named: Collection[str]) -> str:
        """A text without the label that it begins with, if that is named."""
        match = re.match(rf"[ \t\f(\[]{{0,6}}({self.any_case})(?!\w)[)\].:]{{0,2}}", text)
        return text[match.end() :] if match and match[1].upper() in named else text

    def denied(self, text: str) -> set[str]:
        """Labels that a text calls wrong: "B is incorrect", "B is not the answer"."""
        said = rf"(?<!\w)\(?({self.label})\)?\s{{1,3}}(?:is|was)(?:\s{{1,3}}(?:wrong|incorrect|false|not)\b|n[’']t)"
        return set(re.findall(said, text))

    def line(self, line: str, options: list[str]) -> set[str]:
        """The label that a line consists of, or that stands before its own option's words."""
        line = _ARROW.sub("", _HEADING.sub("", line))
        unquoted = line.strip(QUOTES)
        spoken = _LABEL_WORD.match(unquoted) or _HEAD.match(unquoted)
        if alone := re.fullmatch(
            rf"[(\[]{{0,2}}({self.label})[)\].:!]{{0,2}}", unquoted[spoken.end() if spoken else 0 :]
        ):
            return {alone[1]}
        # Behind a letter only its own option's words may stand: else it may open a sentence.
        named = unquoted[spoken.end() :] if spoken else ""  # "Option (B): green"
        for text in (line, unquoted, named):  # quotes may be the option's own
            if owners_of(self.split(text)[1], self.labels, options):
                return self.labelled(text, options)
        named, end = self._behind_text(unquoted, options)
        return named if not unquoted[end:].strip(" .!") else set()

    def whole(self, answer: str, options: list[str]) -> set[str]:
        """The small letter in brackets that an answer consists of: "(b)", "b)"."""
        small = self.label.lower()
        found = re.fullmatch(
            rf"\(?({small})\)\.?|(?:option|choice|letter)\s{{1,3}}\(?({small})\)?\.?",
            answer.strip(),
            re.IGNORECASE,
        )
        named = found and (found[1] or found[2]).upper()
        return {named} if named and self._may_be_small(options) else set()

    def second_thoughts(self, text: str) -> set[str]:
        """Labels behind "wait", "actually" and the like: what was said before is then in doubt."""
        found = set()
        for turn in _SECOND_THOUGHT.finditer(text):
            rest = text[turn.end() : turn.end() + SECOND_THOUGHT].partition("\n")[0]
            if match := re.search(rf"(?<!\w)(?:[(\[]({self.label})[)\]]|{self.ended})", rest):
                found.add(match[1] or match[2])
        return found


_IS_RIGHT = (
    r"\s{1,3}(?:is|must\s{1,3}be)\s{1,3}(?:(?:therefore|thus|hence|clearly|definitely|indeed|obviously|certainly)\s{1,3})?"
    r"(?:(?:the\s{1,3})?(?:correct|right|best)(?=\s{1,3}(?:answer|option|choice|one)|\s*(?:$|[.,;!\n]))"
    r"|the\s{1,3}(?:final\s{1,3})?answer(?=\s*(?:$|[.,;!\n])))"
)


def _reader(label: str, labels: str, before: str) -> LabelReader:
    correct = re.compile(
        rf"(?:{before})(?-i:\(?({label})\)?)(?:\s{{0,2}}\((?P<text>[^()\n]{{1,160}})\)|,\s(?P<apart>[^,.\n]{{1,160}}),)?{_IS_RIGHT}",
        re.IGNORECASE | re.MULTILINE,
    )
    before_text = re.compile(
        rf"(?:{before})(?-i:[(\[]?({label})[)\]]?)[.:)]?(?:\s[-–—])?\s{{1,3}}",
        re.IGNORECASE | re.MULTILINE,
    )
    return LabelReader(label, labels, correct, before_text)


_NAMED_SO = r"\b(?:option|choice|answer)\s{1,3}"
LETTER_READER = _reader(
    "[A-J]", LETTERS,
    rf"{_NAMED_SO}|\b(?:so|thus|hence|therefore)\s{{1,3}}|^\s{{0,3}}|[.;:!,]\s{{1,3}}|\b(?:but|yet)\s{{1,3}}",
)  # fmt: skip
# A sentence may begin with a number that is right, so a digit must be called an option.
DIGIT_READER = _reader("[0-9]", DIGITS, _NAMED_SO)


def strip_markup(text: str) -> str:
    """The text without markup, and without quotes around a lone label."""
    return _QUOTED.sub(r"\1", _WRAPPING.sub("", BOXED.sub(BOX_MARK, text))).strip()


def owners_of(text: str, labels: str, options: list[str]) -> set[str]:
    """Labels of the options that read like this text, or like what stands in its brackets."""
    read = dict(zip(labels, map(_words, map(str, options))))
    bare = text.rstrip(". ")
    inside = bare[1:-1] if bare[:1] + bare[-1:] == "()" else text
    for wanted in (_words(text), _words(inside)):
        if owners := {label for label, words in read.items() if words == wanted}:
            return owners
    return set()


@lru_cache(maxsize=256)
def words_of(option: str) -> str:
    """A pattern for an option's own words."""
    return (
        r"\s{1,3}".join(map(re.escape, strip_markup(option).rstrip(".").split()))
        + rf"[{QUOTES}]?(?!\w)"
    )


@lru_cache(maxsize=256)
def _words(text: str) -> str:
    return " ".join(strip_markup(text).casefold().split()).rstrip(".")
