"""From ids to texts as they come: together they are what the whole would be."""

from __future__ import annotations

import random
from typing import Any

import pytest

from deimos.lab.weights import lab_path
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef
from deimos.serve.texts import AnswerText, Detokenizer, StopSeeker
from deimos.thinking import Shape, Tags, render, split


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer(ModelRef(str(lab_path())))


def ids_of(tokenizer: Any, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def chunks(ids: list[int], rng: random.Random) -> list[list[int]]:
    found = []
    while ids:
        n = rng.choice((1, 1, 1, 2, 5, 9))
        found.append(ids[:n])
        ids = ids[n:]
    return found


TEXTS = [
    "plain words",
    "Zoë's naïve café, 東京, 👩‍👩‍👧 and 🏳️‍🌈!",
    "  leading\n\nlines  ",
    "\\frac{1}{2}",
    "é" * 9,
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("seed", range(4))
def test_pieces_put_together_are_the_text(tokenizer, text, seed):
    ids = ids_of(tokenizer, text)
    whole = tokenizer.decode(ids, skip_special_tokens=False)
    reader = Detokenizer(tokenizer, frozenset())
    pieces = [reader.push(part) for part in chunks(ids, random.Random(seed))]
    assert not any("\ufffd" in piece for piece in pieces), "half a character"
    assert "".join([*pieces, reader.finish()]) == whole == text


def test_bytes_that_never_become_a_character_are_shown_in_the_end(tokenizer):
    ids = ids_of(tokenizer, "a東")[:-1]
    reader = Detokenizer(tokenizer, frozenset())
    text = "".join([*(reader.push([i]) for i in ids), reader.finish()])
    assert text == tokenizer.decode(ids) and text.startswith("a\ufffd")


def test_silent_ids_make_no_text(tokenizer):
    eos = tokenizer.eos_token_id
    ids = ids_of(tokenizer, "one two")
    reader = Detokenizer(tokenizer, {eos})
    assert reader.push([*ids[:1], eos, *ids[1:], eos]) + reader.finish() == "one two"


@pytest.mark.parametrize(
    ("stops", "text", "kept", "found"),
    [
        ([], "abc", "abc", None),
        (["bc"], "abcd", "a", "bc"),
        (["cd", "b"], "abcd", "a", "b"),
        (["xyz"], "abxy", "abxy", None),
        (["aab"], "aaab", "a", "aab"),
    ],
)
def test_a_text_ends_before_the_first_stop(stops, text, kept, found):
    for size in (1, 2, 9):
        seeker = StopSeeker(stops)
        pieces = [seeker.push(text[i : i + size]) for i in range(0, len(text), size)]
        assert "".join([*pieces, seeker.finish()]) == kept
        assert seeker.found == found
        if found:
            assert seeker.push("more") == "", "nothing comes behind it"


ASK = [{"role": "user", "content": "What is 1 plus 2?"}]


def read(tokenizer: Any, thinking: bool, text: str, seed: int = 0) -> tuple[str, str, AnswerText]:
    rendered = render(tokenizer, ASK, tags=Tags(), thinking=thinking)
    reader = AnswerText(tokenizer, rendered, tokenizer.all_special_ids, [])
    parts = [
        p for ids in chunks(ids_of(tokenizer, text), random.Random(seed)) for p in reader.push(ids)
    ]
    parts += reader.finish()
    return (*("".join(t for part, t in parts if part == which) for which in ("think", "answer")), reader)  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "text",
    [
        "<think>\nlet me see\n</think>\n\nIt is 3.",
        "<think>\n\n</think>\n\n 3",
        "<think>\nlet me",
        " \n<think>1</think>2",
    ],
)
def test_thought_and_answer_are_those_of_the_whole(tokenizer, text, seed):
    whole = split(text, Shape.FREE, Tags())
    think, answer, reader = read(tokenizer, True, text, seed)
    assert (think, answer) == (whole.think, whole.answer)
    assert reader.is_open == (not whole.closed) and not reader.answered_at_once


@pytest.mark.parametrize("text", ["It is 3.", "<thing> 3", "3", "<b>"])
def test_a_model_that_does_not_think_has_answered(tokenizer, text):
    think, answer, reader = read(tokenizer, True, text)
    assert (think, answer, reader.is_open) == ("", text, False)
    assert reader.answered_at_once


def test_nothing_is_an_empty_thought(tokenizer):
    think, answer, reader = read(tokenizer, True, "")
    assert (think, answer, reader.is_open) == ("", "", True)
    think, answer, reader = read(tokenizer, False, "3")
    assert (think, answer, reader.is_open) == ("", "3", False)
