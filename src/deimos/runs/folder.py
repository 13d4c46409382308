"""The run folder: which stages there are, what each is made of, and which are done.

A stage's folder is named after the fingerprint of what it depends on, so a changed recipe makes
new folders beside the old ones and nothing is overwritten. ``record.json`` is written last and
lists every file of the stage with its size and hash: a stage is complete where the record is there
and its files are as listed. This module knows no stage by name and loads no ML.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal


from deimos.store.hashing import differences, file_hash, fingerprint
from deimos.store.journal import sweep, write_atomic
from deimos.store.locks import Locked, is_locked, take_lock
from deimos.store.names import LOCK, RECIPE, RECORD
from deimos.runs.progress import Progress
from deimos.recipe import Recipe, RecipeError, load, validate, write_yaml
from deimos.runs.record import (
    Tell,
    attempt,
    attempts,
    environment,
    manifest,
    missing,
    versions,
)
from deimos.recipe.runtime import Runtime

State = Literal["fresh", "missing", "stale"]


class RunError(ValueError):
    """The user asked something of a run folder that it cannot give; one clear sentence."""


@dataclass(frozen=True)
class StageJob:
    """What a stage's ``run`` function is given."""

    recipe: Recipe
    runtime: Runtime
    model_path: str
    """``recipe.model.id`` with ``lab`` resolved to the packaged folder."""
    inputs: Mapping[str, Path]
    """Folders of the stages before, by stage name."""
    out: Path
    """The stage's own folder; what is already there comes from an attempt cut short."""
    progress: Progress
    tell: Tell = field(default_factory=dict)
    """The stage puts in what should be known of this attempt even if it fails."""


def _nothing(recipe: Recipe) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True)
class Stage:
    """One step of the way."""

    name: str
    version: int
    """Bumped when the meaning of what it writes changes (code is not hashed)."""
    needs: tuple[str, ...]
    keys: tuple[str, ...]
    """Recipe keys it depends on, dotted."""
    run: Callable[[StageJob], Mapping[str, Any]] = field(compare=False)
    """Does the work; returns counts for the record."""
    data: Callable[[Recipe], Mapping[str, Any]] = field(default=_nothing, compare=False)
    """Content hashes of what it reads besides the stages before."""
    tracks: Callable[[Recipe], Mapping[str, Any]] = field(default=_nothing, compare=False)
    """No part of its identity, but where this has changed since it was complete, the stage is run
    again in the same folder to bring what is there up to date."""
    summary: tuple[str, ...] = ()
    """Names of the files that it writes at the run folder's top, of whichever stages are complete;
    empty: it writes in a folder of its own."""


@dataclass(frozen=True)
class Planned:
    """A stage of one recipe, with its identity."""

    stage: Stage
    keys: Mapping[str, Any]
    """What the fingerprint was computed from."""
    fingerprint: str
    """sha256, hex."""
    tracks: Mapping[str, Any]
    needs: tuple[Planned, ...]

    @property
    def folder(self) -> str:
        """Name of the stage's folder in the run folder; empty for the run folder itself."""
        return "" if self.stage.summary else f"{self.stage.name}-{self.fingerprint[:8]}"


@dataclass(frozen=True)
class StageStatus:
    """How a planned stage stands."""

    stage: str
    state: State
    folder: str
    begun: bool
    """An attempt was cut short; running again resumes it."""
    differs: Mapping[str, tuple[Any, Any]]
    """Stale: dotted key to its value in the last complete result and its value now; a file of the
    result that is not as long as it was: ``files.NAME`` to bytes then and now."""
    spoiled: int = 0
    """Journal records that a crash tore or the disk damaged; what they held was made again."""


def plan_stages(stages: Sequence[Stage], recipe: Recipe) -> list[Planned]:
    """Give every stage its identity; ``stages`` come in order of dependence."""
    settings = recipe.model_dump(mode="json")
    planned: dict[str, Planned] = {}
    for stage in stages:
        keys = {
            "stage": stage.name,
            "version": stage.version,
            "recipe": {key: _at(settings, key) for key in stage.keys},
            "data": dict(stage.data(recipe)),
            "inputs": {need: planned[need].fingerprint for need in stage.needs},
        }
        needs = tuple(planned[need] for need in stage.needs)
        tracks = dict(stage.tracks(recipe))
        planned[stage.name] = Planned(stage, keys, fingerprint(keys), tracks, needs)
    return list(planned.values())


def _at(settings: Any, key: str) -> Any:
    for part in key.split("."):
        settings = settings[part]
    return settings


class RunFolder:
    """One run on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path, recipe: Recipe, runtime: Mapping[str, Any]) -> RunFolder:
        """Make the folder, or take it up again; freezes the resolved recipe in it.

        Another recipe's file that was there is kept as ``recipe-<fp8>.yaml``.

        Raises:
            RunError: the path holds files but no run, or another recipe is being run there.
        """
        run = cls(path)
        if path.is_dir() and any(path.iterdir()) and not (path / RECIPE).is_file():
            raise RunError(
                f"{str(path)!r} is not empty and holds no {RECIPE}: choose another --out"
            )
        text = _recipe_text(recipe, runtime)
        frozen = path / RECIPE
        if not frozen.is_file():
            write_atomic(frozen, text)
        elif (old := frozen.read_text(encoding="utf-8")) != text:
            with run.lock():  # not under a process that runs by it
                write_atomic(path / f"recipe-{fingerprint(old)[:8]}.yaml", old)
                write_atomic(frozen, text)
        return run

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Take up a run folder that exists.

        Raises:
            RunError: there is none.
        """
        if not (path / RECIPE).is_file():
            raise RunError(f"{str(path)!r} is no run folder: it has no {RECIPE}")
        return cls(path)

    def settings(self) -> tuple[Recipe, Runtime]:
        """The frozen recipe and the runtime beside it."""
        recipe, runtime = load(self.path / RECIPE)
        return recipe, validate(Runtime, runtime, "runtime")

    def folder(self, planned: Planned) -> Path:
        """Where a planned stage writes."""
        return self.path / planned.folder

    def record(self, planned: Planned) -> dict[str, Any] | None:
        """The stage's record where it is complete, else None.

        Files are compared by size, which is quick; ``damaged`` looks at their content.
        """
        folder = self.folder(planned)
        record = _read_json(folder / RECORD)
        if record is None or record["fingerprint"] != planned.fingerprint:
            return None
        return None if missing(folder, record) else record

    def damaged(self, planned: Planned) -> list[str]:
        """Names of a complete stage's files whose content is no longer what its record says."""
        folder, record = self.folder(planned), self.record(planned)
        files = record["files"] if record else {}
        return [name for name, f in files.items() if file_hash(folder / name) != f["sha256"]]

    def discard_spoiled(self, planned: Planned) -> None:
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

    def is_fresh(self, planned: Planned) -> bool:
        """Whether running the stage again would change nothing."""
        record = self.record(planned)
        return (
            record is not None
            and record["inputs"] == self.inputs(planned)
            and not differences(record["tracks"], planned.tracks)
            and not (planned.stage.summary and self._overtaken(planned, record["number"]))
        )

    def _overtaken(self, planned: Planned, number: int) -> bool:
        """Whether a stage before has been brought up to date since: a summary costs seconds."""
        records = (self.record(need) for need in planned.needs)
        return any(r["number"] > number for r in records if r)

    def status(self, plan: Sequence[Planned]) -> list[StageStatus]:
        """Each stage of a plan: fresh, missing, or stale and by which keys."""
        return [self._status_of(planned) for planned in plan]

    def _status_of(self, planned: Planned) -> StageStatus:
        name, record = planned.stage.name, self.record(planned)
        if record and self.is_fresh(planned):
            files = record["files"].values()
            spoiled = sum(f.get("damaged", 0) + bool(f.get("quarantined")) for f in files)
            return StageStatus(name, "fresh", planned.folder, False, {}, spoiled)
        if record:
            was = {**record["tracks"], "inputs": record["inputs"]}
            now = {**planned.tracks, "inputs": self.inputs(planned)}
            return StageStatus(name, "stale", planned.folder, False, differences(was, now))
        begun = not planned.stage.summary and self.folder(planned).is_dir()
        last = self._last_record(planned.stage)
        if last is None:
            return StageStatus(name, "missing", planned.folder, begun, {})
        changed = differences(last["keys"], planned.keys)
        if last["fingerprint"] == planned.fingerprint:
            changed = missing(self.folder(planned), last)
        return StageStatus(name, "stale", planned.folder, begun, changed)

    def _last_record(self, stage: Stage) -> dict[str, Any] | None:
        pattern = RECORD if stage.summary else f"{stage.name}-*/{RECORD}"
        records = [r for p in self.path.glob(pattern) if (r := _read_json(p))]
        return max(records, key=lambda r: r["number"], default=None)

    def next_number(self) -> int:
        """One more than any record of the run has: order without trust in the clock."""
        records = [_read_json(p) for p in (self.path / RECORD, *self.path.glob(f"*-*/{RECORD}"))]
        return 1 + max((r["number"] for r in records if r), default=0)

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
            yield fd
        finally:
            os.close(fd)

    def is_running(self) -> bool:
        """Whether some process is writing this run now; needs no right to write."""
        return is_locked(self.path / LOCK)


def do_stage(run: RunFolder, plan: Sequence[Planned], name: str, model_path: str) -> dict[str, Any]:
    """Run one stage in this process and write its record; returns the record.

    Raises:
        RunError: there is no such stage, or one that it needs is not complete.
    """
    planned = next((p for p in plan if p.stage.name == name), None)
    if planned is None:
        raise RunError(f"there is no stage {name!r}: {', '.join(p.stage.name for p in plan)}")
    for need in planned.needs:
        if not run.is_fresh(need) and not planned.stage.summary:
            raise RunError(f"{name} needs {need.stage.name}: run `deimos {need.stage.name}` first")
    recipe, runtime = run.settings()
    out, inputs = run.folder(planned), run.inputs(planned)
    number = run.next_number()
    out.mkdir(parents=True, exist_ok=True)
    sweep(out)
    (out / RECORD).unlink(missing_ok=True)  # brought up to date in place: not complete meanwhile
    started = datetime.now(UTC)
    tell: Tell = {}
    with attempt(out if planned.folder else None, tell), Progress() as progress:
        folders = {need: run.path / folder for need, folder in inputs.items()}
        job = StageJob(recipe, runtime, model_path, folders, out, progress, tell)
        counts = dict(planned.stage.run(job))
    finished, tried = datetime.now(UTC), attempts(out)
    spent = [one["seconds"] for one in tried if "seconds" in one]
    record = {
        "stage": name,
        "number": number,
        "fingerprint": planned.fingerprint,
        "keys": planned.keys,
        "tracks": planned.tracks,
        "inputs": inputs,
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
        return json.loads(path.read_bytes())
    except ValueError as e:
        raise RecipeError(f"{path} is damaged: move its folder away and run again") from e
