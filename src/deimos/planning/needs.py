"""What a recipe's model needs of memory and time: read from its files, or estimated from its name.

What is estimated says so: each function returns beside its numbers what they rest on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from deimos.evaluate.merged import model_path
from deimos.models import memory
from deimos.models.loading import check_folder, load_tokenizer
from deimos.models.ref import ModelRef
from deimos.models.taught import teach_tokenizer
from deimos.planning.context import refuse_beyond_context
from deimos.planning.pilot import render_prompt
from deimos.recipe import Recipe
from deimos.recipe.runtime import Runtime
from deimos.types import Prompt

CACHE_BYTES = 40
"""Of keys and values, a token and million parameters in 16 bits: at or above what dense models of
0.5 to 8 billion parameters take (8 to 37)."""
CORE_FLOPS = 1.1e11
"""A CPU core's arithmetic a second in decoding: 220 tokens/s of a 0.5 B model in bfloat16 on two
cores (docs/results/qwen2.5-0.5b-gsm8k.md)."""
STEP_SECONDS = 0.014, 0.0062
"""A decoding step on an H200: so much, and so much for each billion parameters."""
ROW_SECONDS = 8e-6, 7e-6
"""The same for each row of the step (docs/results/gpu.md: 0.5 B and 4 B, 64 and 512 rows)."""
SMALLEST = 100_000_000
"""Parameters below which a step is mostly overhead, and no speed is assumed."""


@dataclass(frozen=True)
class Memory:
    """What must fit where; bytes."""

    device: str
    total: int
    free: int
    parameters: int | None
    weights: int | None
    kv_cache: int | None
    """At most, with every row as long as it can get."""
    rows: int
    """Decoded together at most."""
    tokens: int
    """Of a row at most: prompt and completion."""
    note: str = ""
    """Why something is not known."""
    assumed: bool = False
    """Parameters are as the model's name says, weights and KV cache are estimated from them."""


def weigh_model(
    recipe: Recipe,
    runtime: Runtime,
    prompts: Sequence[Prompt],
    problems: Sequence[Prompt],
    candidates: int | None,
) -> Memory:
    """Render the longest prompts, refuse what cannot fit, and weigh what can be weighed.

    Args:
        recipe: whose model it is.
        runtime: says where it runs.
        prompts: train and dev, if they could be loaded.
        problems: of the tests, likewise.
        candidates: of all prompts; None: not known.

    Raises:
        RecipeError: a model or a template that a run would refuse, or prompts and budgets that are
            more than the model's context.
    """
    name, total, free = _find_device(runtime)
    folder = _find_folder(recipe)
    longest, note = _measure_longest(recipe, folder, prompts)
    rows = min(runtime.max_batch, candidates) if candidates else runtime.max_batch
    tokens = longest + recipe.sample.sampling.max_tokens
    known = Memory(name, total, free, None, None, None, rows, tokens, note)
    dtype = recipe.model.dtype
    if folder is None:
        return _weigh_by_name(known, recipe.model.name, dtype)
    if runtime.engine == "local":
        where = "of memory" if name == "RAM" else "of GPU memory"
        memory.refuse_too_large(recipe.model.name, folder, dtype, free, where)
    weights, config = memory.weights_in(folder), memory.text_config(folder)
    if config is not None:
        tested, _ = _measure_longest(recipe, folder, problems)
        refuse_beyond_context(recipe, runtime, config, prompt=longest, test=tested)
    return replace(
        known,
        parameters=weights.parameters if weights else None,
        weights=weights.size(dtype) if weights else None,
        kv_cache=memory.kv_cache_bytes(config, dtype, tokens, rows) if config else None,
    )


def parameters_of(name: str) -> int | None:
    """Parameters that a model's name states (``4B``, ``0.5b``, ``360M``); None if it states none."""
    found = re.findall(r"(?<![A-Za-z0-9.])([0-9]+(?:\.[0-9]+)?)([bBmM])(?![A-Za-z0-9])", name)
    if not found:
        return None
    number, unit = found[0]
    return round(float(number) * (1e9 if unit in "bB" else 1e6))


def assume_speed(needs: Memory, runtime: Runtime) -> tuple[float | None, str]:
    """Tokens a second that the local engine may reach, and what that rests on; None: not known."""
    parameters = needs.parameters
    if parameters is None or parameters < SMALLEST or runtime.engine != "local" or runtime.cluster:
        return None, ""
    if needs.device == "RAM":
        cores = runtime.threads or len(os.sched_getaffinity(0))
        speed = cores * CORE_FLOPS / (2 * parameters)
        basis = f"a 0.5 B model was measured on two cores, in proportion to size, for {cores} cores"
    else:
        step, row = (base + slope * parameters / 1e9 for base, slope in (STEP_SECONDS, ROW_SECONDS))
        speed = needs.rows / (step + row * needs.rows)
        basis = "0.5 B and 4 B models were measured on an H200"
    return speed, f"{speed:,.0f} tokens/s with {needs.rows} rows, as {basis}"


def _weigh_by_name(known: Memory, model: str, dtype: str) -> Memory:
    parameters = parameters_of(model)
    if parameters is None:
        return known
    each = memory.BYTES.get(dtype, 2)
    cache = round(CACHE_BYTES * each / 2 * parameters / 1e6) * known.tokens * known.rows
    return replace(
        known, parameters=parameters, weights=parameters * each, kv_cache=cache, assumed=True
    )


def _find_device(runtime: Runtime) -> tuple[str, int, int]:
    """Name, memory and free memory (bytes) of what the engine would run on."""
    found = memory.find_gpus() if runtime.device != "cpu" else []
    if found:
        return found[0].name, found[0].total, found[0].free
    return "RAM", memory.total_ram(), memory.available_ram()


def _find_folder(recipe: Recipe) -> Path | None:
    """Where the model's files are; None for a Hub model that is not on this machine yet."""
    path = model_path(recipe)
    check_folder(path, "model")
    folder = memory.model_folder(path, recipe.model.revision)
    if folder is None or Path(path).is_dir() or (folder / "tokenizer_config.json").is_file():
        return folder
    return None  # the cache holds only a part of it


def _measure_longest(
    recipe: Recipe, folder: Path | None, prompts: Sequence[Prompt]
) -> tuple[int, str]:
    """Tokens of the longest prompt (by its characters) as rendered, and why they are not known."""
    if not prompts:
        return 0, "prompts are not loaded"
    if folder is None:
        return 0, f"model {recipe.model.name!r} is not on this machine yet"
    if find_spec("transformers") is None:
        return 0, "transformers is not installed here"
    path = model_path(recipe)
    here = path if Path(path).is_dir() else str(folder)  # of a Hub model the cache: no fetching
    tokenizer = load_tokenizer(ModelRef(here))
    if teach := recipe.train.teach:
        teach_tokenizer(tokenizer, teach.tags)  # refuses a template that cannot be taught
    longest = max(prompts, key=lambda p: sum(len(m["content"]) for m in p.messages))
    return len(render_prompt(recipe.model, tokenizer, longest).ids), ""
