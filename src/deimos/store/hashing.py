"""What makes two results the same: canonical JSON, its hash, and the hashes of data.

Identity is what was asked: recipe fields, a stage's version, upstream fingerprints, the content
of files. Code is not hashed, nor is anything of the runtime. Whatever has no stable form raises
instead of being turned into some string that silently forks a fingerprint.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

LARGE = 1 << 20
"""Files of a model folder above this many bytes enter by size and their two ends alone."""


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
        return value
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
    """Hash of a model folder: small files whole, weights by size and first and last MiB.

    Quick even for large models. Weights edited only in the middle of a file go unseen.
    """
    files = sorted(p for p in folder.iterdir() if p.is_file())
    return fingerprint([[p.name, p.stat().st_size, _ends_hash(p)] for p in files])


def data_hashes(options: Any) -> dict[str, str]:
    """Content hash of every existing file or folder that a string in ``options`` names."""
    paths = (Path(text) for text in _strings(options) if text and "\n" not in text)
    return {str(p): path_hash(p) for p in paths if _exists(p)}


def differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Dotted keys whose values differ, with the old and the new value (None: not there)."""
    old, new = dict(_flat(was)), dict(_flat(now))
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    return {key: (old.get(key), new.get(key)) for key in sorted(keys)}


def _ends_hash(path: Path) -> str:
    if path.stat().st_size <= 2 * LARGE:
        return file_hash(path)
    with path.open("rb") as file:
        digest = hashlib.sha256(file.read(LARGE))
        file.seek(-LARGE, 2)
        digest.update(file.read(LARGE))
    return digest.hexdigest()


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
        return path.is_file() or (len(path.parts) > 1 and path.is_dir())
    except OSError:  # a text too long to be a name
        return False


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, list) and any(isinstance(part, Mapping) for part in item):
            item = {str(i): part for i, part in enumerate(item)}  # as --set names them
        if isinstance(item, Mapping) and item:
            yield from _flat(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item
