"""What is installed here: for people, before they wonder. Loads no ML."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from deimos.run import versions

EXTRAS = {
    "hf": ("torch", "transformers", "peft"),
    "train": ("trl", "accelerate", "datasets"),
    "math": ("math_verify",),
    "bench": ("lm_eval", "scipy"),
    "report": ("jinja2", "matplotlib"),
}
"""Extra to the modules it brings."""


def findings() -> Iterator[str]:
    """One line per thing looked at."""
    yield "versions: " + " · ".join(f"{name} {number}" for name, number in versions().items())
    yield f"processors: {len(os.sched_getaffinity(0))}"
    yield f"memory: {_memory_gib():.0f} GiB"
    yield f"free disk here: {shutil.disk_usage(Path.cwd()).free / 2**30:.0f} GiB"
    yield f"graphics: {_graphics()}"
    yield f"embedded reasoner: {_lab()}"
    for extra, modules in EXTRAS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        if missing:
            yield f"missing {', '.join(missing)}: pip install 'deimos-llm[{extra}]'"


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _graphics() -> str:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "none found (no nvidia-smi): the CPU is used"
    query = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    found = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    return "; ".join(found.stdout.split("\n")).strip("; ") or "nvidia-smi finds none"


def _lab() -> str:
    from deimos.lab.weights import lab_path

    if (lab_path() / "config.json").is_file():
        return "there"
    return "missing: make it with `deimos lab train`"
