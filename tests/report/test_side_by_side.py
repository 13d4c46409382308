"""Which problems are shown side by side."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from deimos.report.side_by_side import Pair, choose, clip, pairs_of
from deimos.runs.artifacts import SampleFacts


def outcome(model, problem, think, ok=True, finish="stop", config="locked"):
    name = f"{problem:03}"
    return SampleFacts(
        "t", model, config, name, 0, think, 5, think + 5, finish, ok, "e", 0, Path("x")
    )


def pair(problem, base, tuned, base_ok=True, tuned_ok=True, finish="stop"):
    return Pair(
        outcome("base", problem, base, base_ok), outcome("tuned", problem, tuned, tuned_ok, finish)
    )


def test_pairs_are_of_one_problem_and_one_config():
    found = pairs_of(
        [
            outcome("tuned", 1, 10),
            outcome("base", 1, 20),
            outcome("base", 2, 20),  # has no partner
            outcome("tuned", 2, 20, config="recommended"),
        ],
        "locked",
    )
    assert [(p.base.think_tokens, p.tuned.think_tokens) for p in found] == [(20, 10)]


def test_the_rule():
    every = [pair(i, 1000, 1000 - 10 * i) for i in range(101)]
    every += [pair(200, 100, 50, tuned_ok=False), pair(201, 100, 50, base_ok=False)]
    every += [pair(300, 100, 400, finish="length", tuned_ok=False)]
    picked = {why: p.base.prompt_id for why, p in choose(every)}
    assert [int(i) for i in picked.values()] == [50, 90, 10, 200, 201, 300]


def test_a_completion_that_could_not_be_judged_is_neither_right_nor_wrong():
    unjudged = [pair(1, 100, 50, tuned_ok=None)]
    assert [why for why, _ in choose(unjudged)] == [
        "The tuned model at its longest against the base"
    ]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.booleans(), st.booleans())))
def test_at_most_six_none_twice_whatever_the_order(drawn):
    every = [pair(i, *entry) for i, entry in enumerate(drawn)]
    picked = choose(every)
    assert len(picked) <= 6
    assert len({p.base.prompt_id for _, p in picked}) == len(picked)
    assert bool(picked) == bool(every)
    assert choose(every[::-1]) == picked


@given(st.text(max_size=200), st.integers(10, 100))
def test_clip_keeps_both_ends_and_counts_the_rest(text, limit):
    kept, left_out = clip(text, limit)
    assert left_out == max(0, len(text) - limit)
    assert text.startswith(kept[: limit * 2 // 3])
    if left_out:
        assert text.endswith(kept[-(limit - limit * 2 // 3) :])
