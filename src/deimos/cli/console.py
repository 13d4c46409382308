"""What the command line prints of a run: its stages and its numbers, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from deimos.report import baselines
from deimos.report.formatting import change, change_interval, interval, number, points, with_unit
from deimos.runs.folder import RunFolder, StageStatus
from deimos.store.names import SUMMARY


def status_lines(states: Sequence[StageStatus], *, differences: bool) -> Iterator[str]:
    """A line per stage; if ``differences``, one more per key that makes it stale."""
    for state in states:
        begun = " (interrupted; resumes from there)" if state.begun else ""
        corrupt = f" ({state.spoiled} corrupt records regenerated)" if state.spoiled else ""
        yield f"{state.stage:8} {state.state:8} {state.folder}{begun}{corrupt}".rstrip()
        for key, (was, now) in state.differs.items() if differences else ():
            yield f"{'':9}{key.removeprefix('recipe.')}: {_short(was)} → {_short(now)}"


def changed_lines(run: Path, changed: Mapping[str, tuple[Any, Any]]) -> Iterator[str]:
    """What a run folder's recipe was and is from now on; nothing if it is the same."""
    if changed:
        yield f"{run} held another recipe, kept beside it as recipe-….yaml; from now on:"
        for key, (was, now) in changed.items():
            yield f"  {key}: {_short(was)} → {_short(now)}"


def status_json(run: RunFolder, states: Sequence[StageStatus], *, running: bool) -> str:
    """A run's stages as one JSON object: ``run``, ``running``, ``stages``."""
    values = {"run": str(run.path), "running": running, "stages": _stages(states)}
    return json.dumps(values, indent=1)


def plan_json(
    run: RunFolder, states: Sequence[StageStatus], forecast: Mapping[str, Any], command: str
) -> str:
    """A plan as one JSON object: ``run``, ``stages``, the forecast's fields, ``next``."""
    values = {"run": str(run.path), "stages": _stages(states), **forecast, "next": command}
    return json.dumps(values, indent=1)


def _stages(states: Sequence[StageStatus]) -> list[dict[str, Any]]:
    return [
        {
            "stage": s.stage,
            "state": s.state,
            "folder": s.folder,
            "begun": s.begun,
            "spoiled": s.spoiled,
            "differs": [{"key": k, "was": was, "now": now} for k, (was, now) in s.differs.items()],
        }
        for s in states
    ]


def headline(run: Path) -> Iterator[str]:
    """What came out, a line per setting, as the run's ``summary.json`` has it; none: no bench yet."""
    summary = json.loads((run / SUMMARY).read_bytes())
    for row in summary["compare"]:
        if row["task"] == "all" and baselines.name_compared(row) == baselines.BASE:
            accuracy = with_unit(points(row["accuracy_delta"]), " points")
            yield (
                f"{row['setting']:6} n={number(row['n'])}: "
                f"accuracy {accuracy} {interval(row['accuracy_delta_ci'], points)}".rstrip()
                + f", {_length(row, 'think_tokens')}, {_length(row, 'total_tokens')}, "
                f"seconds {change(row['seconds_reduction'])}"
            )
    yield from _baselines(summary["compare"])


def _baselines(compare: list[dict[str, Any]]) -> Iterator[str]:
    """How the tuned model stands against each baseline, in the setting of the headline."""
    own = [row for row in baselines.select_against_base(compare) if row["task"] == "all"]
    for setting in ("equal", "ship", "tight"):
        for row in own:
            if row["setting"] == setting:
                yield from baselines.sentences(baselines.rows_of(compare, row))
                return


def _length(row: dict[str, Any], name: str) -> str:
    reduction = f"{name}_reduction"
    ci = change_interval(row[f"{reduction}_ci"])
    return f"{name.replace('_', ' ')} {change(row[reduction])} {ci}".rstrip()


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:36]}…{text[-3:]}"
