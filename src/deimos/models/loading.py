"""Loading weights and tokenizers, with errors that a user can act on.

The only file that knows how a checkpoint folder or Hub id becomes objects. Not covered: quantised
checkpoints, models spread over devices, remote code (never trusted).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deimos.models.memory import available_ram, model_folder, refuse_too_large
from deimos.models.ref import ModelRef
from deimos.recipe import RecipeError

END_OF_TURN = ("<|im_end|>", "<|eot_id|>", "<|end_of_turn|>", "<end_of_turn>", "<turn|>", "<|end|>")
"""Tokens that chat templates end a turn with, where a tokenizer has them."""

_DTYPES = ("auto", "float32", "bfloat16", "float16")


def load_tokenizer(ref: ModelRef) -> Any:
    """The model's tokenizer.

    Raises:
        RecipeError: there is none, or it has no chat template.
    """
    from transformers import AutoTokenizer

    check_folder(ref.path, "model")
    try:
        tokenizer = AutoTokenizer.from_pretrained(ref.path, revision=ref.revision)
    except Exception as e:
        raise RecipeError(f"model {ref.path!r}: no tokenizer could be loaded ({_first(e)})") from e
    if len(tokenizer.get_vocab()) <= len(tokenizer.added_tokens_encoder):
        # transformers makes an empty one of a folder that has none, by config.json's model type
        raise RecipeError(
            f"model {ref.path!r}: no tokenizer could be loaded (it has no vocabulary)"
        )
    if not getattr(tokenizer, "chat_template", None):
        raise RecipeError(
            f"model {ref.path!r}: its tokenizer has no chat template, so prompts cannot be rendered"
        )
    return tokenizer


def load_model(ref: ModelRef, device: str) -> Any:
    """The model in eval mode on ``device``, adapter merged in.

    Raises:
        RecipeError: no such model, no such dtype, no such device, too little memory, or an adapter
            that does not fit.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # the stage has its own way of saying how far it is
    check_folder(ref.path, "model")
    if ref.dtype not in _DTYPES:
        raise RecipeError(f"dtype {ref.dtype!r}: accepted are {', '.join(_DTYPES)}")
    if device == "cuda" and not torch.cuda.is_available():
        raise RecipeError("device 'cuda': this torch sees no GPU; use cpu or auto")
    _check_size(ref, device)
    dtype = ref.dtype if ref.dtype == "auto" else getattr(torch, ref.dtype)
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            ref.path, revision=ref.revision, dtype=dtype
        )
    except Exception as e:
        raise RecipeError(f"model {ref.path!r}: weights could not be loaded ({_first(e)})") from e
    if ref.adapter is not None:
        model = _with_adapter(model, ref.adapter)
    return model.to(device).eval()


def eos_ids_of(tokenizer: Any, model_path: str, revision: str | None = None) -> frozenset[int]:
    """Every id that ends a turn: the tokenizer's, the generation config's, the template's."""
    from transformers import GenerationConfig

    found: set[int] = set()
    if tokenizer.eos_token_id is not None:
        found.add(int(tokenizer.eos_token_id))
    try:
        configured = GenerationConfig.from_pretrained(
            model_path, revision=revision or "main"
        ).eos_token_id
    except OSError:  # a model need not bring a generation config
        configured = None
    if configured is not None:
        found |= {int(i) for i in (configured if isinstance(configured, list) else [configured])}
    vocabulary = tokenizer.get_vocab()
    return frozenset(found | {vocabulary[token] for token in END_OF_TURN if token in vocabulary})


def _with_adapter(model: Any, adapter: str) -> Any:
    from peft import PeftModel

    check_folder(adapter, "adapter")
    try:
        return PeftModel.from_pretrained(model, adapter).merge_and_unload()
    except Exception as e:
        raise RecipeError(
            f"adapter {adapter!r}: could not be put on the model ({_first(e)})"
        ) from e


def _check_size(ref: ModelRef, device: str) -> None:
    """Before loading: a machine that runs out of memory half-way kills without a word."""
    import torch

    if (folder := model_folder(ref.path, ref.revision)) is None:
        return  # a Hub model that is not here yet
    refuse_too_large(ref.path, folder, ref.dtype, available_ram(), "of memory")
    if device == "cuda":  # on top: weights pass through the machine's own memory
        kept = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        free = torch.cuda.mem_get_info()[0] + kept  # torch keeps what a model before this one had
        refuse_too_large(ref.path, folder, ref.dtype, free, "of GPU memory")


def check_folder(path: str, what: str) -> None:
    """RecipeError for a path that is plainly meant as one and does not exist (Hub ids look like a/b)."""
    looks_local = path.startswith(("/", "./", "../", "~")) or path.count("/") > 1 or path == ""
    if looks_local and not Path(path).expanduser().is_dir():
        raise RecipeError(f"{what} {path!r}: no such folder")


def _first(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
