"""Fingerprints: equal for equal values, and never silently unstable."""

import math
import os
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deimos.store import hashing
from deimos.store.hashing import (
    LARGE,
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
    """Tells 1 from 1.0 and True, as JSON does; not -0.0 from 0.0."""
    return re.sub(r"-0\.0(?![0-9e])", "0.0", repr(sorted(plain(value).items())))


def plain(value):
    """Texts as their hashes, so that none of them reads like a number."""
    if isinstance(value, str):
        return fingerprint(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {fingerprint(key): plain(item) for key, item in value.items()}
    return value


@given(MAPPINGS, MAPPINGS)
def test_differences_name_a_key_whenever_the_texts_differ(one, other):
    keys = {*one, *other}
    if any("." in key for key in keys):
        return  # two spellings of one dotted key
    assert set(differences(one, other)) == {
        key for key in keys
        if (key in one) != (key in other) or canonical(one[key]) != canonical(other[key])
    }  # fmt: skip


@pytest.mark.parametrize(("one", "other"), [(True, 1), (1, 1.0), (False, 0.0), (None, 0)])
def test_values_that_python_takes_for_equal_are_named(one, other):
    assert differences({"a": {"b": one}}, {"a": {"b": other}}) == {"a.b": (one, other)}


def test_minus_zero_is_zero():
    assert fingerprint({"penalty": -0.0}) == fingerprint({"penalty": 0.0})
    assert differences({"penalty": -0.0}, {"penalty": 0.0}) == {}


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
    before = data_hashes({"path": "rows.jsonl", "split": "train", "n": 3}, ("path",))
    assert list(before) == ["rows.jsonl"]
    file.write_text("a")
    assert data_hashes({"path": "rows.jsonl"}, ("path",)) == before
    file.write_text("b")
    assert data_hashes({"path": "rows.jsonl"}, ("path",)) != before


def test_only_declared_options_are_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train").write_text("a file that is called like a split")
    assert data_hashes({"split": "train"}, ("path",)) == {}
    for value in (["train", "gone"], {"test": "train"}):
        assert list(data_hashes({"files": value}, ("path", "files"))) == ["train"]
    for odd in ("x" * 5000, "\0", "", None, 3):
        assert data_hashes({"path": odd}, ("path",)) == {}


def test_a_folder_of_one_part_is_data_with_all_that_is_below_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "deep").mkdir(parents=True)
    before = data_hashes({"path": "./data"}, ("path",))
    assert list(before) == ["data"]
    (tmp_path / "data" / "deep" / "rows.jsonl").write_text("a")
    assert data_hashes({"path": "./data"}, ("path",)) != before


def test_folders_are_hashed_with_names(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a").write_text("1")
    before = path_hash(folder)
    (folder / "a").rename(folder / "b")
    assert path_hash(folder) != before


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A file of weights that was written an hour ago, and a cache folder of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "model" / "model.safetensors"
    file.parent.mkdir()
    write(file, bytes(6 * LARGE))
    return file


def write(file, data, age=3600):
    file.write_bytes(data)
    then = time.time() - age
    os.utime(file, (then, then))


def remembered(tmp_path):
    return list((tmp_path / "cache").rglob("*"))


def test_model_hash_sees_every_byte_of_large_files(weights):
    before = model_hash(weights.parent)
    data = bytearray(6 * LARGE)
    data[3 * LARGE] = 1  # neither at the start nor at the end
    write(weights, data)
    assert model_hash(weights.parent) != before


def test_hashes_of_large_files_are_remembered_once_they_have_settled(
    weights, tmp_path, monkeypatch
):
    assert model_hash(weights.parent) and not remembered(tmp_path)  # written a moment ago
    monkeypatch.setattr(hashing, "SETTLED", -3600.0)
    first = model_hash(weights.parent)
    [entry] = [path for path in remembered(tmp_path) if path.is_file()]
    entry.write_text("a" * 64)
    assert model_hash(weights.parent) != first, "it is taken from there"
    entry.write_text("no hash")
    assert model_hash(weights.parent) == first and len(entry.read_text()) == 64
    write(weights, bytes(6 * LARGE)[:-1] + b"x")
    assert model_hash(weights.parent) != first


def test_a_cache_that_cannot_be_used_is_ignored(weights, tmp_path, monkeypatch):
    before = model_hash(weights.parent)
    monkeypatch.setattr(hashing, "SETTLED", -3600.0)
    (tmp_path / "cache").write_text("a file where a folder should be")
    assert model_hash(weights.parent) == before
