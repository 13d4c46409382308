"""Where the packaged lab model lies."""

from __future__ import annotations

from pathlib import Path


def lab_path() -> Path:
    """Folder of the packaged reasoner: weights, tokenizer, chat template, how it was trained."""
    return Path(__file__).parent / "reasoner"
