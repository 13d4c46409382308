"""Golds to training examples: exactly the ids that were sampled.

Nothing is tokenised, rendered, cut or added here. An example's labels are -100 over the prompt
(a prefilled opening tag with it) and the completion's own ids behind it, end-of-turn included.
A gold that does not fit whole is dropped, with the reason. Not covered: choosing golds, and
rendering those without sampled ids; both have happened before ``gold.jsonl``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from deimos.store.schema import Gold

IGNORED = -100
"""The label that the loss leaves out (PyTorch's ``ignore_index``)."""


class TokensError(ValueError):
    """The golds cannot be trained on; one sentence."""


@dataclass(frozen=True, slots=True)
class Example:
    """One training sequence; ``input_ids`` and ``labels`` are of equal length."""

    id: str
    """The gold's id."""
    input_ids: tuple[int, ...]
    labels: tuple[int, ...]

    @property
    def supervised(self) -> int:
        """How many tokens the loss sees."""
        return sum(label != IGNORED for label in self.labels)


@dataclass(frozen=True, slots=True)
class Dropped:
    """A gold that is not trained on."""

    id: str
    prompt_id: str
    tokens: int
    """Prompt and completion together."""
    because: str


def example_of(gold: Gold) -> Example:
    """The sequence that a gold is trained on.

    Raises:
        TokensError: the ids are missing, empty or not ids.
    """
    prompt, completion = _ids(gold, "prompt_ids"), _ids(gold, "completion_ids")
    return Example(
        id=gold.id,
        input_ids=prompt + completion,
        labels=(IGNORED,) * len(prompt) + completion,
    )


def digest_of(examples: Iterable[Example]) -> str:
    """sha256 (hex) of what is trained on, in its order."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(repr((example.input_ids, example.labels)).encode())
    return digest.hexdigest()


def examples_of(
    golds: Iterable[Gold], *, max_length: int, eos_ids: Collection[int]
) -> tuple[list[Example], list[Dropped]]:
    """Examples in the golds' order, and what was dropped.

    Args:
        golds: the kept training examples.
        max_length: longest sequence in tokens, prompt and completion; longer ones are dropped,
            for a trace cut before its end teaches not to stop.
        eos_ids: ids that end a turn; a completion that does not end in one is dropped, for the
            same reason.
    """
    examples: list[Example] = []
    dropped: list[Dropped] = []
    for gold in golds:
        example = example_of(gold)
        because = _unfit(example, max_length, eos_ids)
        if because:
            size = len(example.input_ids)
            dropped.append(Dropped(example.id, gold.prompt_id, size, because))
        else:
            examples.append(example)
    return examples, dropped


def check_vocabulary(examples: Iterable[Example], size: int) -> None:
    """Refuse examples of another model's tokenizer before they read outside the embedding.

    Raises:
        TokensError: an id is not below ``size``.
    """
    for example in examples:
        if max(example.input_ids) >= size:
            raise TokensError(
                f"gold {example.id!r} holds token id {max(example.input_ids)}, but the model knows "
                f"ids below {size} only: these golds were sampled with another model"
            )


def step_order(lengths: Sequence[int], per_step: int, order: Sequence[int]) -> list[int]:
    """Put the examples of each optimizer step in order of length.

    Which examples share a step stays as ``order`` says, and the gradient of a step is a sum over
    its examples: only the padding inside the step's micro-batches gets less.

    Args:
        lengths: tokens of every example.
        per_step: examples of one optimizer step.
        order: a permutation of the examples' indices.
    """
    steps = (order[at : at + per_step] for at in range(0, len(order), per_step))
    return [index for step in steps for index in sorted(step, key=lambda i: lengths[i])]


def _ids(gold: Gold, key: str) -> tuple[int, ...]:
    value: object = getattr(gold, key)
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise TokensError(f"gold {gold.id!r}: {key} must be a non-empty list of token ids")
    if not all(isinstance(i, int) and not isinstance(i, bool) and i >= 0 for i in value):
        raise TokensError(f"gold {gold.id!r}: {key} must hold token ids (integers from 0)")
    return tuple(value)


def _unfit(example: Example, max_length: int, eos_ids: Collection[int]) -> str:
    """Why an example is not to be trained on, or ""."""
    if len(example.input_ids) > max_length:
        return f"longer than train.max_length ({max_length})"
    if example.input_ids[-1] not in eos_ids:
        return "does not end in an end-of-turn token"
    return ""
