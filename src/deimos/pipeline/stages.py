"""The architecture: which stages there are, in order, and what each depends on.

What a stage does is in its package's ``stage.py``; what is plugged into it is in ``wiring.py``; what
its result hangs on besides recipe keys is in ``identity.py``.
"""

from __future__ import annotations

from deimos.pipeline import identity, wiring
from deimos.recipe import Recipe
from deimos.runs.folder import Planned, Stage, plan_stages
from deimos.store.names import CARD, REPORT, SUMMARY

STAGES = (
    Stage(
        "prompts",
        version=2,
        needs=(),
        keys=("prompts",),
        run=wiring.prompts,
        data=identity.prompt_data,
        tracks=identity.tested,
    ),
    Stage(
        "sample",
        version=3,
        needs=("prompts",),
        keys=("model", "sample"),
        run=wiring.sample,
        data=identity.model_data,
        tracks=identity.filters,
    ),
    Stage(
        "select",
        version=2,
        needs=("prompts", "sample"),
        keys=("model", "select"),
        run=wiring.select,
        data=identity.grader_data,
    ),
    Stage(
        "train",
        version=1,
        needs=("select",),
        keys=("model", "train"),
        run=wiring.train,
        data=identity.model_data,
    ),
    Stage(
        "bench",
        version=2,
        needs=("prompts", "sample", "train"),
        keys=("model", "bench", "select.graders", "allow_contamination"),
        run=wiring.bench,
        data=identity.bench_data,
    ),
    Stage(
        "report",
        version=1,
        needs=("prompts", "sample", "select", "train", "bench"),
        keys=("name",),
        run=wiring.report,
        summary=(SUMMARY, REPORT, CARD),
    ),
)
"""What changes a stage's result stands in its keys or its data. What it *tracks* is no part of its
identity: where that has changed, the stage brings what it has up to date."""
ALL = tuple(stage.name for stage in STAGES)


def plan(recipe: Recipe, until: str | None = None) -> list[Planned]:
    """The stages of a recipe with their identities, up to and including ``until``."""
    return plan_stages(STAGES[: ALL.index(until) + 1 if until else None], recipe)
