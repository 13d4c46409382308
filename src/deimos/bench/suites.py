"""What a benchmark compares: which models, at which named decodings, in which sample sets.

The one place that knows which decoding each model ships with and which is timed; what the names
stand for is in ``decodings``. No model is needed for any of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from deimos.bench.decodings import LOCKED, RECOMMENDED, Decodings
from deimos.bench.tasks import TestTask
from deimos.evaluate.arms import Arm
from deimos.evaluate.models import Models
from deimos.evaluate.samples import SampleSet
from deimos.models.ref import ModelRef
from deimos.recipe import Bench
from deimos.runs.artifacts import adapter_path, samples_path
from deimos.runs.plan import StageJob
from deimos.store.merge import Name

MODELS = ("base", "tuned")
SHIPS: Mapping[str, str] = {"base": RECOMMENDED, "tuned": LOCKED}
"""Model to the decoding that it ships with."""
TIMED = LOCKED
"""The decoding at which seconds are measured."""


class ArmName(NamedTuple):
    """What a bench calls an arm, and what its rows are grouped by."""

    model: str
    config: str
    """Name of the decoding, as rows have it."""


def list_arms(bench: Bench, decodings: Decodings) -> list[ArmName]:
    """The arms that the settings need, one model's after the other's."""
    if set(bench.settings) <= {"ship"}:
        return [ArmName(m, SHIPS[m]) for m in MODELS] if bench.settings else []
    return [ArmName(m, name) for m in MODELS for name in decodings.named]


def find_stored(decodings: Decodings, arm: ArmName) -> ArmName:
    """Whose file holds an arm's samples: decodings that draw alike share one, the last one's."""
    named = decodings.named
    alike = [name for name, other in named.items() if other == named[arm.config]]
    return ArmName(arm.model, alike[-1])


def list_stored(bench: Bench, decodings: Decodings) -> list[ArmName]:
    """The arms that are decoded, each once."""
    return list(dict.fromkeys(find_stored(decodings, arm) for arm in list_arms(bench, decodings)))


def count_completions(bench: Bench, decodings: Decodings, problems: int) -> int:
    """How many completions a bench decodes, timing apart; ``plan`` asks here too.

    Args:
        bench: the recipe's section.
        decodings: the benchmark's.
        problems: of all tasks together, each task's own counted apart.
    """
    stored = list_stored(bench, decodings)
    return problems * sum(decodings.named[arm.config].repeats for arm in stored)


def count_timed(bench: Bench, decodings: Decodings, problems: int) -> int:
    """How many completions are decoded to be timed, those that warm up left out.

    Args:
        bench: the recipe's section.
        decodings: the benchmark's.
        problems: that differ, of all tasks.
    """
    timed = min(bench.timing_problems, problems)
    return len(MODELS) * timed if list_arms(bench, decodings) else 0


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
    decodings: Decodings
    models: Mapping[str, ModelRef]
    tasks: Sequence[TestTask]
    out: Path
    """The stage's folder."""

    def sample_set(self, task: TestTask, arm: ArmName) -> SampleSet:
        """What is to be decoded of a task for an arm, and where it stands."""
        stored = find_stored(self.decodings, arm)
        decoding = self.decodings.named[stored.config]
        name = f"{task.name}-{stored.model}-{stored.config}"
        model = self.models[stored.model]
        return SampleSet(
            arm=Arm(
                model,
                decoding.sampling,
                task.thinking,
                stored.model,
                stored.config,
                decoding.think_budget,
            ),
            task=task.name,
            prompts=task.prompts,
            path=samples_path(self.out, name),
            repeats=decoding.repeats,
            seed=self.bench.seed,
        )

    def timed_arms(self) -> dict[str, Arm]:
        """The arms that are timed, by model name."""
        timed = self.decodings.named[TIMED]
        return {name: Arm(model, timed.sampling, None, name, TIMED, timed.think_budget)
                for name, model in self.models.items()}  # fmt: skip

    def record_keys(self, models: Models) -> dict[str, dict[Name, str]]:
        """The record keys that count, by the name of the sample set."""
        stored = list_stored(self.bench, self.decodings)
        wanted = [self.sample_set(t, arm) for arm in stored for t in self.tasks]
        return {each.path.stem: models.record_keys(each.arm, each.requests(models))
                for each in wanted}  # fmt: skip
