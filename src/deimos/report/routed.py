"""What answering by the routing policy is worth on test problems.

Report and card take the same section from here. Every number is one of ``routed.jsonl``.
"""

from __future__ import annotations

from collections.abc import Sequence

from deimos.report.formatting import NOT_MEASURED, interval, number, percent, points
from deimos.report.results import RunResults
from deimos.report.section import ReportSection, TextTable
from deimos.store.route_rows import RoutedRow, Way

ALL = "all"
NAMES: dict[Way, str] = {
    "routed": "by the policy",
    "always_on": "always ON",
    "always_off": "always OFF",
    "task_oracle": "better mode of each task (oracle)",
    "prompt_oracle": "cheapest right mode of each prompt (oracle)",
}


def routed_section(run: RunResults) -> ReportSection:
    """The policy beside always ON, always OFF and both oracles, and its risk by coverage."""
    rows = run.artifacts.routed()
    if not rows:
        return ReportSection((f"The policy's worth on test problems: {NOT_MEASURED}.",))
    return ReportSection(
        tuple(_sentences(rows)),
        tuple(t for t in (_ways(rows), _tasks(rows), _risks(rows)) if t.rows),
    )


def _sentences(rows: Sequence[RoutedRow]) -> Sequence[str]:
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
    return TextTable("The policy on test", columns, [_line(row) for row in own])


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
        _, *numbers = _line(row)
        del numbers[4]
        lines.append((row["task"], *numbers))
    return TextTable("By task", columns, lines, folded=True)


def _line(row: RoutedRow) -> tuple[str, ...]:
    alone = row["way"] == row["against"]
    return (
        NAMES[row["way"]],
        number(row["n"]),
        percent(row["off"], 1),
        f"{percent(row['accuracy'], 1)} {interval(row['accuracy_ci'], lambda v: percent(v, 1))}".rstrip(),
        number(row["total_tokens_mean"], 1),
        "" if alone else NAMES[row["against"]],
        ""
        if alone
        else f"{points(row['accuracy_delta'])} {interval(row['accuracy_delta_ci'], points)}".rstrip(),
        "" if alone else _saved(row),
    )


def _saved(row: RoutedRow) -> str:
    value, ci = row["total_tokens_reduction"], row["total_tokens_reduction_ci"]
    return f"{percent(value, 1)} {interval(ci, lambda v: percent(v, 1))}".rstrip()


def _risks(rows: Sequence[RoutedRow]) -> TextTable:
    whole = next(r for r in rows if r["task"] == ALL and r["curve"])
    lines = [
        (
            percent(point["coverage"], 0),
            f"{point['margin']:+.3f}",
            percent(point["risk"], 1) if point["risk"] is not None else "–",
            interval(point["risk_ci"], lambda v: percent(v, 1)),
            percent(point["accuracy"], 1),
            number(point["total_tokens_mean"], 1),
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
