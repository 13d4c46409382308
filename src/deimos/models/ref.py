"""Naming a model: where its weights are, at which revision, with which adapter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deimos.recipe import RecipeError
from deimos.thinking import Tags


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Which weights to load."""

    path: str
    """Local folder or Hub id."""
    revision: str | None = None
    """Of the Hub id; None: its main branch."""
    dtype: str = "auto"
    """auto, float32, bfloat16 or float16."""
    adapter: str | None = None
    """Folder of a LoRA adapter to put on top."""
    taught: Tags | None = None
    """Tags that the adapter has taught a model which thinks in none; the adapter's folder then holds
    the tokenizer with the chat template that opens the thought. None: it has taught none."""


def check_folder(path: str, what: str) -> None:
    """Refuse a path that is clearly meant as a folder and does not exist (a Hub id looks like a/b).

    Raises:
        RecipeError: names ``what`` (model or adapter) and the path.
    """
    looks_local = path.startswith(("/", "./", "../", "~")) or path.count("/") > 1 or path == ""
    if looks_local and not Path(path).expanduser().is_dir():
        raise RecipeError(f"{what} {path!r}: no such folder")


def first_line(error: BaseException) -> str:
    """An error's first line that is not blank, or the name of its class."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
