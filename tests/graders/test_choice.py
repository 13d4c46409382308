"""Only a letter that is given as the answer counts."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deimos.graders.choice import choice, labels_of

PHRASES = [
    "\\boxed{{{}}}",
    "The answer is ({}).",
    "The answer is {}.",
    "**{}**",
    "Option {} is correct.",
]
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
        assert verdict(piece * (100_000 // len(piece))) is False
    for piece in ("and", "A or ", "(B) and ", "C, ", ") "):
        assert verdict(rf"\boxed{{{piece * (100_000 // len(piece))}!}}") in (True, False)


TRAPS = [json.loads(line) for line in (Path(__file__).parent / "data/choice_traps.jsonl").open()]


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap["answer"][:40])
def test_traps(trap):
    told = verdict(trap["answer"], trap["letter"], trap.get("options", OPTIONS))
    assert told is trap["ok"], trap["why"]


def test_there_are_many_traps_and_right_answers_among_them():
    right = sum(trap["ok"] for trap in TRAPS)
    assert len(TRAPS) > 100 and right > 40


def test_a_reference_that_is_no_choice_is_null():
    assert verdict("B", "B", ["x", "y"]) is None
    assert verdict("B", "D", list("xyz")) is None


@given(st.text(alphabet="ABab()[]\\boxed{} .,:;?answeris\n12", max_size=120), st.text(max_size=20))
def test_white_space_around_and_fullwidth_signs_change_nothing(answer, space):
    blank = "".join(c for c in space if c.isspace() and c != "\f")
    wide = "".join(chr(ord(c) + 0xFEE0) if c in "AB()[].:" else c for c in answer)
    assert verdict(f"{blank}{answer}{blank}") is verdict(answer) is verdict(wide)


@given(st.sampled_from("ABCD"), st.sampled_from(PHRASES), st.sampled_from(PHRASES))
def test_saying_it_twice_changes_nothing_and_another_letter_undoes_it(letter, one, two):
    other = "ABCD"["ABCD".index(letter) - 1]
    assert verdict(f"{one.format(letter)}\n{two.format(letter)}", letter) is True
    assert verdict(f"{one.format(letter)}\n{two.format(other)}", letter) is False
