"""The recipe's records: everything that changes a result, and nothing that does not.

Unknown keys are refused, values keep their types. What does not change a result (device, workers,
endpoints, paths) is in ``runtime.py`` and never fingerprinted; reading a file is in ``load.py``.
"""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    field_validator,
    model_validator,
)

from deimos.chat_template import RENDERING, TemplateArguments
from deimos.recipe.bench import Bench
from deimos.recipe.errors import RecipeError, show_value
from deimos.recipe.gain import Gain
from deimos.recipe.prompts import PromptSettings
from deimos.recipe.route import Route
from deimos.recipe.sampling import Sample
from deimos.recipe.section import Count, Section, Seed, Text
from deimos.recipe.sweep import Sweep
from deimos.recipe.teach import Teach
from deimos.thinking import Tags
from deimos.types import Kind

_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
"""Of a variable of a chat template."""


def _check_values(given: dict[str, Any]) -> dict[str, Any]:
    """Names and plain values that a chat template can be given."""
    for name, value in given.items():
        if not re.fullmatch(_NAME, name):
            raise ValueError(
                f"model.template_kwargs: {name!r} must be a name that a chat template can have: "
                "letters, digits and _"
            )
        if not isinstance(value, bool | int | float | str | None):
            raise ValueError(
                f"model.template_kwargs.{name} = {show_value(value)}: must be text, a number, true, "
                "false or null"
            )
    return given


class TagSettings(Section):
    """The strings that open and close a thought."""

    open: str = "<think>"
    close: str = "</think>"


class ModelSettings(Section):
    """The model to be made terse."""

    later = ("run", "thinking_key", "template_kwargs")
    id: Text | None = None
    """Hub id, local folder, or ``lab`` (the small model that is part of the package)."""
    run: Text | None = None
    """Instead of ``id``: a run folder, whose trained model, merged, is the one to be made terser."""
    revision: str | None = None
    """Hub commit; required for Hub models that are to be reproducible."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    thinking: bool | None = True
    """Passed to the chat template as ``thinking_key``; null leaves it out."""
    thinking_key: str = Field(default="enable_thinking", pattern=_NAME)
    """The chat template's own name for the switch of thinking (DeepSeek-V3.1's is ``thinking``)."""
    template_kwargs: Annotated[dict[str, Any], AfterValidator(_check_values)] = {}
    """Other arguments of the chat template, by its own names: ``{reasoning_effort: low}`` (Qwen3.8)."""
    tags: TagSettings | None = TagSettings()
    """null: the model does not think in tags (the plain grammar)."""

    @property
    def name(self) -> str:
        """What the recipe calls the model: its id, or the run that it comes from."""
        return self.id or self.run or ""

    @model_validator(mode="after")
    def _one_origin(self) -> ModelSettings:
        if self.id is None and self.run is None:
            given = "id" in self.model_fields_set
            fault = "= null: must be text" if given else "is missing: it is required"
            raise ValueError(f"model.id {fault}, unless model.run names a run folder")
        if self.id is not None and self.run is not None:
            raise ValueError(
                f"model.id = {self.id!r} and model.run = {self.run!r}: one of them says where the "
                "model comes from, so leave the other out"
            )
        if self.run is not None and self.revision is not None:
            raise ValueError(
                f"model.revision = {self.revision!r}: is of a Hub id, and model.run names a run: leave it out"
            )
        return self

    def thinking_tags(self) -> Tags | None:
        """The tags as everything but the recipe takes them; None: the model thinks in none."""
        return Tags(self.tags.open, self.tags.close) if self.tags else None

    def template_arguments(self) -> TemplateArguments:
        """What the chat template is given with every prompt."""
        return TemplateArguments(self.thinking_key, self.template_kwargs)

    @model_validator(mode="after")
    def _template_takes_them(self) -> ModelSettings:
        given = [("model.thinking_key", self.thinking_key)]
        given += [("model.template_kwargs", name) for name in self.template_kwargs]
        for key, name in given:
            if name in RENDERING:
                raise ValueError(
                    f"{key}: {name!r} is set by rendering itself: accepted is any other argument that "
                    "the chat template reads"
                )
        if self.thinking_key in self.template_kwargs:
            raise ValueError(
                f"model.template_kwargs.{self.thinking_key}: this is the switch of thinking "
                "(model.thinking_key): set model.thinking instead"
            )
        return self


class Quota(Section):
    """Bounds on what selection keeps."""

    max_per_task: int | None = Field(default=None, ge=1)
    max_share_easy: float | None = Field(default=None, gt=0, le=1)
    """Largest share of golds whose prompt's measured pass rate is 1.0 (needs probe or exhaustive)."""


class Select(Section):
    """The four filters' settings."""

    later = ("min_ratio",)
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
    min_ratio: float | None = Field(default=None, gt=0, le=1)
    """No thought is kept under this share of the model's own median for the prompt (that of its
    candidates that nothing could stop: needs sample.probe or sample.exhaustive); null: any may be."""
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

    later = ("teach",)
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
    weight_decay: float = Field(default=0.01, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    save_steps: int = Field(default=50, ge=1)
    seed: Seed = 0
    teach: Teach | None = None
    """Tags that a model which thinks in none (``model.tags: null``) learns; null: none."""

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


class Recipe(Section):
    """One recipe file, without its ``runtime`` block."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    model: ModelSettings
    prompts: PromptSettings
    sample: Sample = Sample()
    select: Select = Select()
    train: Train = Train()
    sweep: Sweep | None = None
    """null: the recipe has no such stage, and ``bench.locked`` is the config under test."""
    route: Route | None = None
    """null: the recipe has no such stage."""
    gain: Gain | None = None
    """null: the recipe has no such stage."""
    bench: Bench = Bench()
    allow_contamination: bool = False

    @property
    def bench_graders(self) -> dict[Kind, str]:
        """Who judges test problems, per kind."""
        return {**self.select.graders, **self.bench.graders}

    @model_validator(mode="after")
    def _coherent(self) -> Recipe:
        self._something_can_be_kept()
        self._proposers_have_a_thought()
        self._teach_is_new()
        self._baselines_have_a_thought()
        quota, measured = self.select.quota, self.sample.exhaustive or self.sample.probe
        if quota.max_share_easy is not None and not measured:
            raise ValueError(
                f"select.quota.max_share_easy = {quota.max_share_easy}: needs pass rates, so set "
                "sample.probe above 0 or sample.exhaustive to true"
            )
        if self.select.min_ratio is not None and not self.sample.measured:
            raise ValueError(
                f"select.min_ratio = {self.select.min_ratio}: needs each prompt's median length, so set "
                "sample.probe above 0 (3 or more make a median) or sample.exhaustive to true, with a "
                "plain proposer among those first candidates"
            )
        if self.select.policy != "shortest" and not self.sample.exhaustive:
            raise ValueError(
                f"select.policy {self.select.policy!r} needs the whole pool of candidates: "
                "set sample.exhaustive to true, or use shortest"
            )
        if self.sweep and self.sweep.parameters.think_budget and not self._can_think():
            raise ValueError(
                f"sweep.parameters.think_budget = {self.sweep.parameters.think_budget!r}: the model has "
                "no thought to close (model.tags is null or model.thinking is false): leave it out"
            )
        return self

    def _teach_is_new(self) -> None:
        """Refuse to teach tags to a model that thinks in some already."""
        if self.train.teach and self.model.tags is not None:
            raise ValueError(
                f"train.teach teaches tags to a model that thinks in none, but model.tags is "
                f"{self.model.tags.open} … {self.model.tags.close}: set model.tags to null, or leave train.teach out"
            )

    def _baselines_have_a_thought(self) -> None:
        """Refuse to shorten a thought that no test problem asks for."""
        about = [name for name in self.bench.baselines if name in ("low_effort", "budget")]
        if self.bench.think_budgets and self.model.tags is None:
            raise ValueError(
                f"bench.think_budgets = {self.bench.think_budgets!r}: model.tags is null (the model "
                "thinks in no tags, so nothing can be closed): leave it out"
            )
        if "budget" in about and self.model.tags is None:
            raise ValueError(
                "bench.baselines: budget closes a thought, but model.tags is null (the model thinks in "
                "no tags, so nothing can be closed): leave budget out"
            )
        switches = [self.model.thinking if t.thinking is None else t.thinking
                    for t in self.bench.tasks]  # fmt: skip
        switches += [self.model.thinking] if self.bench.suite else []
        if about and switches and all(switch is False for switch in switches):
            raise ValueError(
                f"bench.baselines: {about[0]} shortens a thought, but thinking is off in every test "
                f"task: leave {about[0]} out"
            )

    def _proposers_have_a_thought(self) -> None:
        """Refuse proposers that shorten a thought if the model writes none."""
        for proposer in self.sample.proposers or []:
            if proposer.kind == "prune" and self.model.tags is None:
                raise ValueError(
                    f"sample.proposers {proposer.name!r}: prune closes a thought, but model.tags is null "
                    "(the model thinks in no tags, so nothing can be closed): leave it out"
                )
            if proposer.kind in ("prune", "rewrite") and self.model.thinking is False:
                raise ValueError(
                    f"sample.proposers {proposer.name!r}: {proposer.kind} shortens a thought, but "
                    "model.thinking is false: leave it out"
                )

    def _can_think(self) -> bool:
        return self.model.tags is not None and self.model.thinking is not False

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
