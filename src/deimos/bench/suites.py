"""What a benchmark compares: which models, at which named decodings, in which sample sets.

The one place that knows which decoding each model ships with and which is timed; what the names
stand for is in ``decodings``. No model is needed for any of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from deimos.bench.baselines import (
    BUDGET,
    FEW_SHOT,
    INSTRUCTION,
    LOW_EFFORT,
    find_think_budget,
    list_baselines,
    require_effort,
)
from deimos.bench.decodings import LOCKED, RECOMMENDED, Decodings
from deimos.bench.tasks import TestTask
from deimos.evaluate.arms import Arm
from deimos.evaluate.models import Models
from deimos.evaluate.samples import SampleSet
from deimos.models.ref import ModelRef
from deimos.prompts.examples import WorkedExample
from deimos.recipe import Bench
from deimos.runs.artifacts import adapter_path, samples_path
from deimos.runs.plan import StageJob
from deimos.store.merge import Name
from deimos.store.schema import Row

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


def find_shipped(model: str) -> str:
    """The decoding that a model ships with; a baseline is the base."""
    return SHIPS.get(model, SHIPS["base"])


def list_models(bench: Bench) -> list[str]:
    """Base, tuned and baselines, as they are decoded: one needs what another has thought."""
    baselines = list_baselines(bench)
    first = [name for name in baselines if name != BUDGET]
    return ["base", *first, "tuned", *(name for name in baselines if name == BUDGET)]


def list_arms(bench: Bench, decodings: Decodings) -> list[ArmName]:
    """The arms that the settings need, one model's after the other's."""
    models = list_models(bench)
    if set(bench.settings) <= {"ship"}:
        return [ArmName(m, find_shipped(m)) for m in models] if bench.settings else []
    return [ArmName(m, name) for m in models for name in decodings.named]


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
    closed = len(MODELS) * len(bench.think_budgets)
    return problems * (closed + sum(decodings.named[arm.config].repeats for arm in stored))


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
    model, teach = job.recipe.model, job.recipe.train.teach
    base = ModelRef(job.model_path, model.revision, model.dtype)
    adapter = str(adapter_path(job.inputs["train"].resolve()))
    taught = teach.tags if teach else None
    return {"base": base, "tuned": replace(base, adapter=adapter, taught=taught)}


@dataclass(frozen=True)
class Suite:
    """A bench's sample sets: every task by every arm."""

    bench: Bench
    decodings: Decodings
    models: Mapping[str, ModelRef]
    tasks: Sequence[TestTask]
    out: Path
    """The stage's folder."""
    effort: str | None = None
    """The lowest that the chat template offers."""
    examples: tuple[WorkedExample, ...] = ()
    """Of the baseline ``few_shot``."""
    think_budgets: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Of the baseline ``budget``, by task and stored decoding; empty until the tuned model has
    answered."""

    def sample_set(self, task: TestTask, arm: ArmName) -> SampleSet:
        """What is to be decoded of a task for an arm, and where it stands."""
        stored = find_stored(self.decodings, arm)
        decoding = self.decodings.named[stored.config]
        name = f"{task.name}-{stored.model}-{stored.config}"
        plain = Arm(
            self.models.get(stored.model, self.models["base"]),
            decoding.sampling,
            task.thinking,
            stored.model,
            stored.config,
            decoding.think_budget,
        )
        return SampleSet(
            arm=self._changed(plain, task),
            task=task.name,
            prompts=task.prompts,
            path=samples_path(self.out, name),
            repeats=decoding.repeats,
            seed=self.bench.seed,
            thoughts=self.sample_set(task, ArmName("base", stored.config))
            if stored.model == BUDGET
            else None,
        )

    def _changed(self, plain: Arm, task: TestTask) -> Arm:
        """A baseline's arm; any other as it is."""
        if plain.model_name == INSTRUCTION:
            return replace(plain, instruction=self.bench.instruction)
        if plain.model_name == FEW_SHOT:
            return replace(plain, examples=self.examples)
        if plain.model_name == LOW_EFFORT:
            return replace(plain, effort=require_effort(self.effort))
        if plain.model_name == BUDGET:
            return replace(plain, think_budget=self.think_budgets[task.name, plain.config])
        return plain

    def describe_baseline(self, arm: ArmName, tasks: Sequence[TestTask]) -> Row | None:
        """What makes a baseline's arm of the base, as its rows have it; None: it is none.

        Args:
            arm: the arm.
            tasks: that a row is about; of several, each has a think budget of its own.
        """
        if arm.model == BUDGET:
            config = find_stored(self.decodings, arm).config
            own = {task.name: self.think_budgets[task.name, config] for task in tasks}
            return {"think_budget": own if len(own) > 1 else next(iter(own.values()), None)}
        return {
            INSTRUCTION: {"instruction": self.bench.instruction},
            FEW_SHOT: {"examples": len(self.examples)},
            LOW_EFFORT: {"reasoning_effort": self.effort},
        }.get(arm.model)

    def read_think_budgets(self, models: Models) -> dict[tuple[str, str], int]:
        """The tuned model's median thoughts, where the baseline ``budget`` closes the base's.

        By task and stored decoding; at one that the tuned model was not asked at (``ship`` alone),
        those at the decoding that it ships with.
        """
        stored = list_stored(self.bench, self.decodings)
        found: dict[tuple[str, str], int] = {}
        for arm in stored:
            if arm.model != BUDGET:
                continue
            own = ArmName("tuned", arm.config)
            tuned = own if own in stored else ArmName("tuned", SHIPS["tuned"])
            for task in self.tasks:
                completions = self.sample_set(task, tuned).read(models)
                found[task.name, arm.config] = find_think_budget(completions)
        return found

    def timed_arms(self) -> dict[str, Arm]:
        """The arms that are timed, by model name."""
        timed = self.decodings.named[TIMED]
        return {name: Arm(model, timed.sampling, None, name, TIMED, timed.think_budget)
                for name, model in self.models.items()}  # fmt: skip

    def record_keys(self, models: Models) -> dict[str, dict[Name, str]]:
        """The record keys that count, by the name of the sample set; of those that are known yet."""
        stored = [arm for arm in list_stored(self.bench, self.decodings)
                  if arm.model != BUDGET or self.think_budgets]  # fmt: skip
        wanted = [self.sample_set(t, arm) for arm in stored for t in self.tasks]
        return {each.path.stem: models.record_keys(each.arm, each.requests(models))
                for each in wanted}  # fmt: skip
