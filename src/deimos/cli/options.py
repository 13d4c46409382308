"""Arguments and options that several verbs take, in the same words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def _allow_weak_sandbox(on: bool) -> None:
    os.environ.update({"DEIMOS_ALLOW_WEAK_SANDBOX": "1"} if on else {})  # stages inherit it


RecipeArg = Annotated[
    str, typer.Argument(metavar="RECIPE", help="Recipe file, run folder, or a packaged name: lab.")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="Run folder; runs/<recipe name> unless given.")
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a recipe key.")
]
ContaminationOption = Annotated[
    bool, typer.Option("--allow-contamination", help="Train on what is tested; the card says so.")
]
LimitOption = Annotated[
    int | None,
    typer.Option(
        "--limit", metavar="N", min=1, help="Benchmark on the first N problems of each task."
    ),
]
RoundsOption = Annotated[
    int | None,
    typer.Option(
        "--rounds", metavar="K", min=1, help="Train again from what was trained, K times at most."
    ),
]
WeakOption = Annotated[
    bool,
    typer.Option("--allow-weak-sandbox", callback=_allow_weak_sandbox, help="Judge code anyway."),
]
OpenTagOption = Annotated[
    str | None, typer.Option("--open-tag", metavar="TAG", help="What opens a thought: <think>.")
]
CloseTagOption = Annotated[
    str | None, typer.Option("--close-tag", metavar="TAG", help="What closes it: </think>.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs.")]
RunArg = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, e.g. runs/lab.")]
STAGE_COMMANDS = {
    "prompts": "Gather prompts and hold the dev slice out (one stage).",
    "sample": "Race candidates for every prompt (one stage).",
    "teach": "Make golds that think in tags, for a model without (one stage).",
    "train": "Fine-tune the adapter on the golds (one stage).",
    "sweep": "Try decoding settings on dev prompts and lock one a model (one stage).",
    "route": "Measure thinking on and off on dev prompts, and recommend (one stage).",
    "gain": "Compare base and tuned on dev prompts: is another round worth it (one stage)?",
    "report": "Write summary.json, report.html and MODEL_CARD.md (one stage).",
}
"""Verbs that run one stage and take no option of their own, and what their help says."""


def set_contamination(contamination: bool) -> list[str]:
    """The set that ``--allow-contamination`` stands for."""
    return ["allow_contamination=true"] if contamination else []


def set_limit(limit: int | None) -> list[str]:
    """The set that ``--limit`` stands for."""
    return [] if limit is None else [f"bench.limit={limit}"]
