"""Final expressions are found, in linear time, whatever the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deimos.graders.extract import boxes, find_boxes, hashes, last_line


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
        (r"$\fbox{7}$ or \boxed{8}", ["7", "8"]),
        ("no box", []),
        (r"} } \boxed{3}", ["3"]),
    ],
)
def test_boxes(text, found):
    assert boxes(text) == found


@pytest.mark.parametrize(
    ("text", "unclosed"),
    [
        (r"\boxed{1} then \boxed{2", True),
        (r"\boxed{1", True),
        (r"\fbox{1} and \boxed{\frac{1}{2}", True),
        (r"\boxed{1} then \boxed{2}", False),
        (r"\boxed{1 then \boxed{2}", False),
        (r"{ \boxed{1}", False),
    ],
)
def test_a_box_that_never_closes_is_noticed_if_it_is_the_last(text, unclosed):
    assert find_boxes(text)[1] is unclosed


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
