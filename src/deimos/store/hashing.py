"""What makes two results the same: canonical JSON, its hash, and the hashes of data.

Identity is what was asked: recipe fields, a stage's version, upstream fingerprints, the content
of files. Code is not hashed, nor is anything of the runtime. A value without a stable form is
refused, because any text made of it could change from run to run and fork the fingerprint.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from deimos.store.journal import JournalError, write_atomic

LARGE = 1 << 20
"""Hashes of files of a model folder with more bytes than this are remembered."""
SETTLED = 2.0
"""Seconds since a file was last written before its hash is remembered: clocks of file systems are
coarse, so a file that is written again at once could keep its time."""


class Unstable(TypeError):
    """A value without a stable form was to be fingerprinted; the message names its place."""


def canonical(value: Any) -> str:
    """One text for equal values: sorted keys, no spaces, tuples as lists.

    Raises:
        Unstable: for anything but None, bool, int, finite float, str, and mappings (with str
            keys) and sequences of those.
    """
    return json.dumps(
        _stable(value, "value"), sort_keys=True, separators=(",", ":"), ensure_ascii=True
    )


def fingerprint(value: Any) -> str:
    """sha256 (hex) of the canonical text."""
    return hashlib.sha256(canonical(value).encode("ascii")).hexdigest()


def _stable(value: Any, where: str) -> Any:
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        if not math.isfinite(value):
            raise Unstable(f"{where} is {value!r}: only finite numbers can be fingerprinted")
        return value + 0.0  # -0.0 equals 0.0, and both become 0.0
    if isinstance(value, Mapping):
        for key in value:
            if type(key) is not str:
                raise Unstable(f"{where} has the key {key!r}: only strings can be fingerprinted")
        return {key: _stable(item, f"{where}.{key}") for key, item in value.items()}
    if type(value) in (list, tuple):
        return [_stable(item, f"{where}[{i}]") for i, item in enumerate(value)]
    raise Unstable(f"{where} is a {type(value).__name__}: it has no stable form to fingerprint")


def derive_seed(seed: int, prompt_id: str, index: int, separator: str) -> int:
    """A completion's own seed, 31 bits: the same on every machine and in every order.

    Args:
        seed: of the whole stage.
        prompt_id: which prompt.
        index: which of the prompt's completions.
        separator: between the three; races and evaluations have different ones, so that the same
            seed in a recipe doesn't give both the same draws.
    """
    text = separator.join((str(seed), prompt_id, str(index)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def file_hash(path: Path) -> str:
    """sha256 (hex) of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def path_hash(path: Path) -> str:
    """Hash of a file, or of all files below a folder with their relative names."""
    if path.is_file():
        return file_hash(path)
    files = sorted(p for p in path.rglob("*") if p.is_file())
    return fingerprint([[str(p.relative_to(path)), file_hash(p)] for p in files])


def model_hash(folder: Path) -> str:
    """Hash of the files in a model folder, each read whole; folders in it are left out.

    Hashes of large files are remembered in the user's cache folder by path, size, times and inode,
    so that each is read once.
    """
    files = sorted(p for p in folder.iterdir() if p.is_file())
    return fingerprint([[p.name, _remembered_hash(p)] for p in files])


def data_hashes(options: Mapping[str, Any], paths: Collection[str]) -> dict[str, str]:
    """Content hash of each existing file or folder, by its path.

    Args:
        options: of a source of prompts.
        paths: names of those options that are paths: a text, or a list or mapping of texts.
    """
    given = (Path(text) for name in paths for text in _strings(options.get(name)) if text)
    return {str(path): path_hash(path) for path in given if _exists(path)}


def differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Dotted keys whose values differ, with the old and the new value (None: not there).

    Values differ if their canonical texts do, as they do in a fingerprint: true is not 1, and -0.0
    is 0.0.
    """
    old, new = dict(_flat(was)), dict(_flat(now))
    keys = [key for key in {**old, **new} if _text_at(old, key) != _text_at(new, key)]
    return {key: (old.get(key), new.get(key)) for key in sorted(keys)}


def _text_at(values: Mapping[str, Any], key: str) -> str:
    return canonical(values[key]) if key in values else ""


def _remembered_hash(path: Path) -> str:
    """``file_hash``, remembered for large files; a cache that cannot be used is ignored."""
    stat = path.stat()
    if stat.st_size <= LARGE:
        return file_hash(path)
    name = [str(path.resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # a user without a home
        return file_hash(path)
    entry = home / "deimos" / "file-hashes" / fingerprint(name)
    with contextlib.suppress(OSError, ValueError):
        digest = entry.read_text(encoding="ascii")
        if re.fullmatch("[0-9a-f]{64}", digest):
            return digest
    digest = file_hash(path)
    if time.time() - max(stat.st_mtime, stat.st_ctime) > SETTLED:
        with contextlib.suppress(JournalError):
            write_atomic(entry, digest)
    return digest


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, Sequence):
        for item in value:
            yield from _strings(item)


def _exists(path: Path) -> bool:
    try:
        return path.is_file() or path.is_dir()
    except (OSError, ValueError):  # no text that can be a name: too long, or with a null byte
        return False


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, list) and any(isinstance(part, Mapping) for part in item):
            item = {str(i): part for i, part in enumerate(item)}  # as --set names them
        if isinstance(item, Mapping) and item:
            yield from _flat(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item
