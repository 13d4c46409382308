"""A check finds a grader that rejects its golds or accepts anything."""

import pytest

from deimos import Prompt
from deimos.graders import check

OWN = """
from deimos import Verdict
gold = [("a", "a"), ("b", "b")]
def lax(answer, reference): return Verdict.of(True)
def harsh(answer, reference): return Verdict.of(False, "never")
def broken(answer, reference): return Verdict.of(None, "dunno")
def right(answer, reference): return Verdict.of(answer == reference)
right.fast = right
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    return f"{tmp_path / 'own.py'}:"


def test_own_golds(own):
    assert check(own + "right").ok
    lax, harsh, broken = (check(own + name) for name in ("lax", "harsh", "broken"))
    assert (len(lax.accepted_shuffled), len(lax.accepted_empty), lax.ok) == (2, 2, False)
    assert (len(harsh.rejected_golds), harsh.ok) == (2, False)
    assert (len(broken.unjudged), broken.ok) == (2, False)
    assert "FAULTY, 2 golds" in str(lax)


def test_golds_of_prompts():
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


def test_nothing_to_check_with():
    with pytest.raises(ValueError, match="nothing to check 'math' with"):
        check("math")
