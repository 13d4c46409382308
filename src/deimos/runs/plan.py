"""Stages as a graph: what a stage is, and the plan of one recipe with every stage's identity.

A plan is computed once, by the process that launches the stages, and is frozen into the run folder
as ``plan.json``. A stage's own process reads it there: its Python may have other packages, so what
it would compute could differ. This module knows no stage by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deimos import __version__
from deimos.recipe import Recipe
from deimos.recipe.runtime import Runtime
from deimos.runs.progress import ProgressBar
from deimos.runs.record import Diagnostics
from deimos.store.hashing import fingerprint


class PlanError(ValueError):
    """A plan that cannot be made, or a frozen one that this process cannot follow."""


@dataclass(frozen=True)
class StageJob:
    """What a stage's ``run`` function is given."""

    recipe: Recipe
    runtime: Runtime
    model_path: str
    """Folder or Hub id of the recipe's model: the packaged folder of ``lab``, the merged one of a run."""
    inputs: Mapping[str, Path]
    """Folders of the stages that it needs, by stage name."""
    out: Path
    """The stage's own folder; what is already there is from an earlier attempt."""
    progress: ProgressBar
    diagnostics: Diagnostics = field(default_factory=dict)
    """The stage adds functions here; they are called when the attempt ends, also on failure, and
    what they return is noted with the attempt."""


def _nothing(recipe: Recipe) -> Mapping[str, Any]:
    return {}


def _always(recipe: Recipe) -> bool:
    return True


@dataclass(frozen=True)
class Stage:
    """One node of the graph."""

    name: str
    version: int
    """Raised when the meaning of what it writes changes (code is not hashed)."""
    needs: tuple[str, ...]
    """Stages whose results it reads. One that the recipe leaves out is not needed."""
    keys: tuple[str, ...]
    """Recipe keys that its result depends on, dotted."""
    run: Callable[[StageJob], Mapping[str, Any]] = field(compare=False)
    """Does the work; returns counts for the record."""
    when: Callable[[Recipe], bool] = field(default=_always, compare=False)
    """Whether a recipe has this stage at all."""
    reads: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    """Which files of a stage that it needs it reads, as patterns (``adapter/*``); all files unless
    named here. Other files may change without making this stage stale."""
    follows: tuple[str, ...] = ()
    """Those of ``needs`` that are no part of its identity: if one has changed, the stage runs again in
    the same folder to bring what is there up to date."""
    data: Callable[[Recipe], Mapping[str, Any]] = field(default=_nothing, compare=False)
    """Content hashes of what it reads from outside the run."""
    tracks: Callable[[Recipe], Mapping[str, Any]] = field(default=_nothing, compare=False)
    """Not part of its identity. If this has changed since the stage was complete, the stage runs
    again in the same folder to bring what is there up to date."""
    summary: tuple[str, ...] = ()
    """Files that it writes at the run folder's top, from whichever stages are complete; empty: it
    writes in a folder of its own."""


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


Plan = Sequence[Planned]
"""Stages in an order in which they can run."""


def plan_stages(stages: Sequence[Stage], recipe: Recipe) -> list[Planned]:
    """Give every stage that a recipe has its identity.

    Args:
        stages: each one after those that it needs.
        recipe: says which stages there are and what they depend on.
    """
    settings = recipe.model_dump(mode="json")
    planned: dict[str, Planned] = {}
    for stage in stages:
        if not stage.when(recipe):
            continue
        needs = tuple(planned[need] for need in stage.needs if need in planned)
        keys = {
            "stage": stage.name,
            "version": stage.version,
            "recipe": {key: _at(settings, key) for key in stage.keys},
            "data": dict(stage.data(recipe)),
            "inputs": {
                need.stage.name: need.fingerprint
                for need in needs
                if need.stage.name not in stage.follows
            },
        }
        tracks = dict(stage.tracks(recipe))
        planned[stage.name] = Planned(stage, keys, fingerprint(keys), tracks, needs)
    return list(planned.values())


def select_stages(plan: Plan, name: str) -> list[Planned]:
    """One stage of a plan and all that it needs, directly or not; the stage itself comes last.

    Raises:
        PlanError: the plan has no such stage.
    """
    last = find_stage(plan, name)
    wanted: set[str] = set()
    open_needs = [last]
    while open_needs:
        planned = open_needs.pop()
        wanted.add(planned.stage.name)
        open_needs += planned.needs
    return [planned for planned in plan if planned.stage.name in wanted]


def find_stage(plan: Plan, name: str) -> Planned:
    """The stage of a plan that has this name.

    Raises:
        PlanError: there is none.
    """
    for planned in plan:
        if planned.stage.name == name:
            return planned
    known = ", ".join(planned.stage.name for planned in plan)
    raise PlanError(f"there is no stage {name!r} in this plan: it has {known}")


def plan_fingerprint(plan: Plan) -> str:
    """sha256 (hex) of what a plan asks for: two equal plans have the same."""
    return fingerprint([[p.stage.name, p.fingerprint, p.tracks] for p in plan])


def plan_text(plan: Plan) -> str:
    """A plan as the JSON text of ``plan.json``."""
    stages = [
        {
            "name": planned.stage.name,
            "version": planned.stage.version,
            "folder": planned.folder,
            "fingerprint": planned.fingerprint,
            "needs": [need.stage.name for need in planned.needs],
            "keys": planned.keys,
            "tracks": planned.tracks,
        }
        for planned in plan
    ]
    frozen = {"deimos": __version__, "fingerprint": plan_fingerprint(plan), "stages": stages}
    return json.dumps(frozen, indent=1, allow_nan=False) + "\n"


def read_plan(text: str, stages: Sequence[Stage]) -> list[Planned]:
    """The plan of a ``plan.json``; nothing of it is computed again.

    Args:
        text: what the file holds.
        stages: the stages as this process knows them.

    Raises:
        PlanError: not a plan, or this Deimos does not have a stage of it in the same version.
    """
    known = {stage.name: stage for stage in stages}
    planned: dict[str, Planned] = {}
    try:
        frozen = json.loads(text)
        for row in frozen["stages"]:
            stage = known.get(row["name"])
            if stage is None or stage.version != row["version"]:
                raise PlanError(
                    f"the plan was made by Deimos {frozen['deimos']}, whose stage {row['name']} has "
                    f"version {row['version']}; this is Deimos {__version__}, where it "
                    + (f"has version {stage.version}" if stage else "does not exist")
                )
            needs = tuple(planned[need] for need in row["needs"])
            planned[stage.name] = Planned(
                stage, row["keys"], row["fingerprint"], row["tracks"], needs
            )
    except (TypeError, KeyError, json.JSONDecodeError) as e:
        raise PlanError(f"plan.json is damaged: run the same command again ({e!r})") from e
    return list(planned.values())


def _at(settings: Any, key: str) -> Any:
    for part in key.split("."):
        settings = settings[part]
    return settings
