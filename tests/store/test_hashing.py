"""Fingerprints: equal for equal values, and never silently unstable."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deimos.store.hashing import (
    Unstable,
    canonical,
    data_hashes,
    differences,
    fingerprint,
    model_hash,
    path_hash,
)

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
MAPPINGS = st.dictionaries(st.text(), LEAVES | st.lists(LEAVES, max_size=3), max_size=6)


@given(MAPPINGS, st.randoms())
def test_order_of_keys_does_not_matter(value, random):
    items = list(value.items())
    random.shuffle(items)
    assert fingerprint(dict(items)) == fingerprint(value)


@given(MAPPINGS, MAPPINGS)
def test_other_values_have_other_texts(one, other):
    assert (canonical(one) == canonical(other)) == (repr_of(one) == repr_of(other))


def repr_of(value):
    """Tells 1 from 1.0 and True, as JSON does."""
    return repr(sorted(value.items()))


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, {1, 2}, b"x", Path("x"), object(), {1: 2}, [{"a": {3}}], lambda: None],
)
def test_what_has_no_stable_form_raises(value):
    with pytest.raises(Unstable, match="value"):
        canonical({"deep": [value]})


def test_the_message_says_where():
    with pytest.raises(Unstable, match=r"value\.a\[1\]\.b is nan"):
        canonical({"a": [0, {"b": math.nan}]})


def test_differences_are_dotted_keys_with_both_values():
    was = {"recipe": {"train": {"lr": 1}, "n": 2}, "data": {}}
    now = {"recipe": {"train": {"lr": 3}, "n": 2}, "data": {"f": "x"}}
    assert differences(was, now) == {
        "data": ({}, None),
        "data.f": (None, "x"),
        "recipe.train.lr": (1, 3),
    }


def test_differences_go_into_lists_of_sections():
    was = {"tasks": [{"name": "a", "take": 1}], "n": [1, 2]}
    now = {"tasks": [{"name": "a", "take": 2}, {"name": "b"}], "n": [1, 3]}
    assert differences(was, now) == {
        "n": ([1, 2], [1, 3]), "tasks.0.take": (1, 2), "tasks.1.name": (None, "b"),
    }  # fmt: skip


def test_data_is_known_by_content_not_by_date(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "rows.jsonl"
    file.write_text("a")
    before = data_hashes({"path": "rows.jsonl", "split": "train", "n": 3})
    assert list(before) == ["rows.jsonl"]
    file.write_text("a")
    assert data_hashes({"path": "rows.jsonl"}) == before
    file.write_text("b")
    assert data_hashes({"path": "rows.jsonl"}) != before
    assert data_hashes({"text": "x" * 5000 + "\0"}) == {}


def test_folders_are_hashed_with_names(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a").write_text("1")
    before = path_hash(folder)
    (folder / "a").rename(folder / "b")
    assert path_hash(folder) != before


def test_model_hash_sees_the_ends_and_size_of_large_files(tmp_path):
    weights = tmp_path / "model.safetensors"
    data = bytearray(3 << 20)
    weights.write_bytes(data)
    before = model_hash(tmp_path)
    data[-1] = 1
    weights.write_bytes(data)
    assert model_hash(tmp_path) != before
