"""What a benchmark compares: which models, at which named decodings, in which sample sets.

The one place that knows which decodings a recipe names, which of them each model ships with, and
which is timed; everything after works on a mapping of names. No model is needed for any of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from deimos.bench.tasks import TestTask
from deimos.evaluate.arms import Arm
from deimos.evaluate.models import Models
from deimos.evaluate.samples import SampleSet
from deimos.models.ref import ModelRef
from deimos.recipe import Bench
from deimos.runs.artifacts import adapter_path, samples_path
from deimos.runs.plan import StageJob
from deimos.store.merge import Name
from deimos.types import Sampling

MODELS = ("base", "tuned")
SHIPS: Mapping[str, str] = {"base": "recommended", "tuned": "locked"}
"""Model to the decoding that it ships with."""
TIMED = "locked"
"""The decoding at which seconds are measured."""


class ArmName(NamedTuple):
    """What a bench calls an arm, and what its rows are grouped by."""

    model: str
    config: str
    """Name of the decoding, as rows have it."""


@dataclass(frozen=True)
class Decoding:
    """A named way to decode."""

    sampling: Sampling
    """With the bench's budget in place of its own ``max_tokens``."""
    repeats: int
    """Samples a problem; greedy decoding is never repeated."""


def decodings_of(bench: Bench) -> dict[str, Decoding]:
    """The decodings that a recipe names, in the order of the tables."""
    recommended, locked = (
        dataclasses.replace(settings.value(), max_tokens=bench.budget)
        for settings in (bench.recommended, bench.locked)
    )
    return {
        "recommended": Decoding(recommended, bench.repeats if recommended.temperature > 0 else 1),
        "locked": Decoding(locked, 1),
    }


def list_arms(bench: Bench) -> list[ArmName]:
    """The arms that the settings need, one model's after the other's."""
    if set(bench.settings) <= {"ship"}:
        return [ArmName(m, SHIPS[m]) for m in MODELS] if bench.settings else []
    return [ArmName(m, name) for m in MODELS for name in decodings_of(bench)]


def find_stored(bench: Bench, arm: ArmName) -> ArmName:
    """Whose file holds an arm's samples: decodings that draw alike share one, the last one's."""
    decodings = decodings_of(bench)
    alike = [name for name, other in decodings.items() if other == decodings[arm.config]]
    return ArmName(arm.model, alike[-1])


def list_stored(bench: Bench) -> list[ArmName]:
    """The arms that are decoded, each once."""
    return list(dict.fromkeys(find_stored(bench, arm) for arm in list_arms(bench)))


def count_completions(bench: Bench, problems: int) -> int:
    """How many completions a bench decodes, timing apart; ``plan`` asks here too.

    Args:
        bench: the recipe's section.
        problems: of all tasks together, each task's own counted apart.
    """
    decodings = decodings_of(bench)
    return problems * sum(decodings[arm.config].repeats for arm in list_stored(bench))


def count_timed(bench: Bench, problems: int) -> int:
    """How many completions are decoded to be timed, those that warm up left out.

    Args:
        bench: the recipe's section.
        problems: that differ, of all tasks.
    """
    return len(MODELS) * min(bench.timing_problems, problems) if list_arms(bench) else 0


def models_of(job: StageJob) -> dict[str, ModelRef]:
    """Base and tuned, by name, the base first."""
    model = job.recipe.model
    base = ModelRef(job.model_path, model.revision, model.dtype)
    adapter = str(adapter_path(job.inputs["train"].resolve()))
    return {"base": base, "tuned": dataclasses.replace(base, adapter=adapter)}


@dataclass(frozen=True)
class Suite:
    """A bench's sample sets: every task by every arm."""

    bench: Bench
    models: Mapping[str, ModelRef]
    tasks: Sequence[TestTask]
    out: Path
    """The stage's folder."""

    def sample_set(self, task: TestTask, arm: ArmName) -> SampleSet:
        """What is to be decoded of a task for an arm, and where it stands."""
        stored = find_stored(self.bench, arm)
        decoding = decodings_of(self.bench)[stored.config]
        name = f"{task.name}-{stored.model}-{stored.config}"
        model = self.models[stored.model]
        return SampleSet(
            arm=Arm(model, decoding.sampling, task.thinking, stored.model, stored.config),
            task=task.name,
            prompts=task.prompts,
            path=samples_path(self.out, name),
            repeats=decoding.repeats,
            seed=self.bench.seed,
        )

    def timed_arms(self) -> dict[str, Arm]:
        """The arms that are timed, by model name."""
        sampling = decodings_of(self.bench)[TIMED].sampling
        return {name: Arm(model, sampling, model_name=name, config=TIMED)
                for name, model in self.models.items()}  # fmt: skip

    def record_keys(self, models: Models) -> dict[str, dict[Name, str]]:
        """The record keys that count, by the name of the sample set."""
        wanted = [self.sample_set(t, arm) for arm in list_stored(self.bench) for t in self.tasks]
        return {each.path.stem: models.record_keys(each.arm, each.requests(models))
                for each in wanted}  # fmt: skip
