"""The race keeps what decoding everything would have kept: by replay of random tables."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sample.worlds import Keys, Track, World, golds, latest, needs_of, recipes, worlds

from deimos.engines.base import Done, Job, Key, Progress
from deimos.engines.collect import RETRIES
from deimos.engines.echo import EchoEngine
from deimos.sample.prompt_race import SEPARATOR, MedianFloor
from deimos.select.policy import choose, needs_more_decoding
from deimos.store.hashing import derive_seed
from deimos.types import Completion, Prompt, Verdict


@settings(max_examples=300)
@given(worlds(), recipes, st.booleans())
def test_raced_and_exhaustive_keep_the_same_golds(
    world: World, recipe: dict, streamed: bool
) -> None:
    full, all_stats = world.race(**recipe, exhaustive=True)
    world.asked.clear()
    raced, stats = world.race(**recipe, streamed=streamed)
    pool, needs = latest(raced), needs_of(recipe)
    assert sorted(pool) == sorted(world.tracks)
    assert len(raced) == len(pool) == stats.completions, "kept exactly once each"
    assert golds(pool, **needs) == golds(latest(full), **needs)
    assert not any(c.finish == "outpaced" for c in full)
    assert stats.decoded_tokens == sum(len(c.completion_ids) for c in raced)
    assert stats.decoded_tokens <= all_stats.decoded_tokens
    assert stats.outpaced == sum(c.finish == "outpaced" for c in raced)
    check_outpaced(world, pool, latest(full), recipe)


def check_outpaced(
    world: World, pool: dict[Keys, Completion], full: dict[Keys, Completion], recipe: dict
) -> None:
    """No candidate with a chance was stopped, and each stopped one says by whom."""
    for key, c in pool.items():
        if c.finish != "outpaced":
            assert c.finish == full[key].finish
            continue
        rival = pool[c.prompt_id, c.outpaced_by or 0]
        assert rival.verdict and rival.verdict.ok
        assert rival.think_tokens >= recipe["min_think_tokens"]
        assert c.think_tokens > rival.think_tokens
        assert c.index >= recipe["probe"]
        assert c.completion_ids == full[key].completion_ids[: len(c.completion_ids)]


@settings(max_examples=300)
@given(worlds(), recipes, st.data())
def test_resumed_and_regraded_races_owe_nothing(
    world: World, recipe: dict, data: st.DataObject
) -> None:
    first, _ = world.race(**recipe)
    done = list(latest(first[: data.draw(st.integers(0, len(first)), "journaled")]).values())
    if data.draw(st.booleans(), "regraded"):
        verdict = st.sampled_from([True, False, None])
        for key, track in world.tracks.items():
            world.tracks[key] = replace(track, verdict=data.draw(verdict))
        done = [replace(c, verdict=None) if c.finish in ("stop", "length") else c for c in done]
    world.asked.clear()
    streamed = data.draw(st.booleans(), "streamed")
    second, stats = world.race(done, streamed=streamed, **recipe)
    full, _ = world.race(**recipe, exhaustive=True)
    pool, needs = latest(done, second), needs_of(recipe)
    assert len(second) == len(latest(second)), "kept at most once a call"
    assert sorted(pool) == sorted(world.tracks)
    assert golds(pool, **needs) == golds(latest(full), **needs)
    check_nothing_needs_decoding(pool, recipe)
    if world.resumes:
        known = sum(len(c.completion_ids) for c in done)
        assert stats.decoded_tokens == sum(len(c.completion_ids) for c in pool.values()) - known


def check_nothing_needs_decoding(pool: dict[Keys, Completion], recipe: dict) -> None:
    for prompt_id in {p for p, _ in pool}:
        mine = [c for c in pool.values() if c.prompt_id == prompt_id]
        passing = [c for c in mine if c.verdict and c.verdict.ok]
        winner = choose(passing, "shortest", **needs_of(recipe))
        assert not any(needs_more_decoding(c, winner, "shortest") for c in mine)


@settings(max_examples=300)
@given(worlds(), recipes, st.sampled_from([0.3, 0.5, 0.8, 1.0]), st.data())
def test_a_floor_by_the_probes_median_keeps_the_same_golds_raced_and_resumed(
    world: World, recipe: dict, ratio: float, data: st.DataObject
) -> None:
    probe = data.draw(st.integers(1, len(world.table[0])), "probe")
    floor = MedianFloor(ratio, range(probe))
    recipe = {**recipe, "probe": probe, "floor": floor}
    needs = {**needs_of(recipe), "min_ratio": ratio, "probe": probe}
    full, _ = world.race(**recipe, exhaustive=True)
    wanted = golds(latest(full), **needs)
    raced, _ = world.race(**recipe, streamed=data.draw(st.booleans(), "streamed"))
    assert golds(latest(raced), **needs) == wanted
    done = raced[: data.draw(st.integers(0, len(raced)), "journaled")]
    world.asked.clear()
    resumed, _ = world.race(list(latest(done).values()), **recipe)
    assert golds(latest(done, resumed), **needs) == wanted


def test_a_thought_under_the_floor_stops_no_longer_one() -> None:
    # The median of the first three is 10: with a ratio of 0.5 the thought of 2 is not kept.
    world = World([[Track(10), Track(2), Track(12), Track(6), Track(9)]])
    kept, _ = world.race(probe=3, floor=MedianFloor(0.5, range(3)))
    pool = {c.index: c for c in kept}
    assert pool[3].finish == "stop" and pool[3].verdict and pool[3].verdict.ok
    assert pool[4].finish == "outpaced" and pool[4].outpaced_by == 3


def test_a_regrade_that_unseats_the_winner_resumes_what_it_had_outpaced() -> None:
    world = World([[Track(2), Track(5), Track(8)]])
    first, _ = world.race()
    assert [c.finish for c in sorted(first, key=lambda c: c.index)] == ["stop"] + ["outpaced"] * 2
    prompt_id = world.prompts[0].id
    world.tracks[prompt_id, 0] = Track(2, verdict=False)
    unseated = [replace(c, verdict=None) if c.finish == "stop" else c for c in first]
    second, stats = world.race(unseated)
    pool = latest(second)
    assert golds(pool)[prompt_id][0] == 1
    assert pool[prompt_id, 1].finish == "stop"
    assert pool[prompt_id, 2].outpaced_by == 1
    kept_before = sum(len(c.completion_ids) for c in first if c.index)
    assert stats.decoded_tokens == sum(len(pool[prompt_id, i].completion_ids) for i in (1, 2)) - (
        kept_before
    ), "they went on from their kept ids"


def test_a_finished_race_decodes_and_journals_nothing_again() -> None:
    world = World([[Track(2), Track(5)], [Track(4, verdict=False), Track(3)]])
    first, _ = world.race()
    again, stats = world.race(first)
    assert (again, stats.decoded_tokens) == ([], 0)


def test_an_equal_thought_is_waited_for_and_wins_by_its_answer() -> None:
    world = World([[Track(3, answer=2), Track(3, answer=1, delay=30)]])
    kept, _ = world.race()
    assert [c.finish for c in kept] == ["stop", "stop"]
    assert golds(latest(kept))[world.prompts[0].id][0] == 1


def test_a_closed_thought_is_stopped_while_it_writes_its_answer() -> None:
    world = World([[Track(2), Track(3, answer=40)]])
    kept, stats = world.race()
    longer = latest(kept)[world.prompts[0].id, 1]
    assert longer.finish == "outpaced"
    assert 0 < longer.answer_tokens < 10
    assert stats.outpaced == 1


def test_a_closed_and_longer_thought_is_stopped_by_name_where_caps_do_nothing() -> None:
    early = World([[Track(2), Track(3, answer=40)]])  # closed before the verdict is there
    late = World([[Track(2), Track(9, answer=40)]])  # closed after it
    for world in (early, late):
        kept, _ = world.race(engine=world.engine(Capless))
        longer = latest(kept)[world.prompts[0].id, 1]
        assert (longer.finish, longer.answer_tokens < 10) == ("outpaced", True)


def test_candidates_not_yet_started_run_under_the_cap() -> None:
    world = World([[Track(2), Track(9), Track(1), Track(7)]], max_batch=1)
    kept, _ = world.race()
    lengths = [c.think_tokens for c in sorted(kept, key=lambda c: c.index)]
    assert lengths == [2, 3, 1, 2]
    assert golds(latest(kept))[world.prompts[0].id][0] == 2


def test_a_late_verdict_only_costs_tokens() -> None:
    quick = World([[Track(2), Track(30), Track(30)]])
    slow = World([[Track(2, delay=10), Track(30), Track(30)]])
    assert quick.race()[1].decoded_tokens < slow.race()[1].decoded_tokens < 3 * 33


def test_a_thought_over_the_budget_is_malformed_whoever_else_won() -> None:
    kept, _ = World([[Track(9), Track(2, verdict=False)]]).race(think_budget=4)
    over = latest(kept)[kept[0].prompt_id, 0]
    assert (over.finish, over.verdict and over.verdict.stage) == ("malformed", "structure")
    assert over.think_tokens == 5


def test_a_null_verdict_is_asked_again_and_then_kept_apart() -> None:
    world = World([[Track(2, verdict=None), Track(4)]])
    kept, _ = world.race()
    key = (world.prompts[0].id, 0)
    assert world.asked[key] == RETRIES.verdicts
    assert latest(kept)[key].verdict == Verdict(None)
    assert golds(latest(kept))[key[0]][0] == 1


def test_a_null_verdict_is_asked_again_on_resuming() -> None:
    world = World([[Track(2, verdict=None), Track(4, verdict=False)]])
    done, _ = world.race()
    assert world.race(done)[0] == [], "nothing new, nothing journaled"
    world.tracks[world.prompts[0].id, 0] = Track(2)
    again, stats = world.race(done)
    assert [c.verdict and c.verdict.ok for c in again] == [True]
    assert stats.decoded_tokens == 0


def test_an_engine_that_cannot_resume_starts_over() -> None:
    world = World([[Track(2), Track(5)]], resumes=False)
    done, _ = world.race()
    world.tracks[world.prompts[0].id, 0] = Track(2, verdict=False)
    unjudged = [replace(c, verdict=None) if c.finish == "stop" else c for c in done]
    again, stats = world.race(unjudged)
    assert latest(again)[world.prompts[0].id, 1].finish == "stop"
    assert stats.decoded_tokens == len(world.ids(Track(5)))


def test_the_budget_holds_where_the_engine_does_not_know_caps() -> None:
    world = World([[Track(9), Track(2, verdict=False)]])
    kept, _ = world.race(engine=world.engine(Capless), think_budget=4)
    over = latest(kept)[world.prompts[0].id, 0]
    assert (over.finish, over.think_tokens) == ("malformed", 9)


class Flaky(EchoEngine):
    """Fails each candidate so many times before it decodes it."""

    times = 1

    async def sample(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Progress | Done]:
        """Turn the first ends into errors."""
        failed: dict[Key, int] = self.__dict__.setdefault("failed", {})
        async for event in super().sample(jobs):
            if isinstance(event, Done) and failed.get(event.key, 0) < self.times:
                failed[event.key] = failed.get(event.key, 0) + 1
                yield Done(event.key, (), "error", 0.0, "lost the machine")
            else:
                yield event


class Capless(EchoEngine):
    """Can't follow thoughts itself: no caps, but it says how long a closed one is."""

    async def sample(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Progress | Done]:
        """Add the thought's length, which is known once it is closed: all but two tags."""
        uncapped = (replace(job, think_cap=None) async for job in jobs)
        async for event in super().sample(uncapped):
            if isinstance(event, Progress):
                event = replace(event, think_tokens=event.tokens - 2)
            yield event

    def cap(self, key: Key, think_tokens: int) -> None:
        """Ignore it."""


def flaky(world: World, times: int) -> EchoEngine:
    made = world.engine(Flaky)
    made.times = times  # type: ignore[attr-defined]
    return made


def test_an_engine_that_fails_once_is_tried_again() -> None:
    world = World([[Track(2), Track(5)]])
    kept, _ = world.race(engine=flaky(world, 1))
    assert golds(latest(kept))[world.prompts[0].id][0] == 0
    assert len(kept) == 2


def test_a_candidate_that_always_fails_is_kept_as_error_and_redone_on_resuming() -> None:
    world = World([[Track(2), Track(5)]])
    kept, _ = world.race(engine=flaky(world, 99))
    assert [(c.finish, c.verdict and c.verdict.ok) for c in kept] == [("error", None)] * 2
    again, _ = world.race(kept)
    assert golds(latest(again))[world.prompts[0].id][0] == 0


def test_a_gate_that_raises_ends_the_race_with_its_own_error() -> None:
    world = World([[Track(2), Track(5)]])

    async def broken(prompt: Prompt, completion: Completion) -> Verdict:
        raise LookupError("no grader for it")

    world.gate = broken  # type: ignore[method-assign]
    with pytest.raises(LookupError, match="no grader"):
        world.race()


def test_a_prompt_is_entered_once() -> None:
    world = World([[Track(2)]])
    world.prompts *= 2
    with pytest.raises(ValueError, match="given twice"):
        world.race()
    with pytest.raises(ValueError, match="given twice"):
        world.race(streamed=True)


def test_seeds_differ_by_prompt_and_index_and_stay_the_same() -> None:
    seeds = {derive_seed(0, prompt, i, SEPARATOR) for prompt in ("a", "b") for i in range(8)}
    assert len(seeds) == 16 and all(0 <= seed < 2**31 for seed in seeds)
    assert derive_seed(7, "a", 3, SEPARATOR) == 840975868  # as in runs of every version
