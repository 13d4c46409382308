"""What stands around a letter: claims the text calls errors, takes back, doubles or makes of another question."""

import json
from pathlib import Path

import pytest

from deimos.graders.choice import choice

PLANTS = ["Photosynthesis", "Cellular respiration", "Fermentation", "Osmosis"]
VITAMINS = ["vitamin A", "vitamin B", "vitamin C", "vitamin D"]
SYMBOLS = ["vitamin (A)", "vitamin (B)", "field (C)", "field (D)"]
PRICES = ["$5", "$10", "$20", "$40"]
ROWS = [json.loads(line) for line in (Path(__file__).parent / "data/choice_around.jsonl").open()]
"""Answers after which B stands as the letter, or does not."""


def right(answer, letter="B", options=PLANTS):
    return choice(answer, {"letter": letter, "options": options}).ok


@pytest.mark.parametrize("row", [row for row in ROWS if not row["stands"]], ids=str)
def test_the_letter_does_not_stand(row):
    assert right(row["text"]) is False


@pytest.mark.parametrize("row", [row for row in ROWS if row["stands"]], ids=str)
def test_the_letter_stands(row):
    assert right(row["text"]) is True
    assert right(row["text"], "D") is False


def test_a_text_before_the_letter_must_be_its_options():
    assert right("The answer is $10 (B).", options=PRICES) is True
    assert right("The answer is 10.00 (B).") is True
    assert right("The answer is $20 (B).", options=PRICES) is False
    assert right("The answer is vitamin (B).", options=VITAMINS) is False
    assert right("The answer is vitamin B (B).", options=VITAMINS) is True
    assert right("The answer is vitamin (B).", options=SYMBOLS) is True, "a text, not a letter"
    assert right("The answer is field (C).", options=SYMBOLS) is False
    assert right("The answer is vitamin (B).") is False


def test_an_option_that_is_called_an_error_is_its_own_text():
    options = ["a guess", "a common mistake", "a rule", "a law"]
    assert right("The answer is B, a common mistake.", options=options) is True
    assert right("The answer is B (a common mistake).", options=options) is True


def test_hostile_texts_around_letters_are_scanned_at_once():
    pieces = (
        "The answer is B, a common ", "the only option that fits ", "B, because ", "B is also ", "if were had ", "mistake is to think ",
        "The answer is B and also ", "we are left with ", "不是A", "Edit: ", "The answer is cellular respiration (", "B is the most ", "only B fits a ",
        "example: ", "#### ", "mistake in ", "\n", ": \n", "and or also ", "The answer is B. ", "B\n", "which is ", "nicht A, ", "选择",
    )  # fmt: skip
    for piece in pieces:
        assert right(piece * (100_000 // len(piece))) in (True, False)
