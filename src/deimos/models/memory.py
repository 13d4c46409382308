"""The memory that a model takes and that a machine has, read without loading anything.

Weights come from the headers of safetensors files, the KV cache from ``config.json``, memory from
the kernel and from ``nvidia-smi``. Not covered: activations, optimiser states, what the allocator
loses; recurrent states (linear attention), which don't grow with the text.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deimos.recipe import RecipeError
from deimos.store.json_text import read_json

GIB = 2**30
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
"""Bytes a value, by the recipe's names of dtypes."""
EMBEDDING, HEAD = "embed_tokens", "lm_head"
"""What most models call their input and their output embedding."""
_FLOATS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
"""Safetensors' names of what loading casts to the dtype asked for; the rest stays as it is."""
_LARGEST_HEADER = 100 << 20  # safetensors' own limit


@dataclass(frozen=True)
class Weights:
    """Sizes of a checkpoint's tensors."""

    parameters: int
    stored: int
    """Bytes in the files."""
    floats: int
    """Parameters that loading casts to the dtype asked for."""
    fixed: int
    """Bytes of those that it doesn't."""

    def size(self, dtype: str) -> int:
        """Bytes in memory at a recipe's dtype; ``auto`` is as stored."""
        return self.stored if dtype == "auto" else self.floats * BYTES[dtype] + self.fixed


@dataclass(frozen=True)
class Gpu:
    """One GPU as ``nvidia-smi`` lists it."""

    name: str
    total: int
    """Bytes."""
    free: int
    """Bytes."""
    capability: float
    """CUDA compute capability, e.g. 9.0."""


def model_folder(path: str, revision: str | None = None) -> Path | None:
    """A model's folder on this machine: the path itself, or the Hub's cache; None: neither."""
    folder = Path(path).expanduser()
    if folder.is_dir():
        return folder
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(path, revision=revision, local_files_only=True))
    except (ImportError, OSError, ValueError):
        return None


def weights_in(folder: Path) -> Weights | None:
    """Sizes of the tensors in a folder's safetensors files, by their headers.

    None if there are none, or if one is missing or damaged (loading reports that better).
    """
    try:
        tensors = [t for file in _weight_files(folder) for t in _header(file).values()]
        numbers = [(t["dtype"], math.prod(t["shape"]), t["data_offsets"]) for t in tensors]
        stored = [end - begin for _, _, (begin, end) in numbers]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if not numbers:
        return None
    fixed = sum(size for (dtype, *_), size in zip(numbers, stored) if dtype not in _FLOATS)
    floats = sum(count for dtype, count, _ in numbers if dtype in _FLOATS)
    return Weights(sum(count for _, count, _ in numbers), sum(stored), floats, fixed)


def modules_in(folder: Path) -> list[str]:
    """Dotted names of the modules that an adapter can be put on, by a folder's safetensors files.

    Those are linear maps, embeddings and convolutions, whose weights have two dimensions or more; a
    norm's have one. Empty if there are no such files, or if one is missing or damaged.
    """
    try:
        tensors = [item for file in _weight_files(folder) for item in _header(file).items()]
        names = [name for name, tensor in tensors if len(tensor["shape"]) >= 2]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    return [name.removesuffix(".weight") for name in names if name.endswith(".weight")]


def is_tied(folder: Path) -> bool:
    """Whether one weight is input and output embedding, by a folder's safetensors files and config.

    A model that stores no output embedding beside its input embedding has them tied.
    """
    names = [name.rpartition(".")[2] for name in modules_in(folder)]
    config = text_config(folder) or {}
    return EMBEDDING in names and (HEAD not in names or config.get("tie_word_embeddings") is True)


def _weight_files(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return sorted(folder.glob("model*.safetensors"))
    names = read_json(index.read_bytes())["weight_map"].values()
    return [folder / name for name in sorted(set(names))]


def _header(file: Path) -> dict[str, Any]:
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if not 0 < length <= _LARGEST_HEADER:
            raise ValueError(f"{file} is not a safetensors file")
        header = read_json(opened.read(length))
    header.pop("__metadata__", None)
    return header


def text_config(folder: Path) -> dict[str, Any] | None:
    """The decoder's part of a folder's ``config.json``; None if it cannot be read."""
    try:
        config = read_json((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return None
    return {**config, **config["text_config"]} if "text_config" in config else config


def dtype_of(config: Mapping[str, Any], wanted: str) -> str:
    """The dtype that a model runs in: ``auto`` is the config's own, or float32 if it names none."""
    own = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    return wanted if wanted != "auto" else own if own in BYTES else "float32"


def kv_cache_bytes(config: Mapping[str, Any], dtype: str, tokens: int, rows: int) -> int | None:
    """Bytes of the keys and values of ``rows`` texts of ``tokens`` each; None: config unknown.

    Layers without keys and values (linear attention) are not counted; those with a sliding window
    hold no more than the window.
    """
    try:
        heads = config.get("num_key_value_heads") or config["num_attention_heads"]
        size = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
        kinds = config.get("layer_types") or _layer_types(config)
    except KeyError:
        return None
    window = config.get("sliding_window") or tokens
    held = {"full_attention": tokens, "sliding_attention": min(window, tokens)}
    entries = sum(held.get(kind, 0) for kind in kinds)
    return 2 * heads * size * BYTES[dtype_of(config, dtype)] * entries * rows


def _layer_types(config: Mapping[str, Any]) -> list[str]:
    """Kinds of layers if the config does not list them: every n-th is full, or all are."""
    layers, every = config["num_hidden_layers"], config.get("full_attention_interval") or 1
    return ["linear_attention" if n % every else "full_attention" for n in range(1, layers + 1)]


def total_ram() -> int:
    """Bytes of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def available_ram() -> int:
    """Bytes that can still be used: the kernel's estimate, or what the container leaves."""
    fields = dict(
        line.split(":") for line in read_system_file("/proc/meminfo").splitlines() if ":" in line
    )
    free = int(fields["MemAvailable"].split()[0]) * 1024 if fields else total_ram()
    limit, used = (
        read_system_file(f"/sys/fs/cgroup/memory.{name}").strip() for name in ("max", "current")
    )
    if limit.isdigit() and used.isdigit():
        rows = (
            line.split() for line in read_system_file("/sys/fs/cgroup/memory.stat").splitlines()
        )
        cached = sum(int(n) for name, n in rows if name in ("active_file", "inactive_file"))
        free = min(free, max(0, int(limit) - int(used) + cached))  # file pages can be given back
    return free


def find_gpus() -> list[Gpu]:
    """The GPUs that ``nvidia-smi`` finds; empty if there is no such tool or it finds none."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    fields = "name,memory.total,memory.free,compute_cap"
    query = [tool, f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [gpu for line in done.stdout.splitlines() if (gpu := _gpu(line))]


def _gpu(line: str) -> Gpu | None:
    try:
        name, total, free, capability = (part.strip() for part in line.rsplit(",", 3))
        return Gpu(name, int(total) << 20, int(free) << 20, float(capability))
    except ValueError:  # "[N/A]", or a message instead of a row
        return None


def refuse_too_large(model: str, folder: Path, dtype: str, available: int, where: str) -> None:
    """Refuse a model that does not fit, before it is loaded.

    Args:
        model: what the recipe calls it.
        folder: its files.
        dtype: the recipe's.
        available: bytes that the device has left.
        where: the device, e.g. ``of memory``.

    Raises:
        RecipeError: its weights alone are larger; names both sizes.
    """
    weights = weights_in(folder)
    if weights is not None and weights.size(dtype) > available:
        kind = "as stored" if dtype == "auto" else f"as {dtype}"
        raise RecipeError(
            f"model {model!r} is too large for this machine: its weights are "
            f"{weights.size(dtype) / GIB:.1f} GiB {kind}, and {available / GIB:.1f} GiB {where} "
            "are available"
        )


def read_system_file(path: str) -> str:
    """The text of a file that Linux keeps of the machine; empty if there is none."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
