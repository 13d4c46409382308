"""Merging a LoRA adapter into a loaded model."""

from __future__ import annotations

from typing import Any

from deimos.models.ref import check_folder, first_line
from deimos.recipe import RecipeError


def merge_adapter(model: Any, adapter: str) -> Any:
    """The model with an adapter's update added to its weights; ``model`` itself is changed.

    Raises:
        RecipeError: there is no such folder, or its adapter does not fit this model.
    """
    from peft import PeftModel

    check_folder(adapter, "adapter")
    try:
        return PeftModel.from_pretrained(model, adapter).merge_and_unload()
    except Exception as e:
        raise RecipeError(
            f"adapter {adapter!r}: could not be put on the model ({first_line(e)})"
        ) from e
