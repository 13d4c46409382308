"""A check finds a grader that rejects right answers or accepts anything."""

import pytest

from deimos import Prompt
from deimos.graders import check

OWN = """
from deimos import Verdict, grader
examples = [("a", "a"), ("b", "b")]
def lax(answer, reference): return Verdict.of(True)
def harsh(answer, reference): return Verdict.of(False, "never")
def broken(answer, reference): return Verdict.of(None, "dunno")
def same(answer, reference): return Verdict.of(answer == reference)
@grader("right", fast=same)
def right(answer, reference): raise RuntimeError("the fast one decides")
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    return f"{tmp_path / 'own.py'}:"


def test_own_examples(own):
    assert check(own + "right").ok
    lax, harsh, broken = (check(own + name) for name in ("lax", "harsh", "broken"))
    assert (len(lax.accepted_shuffled), len(lax.accepted_empty), lax.ok) == (2, 2, False)
    assert (len(harsh.rejected_examples), harsh.ok) == (2, False)
    assert (len(broken.unjudged), broken.ok) == (2, False)
    assert "FAULTY, 2 examples" in str(lax)


def test_right_answers_written_from_references():
    numbers = [Prompt.of(task="t", kind="math", messages=[], reference=str(n)) for n in range(50)]
    assert check("math", "math", numbers).ok
    options = [
        Prompt.of(
            task="t", kind="choice", messages=[], reference={"letter": x, "options": list("wxyz")}
        )
        for x in "ABCD"
    ]
    assert check("choice", "choice", options).ok
    assert not check("choice", "choice", numbers).ok  # none of that kind: nothing was shown


def test_the_older_name_of_the_examples_still_works(own, tmp_path):
    (tmp_path / "older.py").write_text(OWN.replace("examples =", "gold ="))
    assert check(f"{tmp_path / 'older.py'}:right").examples == 2


def test_examples_of_another_form_are_refused(tmp_path):
    (tmp_path / "own.py").write_text(OWN.replace('("a", "a")', '{"a": 1}'))
    with pytest.raises(
        ValueError, match=r"examples has \{'a': 1\}: accepted: \(answer, reference\)"
    ):
        check(f"{tmp_path / 'own.py'}:right")


def test_nothing_to_check_with():
    with pytest.raises(ValueError, match="nothing to check 'math' with"):
        check("math")
