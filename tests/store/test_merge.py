"""What journals say now: the same whatever the order of segments, duplicates, errors and other keys."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deimos.store.candidates import merge_candidates, read_candidates
from deimos.store.journal import Journal, decode
from deimos.store.keys import keys_path, read_keys, remove_keys, write_keys
from deimos.store.merge import (
    ENDED,
    RowState,
    Skipped,
    counts_now,
    merge,
    merge_completions,
    merge_files,
    merge_partials,
    merge_timing,
    state_of,
)
from deimos.store.names import COMPLETIONS
from deimos.store.schema import (
    PartialRow,
    RowError,
    Timed,
    completion_from,
    completion_row,
    row_of,
    timing_row,
)
from deimos.types import Completion, Verdict

NAME = ("p", 0)


def completion(
    text: str = "whole", finish: str = "stop", ok: bool | None = True, judged: bool = True
) -> Completion:
    verdict = Verdict(ok, "judged") if judged else None
    ids = tuple(range(len(text)))
    return Completion(
        "p", 0, 7, "t", "a", text, (1,), ids, 1, 1, finish, None, 0.1, "e", verdict  # type: ignore[arg-type]
    )  # fmt: skip


def row(c: Completion, key: str = "k") -> dict:
    return {**completion_row(c), "key": key}


def journal(path: Path, rows: list[dict]) -> Path:
    with Journal(path) as file:
        for each in rows:
            file.append(each)
    return path


def now(rows: list[Completion]) -> Completion | None:
    return merge([(NAME, c) for c in rows], state_of).get(NAME)


FINISHES = st.sampled_from(["stop", "length", "malformed", "outpaced", "error"])
COMPLETIONS_DRAWN = st.builds(
    completion,
    text=st.sampled_from(["one", "other", "third"]),
    finish=FINISHES,
    ok=st.sampled_from([True, False, None]),
    judged=st.booleans(),
)


@given(st.lists(COMPLETIONS_DRAWN, min_size=1, max_size=8))
def test_the_first_row_that_ended_settles_the_tokens(rows):
    found = now(rows)
    assert found
    ended = [c for c in rows if c.finish in ENDED]
    if ended:
        assert (found.finish, found.text) == (ended[0].finish, ended[0].text)
    elif going := [c for c in rows if c.finish == "outpaced"]:
        assert found == going[-1]
    else:
        assert found == rows[0]


@given(st.lists(COMPLETIONS_DRAWN, min_size=1, max_size=8))
def test_a_verdict_is_never_lost_to_a_row_that_has_none(rows):
    found = now(rows)
    assert found
    same = [c for c in rows if (c.finish, c.text) == (found.finish, found.text)]
    verdicts = [c.verdict for c in same if c.verdict and c.verdict.ok is not None]
    if found.finish in ENDED and verdicts:
        assert found.verdict == verdicts[-1]


@given(st.lists(COMPLETIONS_DRAWN, min_size=1, max_size=6), st.data())
def test_errors_and_duplicates_change_nothing_wherever_they_stand(rows, data):
    kept = [c for c in rows if c.finish != "error"]
    if not kept:
        return
    more = list(kept)
    for _ in range(data.draw(st.integers(0, 4))):
        more.insert(data.draw(st.integers(0, len(more))), completion(finish="error", text="torn"))
    twice = data.draw(st.integers(0, len(more) - 1))
    more.insert(twice, more[twice])
    assert now(more) == now(kept)


@given(st.permutations([completion(), completion(finish="error"), completion("wh", "outpaced")]))
def test_segments_in_any_order_give_the_one_that_ended(rows):
    assert now(list(rows)) == completion()


def test_null_replaces_a_verdict_of_other_filters_and_not_one_of_the_same():
    judged = RowState("stop", "x", True, "00000")
    assert not counts_now(judged, judged._replace(ok=None))
    assert counts_now(judged, judged._replace(ok=None, filters="00001"))
    assert counts_now(judged._replace(ok=None), judged)


OTHERS = st.lists(st.tuples(st.sampled_from(["k", "x", "y", ""]), COMPLETIONS_DRAWN), max_size=8)


@settings(max_examples=40, deadline=None)
@given(OTHERS)
def test_rows_of_other_keys_do_not_count_wherever_they_stand(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("j") / "a.jsonl"
    journal(path, [row(c, key) for key, c in rows])
    skipped = Skipped()
    found = merge_files(
        [path], lambda keyed: completion_from(keyed.row), state_of,
        wanted={NAME: "k"}.get, skipped=skipped,
    )  # fmt: skip
    assert found.get(NAME) == now([c for key, c in rows if key == "k"])
    assert skipped.other_keys == sum(key != "k" for key, _ in rows)


def test_without_known_keys_rows_of_two_keys_are_not_mixed(tmp_path):
    stale, fresh = completion("stale"), completion("fresh", "outpaced")
    path = journal(tmp_path / "a.jsonl", [row(stale, "x"), row(fresh, "k"), row(stale, "x")])
    assert merge_candidates([path], wanted=None)[NAME].completion == fresh


def test_candidates_go_by_the_keys_that_the_stage_wrote_down(tmp_path):
    stale, fresh = completion("stale"), completion("fresh")
    journal(tmp_path / COMPLETIONS / "00000.jsonl", [row(stale, "x"), row(fresh, "k")])
    write_keys(keys_path(tmp_path), {COMPLETIONS: {NAME: "k"}})
    assert read_candidates(tmp_path)[NAME].completion == fresh
    assert read_candidates(tmp_path, ids=False)[NAME].completion.completion_ids == ()
    write_keys(keys_path(tmp_path), {COMPLETIONS: {NAME: "new"}})
    assert read_candidates(tmp_path) == {}


def test_damaged_lines_are_skipped_and_counted(tmp_path):
    path = journal(tmp_path / "a.jsonl", [row(completion("one")), row(completion("two"))])
    path.write_bytes(path.read_bytes().replace(b'"one"', b'"on3"'))
    skipped = Skipped()
    found = merge_candidates([path], wanted=None, skipped=skipped)
    assert found[NAME].completion == completion("two")
    assert skipped.damaged == 1


def test_a_row_without_a_name_is_one_sentence(tmp_path):
    path = journal(tmp_path / "a.jsonl", [{"index": 0}])
    with pytest.raises(RowError, match=r"a\.jsonl has a row without 'prompt_id'"):
        merge_completions([path], {NAME: "k"}.get)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=6), st.data())
def test_unfinished_ids_join_and_nothing_behind_a_gap_does(tmp_path_factory, lengths, data):
    path, start = tmp_path_factory.mktemp("p") / "a.jsonl", 0
    rows = []
    for n in lengths:
        rows.append(PartialRow("k", *NAME, start, tuple(range(start, start + n))))
        start += n
    lost = data.draw(st.none() | st.integers(0, len(rows) - 1))
    kept = [r for i, r in enumerate(rows) if i != lost]
    other = [replace(rows[0], key="x", ids=(99,))]
    journal(path, [row_of(r) for r in [*other, *kept, *other]])
    until = start if lost is None else rows[lost].start
    assert merge_partials([path], {NAME: "k"}.get).get(NAME, ()) == tuple(range(until))


def test_timed_requests_count_once_and_by_key(tmp_path):
    old, new = (Timed(0, "base", "t", "p", s, 5, key) for s, key in ((9.0, "x"), (1.0, "k")))
    path = journal(tmp_path / "t.jsonl", [timing_row([old]), timing_row([new, new])])
    assert merge_timing(path) == [old]
    assert merge_timing(path, lambda timed: timed.key == "k") == [new]


def test_keys_of_shards_and_of_a_whole_stage_are_read_together(tmp_path):
    assert read_keys(tmp_path) is None
    write_keys(keys_path(tmp_path), {"set": {("a", 0): "a0", ("a", 1): "a1"}, "other": {}})
    write_keys(keys_path(tmp_path, 12), {"set": {("b", 0): "b0"}})
    keys = read_keys(tmp_path)
    assert keys is not None and len(keys["set"]) == 3
    assert [keys["set"].of(n) for n in (("a", 1), ("b", 0), ("b", 1), ("c", 0), ("a", -1))] == [
        "a1", "b0", None, None, None,
    ]  # fmt: skip
    remove_keys(tmp_path)
    assert read_keys(tmp_path) is None


def test_what_is_merged_is_what_stands_in_the_file(tmp_path):
    path = journal(tmp_path / "a.jsonl", [row(completion())])
    [line] = path.read_bytes().splitlines()
    parsed = decode(line)
    assert parsed is not None and completion_from(parsed) == completion()
    assert merge_completions([path], {NAME: "k"}.get) == {NAME: completion()}
