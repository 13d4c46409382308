"""Write ``summary.json``, ``report.html`` and ``MODEL_CARD.md`` at the top of a run folder.

Takes seconds and is rewritten each time; it may run after any stage, and what has not run yet
says "not measured".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from deimos.recipe import Recipe
from deimos.report.card import card
from deimos.report.html import making, page
from deimos.report.rejects import read_rejects
from deimos.report.results import read_results
from deimos.report.summary import summary
from deimos.store.journal import write_atomic
from deimos.store.names import CARD, REPORT, SUMMARY


def run(run_dir: Path, folders: Mapping[str, Path], recipe: Recipe) -> dict[str, int]:
    """Report on what a run's stages left.

    Args:
        run_dir: The run folder; the three files are written here.
        folders: Stage name to its folder, for the stages that are complete.
        recipe: The recipe the run was made from.

    Returns:
        Counts: bench and compare rows, golds, benchmark completions, bytes of the report.
    """
    found = read_results(run_dir, folders, recipe)
    tally = read_rejects(found)
    made = making(found)
    numbers = summary(found, tally)
    report = page(found, tally, made)
    dumped = json.dumps(numbers, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomic(run_dir / SUMMARY, dumped + "\n")
    write_atomic(run_dir / REPORT, report)
    write_atomic(run_dir / CARD, card(found, tally, made))
    return {
        "bench_rows": len(found.bench),
        "compare_rows": len(found.compare),
        "gold": tally.gold,
        "completions": len(found.outcomes),
        "report_bytes": len(report.encode()),
    }
