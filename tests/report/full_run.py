"""A synthetic run with every optional stage and every optional field, reported."""

from __future__ import annotations

from pathlib import Path

import runfolder
from tests.report import test_metrics, test_sweep

from deimos.recipe import Recipe
from deimos.report import stage
from deimos.store.journal import read_rows, write_rows


def write_full_run(top: Path) -> tuple[dict[str, Path], Recipe]:
    """Sweep, routing, derived metrics, judges, repeats and splits beside the rest."""
    folders = runfolder.write_run(top, problems=60)
    folders |= {name: top / f"{name}-01234567" for name in ("sweep", "route")}
    test_sweep.write_sweep(folders["sweep"])
    test_metrics.write_routing(folders["route"])
    bench = folders["bench"]
    for name, more in (("bench.jsonl", test_metrics.MODEL), ("compare.jsonl", test_metrics.PAIR)):
        write_rows(bench / name, [{**row, **more} for row in read_rows(bench / name)])
    write_rows(bench / "splits.jsonl", [test_metrics.SPLIT])
    recipe = runfolder.recipe()
    stage.run(top, folders, recipe)
    return folders, recipe
