"""The model that is sampled: its engine and tokenizer, prompts as it sees them, and record keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from deimos import engines
from deimos.engines.base import Done, Engine, Key
from deimos.engines.collect import Request, completion_of
from deimos.models.ref import ModelRef
from deimos.recipe import RecipeError, Sample
from deimos.runs.artifacts import Artifacts
from deimos.runs.plan import StageJob
from deimos.runs.record import attempts
from deimos.sample.prompt_race import SEPARATOR, RacePrompt
from deimos.store.candidates import record_key, sampled_with
from deimos.store.hashing import derive_seed
from deimos.store.merge import Name
from deimos.store.template_date import keep_template_date
from deimos.thinking import Rendered, Shape, render, renders_date
from deimos.types import Completion, Prompt

RenderMessages = Callable[[Sequence[Mapping[str, str]]], Rendered]
"""Makes messages what the model sees."""
Decode = Callable[[Done, Request], Completion]
"""Makes the completion of a job that has ended, its finish as the engine reported it."""


@dataclass(frozen=True)
class OpenModel:
    """An engine with the tokenizer of its model."""

    engine: Engine
    tokenizer: Any
    decode: Decode


def open_model(job: StageJob, tokenizer: Any = None) -> OpenModel:
    """Load what the recipe and the runtime name; ``tokenizer``: see ``open_tokenizer``."""
    from deimos.models.end_of_turn import eos_ids_of

    model, tokenizer = model_of(job), tokenizer or open_tokenizer(job)
    engine = engines.open(model, job.runtime)
    return OpenModel(
        engine, tokenizer, make_decode(tokenizer, eos_ids_of(tokenizer, model), engine.name)
    )


def open_tokenizer(job: StageJob) -> Any:
    """The model's tokenizer; a template that cannot be used is refused before weights are loaded."""
    from deimos.models.loading import load_tokenizer

    tokenizer = load_tokenizer(model_of(job))
    if "prompts" in job.inputs:
        render_prompts(job, tokenizer, Artifacts(job.inputs).prompts("dev"))
    return tokenizer


def model_of(job: StageJob) -> ModelRef:
    """The recipe's model as it is loaded."""
    model = job.recipe.model
    revision = model.revision if job.model_path == model.id else None
    return ModelRef(job.model_path, revision, model.dtype)


def make_decode(tokenizer: object, eos_ids: frozenset[int], engine_name: str) -> Decode:
    """The usual ``Decode``: by the model's own tokenizer."""

    def decode(done: Done, request: Request) -> Completion:
        return completion_of(done, request, tokenizer, eos_ids, engine_name)

    return decode


def render_prompts(job: StageJob, tokenizer: Any, prompts: Iterable[Prompt]) -> list[RacePrompt]:
    """Prompts as the model sees them."""
    render_messages = make_renderer(job, tokenizer)
    return [RacePrompt(p, render_messages(p.messages)) for p in prompts]


def make_renderer(job: StageJob, tokenizer: Any) -> RenderMessages:
    """The function that renders messages as the recipe says."""
    model, today = job.recipe.model, template_date_of(job, tokenizer)
    options = {
        "tags": model.thinking_tags(), "thinking": model.thinking, "today": today,
        "template": model.template_arguments(),
    }  # fmt: skip
    return lambda messages: render(tokenizer, messages, **options)


def template_date_of(job: StageJob, tokenizer: Any) -> date | None:
    """The date for a template that writes one: of the first attempt at this stage, in all later ones."""
    if not renders_date(tokenizer):
        return None
    began = next((one["began"] for one in attempts(job.out) if "began" in one), None)
    first = datetime.fromisoformat(began).astimezone() if began else datetime.now(UTC).astimezone()
    return keep_template_date(job.out, first.date())


def require_one_shape(prompts: Iterable[RacePrompt], known: Shape | None = None) -> Shape:
    """The shape of thinking that all prompts have, and that must be the ``known`` one if given.

    Raises:
        RecipeError: they have several.
    """
    shapes = sorted({*(one.rendered.shape for one in prompts), *filter(None, [known])})
    if len(shapes) != 1:
        raise RecipeError(
            f"the chat template must give all prompts one shape of thinking, not {shapes}"
        )
    return shapes[0]


def made_with_of(job: StageJob, tokenizer: Any) -> str:
    """Fingerprint of what makes this stage's completions; see ``record_key``."""
    model = job.recipe.model
    return sampled_with(
        job.model_path,
        revision=model.revision,
        dtype=model.dtype,
        template=str(tokenizer.chat_template),
        sampling=job.recipe.sample.sampling.value(),
    )


def keys_of(made_with: str, prompts: Iterable[RacePrompt], settings: Sample) -> dict[Name, str]:
    """The record key of every candidate that may be wanted."""
    return {
        Key(one.prompt.id, index): record_key(
            made_with,
            one.asked_at(index).rendered.text,
            index,
            derive_seed(settings.seed, one.prompt.id, index, SEPARATOR),
        )
        for one in prompts
        for index in range(settings.candidates)
    }
