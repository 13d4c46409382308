"""The recipe's bench section: which tests, at which decodings, in which settings."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from deimos.recipe.prompts import SourceSettings
from deimos.recipe.sampling import SamplingSettings
from deimos.recipe.section import Count, Section, Seed, Text
from deimos.types import Kind

BaselineName = Literal["instruction", "low_effort", "budget", "few_shot"]
"""What a user would pick instead of training; see ``Bench.baselines``."""


class TaskSettings(Section):
    """A test set: a source graded by the recipe's graders, or an lm-eval task with its own scoring."""

    name: Text
    source: SourceSettings | None = None
    lm_eval: str | None = None
    """Name of one of lm-eval's own tasks or groups of tasks, or a path: a YAML, or a folder that has
    a YAML whose task or group is called ``name``. A group stands for all its tasks."""
    data: Text | None = None
    """Local folder with the data set of an lm-eval task, its files named as on the Hub."""
    group: Text | None = None
    """Tasks of the same group have rows that pool them, under this name."""
    num_fewshot: int | None = Field(default=None, ge=0)
    """Examples shown before each question of an lm-eval task; null: the task's own number."""
    take: int | None = Field(default=None, ge=1)
    """How many documents of an lm-eval task, in a seeded order; null takes all."""
    metric: str | None = None
    """Which metric of an lm-eval task is 1 for a right answer, with a filter if there are several, as lm-eval writes it (``exact_match,strict-match``); null: the first of each."""
    thinking: bool | None = None
    """null: as the model section says."""

    @property
    def origin(self) -> str:
        """The source or the lm-eval task, as the recipe names it."""
        return self.source.source if self.source else f"lm-eval {self.lm_eval}"

    @model_validator(mode="after")
    def _one_origin(self) -> TaskSettings:
        if (self.source is None) == (self.lm_eval is None):
            raise ValueError(f"bench.tasks: {self.name!r} needs either source or lm_eval")
        for key in ("num_fewshot", "take", "metric", "data"):
            if self.lm_eval is None and getattr(self, key) is not None:
                raise ValueError(
                    f"bench.tasks: {self.name!r}: {key} = {getattr(self, key)!r} goes with lm_eval, "
                    "not with source"
                )
        return self

    @model_serializer(mode="wrap")
    def _without_unused(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A task that has no use for these keys keeps the identity that it has without them."""
        keys = ("lm_eval", "num_fewshot", "take", "metric", "data", "group")
        unused = {k for k in keys if getattr(self, k) is None}
        return {key: value for key, value in dump(self).items() if key not in unused}


class Bench(Section):
    """Base against tuned, fair by construction."""

    tasks: list[TaskSettings] = []
    suite: Literal["card", "hard", "easy"] | None = None
    """lm-eval's tasks by one word, beside ``tasks`` (which ones: bench/lm_eval/suite.py). A task of
    ``tasks`` that has the name of one of them takes its place."""
    suite_data: Text | None = None
    """Local folder with the data sets of the suite's tasks, instead of the Hub: a folder each, named
    as on the Hub without its owner (docs/guides/benchmarks.md)."""
    limit: int | None = Field(default=None, ge=1)
    """Only so many problems of each task, the first ones, as ``lm_eval --limit`` takes them."""
    graders: dict[Kind, Text] = {}
    """Graders that judge test problems instead of ``select.graders``' own, per kind:
    ``{math: math_unevaluated}`` counts numbers that are not worked out."""
    settings: list[Literal["ship", "equal", "tight"]] = ["ship", "equal", "tight"]
    budget: int = Field(default=4096, ge=1)
    """``max_tokens`` of both models in ``ship`` and ``equal``: ample."""
    recommended: SamplingSettings = SamplingSettings(temperature=1.0, top_p=0.95, top_k=20)
    """The base's own recommended sampler."""
    locked: SamplingSettings = SamplingSettings(temperature=0.0)
    """The decoding config under test."""
    repeats: int = Field(default=1, ge=1)
    """Samples per problem at the recommended sampler (greedy decoding is never repeated)."""
    baselines: list[BaselineName] = []
    """Untrained alternatives that are benched beside base and tuned: the base with ``instruction``
    added to what the user says, with worked examples before it, at its chat template's lowest
    ``reasoning_effort``, or with its thought closed at the tuned model's median length."""
    instruction: Text = (
        "Think step by step, but only keep a minimum draft for each thinking step, with 5 words at "
        "most."
    )
    """Of the baseline ``instruction``; the default is Chain of Draft's (Xu et al. 2025,
    arXiv:2502.18600), without its last sentence, which asks for another form of the answer."""
    exemplars: Text | None = None
    """Of the baseline ``few_shot``: a JSONL file as ``sample.proposers`` takes it, with a ``question``,
    ``think`` (may be left out) and ``answer`` a line. Those that overlap with a test problem are
    left out."""
    shots: Count = 4
    """Of the baseline ``few_shot``: how many examples stand before each question, the file's first."""
    think_budgets: list[Count] = []
    """Think budgets at which base and tuned are decoded too, at the locked decoding: every thought
    closed there, and the answer behind it decoded. Accuracy against budget has them beside the cut
    traces, which never answer."""
    timing_problems: int = Field(default=48, ge=0)
    timing_concurrency: int = Field(default=4, ge=1)
    seed: Seed = 0

    @property
    def has_tests(self) -> bool:
        """Whether there is anything to be tested on."""
        return bool(self.tasks or self.suite)

    @model_serializer(mode="wrap")
    def _without_unused(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A benchmark without a suite or a limit keeps the identity that it has without the keys."""
        unused = {k for k in ("suite", "suite_data", "limit") if getattr(self, k) is None}
        unused |= set() if self.think_budgets else {"think_budgets"}
        unused |= set() if self.exemplars else {"exemplars", "shots"}
        return {key: value for key, value in dump(self).items() if key not in unused}

    @model_validator(mode="after")
    def _data_of_something(self) -> Bench:
        if self.suite_data and not self.suite and not any(task.lm_eval for task in self.tasks):
            raise ValueError(
                f"bench.suite_data = {self.suite_data!r} is for lm-eval's tasks, and there are none: "
                "give bench.suite too (card, hard or easy), or leave it out"
            )
        return self

    @model_validator(mode="after")
    def _examples_of_few_shot(self) -> Bench:
        if "few_shot" in self.baselines and self.exemplars is None:
            raise ValueError(
                "bench.baselines: few_shot shows worked examples: name their file in bench.exemplars "
                "(JSONL with question and answer), or leave few_shot out"
            )
        if self.exemplars is not None and "few_shot" not in self.baselines:
            raise ValueError(
                f"bench.exemplars = {self.exemplars!r} is for the baseline few_shot, which "
                f"bench.baselines = {self.baselines!r} does not have: add it, or leave exemplars out"
            )
        return self

    @field_validator("instruction")
    @classmethod
    def _says_something(cls, text: str) -> str:
        if not text.strip():
            raise ValueError(f"bench.instruction = {text!r}: must say something")
        return text

    @field_validator("think_budgets")
    @classmethod
    def _each_budget_once(cls, budgets: list[int]) -> list[int]:
        if len(set(budgets)) < len(budgets):
            raise ValueError(f"bench.think_budgets = {budgets!r}: no budget may be named twice")
        return sorted(budgets)

    @field_validator("settings", "baselines")
    @classmethod
    def _each_once(cls, names: list[str], info: ValidationInfo) -> list[str]:
        if len(set(names)) < len(names):
            noun = (info.field_name or "").removesuffix("s")
            raise ValueError(f"bench.{info.field_name} = {names!r}: no {noun} may be named twice")
        return names
