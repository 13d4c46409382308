"""Instructions go on and come off; boxes are read as TeX has them."""

import pytest

from deimos.prompts.sources.choice import arc
from deimos.prompts.sources.gsm8k import gsm8k
from deimos.prompts.text import CHOICE, MATH, choice_instruction, last_box, question_of, user
from deimos.types import Prompt


@pytest.mark.parametrize(
    ("text", "box"),
    [
        (r"so $\boxed{5}$.", "5"),
        (r"\boxed{1} and then \boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\fbox{\text{even}}", r"\text{even}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"$\boxed 7$", "7"),
        ("\\boxed{\n\\begin{pmatrix} 0 \\\\ 1 \\end{pmatrix}\n}", "\\begin{pmatrix} 0 \\\\ 1 \\end{pmatrix}"),
        (r"there are $\boxed{}$ primes", ""),
        (r"\boxed{1", None),
        ("none", None),
    ],
)  # fmt: skip
def test_the_last_box(text, box):
    assert last_box(text) == box


def prompt(content):
    return Prompt.of(
        task="t", kind="math", messages=[{"role": "user", "content": content}], reference="1"
    )


def test_what_is_asked_is_the_question_without_the_instruction():
    question = "How many?\n\nTwo lines."
    assert question_of(gsm8k, {}, prompt(user(question, MATH)[0]["content"])) == question
    own = {"instruction": "Think!"}
    assert question_of(gsm8k, own, prompt(user(question, "Think!")[0]["content"])) == question
    assert question_of(gsm8k, {"instruction": ""}, prompt(question)) == question
    assert question_of(gsm8k, {}, prompt(question)) == question, "there is none to take off"


def test_numbered_options_are_asked_for_by_number():
    numbered = choice_instruction(CHOICE, ["1", "2", "3"])
    assert "the number of the right option" in numbered
    assert choice_instruction(CHOICE, ["A", "B", "C"]) == CHOICE
    for instruction in (CHOICE, numbered):
        content = user("Which?\n\nA. fog", instruction)[0]["content"]
        assert question_of(arc, {}, prompt(content)) == "Which?\n\nA. fog"


def test_a_source_of_ones_own_may_say_what_is_asked(tmp_path):
    from deimos.registry import resolve

    (tmp_path / "own.py").write_text(
        "from deimos import source\n"
        "@source('own', asked=lambda prompt: 'mine')\ndef own(*, take, seed): ...\n"
        "def plain(*, take, seed): ...\n"
    )
    file = tmp_path / "own.py"
    assert question_of(resolve("source", f"{file}:own"), {}, prompt("Q")) == "mine"
    assert question_of(resolve("source", f"{file}:plain"), {}, prompt("Q")) == "Q"
