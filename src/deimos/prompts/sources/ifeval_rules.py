"""IFEval's rules as sentences of our own: which there are, how often, which never go together.

Ids, arguments and conflicts are lm-eval's (``lm_eval.tasks.ifeval``), frozen here and held to it by a
test, so that prompts don't change with an installed version; the sentences were written for Deimos.
How often each rule stands among how many was counted in IFEval's 541 prompts (google/IFEval at
966cd89545d6, file sha256 67ffeee0fcb8): numbers, no text, was taken from there.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

MIX: Mapping[str, tuple[int, int, int]] = {
    "change_case:capital_word_frequency": (7, 11, 7),
    "change_case:english_capital": (11, 10, 4),
    "change_case:english_lowercase": (13, 19, 7),
    "combination:repeat_prompt": (18, 18, 5),
    "combination:two_responses": (9, 10, 5),
    "detectable_content:number_placeholders": (10, 13, 4),
    "detectable_content:postscript": (13, 6, 7),
    "detectable_format:constrained_response": (10, 0, 0),
    "detectable_format:json_format": (8, 9, 0),
    "detectable_format:multiple_sections": (5, 9, 0),
    "detectable_format:number_bullet_lists": (13, 12, 6),
    "detectable_format:number_highlighted_sections": (19, 20, 9),
    "detectable_format:title": (13, 13, 11),
    "keywords:existence": (8, 19, 12),
    "keywords:forbidden_words": (19, 27, 3),
    "keywords:frequency": (12, 13, 17),
    "keywords:letter_frequency": (11, 17, 5),
    "language:response_language": (17, 8, 6),
    "length_constraints:nth_paragraph_first_word": (8, 2, 2),
    "length_constraints:number_paragraphs": (10, 13, 4),
    "length_constraints:number_sentences": (13, 23, 16),
    "length_constraints:number_words": (11, 29, 12),
    "punctuation:no_comma": (16, 30, 20),
    "startend:end_checker": (17, 7, 2),
    "startend:quotation": (14, 20, 7),
}
"""Rule to how many of IFEval's prompts have it as their only rule, as one of two, as one of three."""
SIZES = (305, 179, 57)
"""How many of IFEval's prompts have one, two and three rules."""
CONSTRAINED = "detectable_format:constrained_response"
REPEAT = "combination:repeat_prompt"
COMMA = "punctuation:no_comma"
_ALONE = {
    CONSTRAINED: frozenset[str](),
    "detectable_format:json_format": frozenset({"keywords:forbidden_words", "keywords:existence"}),
    "combination:two_responses": frozenset(
        {
            "keywords:forbidden_words", "keywords:existence", "language:response_language",
            "detectable_format:title", COMMA,
        }
    ),
    REPEAT: frozenset({"keywords:existence", "detectable_format:title", COMMA}),
}  # fmt: skip
"""Rules that go with these only."""
_PAIRS = (
    ("language:response_language", "detectable_format:multiple_sections"),
    ("language:response_language", "keywords:existence"),
    ("language:response_language", "keywords:frequency"),
    ("language:response_language", "keywords:forbidden_words"),
    ("language:response_language", "startend:end_checker"),
    ("language:response_language", "change_case:english_capital"),
    ("language:response_language", "change_case:english_lowercase"),
    ("length_constraints:number_paragraphs", "length_constraints:nth_paragraph_first_word"),
    ("length_constraints:number_paragraphs", "length_constraints:number_sentences"),
    ("detectable_format:multiple_sections", "detectable_format:number_highlighted_sections"),
    ("change_case:capital_word_frequency", "change_case:english_lowercase"),
    ("change_case:capital_word_frequency", "change_case:english_capital"),
    ("change_case:english_lowercase", "change_case:english_capital"),
    ("startend:quotation", "detectable_format:title"),
)
"""lm-eval's conflicts besides."""
_OURS = (
    ("language:response_language", "length_constraints:nth_paragraph_first_word"),
    ("language:response_language", "keywords:letter_frequency"),
    ("language:response_language", "change_case:capital_word_frequency"),
)
"""What lm-eval allows and nobody could follow in every language."""
LANGUAGES = {
    "bg": "Bulgarian", "de": "German", "es": "Spanish", "fa": "Persian", "fi": "Finnish",
    "fr": "French", "gu": "Gujarati", "hi": "Hindi", "it": "Italian", "kn": "Kannada",
    "ko": "Korean", "mr": "Marathi", "pa": "Punjabi", "pt": "Portuguese", "ru": "Russian",
    "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "th": "Thai", "vi": "Vietnamese",
}  # fmt: skip
ENDINGS = (
    "That is all I have to say.", "Thank you for reading this far.", "What would you do?",
    "I hope this was of use to you.", "Now it is your turn!", "And so it goes.",
    "Let me know how it went.", "There is nothing more to add.",
)  # fmt: skip


def conflict(one: str, other: str) -> bool:
    """Whether two rules never stand in one prompt; a rule never stands there twice."""
    for rule, partner in ((one, other), (other, one)):
        if rule in _ALONE and partner not in _ALONE[rule]:
            return True
    pairs = {*_PAIRS, *_OURS}
    return one == other or (one, other) in pairs or (other, one) in pairs


@dataclass
class Draw:
    """What the rules of one prompt are drawn from."""

    rng: random.Random
    task: str
    words: list[str]
    """Words that belong to the task; each is used by one rule."""
    longer: bool = field(init=False)
    """Whether limits on length are from below: a prompt's limits point one way."""

    def __post_init__(self) -> None:
        self.longer = self.rng.random() < 0.62  # IFEval: 58 of 94

    def relation(self) -> str:
        """lm-eval's word for the limits on length."""
        return "at least" if self.longer else "less than"

    def bound(self, least: float = 0.7) -> str:
        """A relation that is "at least" with this probability."""
        return "at least" if self.rng.random() < least else "less than"


RuleDraw = Callable[[Draw], tuple[dict[str, Any], str]]
"""Draws a rule's arguments; returns them and the sentence that asks for it."""


def _capital_words(d: Draw) -> tuple[dict[str, Any], str]:
    relation, count = d.bound(), d.rng.choice((2, 3, 4, 5, 5, 8, 10))
    said = f"Write {_bound(relation, count)} words in capital letters from end to end."
    return {"capital_relation": relation, "capital_frequency": count}, said


def _repeat(d: Draw) -> tuple[dict[str, Any], str]:
    said = (
        "But begin by writing out the request above once more, word for word and with nothing in "
        "front of it; your answer comes after that (this sentence is no part of the request)."
    )
    return {"prompt_to_repeat": d.task}, said


def _placeholders(d: Draw) -> tuple[dict[str, Any], str]:
    count = d.rng.choice((1, 2, 3, 3, 5, 6, 8))
    said = f"Leave {count} or more gaps for me to fill, each in square brackets like [name]."
    return {"num_placeholders": count}, said


def _postscript(d: Draw) -> tuple[dict[str, Any], str]:
    marker = d.rng.choice(("P.S.", "P.P.S"))
    return {"postscript_marker": marker}, f"Close with a postscript that begins with {marker}"


def _sections(d: Draw) -> tuple[dict[str, Any], str]:
    count, word = d.rng.choice((2, 3, 4, 4, 5)), d.rng.choice(("SECTION", "Section", "PART"))
    said = (
        f"Divide it into {count} sections, and put above each the word {word} and its number "
        f"({word} 1, {word} 2 and so on)."
    )
    return {"section_spliter": word, "num_sections": count}, said


def _bullets(d: Draw) -> tuple[dict[str, Any], str]:
    count = d.rng.choice((2, 3, 3, 4, 5, 6))
    said = f"Use exactly {count} bullet points in markdown, each on a line that begins with `* `."
    return {"num_bullets": count}, said


def _highlights(d: Draw) -> tuple[dict[str, Any], str]:
    count = d.rng.choice((1, 2, 2, 3, 3, 5))
    said = f"Mark {count} or more passages in markdown with asterisks, *like this one*."
    return {"num_highlights": count}, said


def _existence(d: Draw) -> tuple[dict[str, Any], str]:
    one, other = d.words.pop(), d.words.pop()
    return {"keywords": [one, other]}, f'The words "{one}" and "{other}" have to appear.'


def _forbidden(d: Draw) -> tuple[dict[str, Any], str]:
    one, other = d.words.pop(), d.words.pop()
    return {"forbidden_words": [one, other]}, f'Do without the words "{one}" and "{other}".'


def _frequency(d: Draw) -> tuple[dict[str, Any], str]:
    word, relation, count = d.words.pop(), d.bound(), d.rng.choice((2, 2, 3, 4, 6))
    given = {"keyword": word, "relation": relation, "frequency": count}
    return given, f'Use the word "{word}" {_bound(relation, count)} times.'


def _letters(d: Draw) -> tuple[dict[str, Any], str]:
    relation = d.bound()
    rare = relation == "less than"
    letter = d.rng.choice("qxzj" if rare else "abcdilnoprst")
    count = d.rng.choice((2, 3, 4, 5) if rare else (4, 5, 6, 15, 25, 40))
    given = {"letter": letter, "let_relation": relation, "let_frequency": count}
    return given, f"Let the letter {letter} occur {_bound(relation, count)} times."


def _language(d: Draw) -> tuple[dict[str, Any], str]:
    code = d.rng.choice(sorted(LANGUAGES))
    said = f"Write all of your answer in {LANGUAGES[code]}, with no word of another language."
    return {"language": code}, said


def _nth_paragraph(d: Draw) -> tuple[dict[str, Any], str]:
    count = d.rng.choice((2, 3, 3, 4, 4, 5))
    nth, word = d.rng.randint(1, count), d.rng.choice(("Perhaps", "Today", "Often", "Nobody"))
    said = (
        f"Write {count} paragraphs with one blank line between them and none elsewhere; paragraph "
        f"{nth} begins with the word {word}."
    )
    given = {"num_paragraphs": count, "nth_paragraph": nth, "first_word": word.lower()}
    return given, said


def _paragraphs(d: Draw) -> tuple[dict[str, Any], str]:
    count = d.rng.choice((2, 3, 3, 4, 4, 5, 6))
    said = f"It must have {count} paragraphs, with the markdown divider *** between them."
    return {"num_paragraphs": count}, said


def _sentences(d: Draw) -> tuple[dict[str, Any], str]:
    count = d.rng.choice((4, 5, 6, 10, 15, 20) if d.longer else (5, 6, 8, 12, 20, 30))
    given = {"relation": d.relation(), "num_sentences": count}
    return given, f"Write {_bound(d.relation(), count)} sentences."


def _words(d: Draw) -> tuple[dict[str, Any], str]:
    count = d.rng.choice((100, 150, 200, 300, 300, 400, 600) if d.longer else (60, 100, 150, 250))
    given = {"relation": d.relation(), "num_words": count}
    return given, f"The whole answer has {_bound(d.relation(), count)} words."


def _ending(d: Draw) -> tuple[dict[str, Any], str]:
    phrase = d.rng.choice(ENDINGS)
    return {"end_phrase": phrase}, f'Your very last words are: "{phrase}" Nothing follows them.'


def _plain(sentence: str) -> RuleDraw:
    return lambda d: ({}, sentence)


def _bound(relation: str, count: int) -> str:
    return f"{'at least' if relation == 'at least' else 'fewer than'} {count}"


RULES: Mapping[str, RuleDraw] = {
    "change_case:capital_word_frequency": _capital_words,
    "change_case:english_capital": _plain("Answer in English and in CAPITAL LETTERS throughout."),
    "change_case:english_lowercase": _plain(
        "Answer in English, all of it in small letters: not one capital anywhere."
    ),
    REPEAT: _repeat,
    "combination:two_responses": _plain(
        "Write two answers that differ, and between them nothing but six asterisks: ******"
    ),
    "detectable_content:number_placeholders": _placeholders,
    "detectable_content:postscript": _postscript,
    CONSTRAINED: _plain(
        'Say "My answer is yes." to agree, "My answer is no." to disagree, or "My answer is maybe." '
        "where it depends."
    ),
    "detectable_format:json_format": _plain("Give the whole of it as valid JSON and nothing else."),
    "detectable_format:multiple_sections": _sections,
    "detectable_format:number_bullet_lists": _bullets,
    "detectable_format:number_highlighted_sections": _highlights,
    "detectable_format:title": _plain(
        "Give it a title, and put that in double angle brackets: <<like so>>."
    ),
    "keywords:existence": _existence,
    "keywords:forbidden_words": _forbidden,
    "keywords:frequency": _frequency,
    "keywords:letter_frequency": _letters,
    "language:response_language": _language,
    "length_constraints:nth_paragraph_first_word": _nth_paragraph,
    "length_constraints:number_paragraphs": _paragraphs,
    "length_constraints:number_sentences": _sentences,
    "length_constraints:number_words": _words,
    COMMA: _plain("Don't use a single comma."),
    "startend:end_checker": _ending,
    "startend:quotation": _plain("Put double quotation marks around the whole answer."),
}
"""Every rule of IFEval."""
