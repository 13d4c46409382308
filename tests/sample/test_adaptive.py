"""How many candidates a prompt gets: by what its first ones show, and by nothing else."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sample.worlds import Track, World, golds, latest, needs_of, recipes, worlds

from deimos.recipe import AdaptiveN, Sample
from deimos.sample.adaptive import (
    CandidateResult,
    Wanted,
    decide_wanted,
    estimate_spread,
    expect_shortening,
)

OUTPACED = CandidateResult(None, 10**6)


def rule(**fields: object) -> Sample:
    return Sample.model_validate({"n": fields})


def results(*ends: int | CandidateResult | None) -> dict[int, CandidateResult]:
    """Think tokens of those that passed; None: failed with a thought as short as can be."""
    return {
        i: end if isinstance(end, CandidateResult) else CandidateResult(end is not None, end or 1)
        for i, end in enumerate(ends)
    }


def test_a_number_is_a_number() -> None:
    assert decide_wanted(Sample(n=5, probe=2), {}) == Wanted(2, 5)
    assert decide_wanted(Sample(n=5, exhaustive=True), {}) == Wanted(5, 5)


def test_nobody_else_starts_before_those_that_have_started_end() -> None:
    assert decide_wanted(rule(max=8, min=3), results(100, 90)) == Wanted(0, 3)
    assert decide_wanted(
        rule(max=8, min=3), {0: CandidateResult(True, 9), 2: CandidateResult(True, 9)}
    ) == Wanted(0, 3)
    assert decide_wanted(rule(max=8, min=3), results(100, None, 90, 80, None)) == Wanted(0, 6)


def test_the_more_the_shortest_has_fallen_the_more_candidates() -> None:
    least = {"gain_below": 0.06}
    sets = rule(max=16, min=2, stop_when=least)
    flat = decide_wanted(sets, results(100, OUTPACED, OUTPACED, OUTPACED))
    fell = decide_wanted(sets, results(100, OUTPACED, 40, OUTPACED))
    assert (flat.count, fell.count) == (4, 6)


def test_the_dearer_a_token_the_fewer_candidates() -> None:
    ends = results(100, *[OUTPACED] * 15)
    wanted = [
        decide_wanted(rule(max=16, min=2, stop_when={"gain_below": least}), ends).count
        for least in (0.9, 0.06, 0.02, 0.0001)
    ]
    assert wanted == sorted(wanted)
    assert (wanted[0], wanted[-1]) == (2, 16)
    assert 2 < wanted[2] < 16


def test_only_what_is_likely_to_be_right_is_worth_its_cost() -> None:
    few_rivals = decide_wanted(rule(max=16), results(None, 100, None, None))
    many_rivals = decide_wanted(rule(max=16), results(100, OUTPACED, OUTPACED, OUTPACED))
    hopeless = decide_wanted(rule(max=16), results(*[None] * 8, 100, None, None, None))
    assert few_rivals.count == 8, "a second right one would say much"
    assert many_rivals.count == 4
    assert hopeless.count == 12


def test_what_only_a_slow_race_learns_counts_for_nothing() -> None:
    sets = rule(max=16, min=2, stop_when={"gain_below": 0.05})
    for late in (OUTPACED, CandidateResult(True, 101), CandidateResult(False, 500)):
        assert decide_wanted(sets, results(100, late, OUTPACED, late, 90, late)) == decide_wanted(
            sets, results(100, OUTPACED, OUTPACED, OUTPACED, 90, OUTPACED)
        )


def test_a_prompt_without_a_winner_gets_more_until_it_is_given_up() -> None:
    assert decide_wanted(rule(max=8, min=2), results(None, None)) == Wanted(0, 4)
    assert decide_wanted(rule(max=8, min=2, give_up=2), results(None, None)) == Wanted(0, 2)
    assert decide_wanted(rule(max=8, min=2, give_up=3), results(None, None, None, None)) == Wanted(
        0, 4
    )
    assert decide_wanted(rule(max=5, min=2), results(*[None] * 4)) == Wanted(0, 5)
    assert decide_wanted(rule(max=5, min=2), results(*[None] * 5)) == Wanted(0, 5)


def test_an_answer_that_could_not_be_judged_is_no_failure() -> None:
    unjudged = {0: CandidateResult(None, 9), 1: CandidateResult(None, 9)}
    assert decide_wanted(rule(max=8, min=2, give_up=1), unjudged) == Wanted(0, 4)


def test_a_winner_is_what_selection_would_keep() -> None:
    stingy = {"max": 8, "min": 2, "stop_when": {"gain_below": 0.9}}
    assert decide_wanted(rule(**stingy), results(100, None)) == Wanted(0, 2)
    assert decide_wanted(rule(**stingy), results(100, None), min_pass=2) == Wanted(0, 4)
    assert decide_wanted(rule(**stingy), results(5, 5), min_think_tokens=6) == Wanted(0, 4)


def test_the_expected_shortening_is_that_of_lognormal_draws() -> None:
    rng = random.Random(7)
    for spread in (0.3, 0.8):
        rows = [[rng.lognormvariate(0, spread) for _ in range(8)] for _ in range(10_000)]
        logs = [sum(math.log(min(row[:k])) for row in rows) / len(rows) for k in range(1, 9)]
        for k in range(1, 8):
            for more in range(1, 9 - k):
                drawn = 1 - math.exp(logs[k + more - 1] - logs[k - 1])
                assert expect_shortening(spread, k, more) == pytest.approx(drawn, abs=0.025)


def test_the_spread_is_how_far_the_shortest_falls() -> None:
    assert estimate_spread(4, 100, 4, 100) == 0.5, "before anything is seen"
    assert estimate_spread(4, 100, 8, 100) < 0.5 < estimate_spread(4, 100, 8, 50)
    assert estimate_spread(4, 0, 8, 0) > 0, "a thought without tokens has no logarithm"
    rng = random.Random(3)
    for spread in (0.3, 0.8):
        told = []
        for _ in range(4000):
            row = [round(1000 * rng.lognormvariate(0, spread)) for _ in range(64)]
            told.append(estimate_spread(2, min(row[:2]), 64, min(row)))
        assert sum(told) / len(told) == pytest.approx((0.25 + spread * 1.8) / 2.3, abs=0.05)


rules = st.builds(
    lambda least, give_up, gain: AdaptiveN.model_validate(
        {
            "min": least,
            "max": 6,
            "give_up": give_up,
            "stop_when": {"gain_below": gain},
        }
    ),
    st.integers(1, 3), st.sampled_from([None, 1, 3]), st.sampled_from([0.001, 0.05, 0.5]),
)  # fmt: skip


@st.composite
def wide_worlds(draw: st.DrawFn) -> World:
    """Worlds of six candidates a prompt."""
    world = draw(worlds())
    for prompt in world.table:
        prompt += [prompt[i % len(prompt)] for i in range(6 - len(prompt))]
    world.__post_init__()
    return world


def expected(world: World, **recipe: object) -> dict[str, int]:
    """Prompt to how many of its candidates are to be started, by their true ends."""
    full, _ = world.race(**{**recipe, "n": 6, "exhaustive": True})
    world.asked.clear()
    pool = latest(full)
    needs = needs_of(recipe)
    ends = {
        prompt.id: {
            i: CandidateResult(c.verdict.ok if c.verdict else None, c.think_tokens)
            for i in range(6)
            if (c := pool[prompt.id, i])
        }
        for prompt in world.prompts
    }
    return {
        prompt_id: decide_wanted(world.settings(n=recipe["n"]), mine, **needs).count
        for prompt_id, mine in ends.items()
    }


@settings(max_examples=200)
@given(wide_worlds(), recipes, rules, st.data())
def test_who_is_started_hangs_on_no_timing_and_no_interruption(
    world: World, recipe: dict, n: AdaptiveN, data: st.DataObject
) -> None:
    recipe = {**recipe, "n": n, "probe": min(recipe["probe"], n.min)}
    wanted = expected(world, **recipe)
    raced, stats = world.race(**recipe, streamed=data.draw(st.booleans(), "streamed"))
    pool = latest(raced)
    assert sorted(pool) == sorted((p, i) for p, count in wanted.items() for i in range(count))
    assert len(raced) == stats.completions == len(pool)
    full, _ = world.race(**{**recipe, "n": 6, "exhaustive": True})
    started = {key: c for key, c in latest(full).items() if key in pool}
    needs = needs_of(recipe)
    assert golds(pool, **needs) == golds(started, **needs)
    done = raced[: data.draw(st.integers(0, len(raced)), "journaled")]
    world.asked.clear()
    second, _ = world.race(done, **recipe)
    assert sorted(latest(done, second)) == sorted(pool)
    assert golds(latest(done, second), **needs) == golds(started, **needs)


def test_later_candidates_start_together_under_the_winner_s_cap() -> None:
    world = World([[Track(5), *[Track(9)] * 5]], max_batch=8)
    kept, _ = world.race(n={"max": 6, "min": 2, "stop_when": {"gain_below": 0.001}})
    ends = {c.index: (c.finish, c.think_tokens) for c in kept}
    assert ends[0] == ("stop", 5)
    assert ends[1][0] == "outpaced"
    assert [ends[i] for i in range(2, 6)] == [("outpaced", 6)] * 4


def test_a_regrade_that_unseats_a_winner_decides_anew_and_finishes_whom_it_had_stopped() -> None:
    tracks = [Track(5, verdict=False), Track(6), Track(9), Track(8), Track(7), Track(9)]
    world = World([[*tracks]], max_batch=8)
    prompt_id = world.prompts[0].id
    sets = {"n": {"max": 6, "min": 2, "stop_when": {"gain_below": 0.001}}}
    first, _ = world.race(**sets)
    assert len(first) == 6
    world.tracks[prompt_id, 1] = Track(6, verdict=False)
    unjudged = [c if c.finish == "outpaced" else replace(c, verdict=None) for c in first]
    second, _ = world.race(unjudged, **sets)
    pool = latest(first, second)
    assert golds(pool)[prompt_id][0] == 4
    assert pool[prompt_id, 4].finish == "stop"


def _without_verdict(c):
    from dataclasses import replace

    return replace(c, verdict=None)
