"""The other half of the settings: what changes where and how fast, never what comes out.

Nothing here is fingerprinted. Results that depend on a field here are a bug.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Runtime(BaseModel):
    """Where a run runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: str = "local"
    """Registered name, ``pkg:attr`` or ``./file.py:attr``."""
    engine_options: dict[str, Any] = {}
    """Passed to the engine's factory."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    max_batch: int = Field(default=256, ge=1)
    """Sequences decoded together."""
    grader_workers: int = Field(default=1, ge=1)
    """Processes that judge answers beside decoding."""
    grader_timeout: float = Field(default=5.0, gt=0)
    """Seconds until a judging process is killed and its verdict is null."""
    allow_weak_sandbox: bool = False
    """Judge code under limits alone where no better sandbox holds (``deimos doctor`` says)."""
    threads: int | None = Field(default=None, ge=1)
    """Compute threads; null: all cores."""
    train_micro_batch: int | None = Field(default=None, ge=1)
    """Sequences per forward pass in training, where memory asks for fewer than the recipe's."""
    python: dict[str, str] = {}
    """Stage name to the Python that runs it, e.g. ``sample: .venv-vllm/bin/python``."""
