r"""Anyone's prompts: a JSONL file of ``{"messages" | "prompt", "kind", "reference", "task"?, "level"?}``.

``prompt`` is short for one user message. What ``reference`` must be hangs on ``kind``: math a text
(or a whole number); choice ``{"letter", "options"}``; instruction ``{"instruction_id_list",
"kwargs"}``; code ``{"tests", …}``. ``level`` (a text or a whole number) is how hard the problem is
said to be: results are split by it. Every row is checked; a fault names its line.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deimos.prompts.references import check_form, name_type
from deimos.prompts.splits import take_in_order
from deimos.prompts.text import level_of
from deimos.recipe import RecipeError
from deimos.registry import source
from deimos.store.json_text import read_json
from deimos.types import Kind, Prompt

KINDS: tuple[str, ...] = typing.get_args(Kind)
KEYS = frozenset({"messages", "prompt", "kind", "reference", "task", "licence", "level"})
ROLES = ("system", "user", "assistant")


def find_line(prompt: Prompt, **options: Any) -> str | None:
    """File and line of a prompt that ``jsonl`` gave with these options."""
    file = Path(options["path"])
    return next((where for where, other in _read(file, **options) if other.id == prompt.id), None)


@source("jsonl", place=find_line)
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
    prompts: dict[str, tuple[str, Prompt]] = {}
    for where, prompt in _read(Path(path), kind=kind, task=task, instruction=instruction):
        if prompt.id in prompts:
            line = prompts[prompt.id][0].rpartition(" ")[2]
            raise RecipeError(f"{where}: the same prompt stands on line {line}")
        prompts[prompt.id] = where, prompt
    return take_in_order((prompt for _, prompt in prompts.values()), take, seed, repr(path))


def _read(
    file: Path, *, kind: str | None = None, task: str | None = None, instruction: str = "", **_: Any
) -> Iterator[tuple[str, Prompt]]:
    """Each prompt of a file, with its place."""
    for number, line in _lines(file):
        where = f"{file.name} line {number}"
        try:
            yield where, _prompt(line, kind, task or file.stem, instruction, file.name)
        except (TypeError, ValueError) as e:
            raise RecipeError(f"{where}: {e}") from e


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
        raise ValueError(f"must be an object, not {name_type(row)}")
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
        raise ValueError(f"task must be a text, not {name_type(named)}")
    level = row.get("level", "")
    if isinstance(level, bool) or not isinstance(level, str | int):
        raise ValueError(f"level must be a text or a whole number, not {name_type(level)}")
    return Prompt.of(
        task=named, kind=typing.cast(Kind, kind), messages=_messages(row, instruction),
        reference=check_form(kind, row["reference"]), source=origin, licence=str(row.get("licence", "")),
        level=level_of(row),
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
