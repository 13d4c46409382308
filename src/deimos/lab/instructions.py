"""Notes that must keep rules of form: IFEval's rules, so that its grader judges them.

The rules are those of "Instruction-Following Evaluation for Large Language Models" (Zhou et al.,
arXiv 2311.07911) that a model of this size can keep; wordings and notes are the lab's own.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from deimos.lab.problem import HOLDERS, NAMES, THINGS, Clause, Problem

PHRASES = ("Good night", "See you soon", "That is all", "Have a nice day")
BLANKS = ("[day]", "[place]", "[time]")
BASE = {
    "likes": "{name} likes the {thing}",
    "keeps": "{name} keeps the {thing} in {holder}",
    "wants": "{other} wants the {thing} too",
    "counts": "{name} counts the {thing}",
    "shows": "{name} shows the {thing} to {other}",
}
"""What a note can say, by the word that a rule may forbid."""


@dataclass(frozen=True)
class Cast:
    """Who and what a note is about."""

    name: str
    other: str
    thing: str


@dataclass(frozen=True)
class NoteRule:
    """One rule of IFEval's registry with its arguments, in our words."""

    name: str
    """Group and rule, as in ``instruction_id_list``."""
    kwargs: dict[str, Any]
    clause: Clause
    detail: str = ""
    """What distinguishes it from another use of the same rule, without names and things."""


def draw(rng: random.Random, lengths: Sequence[int]) -> Problem:
    """A note that must keep as many rules as one of ``lengths``."""
    name, other = rng.sample(NAMES, 2)
    cast = Cast(name, other, rng.choice(THINGS))
    count = min(rng.choice(lengths), len(RULES) - 2)
    rules: list[NoteRule] = []
    for make in rng.sample(RULES, len(RULES)):
        rule = make(rng, cast)
        if len(rules) < count and not any(_conflict(rule.name, other.name) for other in rules):
            rules.append(rule)
    return _problem(rng, rules, cast)


def _conflict(one: str, other: str) -> bool:
    """Whether the notes written here can't keep both: asterisks, or the begin of a line, mean two things."""
    return {one, other} in ({BULLETS, HIGHLIGHTS}, {BULLETS, QUOTATION})


def _problem(rng: random.Random, rules: list[NoteRule], cast: Cast) -> Problem:
    asks = " ".join(rule.clause.sentence for rule in rules)
    return Problem(
        kind="instruction",
        skeleton="|".join(f"{rule.name},{rule.detail}" for rule in rules),
        text=f"Write a note about {cast.name} and the {cast.thing}. {asks}",
        clauses=tuple(rule.clause for rule in rules),
        answer=_note(rng, rules, cast),
        reference={
            "instruction_id_list": [rule.name for rule in rules],
            "kwargs": [rule.kwargs for rule in rules],
        },
    )


def _note(rng: random.Random, rules: list[NoteRule], cast: Cast) -> str:
    """A note that keeps the rules: sentences first, then what stands around them."""
    kept = {rule.name: rule.kwargs for rule in rules}
    lines = _sentences(rng, kept, cast)
    if BULLETS in kept:
        n = kept[BULLETS]["num_bullets"]
        lines = [*lines[: n - 1], " ".join(lines[n - 1 :])]
        note = "\n".join(f"* {line}" for line in lines)
    else:
        note = " ".join(lines)
    if TITLE in kept:
        note = f"<<{cast.name} and the {cast.thing}>>\n{note}"
    if POSTSCRIPT in kept:
        note += f"\nP.S. {cast.name} says hello."
    if END in kept:
        note += f"\n{kept[END]['end_phrase']}"
    return f'"{note}"' if QUOTATION in kept else note


def _sentences(rng: random.Random, kept: dict[str, dict[str, Any]], cast: Cast) -> list[str]:
    """As many as the rules need; each of the first names the thing once."""
    forbidden = kept.get(FORBIDDEN, {}).get("forbidden_words", [])
    verbs = [verb for verb in BASE if verb not in forbidden]
    marked = kept.get(HIGHLIGHTS, {}).get("num_highlights", 0)
    count = max(
        2, marked,
        kept.get(BULLETS, {}).get("num_bullets", 0), kept.get(FREQUENCY, {}).get("frequency", 0),
    )  # fmt: skip
    sentences = [
        BASE[verb].format(
            name=cast.name,
            other=cast.other,
            thing=f"*{cast.thing}*" if at < marked else cast.thing,
            holder=rng.choice(HOLDERS),
        )
        for at, verb in enumerate(rng.sample(verbs, count))
    ]
    sentences[0] = f"Today{'' if NO_COMMA in kept else ','} {sentences[0]}"
    if EXISTENCE in kept:
        sentences.append(f"{cast.other} is here")
    if blanks := kept.get(PLACEHOLDERS, {}).get("num_placeholders"):
        sentences.append(f"Come on {' or '.join(BLANKS[:blanks])}")
    return [f"{sentence}." for sentence in sentences]


BULLETS = "detectable_format:number_bullet_lists"
HIGHLIGHTS = "detectable_format:number_highlighted_sections"
TITLE = "detectable_format:title"
PLACEHOLDERS = "detectable_content:number_placeholders"
POSTSCRIPT = "detectable_content:postscript"
EXISTENCE = "keywords:existence"
FREQUENCY = "keywords:frequency"
FORBIDDEN = "keywords:forbidden_words"
NO_COMMA = "punctuation:no_comma"
QUOTATION = "startend:quotation"
END = "startend:end_checker"


def _bullets(rng: random.Random, cast: Cast) -> NoteRule:
    n = rng.randint(2, 4)
    clause = Clause(f"Make it exactly {n} bullet points.", f"make {n} bullets", (f"{n} bullets",))
    return NoteRule(BULLETS, {"num_bullets": n}, clause, str(n))


def _highlights(rng: random.Random, cast: Cast) -> NoteRule:
    n = rng.randint(2, 3)
    clause = Clause(
        f"Highlight at least {n} words with asterisks.", f"mark {n} words", (f"{n} marks",)
    )
    return NoteRule(HIGHLIGHTS, {"num_highlights": n}, clause, str(n))


def _title(rng: random.Random, cast: Cast) -> NoteRule:
    clause = Clause("Give it a title in << and >>.", "write a title", ("title first",))
    return NoteRule(TITLE, {}, clause)


def _placeholders(rng: random.Random, cast: Cast) -> NoteRule:
    n = rng.randint(2, 3)
    blanks = " ".join(BLANKS[:n])
    clause = Clause(f"Leave {n} blanks in square brackets.", f"leave {n} blanks", (blanks,))
    return NoteRule(PLACEHOLDERS, {"num_placeholders": n}, clause, str(n))


def _postscript(rng: random.Random, cast: Cast) -> NoteRule:
    clause = Clause("Add a postscript with P.S. to it.", "add a postscript", ("P.S. last",))
    return NoteRule(POSTSCRIPT, {"postscript_marker": "P.S."}, clause)


def _existence(rng: random.Random, cast: Cast) -> NoteRule:
    clause = Clause(f"Mention {cast.other}.", f"mention {cast.other}", (f"with {cast.other}",))
    return NoteRule(EXISTENCE, {"keywords": [cast.other]}, clause)


def _frequency(rng: random.Random, cast: Cast) -> NoteRule:
    word, n = cast.thing, rng.randint(3, 4)
    clause = Clause(
        f"Use the word {word} at least {n} times.", f"write {word} {n} times", (f"{n} {word}",)
    )
    kwargs = {"keyword": word, "frequency": n, "relation": "at least"}
    return NoteRule(FREQUENCY, kwargs, clause, str(n))


def _no_word(rng: random.Random, cast: Cast) -> NoteRule:
    word = rng.choice(sorted(BASE))
    clause = Clause(f"Do not use the word {word}.", f"avoid {word}", (f"no {word}",))
    return NoteRule(FORBIDDEN, {"forbidden_words": [word]}, clause, word)


def _no_comma(rng: random.Random, cast: Cast) -> NoteRule:
    return NoteRule(NO_COMMA, {}, Clause("Do not use commas.", "avoid commas", ("no commas",)))


def _quotation(rng: random.Random, cast: Cast) -> NoteRule:
    clause = Clause("Put all of it in double quotes.", "quote all of it", ("quotes around",))
    return NoteRule(QUOTATION, {}, clause)


def _end(rng: random.Random, cast: Cast) -> NoteRule:
    phrase = rng.choice(PHRASES)
    clause = Clause(
        f"End with the words {phrase}.", f"end with {phrase}", (f"{phrase} at the end",)
    )
    return NoteRule(END, {"end_phrase": phrase}, clause, phrase)


RULES: tuple[Callable[[random.Random, Cast], NoteRule], ...] = (
    _bullets, _highlights, _title, _placeholders, _postscript, _existence,
    _frequency, _no_word, _no_comma, _quotation, _end,
)  # fmt: skip
