from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deimos.store.schema import Gold
from deimos.train.tokens import (
    IGNORED,
    TokensError,
    check_vocabulary,
    example_of,
    examples_of,
    step_order,
)

GOLD = Gold(
    id="g", prompt_id="p", index=0, kind="math", task="t", messages=(), prompt_ids=(1, 5, 6),
    completion_ids=(3, 7, 4, 8, 2), ids="sampled", think_tokens=1, answer_tokens=2, passed=1,
    judged=1, pass_rate=None,
)  # fmt: skip


def test_labels_are_the_completion_and_nothing_of_the_prompt():
    example = example_of(GOLD)
    assert example.input_ids == (1, 5, 6, 3, 7, 4, 8, 2)
    assert example.labels == (IGNORED, IGNORED, IGNORED, 3, 7, 4, 8, 2)
    assert example.supervised == 5


def test_a_prefilled_opening_tag_is_not_supervised():
    example = example_of(replace(GOLD, prompt_ids=(1, 5, 3), completion_ids=(7, 4, 8, 2)))
    assert example.labels == (IGNORED, IGNORED, IGNORED, 7, 4, 8, 2)


def test_too_long_is_dropped_and_never_cut():
    long = replace(GOLD, id="long", completion_ids=(3, 7, 7, 4, 8, 2))
    examples, dropped = examples_of([long, GOLD], max_length=8, eos_ids={2})
    assert [e.id for e in examples] == ["g"]
    assert examples[0].input_ids[-1] == 2
    assert [(d.id, d.prompt_id, d.tokens) for d in dropped] == [("long", "p", 9)]
    assert "max_length (8)" in dropped[0].because


def test_without_an_end_of_turn_it_is_dropped():
    open_ended = replace(GOLD, completion_ids=(3, 7, 4, 8))
    examples, dropped = examples_of([open_ended], max_length=99, eos_ids={2, 9})
    assert not examples
    assert "end-of-turn" in dropped[0].because


@pytest.mark.parametrize("ids", [None, [], "12", [1, "2"], [1, -1], [True], 7])
def test_what_is_not_ids_is_refused_by_name(ids):
    with pytest.raises(TokensError, match="gold 'g': completion_ids"):
        example_of(replace(GOLD, completion_ids=ids))


def test_golds_of_another_tokenizer_are_refused():
    check_vocabulary([example_of(GOLD)], 9)
    with pytest.raises(TokensError, match=r"token id 8.*below 8"):
        check_vocabulary([example_of(GOLD)], 8)


@given(st.data())
def test_step_order_keeps_every_step_its_examples(data):
    lengths = data.draw(st.lists(st.integers(1, 50), min_size=1, max_size=40))
    per_step = data.draw(st.integers(1, 12))
    order = data.draw(st.permutations(range(len(lengths))))
    ordered = step_order(lengths, per_step, order)
    for at in range(0, len(order), per_step):
        step = ordered[at : at + per_step]
        assert sorted(step) == sorted(order[at : at + per_step])
        assert [lengths[i] for i in step] == sorted(lengths[i] for i in step)
