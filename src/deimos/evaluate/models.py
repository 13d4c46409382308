"""The models of an evaluation: engines opened when first needed, and the tokenizer they share.

The only place that opens an engine for an evaluation. All models here are one base with or without
adapters: prompts are rendered by the base's chat template (of an adapter that teaches tags by the one
that lies with it), turns end with the base's end tokens.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gc
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from deimos import engines
from deimos.chat_template import TemplateArguments
from deimos.engines.base import Engine
from deimos.engines.collect import Request
from deimos.engines.multiplex import Shared
from deimos.engines.think_budget import ThinkBudget, find_closing
from deimos.evaluate.arms import Arm, add_instruction, arm_key
from deimos.evaluate.outcomes import Grammar
from deimos.evaluate.ray import OpenEngine, open_on_cluster
from deimos.evaluate.switch import explain_no_switch
from deimos.models.effort import ARGUMENT as EFFORT
from deimos.models.end_of_turn import eos_ids_of
from deimos.models.loading import load_tokenizer
from deimos.models.merge import BESIDE
from deimos.models.ref import ModelRef
from deimos.prompts.examples import WorkedExample, add_examples
from deimos.recipe.runtime import Runtime
from deimos.store.candidates import record_key, sampled_with
from deimos.store.hashing import fingerprint
from deimos.thinking import Rendered, Tags, render
from deimos.types import Prompt, Sampling


class Models:
    """Engines by model, the shared tokenizer, prompts as rendered, and keys of what they decode.

    Args:
        base: whose tokenizer and chat template are used.
        runtime: names the engine.
        tags: of a thought; None: the model thinks in no tags.
        today: the date that a chat template may write; None: the day of rendering.
        together: keep the engines of several models loaded at a time; else opening one closes the
            others.
        open_elsewhere: opens engines on a cluster; None: they are loaded in this process.
        template: what the recipe gives the chat template; None: nothing of its own.
    """

    def __init__(
        self,
        base: ModelRef,
        runtime: Runtime,
        tags: Tags | None,
        *,
        today: date | None = None,
        together: bool = False,
        open_elsewhere: OpenEngine | None = None,
        template: TemplateArguments | None = None,
    ) -> None:
        self._runtime = runtime
        self._together = together
        self._open_elsewhere = open_elsewhere
        self._engines: dict[ModelRef, Engine] = {}
        self._shared: dict[ModelRef, Shared | None] = {}
        """Engines that several may sample from; None: not opened yet."""
        self._made_with: dict[tuple[ModelRef, Sampling], str] = {}
        self._taught: dict[ModelRef, Any] = {}
        """Tokenizers of adapters that teach tags."""
        self._rendered: dict[tuple[Any, ...], Rendered] = {}
        self._tags, self._today, self._template = tags, today, template or TemplateArguments()
        self._closing: dict[Tags, tuple[tuple[int, ...], tuple[int, ...]]] = {}
        self.tokenizer: Any = load_tokenizer(base)
        self.eos_ids = eos_ids_of(self.tokenizer, base)

    def engine(self, model: ModelRef, *, alone: bool = False) -> Engine:
        """A model's engine, opened if need be; ``alone``: one process decodes, to be timed."""
        if self._open_elsewhere:
            return self._open_elsewhere(model, alone=alone)
        if model not in self._engines:
            if not self._together:
                self.close()
            self._engines[model] = engines.open(model, self._runtime)
        if model in self._shared:
            self._shared[model] = self._shared[model] or Shared(self._engines[model])
        return self._shared.get(model) or self._engines[model]

    @property
    def elsewhere(self) -> bool:
        """Whether engines are on a cluster."""
        return self._open_elsewhere is not None

    @contextlib.asynccontextmanager
    async def share(self, model: ModelRef) -> AsyncIterator[None]:
        """Let several callers sample from a model's engine at once, in one event loop."""
        self._shared[model] = None
        try:
            yield
        finally:
            if (shared := self._shared.pop(model)) is not None:
                await shared.settle()

    def close(self) -> None:
        """Release the memory of all engines; they are opened again if needed."""
        self._engines.clear()
        gc.collect()

    def render(
        self,
        prompt: Prompt,
        thinking: bool | None,
        *,
        instruction: str = "",
        examples: tuple[WorkedExample, ...] = (),
        effort: str | None = None,
        model: ModelRef | None = None,
    ) -> Rendered:
        """A prompt as a model here sees it.

        Args:
            prompt: the prompt.
            thinking: passed to the chat template as its switch; None leaves it out.
            instruction: added to the last user message, behind a blank line.
            examples: shown before the last user message.
            effort: passed to the chat template as ``reasoning_effort``; None leaves it out.
            model: which; all see the same but those with tags of their own. None: the base.
        """
        tokenizer, tags, template = self._view(model)
        name = prompt.id, thinking, instruction, examples, effort, tags
        if name not in self._rendered:
            options = {} if effort is None else {EFFORT: effort}
            longer = add_instruction(prompt.messages, instruction)
            self._rendered[name] = render(
                tokenizer, add_examples(longer, examples, turns=tags is None), tags=tags,
                thinking=thinking, today=self._today, template=template, arguments=options,
            )  # fmt: skip
        return self._rendered[name]

    def render_for(self, arm: Arm, prompt: Prompt) -> Rendered:
        """A prompt as an arm's model sees it."""
        return self.render(
            prompt, arm.thinking, instruction=arm.instruction, examples=arm.examples,
            effort=arm.effort, model=arm.model,
        )  # fmt: skip

    def _view(self, model: ModelRef | None) -> tuple[Any, Tags | None, TemplateArguments]:
        """The tokenizer whose chat template renders a model's prompts, its tags and arguments."""
        if model is None or model.taught is None:
            return self.tokenizer, self._tags, self._template
        if model not in self._taught:
            self._taught[model] = load_tokenizer(model)
        return self._taught[model], model.taught, TemplateArguments(fixed=self._template.fixed)

    def think_budget(self, arm: Arm) -> ThinkBudget | None:
        """Where an arm's thoughts are closed, and by which ids; None: nowhere."""
        tokenizer, tags, template = self._view(arm.model)
        if arm.think_budget is None or tags is None:
            return None
        if tags not in self._closing:
            self._closing[tags] = find_closing(tokenizer, tags, template)
        return ThinkBudget(arm.think_budget, *self._closing[tags])

    def explain_no_switch(self, prompt: Prompt) -> str:
        """Why thinking cannot be turned on and off for a prompt; empty if it can."""
        return explain_no_switch(
            self.tokenizer, prompt.messages, self._tags, self._today, self._template
        )

    def grammar(self, rendered: Rendered) -> Grammar:
        """What is needed to cut a completion of this prompt."""
        decode = functools.partial(self.tokenizer.decode, skip_special_tokens=False)
        return Grammar(rendered.think, rendered.tags, self.eos_ids, decode)

    def arm_key(self, arm: Arm) -> str:
        """What names an arm across folders, runs and machines."""
        return arm_key(self._fingerprint(arm), arm)

    def record_keys(self, arm: Arm, requests: Iterable[Request]) -> dict[tuple[str, int], str]:
        """The record key that each request's completion must have, by prompt id and index."""
        made_with = self._fingerprint(arm)
        return {
            (r.prompt.id, r.index): record_key(made_with, r.rendered.text, r.index, r.seed)
            for r in requests
        }

    def _fingerprint(self, arm: Arm) -> str:
        model, decoding = arm.model, arm.decoding
        if (model, decoding) not in self._made_with:
            self._made_with[model, decoding] = sampled_with(
                model.path,
                revision=model.revision,
                dtype=model.dtype,
                template=str(self._view(model)[0].chat_template),
                sampling=decoding,
                adapter=Path(model.adapter) if model.adapter else None,
            )
        made_with, budget = self._made_with[model, decoding], self.think_budget(arm)
        if model.adapter and model.dtype != "float32":  # float32: merged, as it always was
            made_with = fingerprint([made_with, {"adapter": BESIDE}])
        if self._template != TemplateArguments():
            made_with = fingerprint([made_with, {"template": dataclasses.asdict(self._template)}])
        if budget is None:
            return made_with
        return fingerprint([made_with, {"think_budget": dataclasses.asdict(budget)}])


@contextlib.contextmanager
def open_models(
    models: Mapping[str, ModelRef],
    runtime: Runtime,
    tags: Tags | None,
    *,
    today: date | None = None,
    together: bool = False,
    template: TemplateArguments | None = None,
) -> Iterator[Models]:
    """The models of an evaluation, here or on the cluster that the runtime names.

    Args:
        models: by name; the first one is the base, whose tokenizer is used.
        runtime: names the engine and the cluster.
        tags: of a thought; None: the model thinks in no tags.
        today: see ``Models``.
        together: several models are loaded at a time, as timing them in turn needs.
        template: see ``Models``.

    Raises:
        RecipeError: no such model or engine; no Ray, or no such cluster.
    """
    base = next(iter(models.values()))
    with open_on_cluster(models, runtime, together) as elsewhere:
        opened = Models(
            base, runtime, tags, today=today, together=together, open_elsewhere=elsewhere,
            template=template,
        )  # fmt: skip
        try:
            yield opened
        finally:
            opened.close()
