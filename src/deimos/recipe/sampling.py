"""The recipe's ``sample`` section: how candidates are drawn, and how many of them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    TypeAdapter,
    model_validator,
)

from deimos.recipe.errors import show_value
from deimos.recipe.proposers import (
    PlainProposer,
    Proposer,
    check_proposers,
    order_candidates,
    read_proposers,
    stage_of,
)
from deimos.recipe.section import Count, Section, Seed
from deimos.types import Sampling


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
    """Tokens by which it is expected to shorten the kept thought, for each token it decodes."""


class AdaptiveN(Section):
    """As many candidates of a prompt as are worth their cost (the rule: sample/adaptive.py)."""

    max: int = Field(default=8, ge=1)
    min: int = Field(default=4, ge=1)
    """Candidates that start together, at first and each time that more are worth it."""
    stop_when: StopWhen = StopWhen()
    give_up: int | None = Field(default=None, ge=1)
    """A prompt without a winner gets no more candidates once this many have failed; null: not before
    ``max``. Decided whenever ``min`` more could start.
    """

    @model_validator(mode="before")
    @classmethod
    def _no_more_than_max(cls, data: Any) -> Any:
        """Lower the default of ``min`` to a smaller ``max``."""
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
                f"sample.n.give_up = {self.give_up}: must be null if all {self.max} candidates "
                "(min, max) start at once"
            )
        if self.give_up and self.give_up > decisions[-1]:
            raise ValueError(
                f"sample.n.give_up = {self.give_up}: must be at most {decisions[-1]}, the last time "
                f"that more may start (min {self.min} at a time, max {self.max})"
            )
        return self


_COUNT: TypeAdapter[int] = TypeAdapter(Count)


def _count_or_rule(value: Any) -> int | AdaptiveN:
    """A number or a rule by what the value looks like, so that a fault names only what is meant."""
    if isinstance(value, dict | AdaptiveN):
        return AdaptiveN.model_validate(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return _COUNT.validate_python(value)
    raise ValueError(
        f"sample.n = {show_value(value)}: must be a whole number, or a rule like {{max: 8, min: 4}}"
    )


class Sample(Section):
    """The race."""

    later = ("proposers",)
    n: Annotated[Count | AdaptiveN, BeforeValidator(_count_or_rule)] = 8
    """Candidates a prompt: a number, or ``{max, min, stop_when, give_up}``. With ``proposers`` it is
    left out: it is the sum of theirs."""
    proposers: Annotated[list[Proposer] | None, BeforeValidator(read_proposers)] = None
    """The ways in which candidates come about, each ``{kind, n, name, …}`` with a kind of plain,
    instruction, few_shot, rewrite or prune; null: ``n`` plain ones (docs/guides/proposers.md)."""
    sampling: SamplingSettings = SamplingSettings(temperature=1.0, top_p=0.95, top_k=20)
    think_budget: int | None = Field(default=None, ge=1)
    """A thought longer than this is stopped and rejected (structure); null: only max_tokens."""
    exhaustive: bool = False
    """Decode every candidate to its end."""
    probe: int = Field(default=0, ge=0)
    """Never stop the first ``probe`` candidates: pass rates come from those."""
    seed: Seed = 0

    @property
    def candidates(self) -> int:
        """Candidates a prompt, at most."""
        return self.n.max if isinstance(self.n, AdaptiveN) else self.n

    @property
    def uncensored(self) -> int:
        """So many first candidates of a prompt are decoded to their end, whatever the others do."""
        return self.candidates if self.exhaustive else self.probe

    @property
    def measured(self) -> list[int]:
        """Those of them, by index, that show how long the model itself thinks: the plain ones."""
        first = range(self.uncensored)
        return [at for at, p in zip(first, self.proposer_of) if isinstance(p, PlainProposer)]

    @property
    def proposer_of(self) -> list[Proposer]:
        """Each candidate's proposer, by index."""
        return order_candidates(self.proposers or [PlainProposer(n=self.candidates)])

    def count_started(self, stage: int) -> int:
        """Candidates of a prompt whose proposer starts at this stage or before; see ``stage_of``."""
        return sum(stage_of(proposer) <= stage for proposer in self.proposer_of)

    @model_validator(mode="before")
    @classmethod
    def _as_many_as_proposed(cls, data: Any) -> Any:
        """With proposers, n is the sum of theirs."""
        given = data.get("proposers") if isinstance(data, dict) and "n" not in data else None
        if not given:
            return data
        return {**data, "n": sum(proposer.n for proposer in read_proposers(given) or [])}

    @model_validator(mode="after")
    def _proposed_as_said(self) -> Sample:
        if self.proposers is None:
            return self
        total = sum(proposer.n for proposer in self.proposers)
        if self.n != total:
            shown = self.n if isinstance(self.n, int) else "a rule"
            raise ValueError(
                f"sample.n = {shown}: leave it out beside sample.proposers, which make {total} "
                "candidates of every prompt"
            )
        check_proposers(self.proposers, self.sampling.temperature)
        return self

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
