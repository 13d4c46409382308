"""The recipe's sweep section: which decoding settings are tried on dev prompts, and how one is chosen."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from deimos.recipe.errors import show_value
from deimos.recipe.section import Section, Seed


class SweepParameters(Section):
    """The values of each parameter that are tried, vLLM's sampling parameters by vLLM's names.

    A parameter without values stays as it is in ``bench.locked``, whose own value is always among
    those that are tried.
    """

    temperature: list[Annotated[float, Field(ge=0)]] = []
    top_p: list[Annotated[float, Field(gt=0, le=1)]] = []
    top_k: list[Annotated[int, Field(ge=0)]] = []
    min_p: list[Annotated[float, Field(ge=0, le=1)]] = []
    repetition_penalty: list[Annotated[float, Field(gt=0)]] = []
    presence_penalty: list[Annotated[float, Field(ge=-2, le=2)]] = []
    max_tokens: list[Annotated[int, Field(ge=1)]] = []
    """Instead of ``bench.budget``, which is what the sweep begins with."""
    think_budget: list[Annotated[int, Field(ge=1)] | None] = []
    """Tokens after which a thought is closed, so that the answer follows; null: never, which is
    what the sweep begins with."""

    @model_validator(mode="after")
    def _each_once(self) -> SweepParameters:
        lists = {name: getattr(self, name) for name in type(self).model_fields}
        for name, values in lists.items():
            if len(set(values)) < len(values):
                raise ValueError(
                    f"sweep.parameters.{name} = {values!r}: no value may be named twice"
                )
        if not any(lists.values()):
            raise ValueError(
                f"sweep.parameters names no values: give a list for one of {', '.join(lists)}, or "
                "leave parameters out to try the defaults"
            )
        return self


class PricePerToken(Section):
    """Accuracy less what the tokens cost."""

    price_per_token: float = Field(gt=0)
    """Accuracy points (hundredths) that you would give for 1,000 tokens less an answer."""


def _named_or_priced(value: Any) -> Any:
    if value == "accuracy" or isinstance(value, PricePerToken):
        return value
    if isinstance(value, dict):
        return PricePerToken.model_validate(value)
    raise ValueError(
        f"sweep.objective = {show_value(value)}: must be accuracy, or accuracy points for 1,000 tokens "
        "like {price_per_token: 2.0}"
    )


DEFAULT_PARAMETERS = SweepParameters(
    temperature=[0.0, 0.6, 1.0],
    top_p=[0.95, 1.0],
    top_k=[0, 20],
    min_p=[0.0, 0.05],
    repetition_penalty=[1.0, 1.05, 1.1],
    presence_penalty=[0.0, 1.5],
    max_tokens=[4096, 8192],
)
"""Around the published Deimos-A4 card's config (greedy, repetition penalty 1.1, presence penalty 1.5,
8,192 tokens), which is one of these."""


class Sweep(Section):
    """Decoding settings tried on dev prompts, the same for base and tuned."""

    parameters: SweepParameters = DEFAULT_PARAMETERS
    strategy: Literal["coordinate", "optuna"] = "coordinate"
    """``coordinate``: one parameter after the other; ``optuna``: TPE with a Wilcoxon pruner."""
    objective: Annotated[Literal["accuracy"] | PricePerToken, BeforeValidator(_named_or_priced)] = (
        "accuracy"
    )
    alpha: float = Field(default=0.05, gt=0, lt=1)
    """Chance, over all values of a model's sweep together, that one which is as good as the best is
    dropped early (``optuna``: the pruner's own threshold, for one trial)."""
    block: int = Field(default=16, ge=1)
    """Dev items between two tests."""
    take: int | None = Field(default=None, ge=1)
    """How many dev items at most, in a seeded order; null takes all."""
    rounds: int = Field(default=2, ge=1)
    """Passes over the parameters at most; one that changes nothing is the last (``coordinate``)."""
    trials: int = Field(default=40, ge=1)
    """Configs that are tried (``optuna``)."""
    seed: Seed = 0
    """Of the items' order and of Optuna's sampler."""

    @field_validator("parameters", mode="before")
    @classmethod
    def _a_section(cls, value: Any) -> Any:
        if value is None:
            raise ValueError("sweep.parameters = null: leave it out to try the defaults")
        return value

    @property
    def price(self) -> float | None:
        """Accuracy points for 1,000 tokens; None: tokens have no price."""
        return None if self.objective == "accuracy" else self.objective.price_per_token
