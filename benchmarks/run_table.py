"""The table of a finished run for docs/results: what its records say, nothing else.

usage: python benchmarks/run_table.py RUN --title TITLE --command COMMAND --out docs/results/NAME.md

Reads RUN/summary.json and the stages' records. The last line is one JSON object: the compare rows
of task ``all`` by setting.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

SIGNS = {"accuracy_delta": 100, "think_tokens_reduction": -100, "total_tokens_reduction": -100}


def number(value: Any, digits: int = 0) -> str:
    return "not measured" if value is None else f"{value:,.{digits}f}"


def change(row: dict[str, Any], field: str) -> str:
    """A difference or reduction with its interval, in points or percent, sign as a change."""
    value, interval, sign = row[field], row.get(f"{field}_ci"), SIGNS[field]
    if value is None:
        return "not measured"
    if interval is None:
        return f"{value * sign:+.1f}"
    low, high = sorted(bound * sign for bound in interval)
    return f"{value * sign:+.1f} [{low:+.1f}, {high:+.1f}]"


def seconds(row: dict[str, Any]) -> str:
    value = row["seconds_reduction"]
    return "not measured" if value is None else f"{-100 * value:+.0f}%"


def compare_table(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| setting | task | n | budget | accuracy, points [95%] | think tokens, % [95%] "
        "| total tokens, % [95%] | seconds | smallest difference this n could show, points |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['setting']} | {row['task']} | {row['n']} | {number(row.get('budget'))} "
            f"| {change(row, 'accuracy_delta')} | {change(row, 'think_tokens_reduction')} "
            f"| {change(row, 'total_tokens_reduction')} | {seconds(row)} "
            f"| {number(100 * (row.get('smallest_detectable') or 0), 1)} |"
        )
    return lines


def bench_table(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| model | setting | task | n | accuracy [95%] | think tokens, median | answer tokens, median "
        "| unfinished at the budget | seconds a problem |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        low, high = row["accuracy_ci"]
        lines.append(
            f"| {row['model']} | {row['setting']} | {row['task']} | {row['n']} "
            f"| {100 * row['accuracy']:.1f}% [{100 * low:.1f}, {100 * high:.1f}] "
            f"| {number(row['think_tokens_median'])} | {number(row['answer_tokens_median'])} "
            f"| {100 * (1 - row['finished']):.1f}% of budget {number(row['budget'])} "
            f"| {number(row['seconds_per_problem'], 2)} |"
        )
    return lines


def stage_table(run: Path, summary: dict[str, Any]) -> list[str]:
    lines = ["| stage | seconds | what came of it |", "|---|---|---|"]
    for path in sorted(
        run.glob("*/record.json"), key=lambda p: json.loads(p.read_text())["finished"]
    ):
        record = json.loads(path.read_text())
        counts = ", ".join(
            f"{value:,} {key.replace('_', ' ')}"
            for key, value in record["counts"].items()
            if type(value) is int
        )
        lines.append(f"| {record['stage']} | {record['seconds']:.0f} | {counts} |")
    rejects = summary["select"]["rejects"]
    return [
        *lines,
        "",
        f"Rejected: {', '.join(f'{n} by {stage}' for stage, n in rejects.items())}.",
    ]


def main() -> None:
    """Read, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--title", required=True)
    parser.add_argument("--command", required=True)
    parser.add_argument("--note", default="")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    summary = json.loads((args.run / "summary.json").read_text())
    environment = json.dumps(summary["environment"], sort_keys=True)
    lines = [
        f"# {args.title}",
        "",
        f"`{args.command}`",
        "",
        *([args.note, ""] if args.note else []),
    ]
    lines += ["## Tuned against base", "", *compare_table(summary["compare"]), ""]
    lines += ["## Each model", "", *bench_table(summary["bench"]), ""]
    lines += [
        "## Stages",
        "",
        *stage_table(args.run, summary),
        "",
        f"Environment: `{environment}`",
        "",
    ]
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text("\n".join(lines), encoding="utf-8")
    pooled = {row["setting"]: row for row in summary["compare"] if row["task"] == "all"}
    print(json.dumps(pooled))


if __name__ == "__main__":
    main()
