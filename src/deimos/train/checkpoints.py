"""Which checkpoint a training resumes from, and installing the finished adapter whole.

A checkpoint counts once its seal is there: a list of its files and their sizes, written last,
after all of them are on disk. A checkpoint without a seal (the process died while saving), or with
files of other sizes, is never loaded. Contents are not compared: this guards against half a save,
not against a disk that changes bytes. No torch here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

from deimos.store import journal
from deimos.store.names import ADAPTER_CONFIG, ADAPTER_WEIGHTS, CHECKPOINT_SIZES

ADAPTER_FILES = (ADAPTER_CONFIG, ADAPTER_WEIGHTS)
_NAME = re.compile(r"^checkpoint-(\d+)$")


def seal(folder: Path) -> None:
    """Write a checkpoint's seal, after all its files are on disk."""
    sizes = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != CHECKPOINT_SIZES):
        _sync(path)
        sizes[path.relative_to(folder).as_posix()] = path.stat().st_size
    journal.write_atomic(folder / CHECKPOINT_SIZES, json.dumps(sizes))


def is_complete(folder: Path) -> bool:
    """Whether a checkpoint has its seal and every file that the seal names, in full."""
    try:
        sizes = json.loads((folder / CHECKPOINT_SIZES).read_bytes())
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError):
        return False


def step_of(folder: Path) -> int:
    """The optimizer step that ``checkpoint-<step>`` was saved after."""
    found = _NAME.match(folder.name)
    if not found:
        raise ValueError(f"{folder} is not a checkpoint folder")
    return int(found.group(1))


def find_newest(folder: Path) -> Path | None:
    """The newest complete checkpoint under ``folder``; incomplete ones are removed.

    Nothing can be resumed from those, and the next save uses the same names.
    """
    complete: list[Path] = []
    for path in folder.glob("checkpoint-*"):
        if not _NAME.match(path.name):
            continue
        if is_complete(path):
            complete.append(path)
        else:
            shutil.rmtree(path)
    return max(complete, key=step_of, default=None)


def install(checkpoint: Path, adapter: Path) -> None:
    """Copy the adapter out of a checkpoint; ``adapter`` appears whole or not at all."""
    beside = adapter.with_name(f".{adapter.name}.tmp")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    for name in ADAPTER_FILES:
        shutil.copyfile(checkpoint / name, beside / name)
    _order(beside / ADAPTER_CONFIG)
    for name in ADAPTER_FILES:
        _sync(beside / name)
    _sync(beside)
    beside.rename(adapter)
    _sync(adapter.parent)


def _order(path: Path) -> None:
    """Sort the config's target modules: PEFT writes a set, in another order in each process.

    What is decoded with an adapter is keyed by its files' bytes, so the same training has to leave
    the same bytes.
    """
    config = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(targets := config.get("target_modules"), list):
        config["target_modules"] = sorted(targets)
    path.write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
