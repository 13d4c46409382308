"""Dev is held out by id: the same for any order, disjoint, large enough."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deimos import Prompt
from deimos.prompts.splits import find_common, split
from deimos.recipe import RecipeError


def prompts(n, kind="math", text="What is {}?"):
    return [
        Prompt.of(
            task=kind,
            kind=kind,
            messages=[{"role": "user", "content": text.format(i)}],
            reference=f"{kind}{i}",
        )
        for i in range(n)
    ]


@pytest.mark.parametrize(
    ("n", "dev"),
    [(2000, 200), (1000, 100), (600, 100), (200, 100), (199, 20), (60, 6), (3, 1), (2, 1), (1, 0)],
)
def test_a_tenth_and_at_least_a_hundred_where_as_many_are_left(n, dev):
    train, held = split(prompts(n), 0.1, 100, 0)
    assert (len(train), len(held)) == (n - dev, dev)


@settings(max_examples=30)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 5), st.randoms())
def test_the_split_is_of_ids_not_of_order(math, choice, seed, rng: random.Random):
    given_ = prompts(math) + prompts(choice, "choice", "Which of {}?")
    train, dev = split(given_, 0.2, 10, seed)
    assert sorted(p.id for p in train + dev) == sorted(p.id for p in given_)
    shuffled = list(given_)
    rng.shuffle(shuffled)
    again = split(shuffled, 0.2, 10, seed)[1]
    assert {p.id for p in again} == {p.id for p in dev}
    assert [p for p in given_ if p in dev] == dev


def test_another_seed_holds_out_others():
    assert split(prompts(300), 0.1, 10, 0)[1] != split(prompts(300), 0.1, 10, 1)[1]


def test_the_same_question_twice_is_refused():
    twice = Prompt.of(
        task="other",
        kind="math",
        messages=[{"role": "user", "content": " What is  7? "}],
        reference="x",
    )
    with pytest.raises(
        RecipeError, match="the same prompt stands twice in math and other: 'What is 7"
    ):
        split([*prompts(9), twice], 0.1, 10, 0)
    assert find_common([twice], prompts(9)) == [twice]
    assert find_common(prompts(3), prompts(3, text="Who is {}?")) == []
