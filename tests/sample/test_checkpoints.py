"""Interrupted candidates' ids: written as stretches, put together again, left alone when foreign."""

from contextlib import closing

from deimos.engines.base import Key
from deimos.sample.checkpoints import Partials, partial_files
from deimos.store.journal import Journal, read
from deimos.store.names import PARTIAL

A, B = Key("a", 0), Key("b", 1)
KEYS = {A: "key-a", B: "key-b"}


def opened(folder, keys=KEYS):
    return closing(Partials(Journal(folder / PARTIAL), partial_files(folder), keys.get))


def test_stretches_join_and_only_what_is_new_is_written(tmp_path):
    with opened(tmp_path) as partials:
        assert partials.ids == {}
        partials.write(A, (1, 2))
        partials.write(B, (7,))
        partials.write(A, (1, 2, 3))
        partials.write(A, (1, 2, 3))
    assert [row["ids"] for row in read(tmp_path / PARTIAL)] == [[1, 2], [7], [3]]
    with opened(tmp_path) as partials:
        assert partials.ids == {A: (1, 2, 3), B: (7,)}


def test_a_candidate_that_began_again_is_written_from_its_start(tmp_path):
    with opened(tmp_path) as partials:
        partials.write(A, (1, 2, 3))
        partials.write(A, (1, 5))
    with opened(tmp_path) as partials:
        assert partials.ids == {A: (1, 5)}


def test_a_stretch_behind_a_damaged_row_does_not_join_on(tmp_path):
    with opened(tmp_path) as partials:
        for end in (2, 4, 6):
            partials.write(A, tuple(range(end)))
    lines = (tmp_path / PARTIAL).read_bytes().splitlines(keepends=True)
    (tmp_path / PARTIAL).write_bytes(lines[0] + lines[1].replace(b"[2", b"[9") + lines[2])
    with opened(tmp_path) as partials:
        assert partials.ids == {A: (0, 1)}


def test_rows_of_other_keys_are_left_alone_and_removing_takes_the_file(tmp_path):
    with opened(tmp_path) as partials:
        partials.write(A, (1, 2))
    with opened(tmp_path, {A: "another temperature"}) as partials:
        assert partials.ids == {}
        partials.remove()
    assert not (tmp_path / PARTIAL).exists()


def test_what_a_clusters_actors_noted_is_gone_on_from_and_removed_too(tmp_path):
    with closing(
        Partials(Journal(tmp_path / "partial" / "000003_000.jsonl"), (), KEYS.get)
    ) as theirs:
        theirs.write(A, (1, 2))
    with opened(tmp_path) as partials:
        assert partials.ids == {A: (1, 2)}
        partials.write(A, (1, 2, 3))
        partials.remove(partial_files(tmp_path))
    assert [*tmp_path.rglob("*.jsonl")] == []
