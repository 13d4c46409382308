"""The routing table: thinking on against off for each task, and which of them is recommended.

Report and card take the same lines from here, and what answering by the policy is worth on test
problems. Every number is one of ``routing.jsonl`` or ``routed.jsonl``; without rows there is one
sentence that says why.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from deimos.report import formatting
from deimos.report.charts import ReportSection, TextTable
from deimos.report.results import RunResults
from deimos.store.route_rows import ModeRow, RoutedRow, RouteRow, Way
from deimos.store.schema import AnyRow

ALL = "all"
NAMES: dict[Way, str] = {
    "routed": "by the policy",
    "always_on": "always ON",
    "always_off": "always OFF",
    "task_oracle": "better mode of each task (oracle)",
    "prompt_oracle": "cheapest right mode of each prompt (oracle)",
}


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
            f"Several engines decoded these answers: {formatting.join_names(shares)}; their arithmetic "
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


# --- the policy on test problems ---


def routed_section(run: RunResults) -> ReportSection:
    """The policy beside always ON, always OFF and both oracles, and its risk by coverage."""
    rows = run.artifacts.routed()
    if not rows:
        return ReportSection((f"The policy's worth on test problems: {formatting.NOT_MEASURED}.",))
    return ReportSection(
        tuple(_worth_sentences(rows)),
        tuple(t for t in (_ways(rows), _tasks(rows), _risks(rows)) if t.rows),
    )


def _worth_sentences(rows: Sequence[RoutedRow]) -> Sequence[str]:
    policy = rows[0]["policy"]
    return (
        f"What the policy {policy}, fitted on dev prompts, is worth on test problems: the tuned model "
        "answered each with thinking ON and OFF at its locked config. Differences are paired, with 95% "
        "intervals. The oracles have seen the answers: nothing can choose so.",
    )


def _ways(rows: Sequence[RoutedRow]) -> TextTable:
    own = [row for row in rows if row["task"] == ALL]
    columns = (
        "way", "n", "answered OFF", "accuracy", "tokens, mean", "against", "difference, points", "tokens saved",
    )  # fmt: skip
    return TextTable("The policy on test", columns, [_way_line(row) for row in own])


def _tasks(rows: Sequence[RoutedRow]) -> TextTable:
    own = [
        r for r in rows if (r["way"], r["against"]) == ("routed", "always_on") and r["task"] != ALL
    ]
    columns = (
        "task",
        "n",
        "answered OFF",
        "accuracy",
        "tokens, mean",
        "difference to ON, points",
        "tokens saved",
    )
    lines = []
    for row in own:
        _, *numbers = _way_line(row)
        del numbers[4]
        lines.append((row["task"], *numbers))
    return TextTable("By task", columns, lines, folded=True)


def _way_line(row: RoutedRow) -> tuple[str, ...]:
    alone = row["way"] == row["against"]
    return (
        NAMES[row["way"]],
        formatting.number(row["n"]),
        formatting.percent(row["off"], 1),
        f"{formatting.percent(row['accuracy'], 1)} {formatting.interval(row['accuracy_ci'], lambda v: formatting.percent(v, 1))}".rstrip(),
        formatting.number(row["total_tokens_mean"], 1),
        "" if alone else NAMES[row["against"]],
        ""
        if alone
        else f"{formatting.points(row['accuracy_delta'])} {formatting.interval(row['accuracy_delta_ci'], formatting.points)}".rstrip(),
        "" if alone else _saved(row),
    )


def _saved(row: RoutedRow) -> str:
    value, ci = row["total_tokens_reduction"], row["total_tokens_reduction_ci"]
    return f"{formatting.percent(value, 1)} {formatting.interval(ci, lambda v: formatting.percent(v, 1))}".rstrip()


def _risks(rows: Sequence[RoutedRow]) -> TextTable:
    whole = next(r for r in rows if r["task"] == ALL and r["curve"])
    lines = [
        (
            formatting.percent(point["coverage"], 0),
            f"{point['margin']:+.3f}",
            formatting.percent(point["risk"], 1) if point["risk"] is not None else "–",
            formatting.interval(point["risk_ci"], lambda v: formatting.percent(v, 1)),
            formatting.percent(point["accuracy"], 1),
            formatting.number(point["total_tokens_mean"], 1),
        )
        for point in whole["curve"]
    ]
    columns = (
        "answered OFF",
        "margin of the last",
        "of these ON alone is right",
        "95% interval",
        "accuracy of all",
        "tokens, mean",
    )
    return TextTable(
        "Risk by coverage: prompts with the highest margins go OFF first",
        columns,
        lines,
        folded=True,
    )
