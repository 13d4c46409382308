"""Loading weights and tokenizers, with errors that a user can act on.

The only file that knows how a checkpoint folder or Hub id becomes objects. Not covered: quantised
checkpoints, models spread over devices, remote code (never trusted).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from deimos.models.memory import available_ram, model_folder, refuse_too_large
from deimos.models.merge import merge_adapter
from deimos.models.ref import ModelRef, check_folder, first_line
from deimos.recipe import RecipeError

_DTYPES = ("auto", "float32", "bfloat16", "float16")
_ANSWER = "The answer that a turn ends after"
"""Stands in a rendered conversation exactly once, as the assistant's message."""


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
        raise RecipeError(
            f"model {ref.path!r}: no tokenizer could be loaded ({first_line(e)})"
        ) from e
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

    logging.disable_progress_bar()  # every stage reports its own progress
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
        raise RecipeError(
            f"model {ref.path!r}: weights could not be loaded ({first_line(e)})"
        ) from e
    if ref.adapter is not None:
        model = merge_adapter(model, ref.adapter)
    return model.to(device).eval()


def eos_ids_of(tokenizer: Any, ref: ModelRef) -> frozenset[int]:
    """Every id that ends a turn: the tokenizer's, the generation config's, the chat template's.

    A token that is merely in the vocabulary is not one. gpt-oss, for example, has ``<|end|>``: it
    ends a message of the analysis channel, and the turn continues after it.
    """
    found = {tokenizer.eos_token_id, *_configured_ends(ref), _rendered_end(tokenizer)}
    return frozenset(int(i) for i in found if i is not None)


def _configured_ends(ref: ModelRef) -> list[int]:
    """The end-of-turn ids of the model's generation config, at the model's revision."""
    from transformers import GenerationConfig

    try:
        config = GenerationConfig.from_pretrained(ref.path, revision=ref.revision or "main")
    except OSError:  # a model need not come with a generation config
        return []
    ids = config.eos_token_id
    return ids if isinstance(ids, list) else [] if ids is None else [ids]


def _rendered_end(tokenizer: Any) -> int | None:
    """The added token with which the chat template ends an assistant's turn; None: it has none.

    Templates may put several tokens there. What a final turn and one that a user answers begin with
    alike ends the turn; if they have nothing in common (gpt-oss rewrites earlier turns), the final
    turn decides; if that ends without a token (GLM), what begins the user's turn does.
    """
    user = {"role": "user", "content": "Hello."}
    assistant = {"role": "assistant", "content": _ANSWER}
    final = _tokens_behind_answer(tokenizer, [user, assistant])
    answered = _tokens_behind_answer(tokenizer, [user, assistant, user])
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(final, answered))
    ends = [token for token, _ in pairs] or final[:1] or answered[:1]
    return ends[-1] if ends else None


def _tokens_behind_answer(tokenizer: Any, messages: Sequence[Mapping[str, str]]) -> list[int]:
    """Ids of the added tokens that directly follow ``_ANSWER`` in a rendered conversation."""
    from jinja2 import TemplateError

    try:
        text = tokenizer.apply_chat_template([dict(m) for m in messages], tokenize=False)
    except (TemplateError, TypeError, ValueError):  # it takes no such conversation
        return []
    rest = text.rpartition(_ANSWER)[2].lstrip() if _ANSWER in text else ""
    added = {token.content: i for i, token in tokenizer.added_tokens_decoder.items()}
    ids = []
    while token := max((t for t in added if t.strip() and rest.startswith(t)), key=len, default=""):
        ids.append(added[token])
        rest = rest[len(token) :].lstrip()
    return ids


def _check_size(ref: ModelRef, device: str) -> None:
    """Check before loading: out of memory half-way, the kernel kills the process without a message."""
    import torch

    if (folder := model_folder(ref.path, ref.revision)) is None:
        return  # a Hub model that is not here yet
    refuse_too_large(ref.path, folder, ref.dtype, available_ram(), "of memory")
    if device == "cuda":  # on top: weights pass through the machine's own memory
        kept = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        free = torch.cuda.mem_get_info()[0] + kept  # torch keeps what a model before this one had
        refuse_too_large(ref.path, folder, ref.dtype, free, "of GPU memory")
