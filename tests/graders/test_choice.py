"""Only a letter that is given as the answer counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deimos.graders.choice import choice, labels_of

OPTIONS = ["dry palms", "wet palms", "a triangle", "palms with oil"]


def verdict(answer, letter="B", options=OPTIONS):
    return choice(answer, {"letter": letter, "options": options}).ok


@pytest.mark.parametrize(
    "answer",
    [
        r"The answer is \boxed{B}.", r"\boxed{\text{B}}", r"\boxed{(B)}", r"\boxed{\textbf{(B)}}", r"\boxed{b}",
        r"\boxed{B. wet palms}", r"\boxed{B) wet palms}", "The answer is (B).", "The answer is B.", "the answer is (b)",
        "Answer: B", "**Answer: B**", "**Answer:** (B) wet palms", "The correct answer is option B, of course.",
        "The answer is B because of friction.", "B", "(B)", "**B**", "B.", "B) wet palms", "(B) wet palms.",
        "First A looks right.\nB", "The answer is B.\n\nThe answer is (B).", "Ｂ", "$\\boxed{B}$",
        "The answer is definitely B",
    ],
)  # fmt: skip
def test_explicit_answers(answer):
    assert verdict(answer) is True
    assert verdict(answer, "C") is False


@pytest.mark.parametrize(
    "answer",
    [
        "", "wet palms", "The answer is a triangle.", "The answer is A triangle", "A triangle has three sides.",
        "A", "I think A and B are both fine.", "The answer is not B.", "The answer is B and C.", "The answer is (B) or (C).",
        r"\boxed{A} \boxed{B}", r"The answer is (A). So \boxed{B}", r"\boxed{B or C}", r"\boxed{E}", "The answer is E.",
        "В", "BB", r"\boxed{Bad}", "Because B is wet", "B. dry palms", r"\boxed{B. dry palms}", "Plan B", "The answer is B, C.",
        "B is wet, so no.",
    ],
)  # fmt: skip
def test_nothing_else(answer):
    assert verdict(answer) is False


def test_digits_as_labels():
    options = ["10", "20", "30"]
    for answer in (r"\boxed{2}", "The answer is (2).", "The answer is 2.", "2", "2) 20"):
        assert verdict(answer, "2", options) is True
    for answer in ("The answer is 2.5", "20", r"\boxed{20}", "B", r"\boxed{3}", "The answer is 23"):
        assert verdict(answer, "2", options) is not True


def test_three_to_ten_options():
    assert labels_of({"letter": "C", "options": list("xyz")}) == "ABC"
    assert labels_of({"letter": "4", "options": list("wxyz")}) == "1234"
    assert verdict(r"\boxed{J}", "J", list("qrstuvwxyz")) is True
    for reference in (
        {"letter": "A", "options": ["x", "y"]},
        {"letter": "D", "options": list("xyz")},
    ):
        with pytest.raises(ValueError, match=r"options: a choice|is none of"):
            labels_of(reference)


@given(st.text(max_size=200))
def test_any_text_gets_a_verdict(answer):
    assert verdict(answer) in (True, False)


@given(st.sampled_from("ABCD"), st.sampled_from("ABCD"))
def test_two_letters_are_right_only_where_they_agree(first, second):
    answer = f"The answer is ({first}).\nIn short: \\boxed{{{second}}}"
    assert verdict(answer, second) is (first == second)


def test_long_texts_are_scanned_at_once():
    for piece in ("A. ", r"\boxed{", "(", "answer is ", "answer is (A) and "):
        assert verdict(piece * (300_000 // len(piece))) is False
