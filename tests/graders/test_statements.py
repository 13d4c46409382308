"""Which statements are about the answer, and which remarks take one back; both graders that read sentences."""

import pytest

from deimos.graders.choice import choice
from deimos.graders.statements import is_withdrawn, speaks_of_another

REFERENCE = {"letter": "B", "options": ["red", "green", "blue", "black"]}


@pytest.mark.parametrize(
    "text",
    [
        "Wrong answer: B", "Incorrect answer: B", "The wrong answer is B.", "The trap answer is B.",
        "The least likely answer is B.", "The worst answer is B.", "Possible answer: B", "My first answer is B.",
        "A tempting answer is B.", "I deny that the answer is B.", "This is false: the answer is B.",
        "Show that the answer is B.", "The answer is B (wrong).", "The answer is B. Actually no.",
        "The answer is B. That can't be right.", "The answer is B, I guess.", "The answer is (B). That cannot be true.",
    ],
)  # fmt: skip
def test_these_name_no_option(text):
    assert choice(text, REFERENCE).ok is False


@pytest.mark.parametrize(
    "text",
    [
        "The answer is B.", "So the correct answer is B.", "Therefore, the final answer is (B).", "**Answer:** B",
        "Final Answer: B", "My answer is B.", "A is wrong, so the answer is B.", "Thus the best answer is B.",
        "The correct option is B.", "I choose B.", "A is incorrect. C is false. The answer is B.",
        "We conclude that the answer is B, because A can't be right.", "Answer: B. (A and C are wrong.)",
        "According to the text, the answer is B.", "So answer is B.",
    ],
)  # fmt: skip
def test_these_name_one(text):
    assert choice(text, REFERENCE).ok is True


def test_a_word_nobody_has_thought_of_makes_it_another_answer():
    for word in ("quixotic", "seventh", "opposing", "rejected"):
        text = f"The {word} answer is 7."
        assert speaks_of_another(text, text.index("answer"))
    assert not speaks_of_another("Thus our final answer is 7.", 15)


def test_a_later_remark_on_something_else_takes_nothing_back():
    assert not is_withdrawn(" Note that 9 is not prime.")
    assert not is_withdrawn(" The other options are wrong.")
    assert is_withdrawn(" (wrong)") and is_withdrawn(". I was mistaken.")
