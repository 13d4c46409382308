"""Arms: a model, how it decodes, and whether it thinks. What an evaluation compares.

An arm is known by its content: two arms of equal model, decoding and thinking are equal, whatever
they are called, so whoever evaluates the same arm on the same prompts needs no second sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deimos.models.ref import ModelRef
from deimos.prompts.examples import WorkedExample
from deimos.store.hashing import fingerprint
from deimos.types import Sampling


@dataclass(frozen=True)
class Arm:
    """A model with a decoding config and a thinking switch."""

    model: ModelRef
    decoding: Sampling
    """``max_tokens`` is the budget: part of the arm."""
    thinking: bool | None = None
    """Passed to the chat template as its switch; None leaves it out."""
    model_name: str = field(default="model", compare=False)
    config: str = field(default="", compare=False)
    """Name of the decoding. Both names stand in rows and messages; they are not what an arm is."""
    think_budget: int | None = None
    """Tokens after which a thought is closed, so that the answer follows; None: never."""
    instruction: str = ""
    """Added to the last user message."""
    examples: tuple[WorkedExample, ...] = ()
    """Shown before the last user message."""
    effort: str | None = None
    """Passed to the chat template as ``reasoning_effort``; None leaves it out."""


def arm_key(made_with: str, arm: Arm) -> str:
    """What names an arm across folders, runs and machines: 32 hex digits.

    Args:
        made_with: fingerprint of model, template, decoding and think budget.
        arm: how its prompts are rendered.
    """
    asked: list[Any] = [arm.instruction, arm.effort] if arm.instruction or arm.effort else []
    if arm.examples:
        asked.append([[one.question, one.think, one.answer] for one in arm.examples])
    return fingerprint([made_with, arm.thinking, *asked])[:32]


def add_instruction(
    messages: Sequence[Mapping[str, str]], instruction: str
) -> Sequence[Mapping[str, str]]:
    """The messages with an instruction behind what the user says last, as one would type it there.

    A system message would take the place of the one that some templates have of their own, and not
    every template knows one.
    """
    users = [at for at, message in enumerate(messages) if message["role"] == "user"]
    if not instruction or not users:
        return messages
    said = messages[users[-1]]
    longer = {**said, "content": f"{said['content']}\n\n{instruction}"}
    return [*messages[: users[-1]], longer, *messages[users[-1] + 1 :]]
