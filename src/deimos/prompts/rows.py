"""Rows of local files or of data sets on the Hub, each with the place that messages name."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from deimos.recipe import RecipeError
from deimos.store.json_text import read_json, refuse_lost_backslash

SUFFIXES = (".jsonl", ".jsonl.gz", ".json")
"""Local files that can be read: one JSON object a line (gzipped or not), or one JSON list."""
OTHER_NAMES = {"validation": ("validation", "val", "dev")}
"""What else files call a split."""


class SourceRow(NamedTuple):
    """One row and where it came from."""

    where: str
    """File or data set, and the row's number: what messages name."""
    origin: str
    """File or data set, and split: a prompt's ``source``."""
    data: Mapping[str, Any]


def place_name(dataset: str, revision: str | None) -> str:
    """How a data set is named in ``Prompt.source``: Hub id and commit, or the folder's name."""
    folder = Path(dataset)
    return folder.resolve().name if folder.is_dir() else f"{dataset}@{(revision or '')[:12]}"


def find_file(name: str, path: Path, split: str, config: str | None = None) -> Path:
    """The file of a split: the path itself, or in a folder ``<split>.jsonl`` and the like.

    In a folder: a file called as the split, else the only one whose name has the split (and the
    config) in it, else the only file there, if its name speaks of no split.

    Raises:
        RecipeError: there is none, or more than one would do.
    """
    if not path.is_dir():
        return path
    files = sorted(f for f in path.iterdir() if f.name.endswith(SUFFIXES))
    words = OTHER_NAMES.get(split, (split,))
    exact = [f for f in files if f.name.split(".")[0] in words]
    named = [f for f in files if _words(f) & set(words)]
    if config and (narrower := [f for f in named if config.lower() in f.name.lower()]):
        named = narrower
    known = {"train", "test", *OTHER_NAMES["validation"]}
    only = files if len(files) == 1 and not _words(files[0]) & known else []
    found = exact or named or only
    if len(found) != 1:
        there = ", ".join(f.name for f in found or files) or "no such file"
        wanted = f"{split}.jsonl, or the option path naming the file"
        raise RecipeError(f"{name}: path {str(path)!r} needs {wanted}: it has {there}")
    return found[0]


def _words(file: Path) -> set[str]:
    return set(re.split(r"[^a-z0-9]+", file.name.lower()))


def file_rows(name: str, file: Path) -> Iterator[Mapping[str, Any]]:
    """Rows of a local file, one JSON object a line, or one JSON list of objects.

    Raises:
        RecipeError: unreadable, or a row that is no object; names the line.
    """
    try:
        content = file.read_bytes()
        text = (gzip.decompress(content) if file.suffix == ".gz" else content).decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as e:
        raise RecipeError(f"{name}: path {str(file)!r} cannot be read: {reason(e)}") from e
    if file.suffix == ".json":
        yield from _objects(_parsed(text, file.name), file.name)
        return
    # Not splitlines(): U+2028 and its like may stand inside a JSON text.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            where = f"{file.name} line {number}"
            yield from _objects([_parsed(line, where)], where)


def _parsed(text: str, where: str) -> Any:
    try:
        return read_json(text)
    except ValueError as e:
        raise RecipeError(f"{where}: {e}") from e


def _objects(rows: Any, where: str) -> Iterator[Mapping[str, Any]]:
    if not isinstance(rows, list):
        raise RecipeError(f"{where}: must be a list of objects")
    for row in rows:
        if not isinstance(row, dict):
            raise RecipeError(f"{where}: must be an object")
        yield row


def hub_rows(
    name: str, dataset: str, config: str | None, split: str, revision: str | None
) -> Iterable[Mapping[str, Any]]:
    """Rows of a data set on the Hub, or of a local folder laid out like it.

    Raises:
        RecipeError: no package for it, no revision for a Hub id, no network, no such data set.
    """
    if revision is None and not Path(dataset).is_dir():
        raise RecipeError(
            f"{name}: dataset {dataset!r} needs the option revision, the Hub commit to take"
        )
    try:
        from datasets import load_dataset
    except ImportError as e:
        raise RecipeError(
            f"{name}: dataset {dataset!r} needs the package datasets: "
            "pip install 'deimos-llm[train]', or give the option path"
        ) from e
    try:
        return load_dataset(dataset, config, split=split, revision=revision)  # pyright: ignore[reportReturnType]
    except ConnectionError as e:
        raise RecipeError(
            f"{name}: dataset {dataset!r} cannot be reached: {reason(e)}; "
            "without a network, give the option path"
        ) from e
    except (OSError, ValueError) as e:
        raise RecipeError(f"{name}: dataset {dataset!r} cannot be loaded: {reason(e)}") from e


def text_of(row: SourceRow, *columns: str) -> str:
    """The first of some columns that holds a text which is not blank, stripped.

    Raises:
        RecipeError: none does; names the row and the columns it has.
    """
    for column in columns:
        value = row.data.get(column)
        if isinstance(value, str) and value.strip():
            return value.strip()
    needed = " or ".join(repr(column) for column in columns)
    raise RecipeError(f"{row.where}: needs the text {needed}, has {sorted(row.data)}")


def reference_of(row: SourceRow, *columns: str) -> str:
    """``text_of`` for a column that holds a right answer in TeX.

    Raises:
        RecipeError: as ``text_of``, or a TeX command that lost its backslash.
    """
    try:
        for column in columns:
            if isinstance(row.data.get(column), str):
                refuse_lost_backslash(row.data[column])
    except ValueError as e:
        raise RecipeError(f"{row.where}: {e}") from e
    return text_of(row, *columns)


def texts_of(row: SourceRow, column: str) -> list[str]:
    """A column's list of texts; none where the column is absent or null.

    Raises:
        RecipeError: it holds something else.
    """
    value = row.data.get(column)
    found = [] if value is None else value
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise RecipeError(f"{row.where}: {column!r} must be a list of texts")
    return found


def reason(error: Exception) -> str:
    """An error's own words, one line."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.splitlines()[0].replace(" (OfflineModeIsEnabled)", "")  # the library's own word
