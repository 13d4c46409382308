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
