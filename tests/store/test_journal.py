"""The journal against crashes: torn tails, flipped bits, killed writers, full disks."""

import errno
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deimos.store.journal import (
    SEAL,
    Journal,
    JournalError,
    decode,
    encode,
    health,
    read,
    read_rows,
    sweep,
    write_atomic,
    write_rows,
)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ROWS = st.dictionaries(
    st.text().filter(lambda key: key not in SEAL), VALUES, min_size=1, max_size=5
)


def written(path: Path, rows) -> Path:
    with Journal(path) as journal:
        for row in rows:
            journal.append(row)
    return path


@given(ROWS)
def test_what_goes_in_comes_out_on_one_line(row):
    line = encode(row)
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    assert decode(line[:-1]) == row


def test_checksum_is_the_lines_last_key_and_stripped_on_reading(tmp_path):
    path = written(tmp_path / "a.jsonl", [{"x": 1, "y": "é\u2028"}])
    raw = json.loads(path.read_text())
    assert list(raw) == ["x", "y", "bytes", "crc32"] and len(raw["crc32"]) == 8
    assert list(read(path)) == [{"x": 1, "y": "é\u2028"}]


@pytest.mark.parametrize(
    "row", [{}, {"crc32": "0"}, {"bytes": 2}, {"x": float("nan")}, {"x": {1, 2}}]
)
def test_rows_that_json_cannot_hold_are_refused_and_leave_nothing(tmp_path, row):
    with Journal(tmp_path / "a.jsonl") as journal, pytest.raises((ValueError, TypeError)):
        journal.append(row)
    assert (tmp_path / "a.jsonl").read_bytes() == b""


def test_torn_tail_at_every_byte_is_cut_off_and_kept(tmp_path):
    whole = written(tmp_path / "whole.jsonl", [{"n": 1}, {"n": 2}, {"n": 3, "s": "tail"}])
    data = whole.read_bytes()
    last = data[:-1].rindex(b"\n") + 1
    for cut in range(last, len(data)):
        path = tmp_path / f"cut-{cut}.jsonl"
        path.write_bytes(data[:cut])
        assert [row["n"] for row in read(path)] == [1, 2]
        written(path, [{"n": 4}])
        assert [row["n"] for row in read(path)] == [1, 2, 4]
        quarantine = tmp_path / f"cut-{cut}.jsonl.quarantine"
        assert (quarantine.read_bytes()[:-1] if cut > last else b"") == data[last:cut]
        assert quarantine.exists() == (cut > last)


def test_tail_of_zeros_as_a_power_cut_leaves_it_is_cut_off(tmp_path):
    path = written(tmp_path / "a.jsonl", [{"n": 1}])
    path.write_bytes(path.read_bytes() + bytes(200_000))
    written(path, [{"n": 2}])
    assert [row["n"] for row in read(path)] == [1, 2]


def test_every_flipped_bit_of_a_line_is_noticed_and_only_that_line_lost(tmp_path, caplog):
    data = written(tmp_path / "a.jsonl", [{"n": 1}, {"n": 2}, {"n": 3}]).read_bytes()
    first, end = data.index(b"\n") + 1, data[:-1].rindex(b"\n")
    for at in range(first, end):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[at] ^= 1 << bit
            if flipped[at] == ord("\n"):
                continue
            (tmp_path / "a.jsonl").write_bytes(flipped)
            caplog.clear()
            assert [row["n"] for row in read(tmp_path / "a.jsonl")] == [1, 3], (at, bit)
            assert "line 2 is damaged" in caplog.text


def test_one_writer_at_a_time(tmp_path):
    with Journal(tmp_path / "a.jsonl"), pytest.raises(JournalError, match="another process"):
        Journal(tmp_path / "a.jsonl")
    Journal(tmp_path / "a.jsonl").close()


def test_a_folder_is_read_in_order_of_file_name_and_a_missing_one_is_empty(tmp_path):
    written(tmp_path / "b.jsonl", [{"n": 2}])
    written(tmp_path / "a.jsonl", [{"n": 1}])
    assert [row["n"] for row in read(tmp_path)] == [1, 2]
    assert list(read(tmp_path / "nothing")) == []


WRITER = """
import sys
from pathlib import Path
from deimos.store.journal import Journal
journal = Journal(Path(sys.argv[1]))
for n in range(10**9):
    journal.append({"n": n, "text": "x" * 500})
    sys.stdout.write(f"{n}\\n")
    sys.stdout.flush()
"""


def test_a_killed_writer_loses_no_row_that_it_had_appended(tmp_path):
    path = tmp_path / "a.jsonl"
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
    assert child.stdout
    for _ in range(200):
        child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    appended = 200 + len(child.stdout.read().splitlines())
    child.wait()
    child.stdout.close()
    written(path, [{"n": "after"}])
    rows = [row["n"] for row in read(path)]
    assert rows[-1] == "after" and rows[:-1] == list(range(len(rows) - 1))
    assert len(rows) - 1 >= appended - 1  # the last number may have been torn off in the pipe


FULL = """
import resource, sys
from pathlib import Path
from deimos.store.journal import Journal, JournalError
path = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
journal = Journal(path)
kept = 0
try:
    while True:
        journal.append({"n": kept, "text": "x" * 90})
        kept += 1
except JournalError as e:
    assert "cannot write" in str(e), e
print(kept)
"""


def test_a_full_disk_is_said_and_leaves_only_whole_rows(tmp_path):
    path = tmp_path / "a.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True
    )
    assert path.read_bytes().endswith(b"\n")
    assert [row["n"] for row in read(path)] == list(range(int(done.stdout)))


def test_writing_atomically_leaves_the_old_file_where_it_fails(tmp_path):
    path = tmp_path / "a.txt"
    write_atomic(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomic(path, "\ud800")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_finished_files_round_trip_and_name_a_bad_line(tmp_path):
    path = tmp_path / "rows.jsonl"
    assert write_rows(path, [{"a": 1}, {"b": "\u2028"}]) == 2
    assert read_rows(path) == [{"a": 1}, {"b": "\u2028"}]
    path.write_text('{"a": 1}\n[2]\n')
    with pytest.raises(ValueError, match="line 2 must be a JSON object"):
        read_rows(path)


def test_health_counts_records_damage_and_what_was_torn_off(tmp_path):
    path = written(tmp_path / "a.jsonl", [{"n": 1}, {"n": 2}, {"n": 3}])
    data = bytearray(path.read_bytes())
    data[8] ^= 1
    path.write_bytes(bytes(data) + b'{"n": 4')
    written(path, [{"n": 5}])
    assert health(path) == (3, 1, len(b'{"n": 4') + 1)
    (tmp_path / "plain.jsonl").write_text('{"n": 1}\n')
    assert health(tmp_path / "plain.jsonl") is None


def test_a_lone_record_is_synced_without_another_append(tmp_path, monkeypatch):
    synced = threading.Event()
    monkeypatch.setattr("os.fdatasync", lambda fd: synced.set())
    with Journal(tmp_path / "a.jsonl") as journal:
        journal.append({"n": 1})
        assert synced.wait(60)


def test_a_sync_that_failed_late_is_said_by_the_next_append_and_not_tried_again(
    tmp_path, monkeypatch
):
    tried = []

    def fail(fd):
        tried.append(fd)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("os.fdatasync", fail)
    journal = Journal(tmp_path / "a.jsonl")
    journal.append({"n": 1})
    while not tried:
        time.sleep(0.01)
    with pytest.raises(JournalError, match="syncing to disk failed"):
        journal.append({"n": 2})
    journal.close()
    assert len(tried) == 1


def test_what_a_killed_process_left_of_an_atomic_write_is_swept(tmp_path):
    (tmp_path / ".gold.jsonl.123.tmp").write_text("half")
    (tmp_path / "gold.jsonl").write_text("whole")
    sweep(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["gold.jsonl"]
