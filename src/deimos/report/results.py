"""What the report shows of a run, read through ``runs.artifacts``; what has not run is empty."""

from __future__ import annotations

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
    def plain(self) -> bool:
        """The model does not think in tags: its whole text is trace and answer."""
        return self.recipe.model.tags is None


def read_results(run_dir: Path, folders: Mapping[str, Path], recipe: Recipe) -> RunResults:
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
    )
