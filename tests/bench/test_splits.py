"""Splits: the groups, what chose them, and that choosing itself shows no change."""

import numpy as np
import pytest

from deimos.bench.splits import choose_samples, split_rows
from deimos.bench.suites import ArmName
from deimos.bench.tables import Slice
from deimos.evaluate.outcomes import Outcome
from deimos.runs.artifacts import Artifacts
from deimos.store.journal import write_rows

WHERE = Slice("equal", True, "t", 100)
REC, LOCK = "recommended", "locked"


def made(problem: int, ok: bool | None, index: int = 0, *, level: str = "") -> Outcome:
    return Outcome(
        f"t/{problem:04}", "t", True, index, ok, "stop", 9, 5, 20, 40, False, level=level
    )


def arms(base: dict[str, list[Outcome]], tuned: dict[str, list[Outcome]]):
    sides = {"base": base, "tuned": tuned}
    return {ArmName(m, c): found for m, side in sides.items() for c, found in side.items()}


def rows_of(samples, *, alike: bool = False, where: Slice = WHERE):
    configs = list(dict.fromkeys(arm.config for arm in samples))
    pairs = [(ArmName("base", c), ArmName("tuned", c)) for c in configs]
    return split_rows(samples, pairs, where, lambda a, b: alike or a == b)


def test_half_of_the_samples_choose_and_the_others_are_compared():
    rights = {0: [1, 1, 1, 0], 1: [1, 0, 0, 1], 2: [0, 1, 0, 1]}
    base = [made(p, bool(r), i) for p, row in rights.items() for i, r in enumerate(row)]
    tuned = [made(p, True, i) for p in rights for i in range(4)]
    rows = rows_of(arms({REC: base}, {REC: tuned}))
    assert [(r["split"], r["value"], r["n"]) for r in rows] == [
        ("difficulty", "all", 1), ("difficulty", "some", 1), ("difficulty", "none", 1),
    ]  # fmt: skip
    # by samples 0 and 2; compared on 1 and 3
    assert [r["accuracy_delta"] for r in rows] == [0.5, 0.5, 0.0]
    assert all(r["selected_by"] == {"config": REC, "samples": 2, "held_out": True} for r in rows)


def test_another_decodings_samples_choose_if_there_is_one_sample_each():
    base = {REC: [made(0, True), made(1, False)], LOCK: [made(0, False), made(1, True)]}
    tuned = {REC: [made(0, True), made(1, True)], LOCK: [made(0, True), made(1, True)]}
    rows = rows_of(arms(base, tuned))
    found = {(r["config"], r["value"]): r for r in rows}
    assert found[LOCK, "all"]["accuracy_delta"] == 1.0  # problem 0: right when sampled
    assert found[LOCK, "none"]["accuracy_delta"] == 0.0
    assert found[LOCK, "all"]["selected_by"] == {"config": REC, "samples": 1, "held_out": True}


def test_where_nothing_can_be_held_out_the_row_says_so():
    base, tuned = [made(0, True), made(1, False)], [made(0, True), made(1, True)]
    samples = arms({REC: base, LOCK: base}, {REC: tuned, LOCK: tuned})
    rows = rows_of(samples, alike=True)  # two names of one sample set
    assert [r["selected_by"]["held_out"] for r in rows] == [False] * 4


@pytest.mark.parametrize(("repeats", "shown"), [(4, False), (1, True)])
def test_held_out_samples_show_no_change_where_there_is_none(repeats: int, shown: bool):
    """One model twice: what chooses and is compared regresses to the mean, what is held out not."""
    rng = np.random.default_rng(0)
    chance = rng.uniform(0.1, 0.9, 1500)

    def side():
        return [
            made(p, bool(rng.random() < chance[p]), i) for p in range(1500) for i in range(repeats)
        ]

    rows = {r["value"]: r for r in rows_of(arms({REC: side()}, {REC: side()}))}
    lo, hi = rows["all"]["accuracy_delta_ci"]
    assert (hi < -0.1) is shown and (lo <= 0 <= hi) is not shown


def test_levels_are_ordered_and_no_problem_is_lost():
    levels = {0: "10", 1: "2", 2: "2", 3: "hard", 4: ""}
    base = [made(p, p % 2 == 0, level=level) for p, level in levels.items()]
    tuned = [made(p, True, level=level) for p, level in levels.items()]
    rows = [r for r in rows_of(arms({LOCK: base}, {LOCK: tuned})) if r["split"] == "level"]
    assert [(r["value"], r["n"]) for r in rows] == [
        ("2", 2),
        ("10", 1),
        ("hard", 1),
        ("unknown", 1),
    ]
    assert rows[0]["accuracy_delta"] == 0.5 and "selected_by" not in rows[0]
    pooled = Slice("equal", True, "all", 100)
    assert {r["split"] for r in rows_of(arms({LOCK: base}, {LOCK: tuned}), where=pooled)} == {
        "difficulty"
    }
    bare = [made(p, True) for p in levels]
    assert {r["split"] for r in rows_of(arms({LOCK: bare}, {LOCK: bare}))} == {"difficulty"}


def test_unjudged_problems_have_a_row_of_their_own():
    base, tuned = [made(0, None), made(1, True)], [made(0, True), made(1, True)]
    rows = rows_of(arms({LOCK: base}, {LOCK: tuned}))
    assert [(r["value"], r["n"]) for r in rows] == [("all", 1), ("unjudged", 0)]


def test_ragged_repeats_are_halved_by_rank():
    own = [made(0, True, 3), made(0, False, 7), made(1, True, 0), made(1, True, 1)]
    found = choose_samples({ArmName("base", REC): own}, ArmName("base", REC), lambda a, b: a == b)
    assert [o.index for o in found.by] == [3, 0] and [o.index for o in found.left] == [7, 1]


def test_rows_are_read_back_through_artifacts(tmp_path):
    base, tuned = [made(0, True, level="1")], [made(0, True, level="1")]
    rows = rows_of(arms({LOCK: base}, {LOCK: tuned}))
    write_rows(tmp_path / "splits.jsonl", rows)
    read = Artifacts({"bench": tmp_path}).splits()
    assert [(r["split"], r["value"]) for r in read] == [("difficulty", "all"), ("level", "1")]
    assert Artifacts({"bench": tmp_path / "old"}).splits() == []  # a run of before splits
