"""Naming a model: where its weights are, at which revision, with which adapter."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Which weights to load."""

    path: str
    """Local folder or Hub id."""
    revision: str | None = None
    dtype: str = "auto"
    """auto, float32, bfloat16 or float16."""
    adapter: str | None = None
    """Folder of a LoRA adapter to put on top."""
