"""Prompts in files: one JSON object a line, its keys the fields of ``Prompt``.

For files that Deimos wrote; what users bring is read, and doubted, by ``jsonl.py``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from deimos.store.journal import write_atomic
from deimos.store.schema import prompt_from, prompt_row
from deimos.types import Prompt


def read_prompts(path: Path) -> list[Prompt]:
    """All prompts of a file, in its order."""
    with path.open(encoding="utf-8") as lines:
        return prompts_in(lines)


def prompts_in(lines: Iterable[str]) -> list[Prompt]:
    """The prompts of some lines of such a file."""
    return [prompt_from(json.loads(line)) for line in lines if line.strip()]


def write_prompts(path: Path, prompts: Iterable[Prompt]) -> None:
    """Write prompts whole or not at all."""
    rows = (json.dumps(prompt_row(prompt), ensure_ascii=False) for prompt in prompts)
    write_atomic(path, "".join(f"{row}\n" for row in rows))
