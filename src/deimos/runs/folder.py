"""The run folder: which stages are complete in it, and whether they are up to date.

A stage's folder is named after the fingerprint of what it depends on, so a changed recipe makes
new folders beside the old ones and nothing is overwritten. ``record.json`` is written last and
lists every file of the stage with its size and hash: a stage is complete if the record is there
and its files are as listed. It is up to date if, besides, all that it read is: the record holds a
digest of each input's files. This module knows no stage by name and loads no ML.
"""

from __future__ import annotations

import contextlib
import fnmatch
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

from deimos.recipe import Recipe, RecipeError, load, validate, write_yaml
from deimos.recipe.errors import show_value
from deimos.recipe.runtime import Runtime
from deimos.runs.plan import (
    Plan,
    Planned,
    PlanError,
    Stage,
    StageJob,
    find_stage,
    plan_text,
    read_plan,
)
from deimos.runs.progress import ProgressBar
from deimos.runs.record import (
    FORMAT,
    Diagnostics,
    attempt,
    attempts,
    environment,
    manifest,
    find_missing,
    versions,
)
from deimos.store.hashing import differences, file_hash, fingerprint
from deimos.store.journal import sweep, write_atomic

from deimos.store.locks import Locked, is_locked, take_lock
from deimos.store.names import LOCK, PLAN, RECIPE, RECORD


class RunError(ValueError):
    """The user asked something of a run folder that it cannot give; one clear sentence."""


@dataclass(frozen=True)
class StageStatus:
    """How a planned stage stands."""

    stage: str
    state: Literal["fresh", "missing", "stale"]
    folder: str
    begun: bool
    """An attempt was cut short; running again resumes it."""
    differs: Mapping[str, tuple[Any, Any]]
    """Stale: dotted key to its value in the last complete result and its value now; a file of the
    result that is not as long as it was: ``files.NAME`` to bytes then and now; an input with other
    content: ``input_digests.STAGE`` to both digests."""
    spoiled: int = 0
    """Journal records that a crash tore or the disk damaged; what they held was made again."""


class RunFolder:
    """One run on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock_fd: int | None = None
        """Descriptor of the run's lock while this object holds it; a child may inherit it."""

    @classmethod
    @contextlib.contextmanager
    def begin(
        cls, path: Path, recipe: Recipe, runtime: Mapping[str, Any], plan: Plan
    ) -> Iterator[Self]:
        """Make the folder, or open it again, and keep other writers out while in the block.

        Freezes the resolved recipe and the plan in it. Another recipe or plan that was there is
        kept as ``recipe-<fp8>.yaml`` or ``plan-<fp8>.json``.

        Raises:
            RunError: the path holds files but no run, a run of an earlier version of Deimos, or
                somebody else is writing it.
        """
        run = cls(path)
        if path.is_dir() and any(path.iterdir()) and not (path / RECIPE).is_file():
            raise RunError(
                f"{str(path)!r} is not empty and holds no {RECIPE}: choose another --out"
            )
        if reason := run.unlike_this_version():
            raise RunError(reason)
        path.mkdir(parents=True, exist_ok=True)
        with run.lock():
            _freeze(path / RECIPE, _recipe_text(recipe, runtime))
            _freeze(path / PLAN, plan_text(plan))
            yield run

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a run folder that exists, to read it.

        Raises:
            RunError: there is none.
        """
        if not (path / RECIPE).is_file():
            raise RunError(f"{str(path)!r} is not a run folder: it has no {RECIPE}")
        return cls(path)

    def settings(self) -> tuple[Recipe, Runtime]:
        """The frozen recipe and the runtime beside it."""
        recipe, runtime = load(self.path / RECIPE)
        return recipe, validate(Runtime, runtime, "runtime")

    def frozen_plan(self, stages: Sequence[Stage]) -> list[Planned]:
        """The plan that the launching process froze here.

        Raises:
            PlanError: there is none, or this Deimos knows its stages otherwise.
        """
        path = self.path / PLAN
        if not path.is_file():
            raise PlanError(f"{str(self.path)!r} has no {PLAN}: run `deimos run {self.path}`")
        return read_plan(path.read_text(encoding="utf-8"), stages)

    def plan_fingerprint(self) -> str:
        """What ``plan_fingerprint`` gives of the frozen plan; empty if there is none."""
        frozen = _read_json(self.path / PLAN) or {}
        return str(frozen.get("fingerprint", ""))

    def unlike_this_version(self) -> str:
        """One sentence if records here are of another version of Deimos or of none, else empty."""
        formats = [record.get("format", 1) for record in self._records()]
        others = [found for found in formats if type(found) is not int or found != FORMAT]
        if not others:
            return ""
        for found in others:
            if type(found) is not int:
                return (
                    f"{str(self.path)!r} has a record whose format is {show_value(found)}, not "
                    f"a whole number: no version of Deimos writes that (this one writes {FORMAT}), so nothing in it is changed: move the folder of that record away, or "
                    "run its recipe with another --out"
                )
        return (
            f"{str(self.path)!r} was made by another version of Deimos (its records have format "
            f"{min(others)}, this version writes {FORMAT}), so nothing in it is changed: run it "
            "with the version that made it, or run its recipe with another --out"
        )

    def folder(self, planned: Planned) -> Path:
        """Where a planned stage writes."""
        return self.path / planned.folder

    def record(self, planned: Planned) -> dict[str, Any] | None:
        """The stage's record if it is complete, else None.

        Files are compared by size, which is quick; ``damaged`` looks at their content.
        """
        folder = self.folder(planned)
        record = _read_json(folder / RECORD)
        if record is None or record["fingerprint"] != planned.fingerprint:
            return None
        return None if find_missing(folder, record) else record

    def damaged(self, planned: Planned) -> list[str]:
        """Names of a complete stage's files whose content is no longer what its record says."""
        folder, record = self.folder(planned), self.record(planned)
        files = record["files"] if record else {}
        return [name for name, f in files.items() if file_hash(folder / name) != f["sha256"]]

    def discard_damaged(self, planned: Planned) -> None:
        """Remove files that are not what the stage's last record says, before it runs again.

        A stage takes a whole file that it finds for finished. Journals stay: their records say for
        themselves which are sound.
        """
        folder = self.folder(planned)
        record = _read_json(folder / RECORD)
        if record is None or record["fingerprint"] != planned.fingerprint:
            return
        for name, entry in record["files"].items():
            path = folder / name
            if "records" not in entry and path.is_file() and file_hash(path) != entry["sha256"]:
                path.unlink()

    def inputs(self, planned: Planned) -> dict[str, str]:
        """Folder name of each stage it needs that is complete, by stage name."""
        return {p.stage.name: p.folder for p in planned.needs if self.record(p)}

    def input_digests(self, planned: Planned) -> dict[str, str]:
        """Digest of the files that a stage reads of each complete input, by stage name.

        It depends on the files' names and content alone, so a stage that was run again and wrote
        the same makes nothing stale.
        """
        digests = {}
        for need in planned.needs:
            if record := self.record(need):
                patterns = planned.stage.reads.get(need.stage.name, ("*",))
                files = {
                    name: entry["sha256"]
                    for name, entry in record["files"].items()
                    if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
                }
                digests[need.stage.name] = fingerprint(files)
        return digests

    def is_fresh(self, planned: Planned) -> bool:
        """Whether running the stage again would change nothing."""
        record = self.record(planned)
        return record is not None and not self._changes(planned, record)

    def _changes(self, planned: Planned, record: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        """What has changed since a complete stage was: dotted key to its value then and now."""
        if record.get("format", 1) != FORMAT:
            return {"format": (record.get("format", 1), FORMAT)}
        was = {"inputs": record["inputs"], "input_digests": record["input_digests"]}
        now = {"inputs": self.inputs(planned), "input_digests": self.input_digests(planned)}
        changed = differences({**record["tracks"], **was}, {**planned.tracks, **now})
        for need in planned.needs:
            found = self.record(need)
            if found and not self.is_fresh(need):
                changed.setdefault(f"inputs.{need.stage.name}", ("fresh", "stale"))
            elif found and planned.stage.summary and found["number"] > record["number"]:
                # A summary costs seconds and shows what the records say, times and attempts too.
                changed.setdefault(f"inputs.{need.stage.name}", ("complete", "run again since"))
        return changed

    def status(self, plan: Plan) -> list[StageStatus]:
        """Each stage of a plan: fresh, missing, or stale and by which keys."""
        return [self._status_of(planned) for planned in plan]

    def _status_of(self, planned: Planned) -> StageStatus:
        name, record = planned.stage.name, self.record(planned)
        if record:
            changed = self._changes(planned, record)
            if changed:
                return StageStatus(name, "stale", planned.folder, False, changed)
            files = record["files"].values()
            spoiled = sum(f.get("damaged", 0) + bool(f.get("quarantined")) for f in files)
            return StageStatus(name, "fresh", planned.folder, False, {}, spoiled)
        begun = not planned.stage.summary and self.folder(planned).is_dir()
        last = self._last_record(planned.stage)
        if last is None:
            return StageStatus(name, "missing", planned.folder, begun, {})
        changed = differences(last["keys"], planned.keys)
        if last["fingerprint"] == planned.fingerprint:
            changed = find_missing(self.folder(planned), last)
        return StageStatus(name, "stale", planned.folder, begun, changed)

    def _last_record(self, stage: Stage) -> dict[str, Any] | None:
        pattern = RECORD if stage.summary else f"{stage.name}-*/{RECORD}"
        return max(self._records(pattern), key=lambda r: r["number"], default=None)

    def _records(self, *patterns: str) -> list[dict[str, Any]]:
        found = (p for name in patterns or (RECORD, f"*-*/{RECORD}") for p in self.path.glob(name))
        return [record for path in found if (record := _read_json(path))]

    def next_number(self) -> int:
        """One more than any record of the run has: order without trust in the clock."""
        return 1 + max((record["number"] for record in self._records()), default=0)

    @contextlib.contextmanager
    def lock(self) -> Iterator[int]:
        """Keep other writers out; yields the lock's descriptor, which a child may inherit.

        Raises:
            RunError: somebody is writing this run.
        """
        fd = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            take_lock(fd)
        except Locked as e:
            os.close(fd)
            raise RunError(
                f"{str(self.path)!r} is being written by another deimos process; a stage whose "
                "command was killed goes on by itself (deimos status says when it is complete)"
            ) from e
        try:
            self.lock_fd = fd
            yield fd
        finally:
            self.lock_fd = None
            os.close(fd)

    def is_running(self) -> bool:
        """Whether some process is writing this run now; needs no right to write."""
        return is_locked(self.path / LOCK)


def run_stage(run: RunFolder, plan: Plan, name: str, model_path: str) -> dict[str, Any]:
    """Run one stage in this process and write its record; returns the record.

    Raises:
        PlanError: there is no such stage.
        RunError: one that it needs is not complete or not up to date.
    """
    planned = find_stage(plan, name)
    for need in planned.needs:
        if not run.is_fresh(need) and not planned.stage.summary:
            raise RunError(f"{name} needs {need.stage.name}: run `deimos {need.stage.name}` first")
    recipe, runtime = run.settings()
    out, inputs, digests = run.folder(planned), run.inputs(planned), run.input_digests(planned)
    number = run.next_number()
    out.mkdir(parents=True, exist_ok=True)
    sweep(out)
    (out / RECORD).unlink(missing_ok=True)  # brought up to date in place: not complete meanwhile
    started = datetime.now(UTC)
    diagnostics: Diagnostics = {}
    with (
        attempt(out if planned.folder else None, diagnostics),
        ProgressBar() as progress,
    ):
        folders = {need: run.path / folder for need, folder in inputs.items()}
        job = StageJob(recipe, runtime, model_path, folders, out, progress, diagnostics)
        counts = dict(planned.stage.run(job))
    finished, tried = datetime.now(UTC), attempts(out)
    spent = [one["seconds"] for one in tried if "seconds" in one]
    record = {
        "format": FORMAT,
        "stage": name,
        "number": number,
        "fingerprint": planned.fingerprint,
        "keys": planned.keys,
        "tracks": planned.tracks,
        "inputs": inputs,
        "input_digests": digests,
        "versions": versions(),
        "environment": environment(),
        "counts": counts,
        "started": started.isoformat(timespec="seconds"),
        "finished": finished.isoformat(timespec="microseconds"),
        "attempts": max(1, len(tried)),
        "cut_short": [one for one in tried if not one.get("whole", True) or "seconds" not in one],
        "seconds": sum(spent) or (finished - started).total_seconds(),
        "files": manifest(out, planned.stage.summary),
    }
    write_atomic(out / RECORD, json.dumps(record, indent=1, allow_nan=False) + "\n")
    return record


def _freeze(path: Path, text: str) -> None:
    """Write a file whole; what stood there otherwise is kept under a name with its hash."""
    old = path.read_text(encoding="utf-8") if path.is_file() else text
    if old != text:
        write_atomic(path.with_name(f"{path.stem}-{fingerprint(old)[:8]}{path.suffix}"), old)
    if old != text or not path.is_file():
        write_atomic(path, text)


def _recipe_text(recipe: Recipe, runtime: Mapping[str, Any]) -> str:
    data = recipe.model_dump(mode="json")
    if runtime:
        data["runtime"] = dict(runtime)
    head = "# The resolved recipe of this run, every default spelled out.\n"
    return head + write_yaml(data)


def _read_json(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as e:
        raise RecipeError(f"{path} is damaged: move its folder away and run again") from e
    if not isinstance(found, dict):
        raise RecipeError(f"{path} is damaged: it must be an object")
    return found
