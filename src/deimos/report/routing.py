"""The routing table: thinking on against off for each task, and which of them is recommended.

Report and card take the same lines from here. Every number is one of ``routing.jsonl``; without
rows there is one sentence that says why.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from deimos.report import formatting
from deimos.report.results import RunResults
from deimos.store.route_rows import ModeRow, RouteRow
from deimos.store.schema import AnyRow

ALL = "all"


@dataclass(frozen=True)
class RoutingLine:
    """One row of the table, as text; differences are on - off."""

    model: str
    task: str
    n: str
    on_accuracy: str
    off_accuracy: str
    delta: str
    """Of accuracy, in points with its 95% interval."""
    on_tokens: str
    """Median total tokens of a prompt."""
    off_tokens: str
    tokens_delta: str
    """Of the mean total tokens of a prompt, with its 95% interval."""
    unfinished: str
    """Shares that the budget cut off, on / off."""
    recommended: str
    because: str


@dataclass(frozen=True)
class RoutingTable:
    """What report and card show of a routing."""

    lines: tuple[RoutingLine, ...]
    """The tuned model's, then the base's; each with all tasks first."""
    sentence: str
    """Why there are no lines; empty if there are."""
    rule: str
    """How a mode comes to be recommended; empty without lines."""
    notes: tuple[str, ...] = ()
    """Of engines and judges, a sentence each."""


def table(run: RunResults) -> RoutingTable:
    """The routing table of a run; ``not measured`` if it has no route stage."""
    rows = run.artifacts.routing()
    if rows:
        whole = {row["task"] for row in rows if row["kind"] == ALL}
        lines = tuple(_line(row, whole) for row in rows)
        return RoutingTable(lines, "", _rule(rows), tuple(_notes(run.counts("route"))))
    if because := run.counts("route").get("no_switch"):
        return RoutingTable((), f"There is nothing to route: {because}.", "")
    return RoutingTable((), f"Thinking on against off: {formatting.NOT_MEASURED}.", "")


def _notes(counts: AnyRow) -> Iterator[str]:
    if len(engines := counts.get("engines") or {}) > 1:
        shares = [f"{name} ({formatting.number(n)})" for name, n in engines.items()]
        yield (
            f"Several engines decoded these answers: {formatting.listed(shares)}; their arithmetic "
            "differs, so a part of any difference may be the engines'."
        )
    if because := counts.get("unjudged_because"):
        yield (
            f"{formatting.plural(sum(because.values()), 'answer')} could not be judged "
            f"({formatting.null_reasons(because)}): their prompts are in no accuracy here."
        )


def _rule(rows: list[RouteRow]) -> str:
    row = rows[0]
    several = row["comparisons"] > 1
    together = (
        f"; so that a model's {formatting.number(row['comparisons'])} comparisons hold together at "
        f"95%, “shown” means by an interval at {formatting.percent(row['level'], 2)}"
        if several
        else ""
    )
    return (
        "Decided on dev prompts at the locked config; test problems decide nothing. Differences are "
        "on − off, paired by prompt, with 95% intervals. The mode that is shown to be more accurate "
        "is recommended; if none is, the one that is shown to take fewer tokens, provided that its "
        f"accuracy is shown to be lower by {formatting.points(row['margin']).lstrip('+')} points at "
        f"most; else either{together}."
    )


def _line(row: RouteRow, whole: Collection[str]) -> RoutingLine:
    on, off = row["on"], row["off"]
    return RoutingLine(
        model=row["model"],
        task=_task(row, whole),
        n=formatting.number(row["n"]),
        on_accuracy=_accuracy(on),
        off_accuracy=_accuracy(off),
        delta=f"{formatting.points(row['delta'])} "
        f"{formatting.interval(row['delta_ci'], formatting.points)}".rstrip(),
        on_tokens=formatting.number(on["total_tokens_median"]),
        off_tokens=formatting.number(off["total_tokens_median"]),
        tokens_delta=f"{_signed(row['tokens_delta'])} "
        f"{formatting.interval(row['tokens_delta_ci'], _signed)}".rstrip(),
        unfinished=" / ".join(_unfinished(mode) for mode in (on, off)),
        recommended=row["recommended"],
        because=row["because"],
    )


def _task(row: RouteRow, whole: Collection[str]) -> str:
    """``all tasks``, a task, or a part of either with its kind; ``whole``: tasks of several kinds."""
    task, kind = row["task"], row["kind"]
    if task == ALL:
        return "all tasks" if kind == ALL else f"all {kind} tasks"
    return f"{task} ({kind})" if kind != ALL and task in whole else task


def _accuracy(mode: ModeRow) -> str:
    ci = formatting.interval(mode["accuracy_ci"], lambda v: formatting.percent(v, 1))
    return f"{formatting.percent(mode['accuracy'], 1)} {ci}".rstrip()


def _unfinished(mode: ModeRow) -> str:
    finished = mode["finished"]
    return formatting.percent(None if finished is None else 1 - finished, 1)


def _signed(tokens: float | None) -> str:
    if tokens is None:
        return formatting.NOT_MEASURED
    return ("+" if tokens > 0 else "") + formatting.number(tokens)
