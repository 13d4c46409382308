"""What ``runtime.engine_options`` may hold for the local engine; loads no torch, so a plan can check it."""

from __future__ import annotations

from pydantic import Field

from deimos.recipe import Section


class LocalOptions(Section):
    """How rows are decoded together; nothing here changes a result."""

    block_rows: int | None = Field(default=None, ge=1)
    """Rows decoded in one block; null: 64 on a CPU, all on other devices."""
    merge_waste: int | None = Field(default=None, ge=0)
    """Padding (rows times tokens) accepted to make two blocks one; null: 512 on a CPU, unlimited
    elsewhere."""
    checkpoint_seconds: float = Field(default=10.0, gt=0)
    """How often the ids so far of all rows are reported; what an interruption may cost."""
