"""What the report shows of a run, read through ``runs.artifacts``; what has not run is empty."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deimos.recipe import Recipe
from deimos.runs.artifacts import Artifacts, SampleFacts
from deimos.store.bench_rows import BenchRow, BudgetCurveRow, ByConfigRow, CompareRow
from deimos.store.schema import AnyRow, Row


@dataclass(frozen=True)
class RunResults:
    """Everything the report reads of a run."""

    name: str
    recipe: Recipe
    artifacts: Artifacts
    records: Mapping[str, Row]
    """Each stage's ``record.json``."""
    bench: list[BenchRow]
    compare: list[CompareRow]
    by_config: list[ByConfigRow]
    curve: list[BudgetCurveRow]
    constants: AnyRow
    outcomes: list[SampleFacts]
    run_dir: Path = Path()
    """The run folder, where report and card lie."""
    merged: Path | None = None
    """Folder of the base if another run has trained it; None: the recipe's ``model.id`` names it."""

    @property
    def base(self) -> str:
        """Folder or Hub id of the base."""
        return str(self.merged) if self.merged else self.recipe.model.name

    @property
    def base_place(self) -> str:
        """The same as a program that runs in the run folder names it."""
        if self.merged is None:
            return self.recipe.model.name
        return os.path.relpath(self.merged, self.run_dir)

    @property
    def folders(self) -> Mapping[str, Path]:
        """Stage name to its folder, for the stages that are complete."""
        return self.artifacts.folders

    def counts(self, stage: str) -> Row:
        """The counts that a stage recorded."""
        return self.records.get(stage, {}).get("counts") or {}

    @property
    def lab(self) -> bool:
        """The lab model was used, whose verbosity was written by this project."""
        return self.recipe.model.id == "lab"

    @property
    def taught(self) -> bool:
        """The tuned model has learnt thinking tags, which its base does not have."""
        return self.recipe.train.teach is not None

    @property
    def plain(self) -> bool:
        """The model does not think in tags: its whole text is trace and answer."""
        return self.recipe.model.tags is None


def read_results(
    run_dir: Path, folders: Mapping[str, Path], recipe: Recipe, merged: Path | None = None
) -> RunResults:
    """Read what the stages left in ``folders`` (stage name to folder)."""
    artifacts = Artifacts(folders)
    return RunResults(
        name=recipe.name or run_dir.name,
        recipe=recipe,
        artifacts=artifacts,
        records={name: artifacts.record(name) for name in folders},
        bench=artifacts.bench(),
        compare=artifacts.compare(),
        by_config=artifacts.by_config(),
        curve=artifacts.budget_curve(),
        constants=artifacts.constants(),
        outcomes=list(artifacts.sample_facts()),
        run_dir=run_dir,
        merged=merged,
    )
