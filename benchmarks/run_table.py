"""The table of a finished run for docs/results: what its records say, nothing else.

usage: python benchmarks/run_table.py RUN --title TITLE --command COMMAND --out docs/results/NAME.md

Reads RUN/summary.json and the stages' records; where a row mixes numbers of two configs, each
number says which is its own (the unfinished share goes with accuracy). The last line is one JSON
object: the compare rows of task ``all`` by setting.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from deimos.report import baselines, decoding_labels, formatting, headline

Row = dict[str, Any]


def of(row: Row, number: str, text: str) -> str:
    """A number's text with its config behind it, where the row mixes numbers of two."""
    config = decoding_labels.origins(row).get(number)
    return formatting.with_unit(text, f" ({config})") if config else text


def changed(row: Row, name: str) -> str:
    """The change in a length, in percent, with its interval and config."""
    field = f"{name}_reduction"
    ci = formatting.change_interval(row.get(f"{field}_ci"), 1)
    return of(row, name, f"{formatting.change(row[field], 1)} {ci}".rstrip())


def seconds(row: Row) -> str:
    """The change in seconds with its interval and the number of timed problems."""
    if row["seconds_reduction"] is None:
        return formatting.NOT_MEASURED
    ci = formatting.change_interval(row.get("seconds_reduction_ci"))
    return f"{formatting.change(row['seconds_reduction'])} {ci} of {row.get('timed')} timed"


def compare_table(rows: list[Row]) -> list[str]:
    lines = [
        "| setting | task | against | n | budget | accuracy, points [95%] | think tokens [95%] "
        "| total tokens [95%] | seconds | smallest difference this n could show, points | config |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ci = formatting.interval(row["accuracy_delta_ci"], formatting.points)
        smallest = row.get("smallest_detectable")
        cells = (
            row["setting"],
            row["task"],
            baselines.name_compared(row),
            formatting.number(row["n"]),
            formatting.number(row.get("budget")),
            of(row, "accuracy", f"{formatting.points(row['accuracy_delta'])} {ci}".rstrip()),
            changed(row, "think_tokens"),
            changed(row, "total_tokens"),
            of(row, "seconds", seconds(row)),
            of(row, "accuracy", formatting.number(None if smallest is None else 100 * smallest, 1)),
            decoding_labels.shorten_config(row),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def median(row: Row, name: str) -> str:
    """A median with its interval."""
    ci = formatting.interval(row.get(f"{name}_median_ci"), formatting.number)
    return f"{formatting.number(row[f'{name}_median'])} {ci}".rstrip()


def bench_table(rows: list[Row]) -> list[str]:
    lines = [
        "| model | setting | task | n | accuracy [95%] | think tokens, median [95%] "
        "| answer tokens, median [95%] "
        "| unfinished at the budget | seconds a problem | config |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]

    def percent(value: float | None) -> str:
        return formatting.percent(value, 1)

    for row in rows:
        ci = formatting.interval(row["accuracy_ci"], percent)
        cut = f"{percent(headline.share_unfinished(row))} of budget {formatting.number(row['budget'])}"
        cells = (
            row["model"],
            row["setting"],
            row["task"],
            formatting.number(row["n"]),
            of(row, "accuracy", f"{percent(row['accuracy'])} {ci}".rstrip()),
            of(row, "think_tokens", median(row, "think_tokens")),
            of(row, "answer_tokens", median(row, "answer_tokens")),
            of(row, "finished", cut),
            of(row, "seconds", formatting.seconds(row["seconds_per_problem"])),
            decoding_labels.shorten_config(row),
        )
        lines.append(f"| {' | '.join(cells)} |")
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
    lines += ["## Tuned against base", "", decoding_labels.MIXED, ""]
    lines += [*compare_table(summary["compare"]), ""]
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
    pooled = {
        row["setting"]: row
        for row in baselines.select_against_base(summary["compare"])
        if row["task"] == "all"
    }
    print(json.dumps(pooled))


if __name__ == "__main__":
    main()
