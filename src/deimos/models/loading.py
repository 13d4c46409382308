"""Loading models and tokenizers with transformers; what cannot be loaded is one clear sentence.

Not covered: quantised checkpoints, a model spread over several devices, and code that a checkpoint
brings (``trust_remote_code`` is never set).
"""

from __future__ import annotations

from typing import Any

from deimos.models.memory import available_ram, model_folder, refuse_too_large
from deimos.models.merge import put_adapter
from deimos.models.ref import ModelRef, check_folder, first_line
from deimos.recipe import RecipeError

_DTYPES = ("auto", "float32", "bfloat16", "float16")


def load_tokenizer(ref: ModelRef) -> Any:
    """The model's tokenizer; of an adapter that has taught tags the one that lies with it.

    Raises:
        RecipeError: there is none, or it has no chat template.
    """
    from transformers import AutoTokenizer

    path, revision = ref.path, ref.revision
    if ref.taught and ref.adapter:
        path, revision = ref.adapter, None
    check_folder(path, "model")
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, revision=revision)
    except Exception as e:
        raise RecipeError(f"model {path!r}: no tokenizer could be loaded ({first_line(e)})") from e
    if len(tokenizer.get_vocab()) <= len(tokenizer.added_tokens_encoder):
        # For a folder without a tokenizer, transformers makes an empty one that suits the model type.
        raise RecipeError(f"model {path!r}: no tokenizer could be loaded (it has no vocabulary)")
    if not getattr(tokenizer, "chat_template", None):
        raise RecipeError(
            f"model {path!r}: its tokenizer has no chat template, so prompts cannot be rendered"
        )
    return tokenizer


def load_model(ref: ModelRef, device: str) -> Any:
    """The model in eval mode on ``device``, with the adapter that ``ref`` may name (``put_adapter``).

    Raises:
        RecipeError: no such model, no such dtype, no such device, too little memory, or an adapter
            that does not fit.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # every stage reports its own progress
    check_folder(ref.path, "model")
    if ref.dtype not in _DTYPES:
        raise RecipeError(f"dtype {ref.dtype!r}: must be one of {', '.join(_DTYPES)}")
    if device == "cuda" and not torch.cuda.is_available():
        raise RecipeError("device 'cuda': the installed torch finds no GPU; use cpu or auto")
    _check_size(ref, device)
    dtype = ref.dtype if ref.dtype == "auto" else getattr(torch, ref.dtype)
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            ref.path, revision=ref.revision, dtype=dtype
        )
    except Exception as e:
        raise RecipeError(
            f"model {ref.path!r}: weights could not be loaded ({first_line(e)})"
        ) from e
    if ref.adapter is not None:
        model = put_adapter(model, ref.adapter)
    return model.to(device).eval()


def _check_size(ref: ModelRef, device: str) -> None:
    """Refuse a model that does not fit: if memory ran out, the kernel would kill us without a message."""
    import torch

    if (folder := model_folder(ref.path, ref.revision)) is None:
        return  # a Hub model that is not downloaded yet: its size is not known
    refuse_too_large(ref.path, folder, ref.dtype, available_ram(), "of memory")
    if device == "cuda":  # weights are loaded into the machine's memory first, so both count
        reserved = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        free = torch.cuda.mem_get_info()[0] + reserved  # torch's unused cache can be used again
        refuse_too_large(ref.path, folder, ref.dtype, free, "of GPU memory")
