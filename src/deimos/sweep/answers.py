"""What each config answered to the dev items: judged once, kept in journals, cut from longer answers.

A smaller budget is not decoded anew if a longer answer of the same settings is there: its beginning
is the shorter one (see ``evaluate.outcomes``), and an answer that is within the budget is the same.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from deimos.evaluate.arms import Arm
from deimos.evaluate.outcomes import Outcome, cut, reduce_completion, total_tokens
from deimos.evaluate.samples import Evaluator, SampleSet
from deimos.models.ref import ModelRef
from deimos.runs.artifacts import samples_path
from deimos.store.sweep_rows import DecodingConfig
from deimos.sweep.space import reduce_to_effective
from deimos.thinking import Rendered
from deimos.types import Completion, Prompt


class Answers(Protocol):
    """What a strategy asks: outcomes of a config on the first items."""

    async def of(self, config: DecodingConfig, items: int) -> Sequence[Outcome]:
        """The first ``items`` items' outcomes, in the order that all configs share."""
        ...

    def decoded(self, config: DecodingConfig) -> int:
        """Items of a config that had to be decoded."""
        ...


@dataclass
class ModelAnswers:
    """The answers of one model.

    Args:
        evaluator: decodes and judges.
        model: whose answers they are.
        name: ``base`` or ``tuned``.
        prompts: dev items in the order that all configs share.
        out: the stage's folder.
        thinking: passed to the chat template.
        seed: the answers' own seeds are derived from it; the same for every config.
    """

    evaluator: Evaluator
    model: ModelRef
    name: str
    prompts: Sequence[Prompt]
    out: Path
    thinking: bool | None
    seed: int
    _found: dict[DecodingConfig, dict[str, Completion]] = field(default_factory=dict)
    _decoded: Counter[DecodingConfig] = field(default_factory=Counter)

    async def of(self, config: DecodingConfig, items: int) -> list[Outcome]:
        """See ``Answers.of``.

        Raises:
            EvaluationError: the engine failed on some completions again and again.
        """
        config = reduce_to_effective(config)
        prompts = self.prompts[:items]
        found = self._found.setdefault(config, {})
        for prompt in prompts:
            if prompt.id not in found and (shorter := self._shorten(config, prompt)):
                found[prompt.id] = shorter
        if missing := [p for p in prompts if p.id not in found]:
            found |= await self._decode(config, missing)
        return [self._reduce(prompt, found[prompt.id]) for prompt in prompts]

    def decoded(self, config: DecodingConfig) -> int:
        """See ``Answers.decoded``."""
        return self._decoded[reduce_to_effective(config)]

    async def _decode(
        self, config: DecodingConfig, prompts: Sequence[Prompt]
    ) -> dict[str, Completion]:
        wanted = self._sample_set(config, prompts)
        if config.think_budget is not None:
            free = dataclasses.replace(config, think_budget=None)
            if free in self._found:
                wanted = dataclasses.replace(wanted, thoughts=self._sample_set(free, prompts))
        await self.evaluator.fill(wanted)
        self._decoded[config] += len(prompts)
        return {c.prompt_id: c for c in wanted.read(self.evaluator.models)}

    def _sample_set(self, config: DecodingConfig, prompts: Sequence[Prompt]) -> SampleSet:
        arm = Arm(
            self.model, config.sampling, self.thinking, self.name, think_budget=config.think_budget
        )
        key = self.evaluator.models.arm_key(arm)
        arm = dataclasses.replace(arm, config=key[:8])
        path = samples_path(self.out, f"{self.name}-{key[:16]}")
        return SampleSet(arm, "dev", prompts, path, seed=self.seed)

    def _shorten(self, config: DecodingConfig, prompt: Prompt) -> Completion | None:
        """The answer as a longer one of the same settings says it; None: none does."""
        for longer, found in self._found.items():
            if longer != config and (completion := found.get(prompt.id)):
                if is_same_answer(completion, longer, config):
                    return completion
                if is_beginning(completion, longer, config):
                    rendered = self._render(prompt)
                    grammar = self.evaluator.models.grammar(rendered)
                    return cut(completion, config.sampling.max_tokens, grammar)
        return None

    def _reduce(self, prompt: Prompt, completion: Completion) -> Outcome:
        shape = self._render(prompt).shape
        return reduce_completion(completion, prompt.task, self.thinking, shape)

    def _render(self, prompt: Prompt) -> Rendered:
        return self.evaluator.models.render(prompt, self.thinking, model=self.model)


def is_same_answer(completion: Completion, of: DecodingConfig, config: DecodingConfig) -> bool:
    """Whether a completion of one config is, to the last token, that of another one."""
    most = config.sampling.max_tokens
    whole = completion.finish == "stop" or of.sampling.max_tokens == most
    return _alike(completion, of, config) and whole and total_tokens(completion) <= most


def is_beginning(completion: Completion, of: DecodingConfig, config: DecodingConfig) -> bool:
    """Whether a completion of one config begins with that of another one, which is cut."""
    longer = total_tokens(completion) > config.sampling.max_tokens
    return _alike(completion, of, config) and longer and bool(completion.completion_ids)


def _alike(completion: Completion, of: DecodingConfig, config: DecodingConfig) -> bool:
    """Whether nothing but the budget of tokens can tell the two configs' completions apart."""
    same = dataclasses.replace(of.sampling, max_tokens=config.sampling.max_tokens)
    if same != config.sampling:
        return False
    thought, there, here = completion.think_tokens, of.think_budget, config.think_budget
    if there == here:
        return True
    # One that has as many tokens as its own budget may have been closed there.
    return (there is None or thought < there) and (here is None or thought <= here)
