"""Budget forcing: a thought that is longer than a budget is closed there, and the answer follows.

As in s1 (Muennighoff et al. 2025, arXiv:2501.19393): at the budget the closing tag is put behind the
thought, with the blank lines that the chat template has there, and decoding goes on with the answer.
A thought within the budget is left as it is. What was put in is part of the completion's ids, and of
its budget of tokens. A completion's shorter run is the beginning of its longer one, so a thought that
is there already is cut and never decoded anew.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from deimos.chat_template import TemplateArguments
from deimos.thinking import Shape, Tags, ThinkCounter, ThinkIds, ThinkingError, render


@dataclass(frozen=True, slots=True)
class ThinkBudget:
    """How long a thought may be, and the ids that close a longer one."""

    tokens: int
    """Of the thought, tags excluded; what is put in before the closing tag included."""
    before: tuple[int, ...]
    """Put in before the closing tag: the end of a line."""
    close: tuple[int, ...]
    """The closing tag, and the blank lines behind it."""

    def close_thought(
        self, ids: Sequence[int], think: ThinkIds, eos_ids: Collection[int]
    ) -> tuple[int, ...] | None:
        """What stands before the answer if a thought is closed at the budget.

        Args:
            ids: a completion's, to its end or at least to one token more than the budget.
            think: how to read them.
            eos_ids: ids that end a turn.

        Returns:
            The thought's beginning and the ids that close it; None: it is within the budget, or the
            prompt's shape has no thought.
        """
        if think.shape not in (Shape.OPEN, Shape.FREE):
            return None
        counter = ThinkCounter(think)
        for at, token in enumerate(ids, 1):
            if token in eos_ids or counter.closed:
                return None
            counter.push(token)
            if counter.think_tokens > self.tokens:
                before = self.before if len(self.before) <= self.tokens else ()
                begin = at - len(counter.pending) - counter.think_tokens
                kept = ids[: begin + self.tokens - len(before)]
                return (*kept, *before, *self.close)
        return None


def find_closing(
    tokenizer: Any, tags: Tags, template: TemplateArguments | None = None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ids that close a thought, as the chat template closes an empty one if thinking is off.

    Templates that cannot turn it off get what most have: the tag on a line of its own, then a blank
    line.

    Returns:
        What stands before the tag, and the tag with what stands behind it.
    """
    before, behind = "\n", "\n\n"
    try:
        ask = [{"role": "user", "content": "?"}]
        shut = render(tokenizer, ask, tags=tags, thinking=False, template=template)
    except ThinkingError:
        pass
    else:
        text, _, behind = shut.text.rpartition(tags.close)
        lead = text[len(text.rstrip()) :] if text.rstrip().endswith(tags.open) else ""
        before = "\n" if "\n" in lead else ""

    def encode(text: str) -> tuple[int, ...]:
        return tuple(tokenizer(text, add_special_tokens=False)["input_ids"]) if text else ()

    return encode(before), encode(tags.close + behind)
