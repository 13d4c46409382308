"""Where the packaged lab model lies."""

from __future__ import annotations

from pathlib import Path


def lab_path() -> Path:
    """Folder of the packaged reasoner: weights, tokenizer, chat template, how it was trained."""
    return Path(__file__).parent / "reasoner"


def resolve_model(model_id: str) -> str:
    """Folder or Hub id that ``model.id`` of a recipe stands for; ``lab`` is the packaged one."""
    return str(lab_path()) if model_id == "lab" else model_id
