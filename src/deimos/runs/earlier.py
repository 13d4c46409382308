"""Stages of a run by their records alone, for a run whose plan is of an earlier version of Deimos."""

from __future__ import annotations

import json
from pathlib import Path

from deimos.store import names


def find_last_whole(path: Path) -> dict[str, Path]:
    """Stage name to folder of the latest stage of a run and of all that it was made from.

    By the records alone, whatever plan there is now: a run of an earlier version, whose stages
    have other identities today. What has been removed since is left out.
    """
    records = {
        file.parent.name: json.loads(file.read_bytes()) for file in path.glob(f"*-*/{names.RECORD}")
    }
    found: dict[str, Path] = {}
    latest = max(records, key=lambda name: records[name]["number"], default=None)
    open_names = [latest] if latest else []
    while open_names:
        name = open_names.pop()
        record = records.get(name)
        if record and record["stage"] not in found:
            found[record["stage"]] = path / name
            open_names += record["inputs"].values()
    return found
