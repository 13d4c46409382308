"""The share of function words."""

import pytest

from deimos.select.function_words import FUNCTION_WORDS, function_word_rate


@pytest.mark.parametrize(
    ("answer", "rate"),
    [
        ("The total is the sum of both parts.", 5 / 8),
        ("Total: sum both parts. Done quickly.", 1 / 6),
        ("Tom has \\boxed{42} apples now.", 1 / 4),
        ("So $x$ is \\(y\\), which gives $$\\text{the of and}$$ 42 apples.", 3 / 5),
        ("It's not what they're after", 4 / 5 + 1 / 5),
    ],
)
def test_rate_is_of_prose_words(answer: str, rate: float) -> None:
    assert function_word_rate(answer, "math") == pytest.approx(rate)


@pytest.mark.parametrize(
    "answer", ["", "B", "(B)", "The answer is \\boxed{B}.", "$a + b$ 12 34 56"]
)
def test_what_is_too_short_to_measure_has_no_rate(answer: str) -> None:
    assert function_word_rate(answer, "choice") is None


def test_code_has_no_rate_and_code_blocks_are_no_prose() -> None:
    assert function_word_rate("def of(the, and): return the or and", "code") is None
    assert function_word_rate("This is the code:\n```\nthe the the the\n```", "math") == 3 / 4


def test_braces_nest_and_may_be_left_open() -> None:
    text = "We get \\boxed{\\frac{the}{of}} as the total"
    assert function_word_rate(text, "math") == 3 / 5
    assert function_word_rate("We get the total of \\boxed{the {of", "math") == 3 / 5


def test_the_list_holds_lower_case_words_once() -> None:
    assert all(word.isalpha() and word.islower() for word in FUNCTION_WORDS)
    assert 150 < len(FUNCTION_WORDS) < 250
