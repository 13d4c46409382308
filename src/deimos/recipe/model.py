"""The recipe's records: everything that changes a result, and nothing that does not.

Unknown keys are refused, values keep their types. What does not change a result (device, workers,
endpoints, paths) is in ``runtime.py`` and never fingerprinted; reading a file is in ``load.py``.
"""

from __future__ import annotations

import difflib
import re
from typing import Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from deimos.recipe.errors import RecipeError
from deimos.recipe.sampling import Sample, SamplingSettings
from deimos.recipe.section import Count, Section, Seed, Text
from deimos.thinking import Tags
from deimos.types import Kind


class TagSettings(Section):
    """The strings that open and close a thought."""

    open: str = "<think>"
    close: str = "</think>"


class ModelSettings(Section):
    """The model to be made terse."""

    id: Text
    """Hub id, local folder, or ``lab`` (the small model that is part of the package)."""
    revision: str | None = None
    """Hub commit; required for Hub models that are to be reproducible."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    thinking: bool | None = True
    """Passed to the chat template as ``enable_thinking``; null leaves it out."""
    tags: TagSettings | None = TagSettings()
    """null: the model does not think in tags (the plain grammar)."""

    def thinking_tags(self) -> Tags | None:
        """The tags as everything but the recipe takes them; None: the model thinks in none."""
        return Tags(self.tags.open, self.tags.close) if self.tags else None


class SourceSettings(Section):
    """Where prompts come from."""

    source: Text
    """Registered name, ``pkg:attr`` or ``./file.py:attr``."""
    take: int | None = Field(default=None, ge=1)
    """How many prompts, in the source's own seeded order; null takes all."""
    options: dict[str, Any] = {}
    """Passed to the source: path, split, revision, columns…"""


class Decontaminate(Section):
    """Dropping training prompts that overlap with test problems (the rules: decontaminate.py)."""

    enabled: bool = True
    ngram: int = Field(default=13, ge=2)
    """This many words in a row in common are an overlap; of Chinese and the like half as many
    characters more."""
    short_ngram: int = Field(default=8, ge=2)
    """The same in texts of fewer than 2 x ``ngram`` words; must cover 60% of the shorter."""
    near_duplicates: float | None = Field(default=0.5, gt=0, le=1)
    """Jaccard similarity of the sets of three words (or characters) in a row; null: not computed."""
    refuse_above: float = Field(default=0.25, ge=0, le=1)
    """If a larger share of a task's prompts overlaps, the recipe is refused: it trains on its tests."""


class PromptSettings(Section):
    """Training prompts and the dev slice held out of them."""

    sources: list[SourceSettings] = Field(min_length=1)
    dev_fraction: float = Field(default=0.1, gt=0, lt=1)
    dev_min_per_kind: int = Field(default=100, ge=1)
    """At least this many dev prompts a kind, if that leaves at least as many to train on."""
    seed: Seed = 0
    decontaminate: Decontaminate = Decontaminate()


class Quota(Section):
    """Bounds on what selection keeps."""

    max_per_task: int | None = Field(default=None, ge=1)
    max_share_easy: float | None = Field(default=None, gt=0, le=1)
    """Largest share of golds whose prompt's measured pass rate is 1.0 (needs probe or exhaustive)."""


class Select(Section):
    """The four filters' settings."""

    graders: dict[Kind, Text] = {
        "math": "math", "choice": "choice", "instruction": "instruction", "code": "code",
    }  # fmt: skip
    """Grader per kind: registered name, ``pkg:attr`` or ``./file.py:attr``."""
    min_pass: int = Field(default=1, ge=1)
    """Candidates that must pass before the shortest may be kept (guards against lucky guesses)."""
    answer_max: dict[Kind, Count] = {"math": 512, "choice": 256, "instruction": 2048, "code": 2048}
    """Longest presentable answer, in tokens, per kind."""
    function_words: bool = True
    """Reject answers whose function-word rate is under the base's own 5th percentile on dev."""
    policy: str = "shortest"
    """shortest, or one that needs the whole pool (``median``, ``quantile:0.25``): exhaustive only."""
    min_think_tokens: int = Field(default=0, ge=0)
    quota: Quota = Quota()

    @field_validator("policy")
    @classmethod
    def _known_policy(cls, policy: str) -> str:
        quantile_of(policy)
        return policy


class Lora(Section):
    """Adapter shape (peft's ``LoraConfig``)."""

    r: int = Field(default=64, ge=1)
    alpha: int = Field(default=64, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: list[Text] = Field(
        default=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
        min_length=1,
    )


SchedulerName = Literal[
    "linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup",
    "inverse_sqrt",
]  # fmt: skip
"""Transformers' learning rate schedules that need no arguments of their own."""


class Train(Section):
    """The card's training block; defaults are the card's values."""

    lora: Lora = Lora()
    learning_rate: float = Field(default=3e-5, gt=0)
    scheduler: SchedulerName = "cosine"
    warmup_ratio: float = Field(default=0.05, ge=0, lt=1)
    epochs: float = Field(default=1.0, gt=0)
    batch_size: int = Field(default=2, ge=1)
    accumulation: int = Field(default=8, ge=1)
    max_length: int = Field(default=4096, ge=2)
    """Prompt + completion tokens; longer examples are dropped and counted, never cut."""
    packing: Literal[False] = False
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    save_steps: int = Field(default=50, ge=1)
    seed: Seed = 0

    def batches(self, micro_batch: int | None) -> tuple[int, int]:
        """Sequences per forward pass, and forward passes per optimizer step.

        Their product is batch_size x accumulation whatever ``micro_batch`` is.

        Raises:
            RecipeError: ``micro_batch`` does not divide that product.
        """
        if micro_batch is None:
            return self.batch_size, self.accumulation
        per_step = self.batch_size * self.accumulation
        if per_step % micro_batch:
            raise RecipeError(
                f"runtime.train_micro_batch = {micro_batch}: must divide the {per_step} sequences of "
                f"an optimizer step (train.batch_size {self.batch_size} x train.accumulation "
                f"{self.accumulation})"
            )
        return micro_batch, per_step // micro_batch


class TaskSettings(Section):
    """A test set: a source graded by the recipe's graders, or an lm-eval task with its own scoring."""

    name: Text
    source: SourceSettings | None = None
    lm_eval: str | None = None
    """Name of one of lm-eval's own tasks, or a path: a task's YAML, or a folder that has a YAML
    whose task is called ``name``."""
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
        for key in ("num_fewshot", "take", "metric"):
            if self.lm_eval is None and getattr(self, key) is not None:
                raise ValueError(
                    f"bench.tasks: {self.name!r}: {key} = {getattr(self, key)!r} goes with lm_eval, "
                    "not with source"
                )
        return self

    @model_serializer(mode="wrap")
    def _without_unused(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A task without lm-eval keeps the identity that it has without these keys."""
        unused = {
            k for k in ("lm_eval", "num_fewshot", "take", "metric") if getattr(self, k) is None
        }
        return {key: value for key, value in dump(self).items() if key not in unused}


class Bench(Section):
    """Base against tuned, fair by construction."""

    tasks: list[TaskSettings] = []
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
    timing_problems: int = Field(default=48, ge=0)
    timing_concurrency: int = Field(default=4, ge=1)
    seed: Seed = 0

    @field_validator("settings")
    @classmethod
    def _each_once(cls, settings: list[str]) -> list[str]:
        if len(set(settings)) < len(settings):
            raise ValueError(f"bench.settings = {settings!r}: no setting may be named twice")
        return settings


class Recipe(Section):
    """One recipe file, without its ``runtime`` block."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    model: ModelSettings
    prompts: PromptSettings
    sample: Sample = Sample()
    select: Select = Select()
    train: Train = Train()
    bench: Bench = Bench()
    allow_contamination: bool = False

    @property
    def bench_graders(self) -> dict[Kind, str]:
        """Who judges test problems, per kind."""
        return {**self.select.graders, **self.bench.graders}

    @model_validator(mode="after")
    def _coherent(self) -> Recipe:
        self._something_can_be_kept()
        quota, measured = self.select.quota, self.sample.exhaustive or self.sample.probe
        if quota.max_share_easy is not None and not measured:
            raise ValueError(
                f"select.quota.max_share_easy = {quota.max_share_easy}: needs pass rates, so set "
                "sample.probe above 0 or sample.exhaustive to true"
            )
        if self.select.policy != "shortest" and not self.sample.exhaustive:
            raise ValueError(
                f"select.policy {self.select.policy!r} needs the whole pool of candidates: "
                "set sample.exhaustive to true, or use shortest"
            )
        return self

    def _something_can_be_kept(self) -> None:
        """Refuse bounds that no candidate can meet: nobody samples for hours to learn of them."""
        sample, select = self.sample, self.select
        if select.min_pass > sample.candidates:
            raise ValueError(
                f"select.min_pass = {select.min_pass}: must be at most {sample.candidates}, the "
                "candidates of a prompt (sample.n)"
            )
        longest, key = sample.sampling.max_tokens, "sample.sampling.max_tokens"
        if sample.think_budget is not None and sample.think_budget < longest:
            longest, key = sample.think_budget, "sample.think_budget"
        if select.min_think_tokens > longest:
            raise ValueError(
                f"select.min_think_tokens = {select.min_think_tokens}: must be at most {longest}, "
                f"the longest thought that is sampled ({key})"
            )


def quantile_of(policy: str) -> float:
    """The quantile of a prompt's keepable thoughts, by length, that a policy's name stands for.

    Raises:
        RecipeError: unknown policy.
    """
    name, _, argument = policy.partition(":")
    if policy in ("shortest", "median"):
        return 0.0 if policy == "shortest" else 0.5
    number = name == "quantile" and re.fullmatch(r"0|1|[01]?\.[0-9]+", argument)
    if number and float(argument) <= 1:
        return float(argument)
    near = difflib.get_close_matches(policy, ("shortest", "median", "quantile:0.25"), n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise RecipeError(
        f"select.policy = {policy!r}: must be shortest, median or quantile:Q with Q from 0 to 1{hint}"
    )
