"""The architecture: which stages there are and what each depends on.

What a stage does is in its package's ``stage.py``, what is passed into it in ``wiring.py``, and the
content hashes that enter its fingerprint in ``identity.py``.
"""

from __future__ import annotations

from deimos.pipeline import identity, wiring
from deimos.recipe import Recipe
from deimos.runs.plan import Planned, Stage, plan_stages, select_stages
from deimos.store.names import (
    ADAPTER,
    CARD,
    CONSTANTS,
    DEV,
    GOLD,
    LOCKED,
    POLICY,
    REPORT,
    SUMMARY,
    TEMPLATE_DATE,
)

DECISION_KEYS = ("bench.locked", "bench.budget", "bench.seed", "bench.graders", "select.graders")
DECISION_READS = {
    "prompts": (DEV,),
    "sample": (TEMPLATE_DATE,),
    "train": (f"{ADAPTER}/*",),
}
"""Of the stages that decide by dev prompts how the benchmark is to decode."""

STAGES = (
    Stage(
        "prompts",
        version=4,
        needs=(),
        keys=("prompts",),
        run=wiring.prompts,
        data=identity.prompt_data,
        tracks=identity.test_settings,
    ),
    Stage(
        "sample",
        version=3,
        needs=("prompts",),
        keys=("model", "sample"),
        run=wiring.sample,
        data=identity.sample_data,
        tracks=identity.filter_settings,
    ),
    Stage(
        "select",
        version=4,
        needs=("prompts", "sample"),
        keys=("model", "select"),
        run=wiring.select,
        data=identity.grader_data,
    ),
    Stage(
        "teach",
        version=1,
        needs=("prompts", "sample", "select"),
        keys=("model", "train.teach"),
        reads={"sample": (CONSTANTS, TEMPLATE_DATE), "select": (GOLD,)},
        run=wiring.teach,
        when=lambda recipe: recipe.train.teach is not None,
        data=identity.model_data,
    ),
    Stage(
        "train",
        version=1,
        needs=("select", "teach"),
        keys=("model", "train"),
        reads={"select": (GOLD,), "teach": (GOLD,)},
        run=wiring.train,
        data=identity.model_data,
    ),
    Stage(
        "sweep",
        version=1,
        needs=("prompts", "sample", "train"),
        keys=("model", "sweep", *DECISION_KEYS),
        reads=DECISION_READS,
        run=wiring.sweep,
        when=lambda recipe: recipe.sweep is not None,
        data=identity.decision_data,
        tracks=identity.test_settings,
    ),
    Stage(
        "route",
        version=3,
        needs=("prompts", "sample", "train", "sweep"),
        keys=("model", "route", *DECISION_KEYS),
        reads={**DECISION_READS, "sweep": (LOCKED,)},
        run=wiring.route,
        when=lambda recipe: recipe.route is not None,
        data=identity.decision_data,
        tracks=identity.test_settings,
    ),
    Stage(
        "gain",
        version=1,
        needs=("prompts", "sample", "train", "sweep"),
        keys=("model", "gain", *DECISION_KEYS),
        reads={**DECISION_READS, "sweep": (LOCKED,)},
        run=wiring.gain,
        when=lambda recipe: recipe.gain is not None,
        data=identity.decision_data,
        tracks=identity.test_settings,
    ),
    Stage(
        "bench",
        version=4,
        needs=("prompts", "sample", "train", "sweep", "route"),
        follows=("route",),
        keys=("model", "bench", "select.graders", "allow_contamination"),
        reads={
            "sample": (CONSTANTS, TEMPLATE_DATE),
            "train": (f"{ADAPTER}/*",),
            "sweep": (LOCKED,),
            "route": (POLICY,),
        },
        run=wiring.bench,
        data=identity.bench_data,
    ),
    Stage(
        "report",
        version=1,
        needs=("prompts", "sample", "select", "teach", "train", "sweep", "route", "gain", "bench"),
        keys=("name",),
        run=wiring.report,
        summary=(SUMMARY, REPORT, CARD),
    ),
)
"""A stage stands after those that it needs.

Its fingerprint is made of its name, version, recipe keys, data and what it needs, and another
fingerprint is another folder. What it *tracks* is not part of that: if only this has changed, the
stage runs again in the same folder and brings what is there up to date. ``runs.plan.Stage`` describes
every field."""
ALL = tuple(stage.name for stage in STAGES)


def names_of(recipe: Recipe) -> list[str]:
    """The names of the stages that a recipe has, in order."""
    return [stage.name for stage in STAGES if stage.when(recipe)]


def plan(recipe: Recipe, until: str | None = None) -> list[Planned]:
    """The stages of a recipe with their identities: all, or ``until`` and what it needs.

    Raises:
        PlanError: the recipe has no stage called ``until``.
    """
    every = plan_stages(STAGES, recipe)
    return select_stages(every, until) if until else every
