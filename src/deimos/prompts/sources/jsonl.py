r"""Anyone's prompts: a JSONL file of ``{"messages" | "prompt", "kind", "reference", "task"?}``.

``prompt`` is short for one user message. What ``reference`` must be hangs on ``kind``: math a text
(or a whole number); choice ``{"letter", "options"}``; instruction ``{"instruction_id_list",
"kwargs"}``; code ``{"tests", …}``. Every row is checked; a fault names its line.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deimos.prompts.splits import take_in_order
from deimos.recipe import RecipeError
from deimos.registry import source
from deimos.store.json_text import read_json
from deimos.types import Kind, Prompt

KINDS: tuple[str, ...] = typing.get_args(Kind)
KEYS = frozenset({"messages", "prompt", "kind", "reference", "task", "licence"})
ROLES = ("system", "user", "assistant")


@source("jsonl")
def jsonl(
    *,
    take: int | None,
    seed: int,
    path: str,
    kind: str | None = None,
    task: str | None = None,
    instruction: str = "",
) -> list[Prompt]:
    """Prompts of a file, in the seed's order.

    Args:
        take: how many; None takes all.
        seed: of the order.
        path: the file.
        kind: of rows that don't say; one of math, choice, instruction, code.
        task: name of rows that don't say; the file's name unless given.
        instruction: put behind the last user message, after a blank line.

    Raises:
        RecipeError: one sentence with the line; an empty or unreadable file; the same row twice.
    """
    file = Path(path)
    prompts: dict[str, tuple[int, Prompt]] = {}
    for number, line in _lines(file):
        try:
            prompt = _prompt(line, kind, task or file.stem, instruction, file.name)
        except (TypeError, ValueError) as e:
            raise RecipeError(f"{file.name} line {number}: {e}") from e
        if prompt.id in prompts:
            raise RecipeError(
                f"{file.name} line {number}: the same prompt stands on line {prompts[prompt.id][0]}"
            )
        prompts[prompt.id] = number, prompt
    return take_in_order((prompt for _, prompt in prompts.values()), take, seed, repr(path))


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as e:
        raise RecipeError(f"jsonl: path {str(file)!r} does not exist") from e
    except (OSError, UnicodeDecodeError) as e:
        raise RecipeError(f"jsonl: path {str(file)!r} cannot be read as UTF-8 text") from e
    # Not splitlines(): U+2028 and its like may stand inside a JSON text.
    return ((i, line) for i, line in enumerate(text.split("\n"), 1) if line.strip())


def _prompt(line: str, kind: str | None, task: str, instruction: str, origin: str) -> Prompt:
    row = read_json(line)
    if not isinstance(row, dict):
        raise ValueError(f"must be an object, not {_named(row)}")
    if odd := sorted(set(row) - KEYS):
        raise ValueError(f"unknown key {odd[0]!r}: accepted: {', '.join(sorted(KEYS))}")
    kind = row.get("kind", kind)
    if kind not in KINDS:
        raise ValueError(
            f"kind is {kind!r}: accepted: {', '.join(KINDS)}"
            if kind
            else "the key 'kind' is missing"
        )
    if "reference" not in row:
        raise ValueError("the key 'reference' is missing")
    named = row.get("task", task)
    if not isinstance(named, str) or not named:
        raise ValueError(f"task must be a text, not {_named(named)}")
    return Prompt.of(
        task=named, kind=typing.cast(Kind, kind), messages=_messages(row, instruction),
        reference=checked_reference(kind, row["reference"]), source=origin, licence=str(row.get("licence", "")),
    )  # fmt: skip


def _messages(row: Mapping[str, Any], instruction: str) -> list[dict[str, str]]:
    if ("prompt" in row) == ("messages" in row):
        raise ValueError("needs either 'prompt' or 'messages'")
    messages = [{"role": "user", "content": row["prompt"]}] if "prompt" in row else row["messages"]
    if not isinstance(messages, list) or not messages:
        raise ValueError("messages must be a list with at least one message")
    for message in messages:
        if not isinstance(message, dict) or set(message) != {"role", "content"}:
            raise ValueError("each message must be an object with 'role' and 'content'")
        if message["role"] not in ROLES:
            raise ValueError(f"role is {message['role']!r}: accepted: {', '.join(ROLES)}")
        if not isinstance(message["content"], str) or not message["content"].strip():
            key = "prompt" if "prompt" in row else "content"
            raise ValueError(f"{key} must be a text that is not blank")
    if messages[-1]["role"] != "user":
        raise ValueError("the last message must be the user's")
    if instruction:
        last = {"role": "user", "content": f"{messages[-1]['content'].rstrip()}\n\n{instruction}"}
        messages = [*messages[:-1], last]
    return messages


def checked_reference(kind: str, reference: Any) -> Any:
    """A reference of the form its kind needs; ValueError, one sentence, for any other."""
    if kind == "math":
        if isinstance(reference, int) and not isinstance(reference, bool):
            return str(reference)
        if not isinstance(reference, str) or not reference.strip():
            raise ValueError(
                f"a math reference must be a text that is not blank, not {_named(reference)}"
            )
        return reference.strip()
    needed = {
        "choice": {"letter": str, "options": list},
        "instruction": {"instruction_id_list": list, "kwargs": list},
        "code": {"tests": (str, list)},
    }[kind]
    if not isinstance(reference, dict):
        raise ValueError(
            f"a {kind} reference must be an object with {', '.join(needed)}, not {_named(reference)}"
        )
    for key, form in needed.items():
        if not isinstance(reference.get(key), form) or not reference[key]:
            raise ValueError(f"a {kind} reference needs {key!r}, and not empty")
    return _checked_choice(reference) if kind == "choice" else reference


def _checked_choice(reference: dict[str, Any]) -> dict[str, Any]:
    options, letter = reference["options"], reference["letter"].strip().upper()
    if not 3 <= len(options) <= 10 or not all(isinstance(option, str) for option in options):
        raise ValueError("choice options must be 3 to 10 texts")
    labels = ("123456789" if letter.isdigit() else "ABCDEFGHIJ")[: len(options)]
    if len(letter) != 1 or letter not in labels:
        raise ValueError(f"choice letter {reference['letter']!r} is none of {', '.join(labels)}")
    return {"letter": letter, "options": options}


def _named(value: Any) -> str:
    names = {
        type(None): "null",
        bool: "a truth value",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), "a number")
