"""Worked examples before a question: how a file of them is read, and where a model sees them.

In the plain grammar they are turns of the conversation; of a model that thinks in tags they are text
in the user's message, because chat templates drop the thoughts of earlier turns. Either way they come
before the question, so that all prompts with the same examples begin alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deimos.recipe.errors import RecipeError, show_value
from deimos.store.json_text import read_json

_HEAD = "Worked examples; think as tersely as they do."
_ACCEPTED = 'must be a JSON object with texts under "question" and "answer", and maybe "think"'


@dataclass(frozen=True, slots=True)
class WorkedExample:
    """A question, and what is shown as the answer to it."""

    question: str
    think: str
    """May be empty."""
    answer: str


def read_examples(path: Path, key: str) -> list[WorkedExample]:
    """Read a JSONL file with a ``question``, an ``answer`` and maybe a ``think`` a line.

    Args:
        path: the file.
        key: the recipe's key that names it, with its value, for messages.

    Raises:
        RecipeError: it cannot be read, has a row of another shape, or none.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as e:
        raise RecipeError(f"{key} cannot be read: {e}") from e
    rows = [
        _read_row(line, f"{key}, line {number}")
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
    if not rows:
        raise RecipeError(f"{key} is empty: one example a line is needed")
    return rows


def _read_row(line: str, where: str) -> WorkedExample:
    try:
        row = read_json(line)
    except ValueError as e:
        raise RecipeError(f"{where}: {_ACCEPTED}: {e}") from e
    if not isinstance(row, dict):
        raise RecipeError(f"{where} = {show_value(row)}: {_ACCEPTED}")
    texts = {"think": "", **row}
    for name in ("question", "think", "answer"):
        if not isinstance(texts.get(name), str) or (name != "think" and not texts[name].strip()):
            raise RecipeError(f"{where}: {name} = {show_value(texts.get(name))}: {_ACCEPTED}")
    return WorkedExample(texts["question"], texts["think"], texts["answer"])


def add_examples(
    messages: Sequence[Mapping[str, str]], shown: Sequence[WorkedExample], *, turns: bool
) -> Sequence[Mapping[str, str]]:
    """The messages with worked examples before what the user says last.

    Args:
        messages: of the prompt.
        shown: the examples, in order.
        turns: as turns of the conversation; else as text in the user's message.
    """
    users = [at for at, message in enumerate(messages) if message["role"] == "user"]
    if not shown or not users:
        return messages
    at = users[-1]
    if turns:
        return [*messages[:at], *_turns(shown), *messages[at:]]
    examples = "\n\n".join(_as_text(number, one) for number, one in enumerate(shown, 1))
    content = f"{_HEAD}\n\n{examples}\n\nNow the question:\n\n{messages[at]['content']}"
    return [*messages[:at], {**messages[at], "content": content}, *messages[at + 1 :]]


def _turns(shown: Sequence[WorkedExample]) -> Iterator[Mapping[str, str]]:
    for one in shown:
        yield {"role": "user", "content": one.question}
        both = f"{one.think}\n\n{one.answer}" if one.think else one.answer
        yield {"role": "assistant", "content": both}


def _as_text(number: int, one: WorkedExample) -> str:
    thought = f"\nThought: {one.think}" if one.think else ""
    return f"Example {number}\nQuestion: {one.question}{thought}\nAnswer: {one.answer}"
