"""The other half of the settings: what changes where and how fast, never what comes out.

Nothing here is fingerprinted. Results that depend on a field here are a bug.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from deimos.recipe.section import Section, Text


class Cluster(Section):
    """A Ray cluster: one engine per actor, and the resources of each."""

    address: str = Field(default="auto", pattern=r"^(auto|local|ray://\S+|[^\s:/]+:\d+)$")
    """``auto``: the cluster that this machine belongs to; ``local``: one on this machine, started and
    stopped with the run; else ``host:port`` or ``ray://host:port``."""
    actors: int = Field(default=1, ge=1)
    """Engines."""
    gpus_per_actor: float = Field(default=0.0, ge=0)
    """A fraction of one GPU, or several whole ones."""
    cpus_per_actor: float = Field(default=1.0, ge=0)
    """Also an actor's compute threads, unless ``runtime.threads`` is set."""
    patience: float = Field(default=600.0, gt=0)
    """Seconds without room for any actor in the cluster until the run gives up."""

    @model_validator(mode="after")
    def _whole_or_a_part(self) -> Cluster:
        gpus = self.gpus_per_actor
        if gpus > 1 and gpus != int(gpus):
            raise ValueError(
                f"runtime.cluster.gpus_per_actor = {gpus:g}: a fraction of one GPU, or whole GPUs"
            )
        return self


class Runtime(Section):
    """Where and how fast a run runs."""

    engine: Text = "local"
    """Registered name, ``pkg:attr`` or ``./file.py:attr``."""
    engine_options: dict[str, Any] = {}
    """Passed to the engine's factory."""
    cluster: Cluster | None = None
    """Sample and bench on Ray; null: one engine, in the stage's own process."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    max_batch: int = Field(default=256, ge=1)
    """Sequences decoded together."""
    grader_workers: int = Field(default=1, ge=1)
    """Processes that judge answers beside decoding."""
    grader_timeout: float = Field(default=5.0, gt=0)
    """Seconds of its own processor time until a judging process is killed and its verdict is null."""
    allow_weak_sandbox: bool = False
    """Judge code under resource limits alone if no better sandbox works (see ``deimos doctor``)."""
    threads: int | None = Field(default=None, ge=1)
    """Compute threads; null: all cores."""
    train_micro_batch: int | None = Field(default=None, ge=1)
    """Sequences per forward pass in training, if memory holds fewer than the recipe's batch."""
    python: dict[str, Text] = {}
    """Stage name to the Python that runs it, e.g. ``sample: .venv-vllm/bin/python``."""
