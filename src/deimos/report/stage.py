"""Write ``summary.json``, ``report.html``, ``MODEL_CARD.md`` and ``.eval_results`` into a run folder.

Takes seconds and is rewritten each time; it may run after any stage, and what has not run yet
says "not measured".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from deimos.recipe import Recipe
from deimos.report.card import card
from deimos.report.html import describe_making, page
from deimos.report.hub import eval_results, find_stale
from deimos.report.rejects import read_rejects
from deimos.report.results import read_results
from deimos.report.summary import summary
from deimos.store.journal import write_atomic
from deimos.store.names import CARD, EVAL_RESULTS, REPORT, SUMMARY


def run(
    run_dir: Path, folders: Mapping[str, Path], recipe: Recipe, merged: Path | None = None
) -> dict[str, int]:
    """Report on what a run's stages left.

    Args:
        run_dir: The run folder; the files are written here, at its top.
        folders: Stage name to its folder, for the stages that are complete.
        recipe: The recipe the run was made from.
        merged: Folder of the base if another run has trained it.

    Returns:
        Counts: bench and compare rows, golds, benchmark completions, bytes of the report, score files.
    """
    found = read_results(run_dir, folders, recipe, merged)
    tally = read_rejects(found)
    made = describe_making(found)
    numbers = summary(found, tally)
    report = page(found, tally, made)
    dumped = json.dumps(numbers, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomic(run_dir / SUMMARY, dumped + "\n")
    write_atomic(run_dir / REPORT, report)
    write_atomic(run_dir / CARD, card(found, tally, made))
    scores = write_scores(run_dir / EVAL_RESULTS, eval_results(found))
    return {
        "bench_rows": len(found.bench),
        "compare_rows": len(found.compare),
        "gold": tally.gold,
        "completions": len(found.outcomes),
        "report_bytes": len(report.encode()),
        "hub_scores": scores,
    }


def write_scores(folder: Path, files: Mapping[str, str]) -> int:
    """Write ``.eval_results`` and remove what an earlier report left there; how many files there are."""
    if folder.is_dir():
        for path in find_stale(folder.glob("*.yaml"), files):
            path.unlink()
    for name, text in files.items():
        write_atomic(folder / name, text)
    return len(files)
