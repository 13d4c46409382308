"""Writing a merged model: base and adapter as one folder of weights, tokenizer and chat template."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from deimos.models.loading import load_model, load_tokenizer
from deimos.models.merge import merge_adapter
from deimos.models.ref import ModelRef
from deimos.store.journal import write_atomic
from deimos.store.names import MERGED_FROM


def save_merged(model: ModelRef, out: Path, origin: Mapping[str, Any]) -> None:
    """Write a model with its adapter merged in; ``out`` appears whole or not at all.

    The sum is taken and stored in float32: rounded to bfloat16, weights would hold only a part of what a
    small learning rate has changed. The recipe that loads the folder says in which type it runs.

    Args:
        model: base, adapter, and the tags that the adapter has taught if it has.
        out: a folder; if it is there already nothing is done.
        origin: what it was made of, for ``merged_from.json``.

    Raises:
        RecipeError: what ``load_model`` and ``merge_adapter`` raise.
        OSError: the folder cannot be written.
    """
    if out.is_dir():
        return
    assert model.adapter is not None, "there is nothing to merge"
    beside = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        base = replace(model, dtype="float32", adapter=None, taught=None)
        tokenizer = load_tokenizer(model)
        merged = merge_adapter(load_model(base, "cpu"), model.adapter)
        merged.save_pretrained(beside, safe_serialization=True)
        tokenizer.save_pretrained(beside)
        write_atomic(
            beside / MERGED_FROM, json.dumps({**origin, "dtype": "float32"}, indent=1) + "\n"
        )
        for file in beside.glob("*.safetensors"):  # transformers writes them for their owner alone
            file.chmod((beside / MERGED_FROM).stat().st_mode)
        if not out.is_dir():  # another process may have been faster
            beside.rename(out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
