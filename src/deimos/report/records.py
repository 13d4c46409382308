"""Reading a run folder: what each stage left, as values; a stage that has not run is empty.

The only file of the report that opens the run's files. Long texts are read in a second pass and
only for the few completions that are shown, so a run of many gigabytes can be reported.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deimos.recipe import Recipe
from deimos.store import journal

Row = dict[str, Any]
_CHECKSUM = re.compile(rb'"crc32":\s*"[0-9a-f]{8}"\}\s*$')


@dataclass(frozen=True, slots=True)
class Outcome:
    """One benchmark completion without its text."""

    task: str
    model: str
    config: str
    prompt_id: str
    index: int
    think_tokens: int
    answer_tokens: int
    finish: str
    ok: bool | None
    path: Path
    """The file that holds the whole row."""


@dataclass(frozen=True)
class Run:
    """Everything the report reads."""

    name: str
    recipe: Recipe
    folders: Mapping[str, Path]
    records: Mapping[str, Row]
    """Each stage's ``record.json``."""
    bench: list[Row]
    compare: list[Row]
    by_config: list[Row]
    curve: list[Row]
    constants: Row
    outcomes: list[Outcome]

    def counts(self, stage: str) -> Row:
        """The counts that a stage recorded."""
        return self.records.get(stage, {}).get("counts") or {}

    @property
    def lab(self) -> bool:
        """The embedded reasoner was used, whose verbosity was written by this project."""
        return self.recipe.model.id == "lab"

    @property
    def plain(self) -> bool:
        """The model does not think in tags: its whole text is trace and answer."""
        return self.recipe.model.tags is None


def read_run(run_dir: Path, folders: Mapping[str, Path], recipe: Recipe) -> Run:
    """Read what the stages left in ``folders`` (stage name to folder); absent files are empty."""
    bench = folders.get("bench")
    sample = folders.get("sample")
    return Run(
        name=recipe.name or run_dir.name,
        recipe=recipe,
        folders=folders,
        records={name: _json(folder / "record.json") for name, folder in folders.items()},
        bench=list(rows(bench, "bench.jsonl")),
        compare=list(rows(bench, "compare.jsonl")),
        by_config=list(rows(bench, "by_config.jsonl")),
        curve=list(rows(bench, "budget_curve.jsonl")),
        constants=_json(sample / "constants.json") if sample else {},
        outcomes=list(_outcomes(bench)),
    )


def rows(folder: Path | None, pattern: str) -> Iterator[Row]:
    """Rows of the files in a stage folder that match a pattern, in order of file name."""
    for path in sorted(folder.glob(pattern)) if folder else ():
        yield from file_rows(path)


def file_rows(path: Path) -> Iterator[Row]:
    """Rows of one JSONL file: a journal (checksummed, torn tail left out) or plain lines."""
    with path.open("rb") as lines:
        checksummed = _CHECKSUM.search(lines.readline())
    if checksummed:
        yield from journal.read(path)
        return
    with path.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def find(
    paths: Collection[Path], wanted: Collection[Any], key: Callable[[Row], Any]
) -> dict[Any, Row]:
    """The rows whose ``key`` is wanted, first one wins; stops reading once all are found."""
    found: dict[Any, Row] = {}
    missing = set(wanted)
    for path in sorted(paths):
        for row in file_rows(path) if missing else ():
            if (name := key(row)) in missing:
                missing.discard(name)
                found[name] = row
            if not missing:
                break
    return found


def prompt_texts(run: Run, wanted: Collection[str]) -> dict[str, str]:
    """The last user message of each wanted prompt, where a stage wrote the prompt down."""
    paths = [
        path
        for stage, names in (
            ("prompts", ("train.jsonl", "dev.jsonl")),
            ("bench", ("prompts.jsonl",)),
        )
        if (folder := run.folders.get(stage))
        for name in names
        if (path := folder / name).is_file()
    ]
    found = find(paths, wanted, lambda row: row.get("id"))
    return {name: row["messages"][-1]["content"] for name, row in found.items()}


def _outcomes(bench: Path | None) -> Iterator[Outcome]:
    """Each benchmark completion once: its first row, or the later one that could judge it."""
    for path in sorted((bench / "samples").glob("*.jsonl")) if bench else ():
        found: dict[tuple[str, int], Outcome] = {}
        for row in file_rows(path):
            key = row["prompt_id"], row["index"]
            if key not in found or found[key].ok is None:
                found[key] = Outcome(
                    row["task"], row["model"], row["config"], *key, row["think_tokens"],
                    row["answer_tokens"], row["finish"], row["ok"], path,
                )  # fmt: skip
        yield from found.values()


def _json(path: Path) -> Row:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
