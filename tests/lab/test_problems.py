"""The lab's problems: right by independent arithmetic, disjoint between splits, stable from a seed."""

import random
import re

import pytest

from deimos.lab.problems import LARGEST, SHARES, Step, draw, split_of
from deimos.lab.source import lab
from deimos.recipe import RecipeError


def problems(split, n=400, kind="math", seed=0):
    rng = random.Random(seed)
    return [draw(rng, split, kind) for _ in range(n)]


def test_splits_share_no_skeleton():
    skeletons = {s: {(p.start, p.steps) for p in problems(s)} for s in SHARES}
    assert not skeletons["base"] & skeletons["train"]
    assert not skeletons["base"] & skeletons["test"]
    assert not skeletons["train"] & skeletons["test"]


def test_every_problem_belongs_to_exactly_the_split_it_was_drawn_for():
    for split in SHARES:
        assert all(split_of(p.start, p.steps) == split for p in problems(split, 200))


def test_the_shares_cover_every_skeleton_once():
    assert sorted(b for share in SHARES.values() for b in share) == list(range(100))


def test_a_story_alone_leads_to_its_result():
    """Reads the words, not the steps, and comes to the same number."""
    for p in problems("test", 300):
        value = int(re.search(r"has (\d+)", p.sentences[0])[1])
        for sentence in p.sentences[1:]:
            numbers = [int(x) for x in re.findall(r"\d+", sentence)]
            if "double" in sentence:
                value *= 2
            elif "half" in sentence:
                assert value % 2 == 0
                value //= 2
            elif len(numbers) == 2:
                value += numbers[0] * numbers[1]
            elif re.search(rf"sells|loses|{p.name} gives", sentence):
                value -= numbers[0]
            else:
                value += numbers[0]
            assert 0 <= value <= LARGEST
        assert value == p.result


def test_sums_are_true():
    for p in problems("base", 200):
        for step, value in zip(p.steps, p.values[:-1], strict=True):
            for equation in step.sums(value):
                left, right = equation.split("=")
                assert eval(left.replace("/", "//")) == int(right)


def test_the_letter_is_of_the_one_range_that_holds_the_result():
    letters = set()
    for p in problems("train", 300, "choice"):
        holds = [p.result < 20, 20 <= p.result < 40, 40 <= p.result < 60, p.result >= 60]
        assert [letter for letter, held in zip("ABCD", holds, strict=True) if held] == [p.letter]
        assert p.text.endswith("A) less than 20\nB) 20 to 39\nC) 40 to 59\nD) 60 or more")
        letters.add(p.letter)
    assert letters == set("ABCD")


def test_half_is_only_asked_of_even_numbers():
    assert Step("half").apply(8) == 4
    for p in problems("base", 400):
        for step, value in zip(p.steps, p.values[:-1], strict=True):
            assert step.op != "half" or value % 2 == 0


def test_the_source_is_stable_distinct_and_split():
    first, again = lab(take=60, seed=3), lab(take=60, seed=3)
    assert first == again
    assert len({p.id for p in first}) == 60
    assert {p.kind for p in first} == {"math", "choice"}
    test = lab(take=60, seed=3, split="test")
    assert not {p.id for p in first} & {p.id for p in test}
    assert {p.messages[0]["content"] for p in first}.isdisjoint(
        p.messages[0]["content"] for p in test
    )


def test_the_source_refuses_what_it_does_not_have():
    with pytest.raises(RecipeError, match="split 'dev' must be train or test"):
        lab(take=1, seed=0, split="dev")
    with pytest.raises(RecipeError, match=r"kinds \['code'\]"):
        lab(take=1, seed=0, kinds=["code"])
    with pytest.raises(RecipeError, match=r"steps \[0\]"):
        lab(take=1, seed=0, steps=[0])


def test_longer_problems_have_more_sentences():
    for steps in (2, 4):
        for prompt in lab(take=10, seed=1, kinds=["math"], steps=[steps]):
            assert prompt.messages[0]["content"].count(".") == steps + 1
