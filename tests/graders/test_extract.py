"""Final expressions are found, in linear time, whatever the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deimos.graders.extract import boxes, hashes, last_line, stated


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"so \boxed{42}.", ["42"]),
        (r"\boxed{\frac{1}{2}}", [r"\frac{1}{2}"]),
        (r"\boxed{\{1,2\}}", [r"\{1,2\}"]),
        (r"\boxed{1} then \boxed{2}", ["1", "2"]),
        (r"\boxed{\boxed{5}}", [r"\boxed{5}"]),
        (r"\boxed {7}", ["7"]),
        (r"$\boxed 7$", ["7"]),
        (r"\boxed{1", []),
        (r"\boxed{}", []),
        (r"\boxed{\phantom{2}}+3 is \boxed{4}", ["4"]),
        ("no box", []),
        (r"} } \boxed{3}", ["3"]),
    ],
)
def test_boxes(text, found):
    assert boxes(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The answer is 42.", ["42"]),
        ("The answer is 3.5 apples. Good.", ["3.5 apples"]),
        ("**Answer:** 42", ["42"]),
        ("The final answer is $\\frac{1}{2}$, as said", ["\\frac{1}{2}, as said"]),
        ("The final answer is $\\frac{1}{2}$. Done", ["\\frac{1}{2}"]),
        ("answer is 1\nthe answer is 2", ["1", "2"]),
        ("The answer is 18. So the answer is correct.", ["18"]),
        (r"The answer is $\$18.90$.", [r"\18.90"]),
        ("I wonder", []),
    ],
)
def test_stated(text, found):
    assert [s.replace("$", "") for s in stated(text)] == found


def test_hashes_and_last_line():
    assert hashes("think\n#### 1,234\n") == ["1,234"]
    assert last_line("a\n b \n\n") == "b"
    assert last_line(" \n") == ""


@pytest.mark.parametrize(
    "piece", [r"\boxed{", "{", "}", "(", "A. ", "answer is ", "#### ", "\\", "$"]
)
def test_a_megabyte_of_anything_is_scanned_to_its_end(piece):
    """A quadratic scan would not come back from this within the suite's time limit."""
    text = piece * (1_000_000 // len(piece))
    assert boxes(text) == []
    assert len(hashes(text)) <= 1
    assert len(stated(text)) <= 1


@given(st.text(alphabet="\\boxed{} 1$#answr:is\n", max_size=80))
def test_any_text_is_taken(text):
    for content in boxes(text):
        assert content and content in text.replace("\\phantom", "")


@given(st.text(alphabet="ab12{} ", max_size=30))
def test_a_balanced_box_comes_back_whole(inner):
    depth = 0
    for character in inner:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            return
    if depth == 0 and inner.strip():
        assert boxes("so \\boxed{" + inner + "} it is") == [inner.strip()]
