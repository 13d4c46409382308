"""Putting a LoRA adapter on a loaded model: merged into its weights, or beside them.

An adapter's update is much smaller than the weights that it is added to. bfloat16 keeps 8 bits of a
sum, so merged weights in it hold only a part of what a small learning rate has changed. A model in
float32 is merged; any other keeps the adapter beside its weights, as it was trained. PEFT's own
``merge_and_unload`` adds in the model's type, whatever that is.
"""

from __future__ import annotations

from typing import Any

from deimos.models.memory import dtype_of, model_folder, text_config
from deimos.models.ref import ModelRef, check_folder, first_line
from deimos.recipe import RecipeError

MERGED = "merged in float32"
BESIDE = "unmerged, beside the model's weights"


def put_adapter(model: Any, adapter: str) -> Any:
    """The model with an adapter: merged if the model is in float32, else beside its weights.

    ``model`` itself is changed; ``find_adapter_use`` says which of the two it is.

    Raises:
        RecipeError: there is no such folder, or its adapter does not fit this model.
    """
    import torch

    if model.dtype == torch.float32:
        return merge_adapter(model, adapter)
    # In the model's type, as training computes the adapter's products. The model itself comes back, so
    # that callers find its own methods.
    return _put(model, adapter, autocast_adapter_dtype=False).get_base_model()


def merge_adapter(model: Any, adapter: str) -> Any:
    """The model with an adapter's update added to its weights; ``model`` itself is changed.

    Raises:
        RecipeError: there is no such folder, or its adapter does not fit this model, or is on a weight
            that is input and output embedding: adding to it changes both.
    """
    adapted = _put(model, adapter)
    base = adapted.get_base_model()
    first, last = base.get_input_embeddings(), base.get_output_embeddings()
    plain = [getattr(one, "base_layer", one) for one in (first, last)]
    if plain != [first, last] and last is not None and plain[0].weight is plain[1].weight:
        raise RecipeError(
            f"adapter {adapter!r} is on the model's embeddings, which are one weight (tied): merged, it "
            "would be another model than the trained one: train without them, or keep it unmerged"
        )
    return adapted.merge_and_unload()


def find_adapter_use(engine: str, model: ModelRef) -> str | None:
    """How an engine decodes a model with an adapter, in words; None: the engine does not say.

    Args:
        engine: its registered name.
        model: whose folder names the type if ``dtype`` is auto.
    """
    if engine != "local":
        return BESIDE if engine == "vllm" else None
    folder = model_folder(model.path, model.revision)
    config = text_config(folder) if folder else None
    if config is None and model.dtype == "auto":
        return None
    return MERGED if dtype_of(config or {}, model.dtype) == "float32" else BESIDE


def _put(model: Any, adapter: str, **options: Any) -> Any:
    from peft import PeftModel

    check_folder(adapter, "adapter")
    try:
        return PeftModel.from_pretrained(model, adapter, **options)
    except Exception as e:
        raise RecipeError(
            f"adapter {adapter!r}: could not be put on the model ({first_line(e)})"
        ) from e
