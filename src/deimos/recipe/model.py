"""The recipe's records: everything that changes a result, and nothing that does not.

Unknown keys are refused, values keep their types. What does not change a result (device, workers,
endpoints, paths) is in ``runtime.py`` and never fingerprinted; reading a file is in ``load.py``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    model_serializer,
    model_validator,
)

from deimos.types import Kind, Sampling


class Section(BaseModel):
    """Base of all recipe sections: unknown keys are errors, values don't change."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class TagSettings(Section):
    """The strings that open and close a thought."""

    open: str = "<think>"
    close: str = "</think>"


class ModelSettings(Section):
    """The reasoner to be made terse."""

    id: str
    """Hub id, local folder, or ``lab`` (the embedded one)."""
    revision: str | None = None
    """Hub commit; required for Hub models that are to be reproducible."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    thinking: bool | None = True
    """Passed to the chat template as ``enable_thinking``; null leaves it out."""
    tags: TagSettings | None = TagSettings()
    """null: the model does not think in tags (the plain grammar)."""


class SourceSettings(Section):
    """Where prompts come from."""

    source: str
    """Registered name, ``pkg:attr`` or ``./file.py:attr``."""
    take: int | None = Field(default=None, ge=1)
    """How many prompts, in the source's own seeded order; null takes all."""
    options: dict[str, Any] = {}
    """Passed to the source: path, split, revision, columns…"""


class Decontaminate(Section):
    """Dropping training prompts that overlap with test problems (the rules: decontaminate.py)."""

    enabled: bool = True
    ngram: int = Field(default=13, ge=2)
    """So many words in a row in common are an overlap."""
    short_ngram: int = Field(default=8, ge=2)
    """The same in texts of fewer than 2 x ``ngram`` words; must cover 60% of the shorter."""
    near_duplicates: float | None = Field(default=0.5, gt=0, le=1)
    """Jaccard similarity of the sets of three words in a row; null: not looked for."""
    refuse_above: float = Field(default=0.25, ge=0, le=1)
    """Where more of a task's prompts overlap than this share, the recipe trains on its tests."""


class PromptSettings(Section):
    """Training prompts and the dev slice held out of them."""

    sources: list[SourceSettings] = Field(min_length=1)
    dev_fraction: float = Field(default=0.1, gt=0, lt=1)
    dev_min_per_kind: int = Field(default=100, ge=1)
    """At least this many dev prompts a kind, where that leaves at least as many to train on."""
    seed: int = 0
    decontaminate: Decontaminate = Decontaminate()


class SamplingSettings(Section):
    """vLLM's sampling parameters, by vLLM's names."""

    temperature: float = Field(default=1.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    top_k: int = Field(default=0, ge=0)
    min_p: float = Field(default=0.0, ge=0, le=1)
    repetition_penalty: float = Field(default=1.0, gt=0)
    presence_penalty: float = Field(default=0.0, ge=-2, le=2)
    frequency_penalty: float = Field(default=0.0, ge=-2, le=2)
    max_tokens: int = Field(default=4096, ge=1)

    def value(self) -> Sampling:
        """The plain dataclass that engines take."""
        return Sampling(**self.model_dump())


class StopWhen(Section):
    """When one more candidate of a prompt is not worth its cost."""

    gain_below: float = Field(default=0.06, gt=0, lt=1)
    """It is expected to shorten the kept thought by fewer tokens than this, a token it decodes."""


class AdaptiveN(Section):
    """As many candidates of a prompt as are worth their cost (the rule: sample/adaptive.py)."""

    max: int = Field(default=8, ge=1)
    min: int = Field(default=4, ge=1)
    """Start together, and as many more each time that more are worth it."""
    stop_when: StopWhen = StopWhen()
    give_up: int | None = Field(default=None, ge=1)
    """A prompt without a winner gets no more once so many have failed; null: only at ``max``.

    Looked at whenever ``min`` more could start.
    """

    @model_validator(mode="before")
    @classmethod
    def _no_more_than_max(cls, data: Any) -> Any:
        """The default of ``min`` gives way to a smaller ``max``."""
        most = data.get("max") if isinstance(data, dict) and "min" not in data else None
        if isinstance(most, int) and 0 < most < cls.model_fields["min"].default:
            return {**data, "min": most}
        return data

    @model_validator(mode="after")
    def _in_order(self) -> AdaptiveN:
        if self.min > self.max:
            raise ValueError(f"sample.n.min = {self.min}: must be at most max ({self.max})")
        decisions = range(self.min, self.max, self.min)
        if self.give_up and not decisions:
            raise ValueError(
                f"sample.n.give_up = {self.give_up}: must be null where all {self.max} candidates "
                "(min, max) start at once"
            )
        if self.give_up and self.give_up > decisions[-1]:
            raise ValueError(
                f"sample.n.give_up = {self.give_up}: must be at most {decisions[-1]}, the last time "
                f"that more may start (min {self.min} at a time, max {self.max})"
            )
        return self


Count = Annotated[int, Field(ge=1)]
_COUNT: TypeAdapter[int] = TypeAdapter(Count)


def _count_or_rule(value: Any) -> int | AdaptiveN:
    """By what it looks like, so that a fault is told of that alone."""
    if isinstance(value, dict | AdaptiveN):
        return AdaptiveN.model_validate(value)
    if isinstance(value, str) and not value.strip().isdigit():
        raise ValueError(
            f"sample.n = {value!r}: must be a whole number, or a rule like {{max: 8, min: 4}}"
        )
    return _COUNT.validate_python(value)


class Sample(Section):
    """The race."""

    n: Annotated[Count | AdaptiveN, BeforeValidator(_count_or_rule)] = 8
    """Candidates a prompt: a number, or ``{max, min, stop_when, give_up}``."""
    sampling: SamplingSettings = SamplingSettings(temperature=1.0, top_p=0.95, top_k=20)
    think_budget: int | None = Field(default=None, ge=1)
    """A thought longer than this is stopped and rejected (structure); null: only max_tokens."""
    exhaustive: bool = False
    """Decode every candidate to its end."""
    probe: int = Field(default=0, ge=0)
    """Never stop the first ``probe`` candidates: pass rates come from those."""
    seed: int = 0

    @property
    def candidates(self) -> int:
        """Candidates a prompt, at most."""
        return self.n.max if isinstance(self.n, AdaptiveN) else self.n

    @model_validator(mode="after")
    def _decided_on_what_is_there(self) -> Sample:
        if isinstance(self.n, AdaptiveN):
            if self.exhaustive:
                raise ValueError(
                    "sample.exhaustive decodes every candidate to its end: sample.n must be a "
                    "number then, not a rule for stopping"
                )
            if self.probe > self.n.min:
                raise ValueError(
                    f"sample.probe = {self.probe}: must be at most sample.n.min ({self.n.min}), "
                    "all that every prompt gets"
                )
        return self


class Quota(Section):
    """Bounds on what selection keeps."""

    max_per_task: int | None = Field(default=None, ge=1)
    max_share_easy: float | None = Field(default=None, gt=0, le=1)
    """Largest share of golds whose prompt's measured pass rate is 1.0 (needs probe or exhaustive)."""


class Select(Section):
    """The four filters' settings."""

    graders: dict[Kind, str] = {
        "math": "math", "choice": "choice", "instruction": "instruction", "code": "code",
    }  # fmt: skip
    """Grader per kind: registered name, ``pkg:attr`` or ``./file.py:attr``."""
    min_pass: int = Field(default=1, ge=1)
    """Candidates that must pass before the shortest may be kept (guards against lucky guesses)."""
    answer_max: dict[Kind, int] = {"math": 512, "choice": 256, "instruction": 2048, "code": 2048}
    """Longest presentable answer, in tokens, per kind."""
    function_words: bool = True
    """Reject answers whose function-word rate is under the base's own 5th percentile on dev."""
    policy: str = "shortest"
    """shortest, or one that needs the whole pool (``median``, ``quantile:0.25``): exhaustive only."""
    min_think_tokens: int = Field(default=0, ge=0)
    quota: Quota = Quota()


class Lora(Section):
    """Adapter shape (peft's ``LoraConfig``)."""

    r: int = Field(default=64, ge=1)
    alpha: int = Field(default=64, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: list[str] = [
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    ]  # fmt: skip


class Train(Section):
    """The card's training block; defaults are the card's values."""

    lora: Lora = Lora()
    learning_rate: float = Field(default=3e-5, gt=0)
    scheduler: str = "cosine"
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
    seed: int = 0


class TaskSettings(Section):
    """A test set: a source graded by the recipe's graders, or an lm-eval task with its own scoring."""

    name: str
    source: SourceSettings | None = None
    lm_eval: str | None = None
    """Name of one of lm-eval's own tasks, or a path: a task's YAML, or a folder that has a YAML
    whose task is called ``name``."""
    num_fewshot: int | None = Field(default=None, ge=0)
    """Of an lm-eval task; null: as many as it says itself."""
    take: int | None = Field(default=None, ge=1)
    """How many documents of an lm-eval task, in a seeded order; null takes all."""
    metric: str | None = None
    """Which metric of an lm-eval task is 1 for a right answer, with a filter where there are
    several, as lm-eval writes it (``exact_match,strict-match``); null: the first of each."""
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
    settings: list[Literal["ship", "equal", "tight"]] = ["ship", "equal", "tight"]
    budget: int = Field(default=4096, ge=1)
    """Ample: the same max_tokens for both models in ``ship`` and ``equal``."""
    recommended: SamplingSettings = SamplingSettings(temperature=1.0, top_p=0.95, top_k=20)
    """The base's own recommended sampler."""
    locked: SamplingSettings = SamplingSettings(temperature=0.0)
    """The decoding config under test (the sweep's outcome, where one ran)."""
    repeats: int = Field(default=1, ge=1)
    """Samples per problem at the recommended sampler (greedy decoding is never repeated)."""
    timing_problems: int = Field(default=48, ge=0)
    timing_concurrency: int = Field(default=4, ge=1)
    seed: int = 0


class Recipe(Section):
    """One file that drives the whole way."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    model: ModelSettings
    prompts: PromptSettings
    sample: Sample = Sample()
    select: Select = Select()
    train: Train = Train()
    bench: Bench = Bench()
    allow_contamination: bool = False

    @model_validator(mode="after")
    def _coherent(self) -> Recipe:
        if self.select.policy != "shortest" and not self.sample.exhaustive:
            raise ValueError(
                f"select.policy {self.select.policy!r} needs the whole pool of candidates: "
                "set sample.exhaustive to true, or use shortest"
            )
        return self
