"""Test problems are found among training prompts however they are dressed, and templates are not."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deimos.prompts.decontaminate import TEMPLATE, Index, TestText, words
from deimos.prompts.sources.gsm8k import gsm8k
from deimos.prompts.sources.math import math
from deimos.prompts.text import question_of
from deimos.recipe import Decontaminate, RecipeError

DATA = Path(__file__).parents[3] / "shared" / "data"
real = pytest.mark.skipif(not DATA.is_dir(), reason="no real data here (../shared/data)")
SETTINGS = Decontaminate()
STORY = (
    "A farmer keeps 40 sheep on a hill behind the old mill. Every morning two of them jump over the "
    "wall, and every evening his daughter brings one of them back. After how many days does he have "
    "to look for the other half of his flock in the valley below the village?"
)
SHORT = "How many different letters are there in the long word lighthouse, counting each one once?"
TINY = "What is 7 times 8?"


def index(*texts, **settings):
    return Index((TestText("t", text) for text in texts), Decontaminate(**settings))


TESTS = index(STORY, SHORT, TINY)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (STORY, "exact"),
        (STORY.upper().replace(" ", "\n  ").replace(",", " ;"), "exact"),
        ("ｗｈａｔ  is **7** times 8 ?!", "exact"),  # full-width letters, marks
        (f"Once upon a time. {STORY} Explain your answer to a child.", "13-gram"),
        (STORY[:90], "13-gram"),
        (SHORT.replace("lighthouse", "greenhouse"), "8-gram"),
        (STORY.replace("farmer", "miller").replace("his daughter", "a neighbour"), "13-gram"),
    ],
)
def test_planted_copies_are_found(text, rule):
    found = TESTS.find(text)
    assert found is not None and found.rule == rule, found
    assert set(found.matched.split()) <= set(words(text)), "the words that were matched are its own"
    assert found.test in (STORY[:200], SHORT, TINY) and found.task == "t"


def test_near_duplicates_are_found_where_no_long_run_is_whole():
    said = STORY.split()
    changed = " ".join(f"un{word}" if at % 16 == 8 else word for at, word in enumerate(said))
    assert index(STORY, ngram=20, near_duplicates=None).find(changed) is None
    found = index(STORY, ngram=20, near_duplicates=0.6).find(changed)
    assert found is not None and found.rule == "near-duplicate"


@pytest.mark.parametrize(
    "text",
    [
        "What is 7 times 9?",
        "A farmer keeps 40 hens on a hill. How many letters are there in his name?",
        "",
        "?!",
        "On a hill behind the old mill stands a tree, and nobody knows who planted it or why.",
    ],
)
def test_others_are_not(text):
    assert TESTS.find(text) is None


def test_runs_that_many_problems_share_are_a_template():
    lead = "Let m and n be relatively prime positive integers such that the fraction is in lowest terms."
    few = [f"{lead} Find the {w} one." for w in ("first", "second", "third")]
    many = [f"{lead} Find the number of {chr(97 + n) * 5} there." for n in range(TEMPLATE + 1)]
    prompt = f"{lead} How often does the clock in the hall strike on a Sunday in winter?"
    assert index(*few).find(prompt) is not None
    assert index(*many).find(prompt) is None
    assert index(*many).find(many[3]) is not None, "a copy is a copy, template or not"


def test_figures_in_a_row_are_no_text():
    figures = " ".join(map(str, range(1, 21)))
    assert index(f"Sort the list {figures} please.").find(f"The sum of {figures} is what?") is None


def test_a_test_set_inside_another_counts_once():
    same = [TestText("all", STORY), TestText("part", STORY.upper()), TestText("empty", " … ")]
    assert len(Index(same, SETTINGS)) == 1


def test_without_datasketch_it_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasketch", None)
    with pytest.raises(RecipeError, match=r"deimos-llm\[decontaminate\].*near_duplicates to null"):
        index(STORY)
    assert index(STORY, near_duplicates=None).find(STORY) is not None
    assert index().find(STORY) is None, "nothing to compare with needs no package"


@given(st.text(max_size=300))
def test_any_text_is_found_in_itself_and_can_be_asked(text):
    found = index(text).find(text)
    assert (found is not None) == bool(words(text))
    TESTS.find(text)


@real
def test_the_one_problem_that_stands_in_maths_train_and_test_is_found():
    train = math(take=None, seed=0, path=str(DATA / "math"))
    test = math(take=None, seed=0, split="test", path=str(DATA / "math"))
    verbatim = {p.messages[0]["content"] for p in train} & {p.messages[0]["content"] for p in test}
    assert len(verbatim) == 1
    tests = Index((TestText("math", question_of(math, {}, p)) for p in test), SETTINGS)
    found = [(p, tests.find(question_of(math, {}, p))) for p in train]
    exact = {
        p.messages[0]["content"] for p, overlap in found if overlap and overlap.rule == "exact"
    }
    assert verbatim < exact, "and others that differ in spacing, or in a sign"
    share = sum(overlap is not None for _, overlap in found) / len(found)
    assert 0.02 < share < 0.2, "MATH's two halves have many problems with other figures in common"


@real
def test_gsm8ks_halves_hardly_overlap():
    test = gsm8k(take=None, seed=0, split="test", path=str(DATA / "gsm8k"))
    tests = Index((TestText("gsm8k", question_of(gsm8k, {}, p)) for p in test), SETTINGS)
    train = gsm8k(take=None, seed=0, path=str(DATA / "gsm8k"))
    assert sum(tests.find(question_of(gsm8k, {}, p)) is not None for p in train) <= 10
