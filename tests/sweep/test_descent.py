"""Coordinate descent on answers that are there already: what it finds, drops and asks for."""

import asyncio
import dataclasses
import math

import numpy as np
import pytest

from deimos.recipe import Bench, SweepParameters
from deimos.sweep.descent import Rules, descend
from deimos.sweep.score import Score
from deimos.sweep.space import list_configs, list_idle, reduce_to_effective, space_of

SPACE = space_of(
    SweepParameters(
        temperature=[0.5, 1.0],
        top_k=[0, 20],
        repetition_penalty=[1.0, 1.1],
        presence_penalty=[0.0, 1.5],
    ),
    Bench(locked={"temperature": 0.0}, budget=512),  # pyright: ignore[reportArgumentType]
)
ALPHA = 0.05


def rules(items=150, price=None, alpha=ALPHA, rounds=2):
    return Rules(items, 16, alpha, rounds, Score(price))


def tokens(config):
    return [100] * 400


def run(space, answers, rules):
    return asyncio.run(descend(space, answers, rules))


def drawn(accuracy, seed=0, items=400):
    """Independent answers of each config, right as often as ``accuracy(config)`` says."""
    known = {}

    def right(config):
        if config not in known:
            rng = np.random.default_rng([7, seed, len(known) + 1])
            known[config] = rng.random(items) < accuracy(config)
        return known[config]

    return right


def best_at(config):
    """Accuracy that each parameter adds to or takes from, by itself."""
    s = config.sampling
    bad = 0.35 * (s.temperature == 1.0) + 0.35 * (s.presence_penalty == 0)
    return 0.9 - bad


def test_it_finds_the_best_values_and_drops_the_others_early(table):
    answers = table(drawn(best_at), tokens)
    trials = run(SPACE, answers, rules())
    whole = trials.whole(150)
    best = max(whole, key=lambda c: rules().score.mean(whole[c]))
    assert best.sampling.presence_penalty == 1.5 and best.sampling.temperature < 1
    dropped = [trial for trial in trials.rows if trial.dropped_at]
    assert dropped and all(trial.dropped_at < 150 for trial in dropped)
    assert {best_at(trial.config) < 0.9 for trial in dropped} == {True}
    asked = sum(len(outcomes) for outcomes in answers.asked.values())
    assert asked < 0.6 * 150 * len(list(list_configs(SPACE)))


def test_the_first_items_only_show_where_to_begin(table):
    rule = rules()
    assert rule.screen == 25 and rules(items=90).screen == 0, "less than a block"
    answers = table(drawn(best_at, 5), tokens)
    trials = run(SPACE, answers, rule)
    screened = [trial for trial in trials.rows if "screened" in trial.because]
    assert screened and all(len(t.outcomes) == 25 and t.dropped_at is None for t in screened)
    assert all(trial.round == 0 and trial.e_value is None for trial in screened)
    dropped = [trial.dropped_at for trial in trials.rows if trial.dropped_at]
    assert dropped and min(dropped) > 25, "nothing is dropped by the items that chose the start"
    raced = [(t.parameter, t.value, t.config) for t in trials.rows]
    assert len(set(raced)) == len(raced)


def test_a_pass_that_changes_nothing_is_the_last(table):
    always = table(
        lambda c: [reduce_to_effective(c) == reduce_to_effective(SPACE.start)] * 400, tokens
    )
    trials = run(SPACE, always, rules(rounds=9))
    assert max(trial.round for trial in trials.rows) == 1
    assert list(trials.whole(150)) == [reduce_to_effective(SPACE.start)]
    assert set(trials.skipped) == {"top_k"}, "the start is greedy, and stays"


def test_what_can_make_no_difference_is_said():
    bench = Bench(budget=512, locked={"temperature": 0.0})  # pyright: ignore[reportArgumentType]
    named = SweepParameters(top_p=[0.5, 0.9], think_budget=[512, 100], presence_penalty=[1.0])
    space = space_of(named, bench)
    said = list(list_idle(space))
    assert len(said) == 2 and "top_p: not tried: at temperature 0" in said[0]
    assert "think_budget: 512 closes no thought, as answers end at 512 tokens" in said[1]
    warmer = SweepParameters(temperature=[0.7], top_p=[0.5], max_tokens=[900], think_budget=[512])
    assert list(list_idle(space_of(warmer, bench))) == []


def test_a_value_as_it_stands_is_no_new_trial(table):
    trials = run(SPACE, table(drawn(best_at, 3), tokens), rules())
    names = [(trial.round, trial.parameter, trial.value) for trial in trials.rows]
    assert len(set(names)) == len(names) and names[0] == (0, "", None)
    for trial in trials.rows[1:]:
        assert trial.config.values()[trial.parameter] == trial.value


def test_items_that_no_judge_could_judge_count_for_nobody(table):
    answers = table(drawn(best_at), tokens)
    plain = answers.of

    async def of(config, items):
        found = await plain(config, items)
        return [dataclasses.replace(o, ok=None) if i % 3 == 0 else o for i, o in enumerate(found)]

    answers.of = of
    trials = run(SPACE, answers, rules())
    assert all(math.isfinite(trial.e_value or 1) for trial in trials.rows)
    assert any(trial.dropped_at for trial in trials.rows)


def test_under_a_price_a_value_that_is_only_longer_is_dropped(table):
    def long_if_penalised(config):
        return [400 if config.sampling.presence_penalty else 20] * 400

    space = space_of(SweepParameters(presence_penalty=[1.5]), Bench(budget=512))
    answers = table(lambda c: [True] * 400, long_if_penalised)
    for price, dropped in ((None, False), (1000.0, True)):
        trials = run(space, answers, rules(price=price))
        assert any(trial.dropped_at for trial in trials.rows) is dropped, price


@pytest.mark.parametrize(
    ("name", "values"),
    [("one parameter, many values", 30), ("two values", 2), ("several parameters", 0)],
)
@pytest.mark.parametrize("shared", [False, True], ids=["independent", "same hard items"])
def test_if_all_values_are_equal_seldom_is_any_dropped(table, name, values, shared):
    """Also with looks after each block, many values, and answers shared with later parameters."""
    space = SPACE
    if values:
        space = space_of(
            SweepParameters(repetition_penalty=[1 + i / 100 for i in range(values)]), Bench()
        )
    wrongly, repeats = 0, 100
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        hard = rng.random(400) if shared else np.full(400, 0.6)
        answers = table(drawn(lambda config, hard=hard: hard, seed), tokens)
        trials = run(space, answers, rules(items=64))
        wrongly += any(trial.dropped_at for trial in trials.rows)
    assert wrongly <= ALPHA * repeats + 3 * math.sqrt(repeats * ALPHA * (1 - ALPHA))
