"""The journal: synced appends a second, and reopening a million records, beside the raw disk.

usage: python benchmarks/journal.py [--records 1000000] [--rounds 5] [--dir DIR]
                                    [--out docs/results/journal.md]

Appending: rows of a completion's size without its ids, each round a fresh file; `journal` is ours
(length and CRC in every record, synced in groups), beside it the same bytes written the same way
without records (one write a row, fdatasync after as many), in turn. Reopening: cut a torn tail,
then read every record, length and checksum verified and parsed; beside it the same file read in
blocks and thrown away, and every line parsed with nothing verified. Both sides must find the same
rows. The last line is one JSON object {"appends_per_second", "reopen_seconds", "read_seconds",
"records"} (medians).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from deimos.store.journal import GROUP_RECORDS, GROUP_SECONDS, Journal, encode, read

BLOCK = 1 << 20


def row(number: int) -> dict[str, Any]:
    """A record like a candidate's, without ids and text."""
    return {
        "prompt_id": f"{number // 8:064x}", "index": number % 8, "seed": number, "finish": "stop",
        "think_tokens": number % 997, "answer_tokens": 12, "seconds": 1.25, "engine": "local",
    }  # fmt: skip


def seconds(work: Callable[[], Any]) -> float:
    """Wall seconds of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def append(path: Path, records: int) -> None:
    """Ours."""
    with Journal(path) as journal:
        for number in range(records):
            journal.append(row(number))


def append_raw(path: Path, records: int) -> None:
    """The disk's own speed: the same lines, made beforehand, written and synced as often."""
    lines = [encode(row(number)) for number in range(1000)]
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for number in range(records):
        os.write(fd, lines[number % 1000])
        if number % GROUP_RECORDS == GROUP_RECORDS - 1:
            os.fdatasync(fd)
    os.fdatasync(fd)
    os.close(fd)


def reopen(path: Path, records: int) -> None:
    """Ours: open for writing, then every record."""
    Journal(path).close()
    if sum(1 for _ in read(path)) != records:
        raise SystemExit("the journal did not give all its records back")


def parse(path: Path, records: int) -> None:
    """Every line parsed, nothing verified."""
    with path.open("rb") as file:
        if sum(1 for line in file if json.loads(line)) != records:
            raise SystemExit("the file has another number of lines")


def scan(path: Path) -> None:
    """The file's bytes, in blocks."""
    with path.open("rb", buffering=0) as file:
        while file.read(BLOCK):
            pass


def main() -> None:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dir", type=Path, help="where to write; a temporary folder unless given")
    parser.add_argument("--out", type=Path, default=Path("docs/results/journal.md"))
    args = parser.parse_args()
    some = max(1, args.records // 10)
    times: dict[str, list[float]] = {k: [] for k in ("append", "raw", "reopen", "parse", "scan")}
    with tempfile.TemporaryDirectory(dir=args.dir) as folder:
        for turn in range(args.rounds):
            ours, theirs = Path(folder) / f"ours-{turn}", Path(folder) / f"raw-{turn}"
            times["append"].append(seconds(lambda p=ours: append(p, some)))
            times["raw"].append(seconds(lambda p=theirs: append_raw(p, some)))
            ours.unlink()
            theirs.unlink()
        path = Path(folder) / "journal.jsonl"
        append(path, args.records)
        size = path.stat().st_size
        for _ in range(args.rounds):
            times["scan"].append(seconds(lambda: scan(path)))
            times["reopen"].append(seconds(lambda: reopen(path, args.records)))
            times["parse"].append(seconds(lambda: parse(path, args.records)))
    middle = {name: statistics.median(values) for name, values in times.items()}
    ratio = statistics.median(a / b for a, b in zip(times["raw"], times["append"], strict=True))
    slower = statistics.median(a / b for a, b in zip(times["reopen"], times["parse"], strict=True))
    lines = [
        "# The journal beside the raw disk",
        "",
        f"`python benchmarks/journal.py --records {args.records} --rounds {args.rounds}`; deimos-llm "
        f"{version('deimos-llm')}, Python {sys.version.split()[0]}; {args.rounds} rounds in turn, medians; "
        f"{size / args.records:.0f} bytes a record; synced after {GROUP_RECORDS} records or {GROUP_SECONDS} s.",
        "",
        f"| appending {some:,} records, synced in groups | records/s | ratio to raw |",
        "|---|---|---|",
        f"| journal (JSON, length, CRC) | {some / middle['append']:,.0f} | {ratio:.2f} |",
        f"| the same bytes, made beforehand, written and synced as often | {some / middle['raw']:,.0f} | 1 |",
        "",
        f"| reopening {args.records:,} records ({size / 1e6:,.0f} MB, in the page cache) | seconds | MB/s |",
        "|---|---|---|",
        f"| journal: tail looked at, every record verified and parsed | {middle['reopen']:.2f} "
        f"| {size / 1e6 / middle['reopen']:,.0f} |",
        f"| every line parsed, nothing verified | {middle['parse']:.2f} | {size / 1e6 / middle['parse']:,.0f} |",
        f"| read in blocks, thrown away | {middle['scan']:.2f} | {size / 1e6 / middle['scan']:,.0f} |",
        "",
        f"Verifying makes reading {slower:.2f} times as long.",
        "",
    ]
    args.out.write_text("\n".join(lines), encoding="utf-8")
    print(
        json.dumps(
            {
                "appends_per_second": round(some / middle["append"]),
                "reopen_seconds": round(middle["reopen"], 2),
                "read_seconds": round(middle["scan"], 3),
                "records": args.records,
            }
        )
    )


if __name__ == "__main__":
    main()
