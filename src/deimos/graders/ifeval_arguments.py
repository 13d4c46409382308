"""What lm-eval's IFEval rules take, as a table: references are checked by it without lm-eval.

The rules and their arguments are lm-eval's, and a test holds the table to them. Every argument is
required: lm-eval draws a missing one at random. A whole number may be written as a float (3.0 counts as
3); a text, a truth value or 2.5 is refused in its place. So is what no answer can follow: fewer than none,
or the same word required and forbidden.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

ReadArgument = Callable[[Any], Any]
"""Gives an argument's value; ValueError, what is accepted, for any other."""
RELATIONS = ("less than", "at least")
LANGUAGES = frozenset(
    [
        "ar", "bg", "bn", "de", "en", "es", "fa", "fi", "fr", "gu", "he", "hi", "it", "ja", "kn", "ko",
        "ml", "mr", "ne", "pa", "pl", "pt", "ru", "sw", "ta", "te", "th", "uk", "ur", "vi",
    ]
)  # fmt: skip
"""Codes that lm-eval knows."""


def check_rules(instruction_id_list: Sequence[str], kwargs: Sequence[Mapping[str, Any]]) -> None:
    """Find out whether rules can be judged, and followed by some answer.

    Raises:
        ValueError: one sentence: no rules, an unknown rule, arguments that leave it open what is
            asked, or rules that no answer can follow.
    """
    if not instruction_id_list:
        raise ValueError("the reference has no rules")
    if len(kwargs) != len(instruction_id_list):
        raise ValueError(f"{len(instruction_id_list)} rules but arguments for {len(kwargs)}")
    rules = [
        (name, read_arguments(name, given)) for name, given in zip(instruction_id_list, kwargs)
    ]
    _refuse_contradictions(rules)


def read_arguments(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """A rule's arguments, whole numbers as such; null values count as not given.

    Raises:
        ValueError: one sentence: no such rule, or an argument that is missing, unknown or odd.
    """
    if not isinstance(name, str) or name not in ARGUMENTS:
        raise ValueError(f"no such rule: {name!r}")
    if not isinstance(given, Mapping):
        raise ValueError(f"the arguments of rule {name!r} must be an object")
    known = ARGUMENTS[name]
    arguments = {key: value for key, value in given.items() if value is not None}
    for key in arguments:
        if key not in known:
            accepted = ", ".join(known) or "none"
            raise ValueError(f"rule {name!r} has no argument {key!r}: accepted: {accepted}")
    for key, reader in known.items():
        if key not in arguments:
            raise ValueError(f"rule {name!r} needs {key!r}")
        try:
            arguments[key] = reader(arguments[key])
        except ValueError as e:
            shown = repr(arguments[key])[:60]
            raise ValueError(f"rule {name!r}: {key} is {shown}: accepted: {e}") from e
    _refuse_impossible(name, arguments)
    return arguments


def _number(least: int) -> ReadArgument:
    def read(value: Any) -> int:
        whole = isinstance(value, int | float) and not isinstance(value, bool) and value % 1 == 0
        if not whole or value < least:
            raise ValueError(f"a whole number from {least}")
        return int(value)

    return read


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text that is not blank")
    return value


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list | tuple) or not value:
        raise ValueError("a list of texts")
    return [_text(one) for one in value]


def _sign(value: Any) -> str:
    if not isinstance(value, str) or len(value.strip()) != 1:
        raise ValueError("one letter or sign")
    return value


def _one_of(accepted: Sequence[str]) -> ReadArgument:
    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in accepted:
            raise ValueError(", ".join(accepted))
        return value

    return read


_COUNT, _ONE, _RELATION = _number(0), _number(1), _one_of(RELATIONS)
ARGUMENTS: Mapping[str, Mapping[str, ReadArgument]] = {
    "change_case:capital_word_frequency": {
        "capital_frequency": _COUNT, "capital_relation": _RELATION,
    },
    "change_case:english_capital": {},
    "change_case:english_lowercase": {},
    "combination:repeat_prompt": {"prompt_to_repeat": _text},
    "combination:two_responses": {},
    "detectable_content:number_placeholders": {"num_placeholders": _COUNT},
    "detectable_content:postscript": {"postscript_marker": _text},
    "detectable_format:constrained_response": {},
    "detectable_format:json_format": {},
    "detectable_format:multiple_sections": {"section_spliter": _text, "num_sections": _COUNT},
    "detectable_format:number_bullet_lists": {"num_bullets": _COUNT},
    "detectable_format:number_highlighted_sections": {"num_highlights": _COUNT},
    "detectable_format:title": {},
    "keywords:existence": {"keywords": _texts},
    "keywords:forbidden_words": {"forbidden_words": _texts},
    "keywords:frequency": {"keyword": _text, "frequency": _COUNT, "relation": _RELATION},
    "keywords:letter_frequency": {
        "letter": _sign, "let_frequency": _COUNT, "let_relation": _RELATION,
    },
    "language:response_language": {"language": _one_of(sorted(LANGUAGES))},
    "length_constraints:nth_paragraph_first_word": {
        "num_paragraphs": _ONE, "nth_paragraph": _ONE, "first_word": _text,
    },
    "length_constraints:number_paragraphs": {"num_paragraphs": _ONE},
    "length_constraints:number_sentences": {"num_sentences": _COUNT, "relation": _RELATION},
    "length_constraints:number_words": {"num_words": _COUNT, "relation": _RELATION},
    "punctuation:no_comma": {},
    "startend:end_checker": {"end_phrase": _text},
    "startend:quotation": {},
}  # fmt: skip
"""Rule to its arguments, each with what reads it."""
_LIMITS = (
    ("capital_frequency", "capital_relation"), ("frequency", "relation"),
    ("let_frequency", "let_relation"), ("num_sentences", "relation"), ("num_words", "relation"),
)  # fmt: skip
"""Arguments that are a limit, with those that say which way it points."""


def _refuse_impossible(name: str, arguments: Mapping[str, Any]) -> None:
    for limit, relation in _LIMITS:
        # A text that is not empty has a sentence at least.
        least = 2 if limit == "num_sentences" else 1
        if arguments.get(relation) == "less than" and arguments.get(limit, least) < least:
            raise ValueError(f"rule {name!r}: no answer has less than {arguments[limit]}")
    if arguments.get("nth_paragraph", 0) > arguments.get("num_paragraphs", 0):
        raise ValueError(
            f"rule {name!r}: paragraph {arguments['nth_paragraph']} of {arguments['num_paragraphs']}"
        )


def _refuse_contradictions(rules: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    names = {name for name, _ in rules}
    cases = ("change_case:english_capital", "change_case:english_lowercase")
    if names.issuperset(cases):
        raise ValueError(f"no answer follows both {cases[0]} and {cases[1]}")
    asked = {word.lower() for _, given in rules for word in given.get("keywords", ())}
    for word in (word for _, given in rules for word in given.get("forbidden_words", ())):
        if word.lower() in asked:
            raise ValueError(f"no answer can have the word {word!r} and not have it")
