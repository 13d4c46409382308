"""What is installed here and what this machine can do.

Loads no ML and changes nothing. Each line says ok, or what to do. Not covered: whether the packages
work together (a run says that within seconds), and GPUs other than NVIDIA's.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from deimos.graders.ifeval import sentences
from deimos.models.memory import GIB, available_ram, find_gpus, read_system_file, total_ram
from deimos.runs.record import versions

EXTRAS = {
    "hf": ("torch", "transformers", "peft"),
    "train": ("trl", "accelerate", "datasets"),
    "math": ("math_verify",),
    "instruction": ("langdetect", "immutabledict", "nltk"),
    "bench": ("lm_eval", "scipy"),
    "route": ("sklearn",),
    "serve": ("starlette", "uvicorn", "httpx2", "prometheus_client"),
    "report": ("jinja2", "matplotlib"),
}
"""Extra to the modules it brings."""
NETWORK = ("nfs", "nfs4", "lustre", "cifs", "smb3", "smbfs", "gpfs", "beegfs", "ceph", "glusterfs",
           "fuse.glusterfs", "fuse.sshfs", "9p", "afs")  # fmt: skip
"""File systems whose locks and syncs cannot be trusted."""
ENOUGH_FILES = 1024
"""Open files: pipes of grading processes, shards of weights, journals, with room to spare."""
ENOUGH_DISK = 10 * GIB
BF16_CAPABILITY = 8.0
"""CUDA compute capability from which a GPU multiplies in bf16."""


def examine_machine(runs: Path = Path("runs")) -> Iterator[str]:
    """One line per check; ``runs`` is the folder that run folders will be made in."""
    yield "versions: " + " · ".join(f"{name} {number}" for name, number in versions().items())
    yield f"processors: {len(os.sched_getaffinity(0))}"
    yield f"memory: {available_ram() / GIB:.1f} GiB free of {total_ram() / GIB:.1f} GiB"
    yield from _graphics()
    yield f"bf16 on the CPU: {_cpu_bf16()}"
    yield f"open files: {_open_files()}"
    yield from _run_folder(runs)
    yield f"sandbox: {_sandbox()}"
    yield f"lab model: {_lab()}"
    if importlib.util.find_spec("nltk"):
        yield f"instruction rules count sentences by: {sentences()}"
    for extra, modules in EXTRAS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        if missing:
            yield f"missing {', '.join(missing)}: pip install 'deimos-llm[{extra}]'"


def _graphics() -> Iterator[str]:
    found = find_gpus()
    if not found:
        yield "graphics: none found by nvidia-smi: the CPU is used"
    for gpu in found:
        able = gpu.capability >= BF16_CAPABILITY
        bf16 = "bf16 ok" if able else "no bf16 arithmetic: set model.dtype to float16"
        yield f"graphics: {gpu.name}, {gpu.free / GIB:.1f} GiB free of {gpu.total / GIB:.1f} GiB, {bf16}"


def _cpu_bf16() -> str:
    words = set(read_system_file("/proc/cpuinfo").split())
    has = [flag for flag in ("amx_bf16", "avx512_bf16", "bf16") if flag in words]
    if has:
        return f"ok ({', '.join(has)})"
    return "not in hardware, so slow: set model.dtype and train.dtype to float32 for runs on it"


def _open_files() -> str:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= ENOUGH_FILES or soft == resource.RLIM_INFINITY:
        return f"ok, up to {soft}"
    return f"only {soft}: raise it with `ulimit -n {min(hard, 4 * ENOUGH_FILES)}`"


def _run_folder(runs: Path) -> Iterator[str]:
    place = runs.absolute()
    place = next(p for p in (place, *place.parents) if p.is_dir())
    yield f"run folder: {place}: {_storage(place)}"
    free = shutil.disk_usage(place).free
    enough = "ok" if free >= ENOUGH_DISK else "little: `deimos plan RECIPE` says what a run needs"
    yield f"free disk there: {free / GIB:.1f} GiB, {enough}"


def _storage(place: Path) -> str:
    kind = find_file_system(place, read_system_file("/proc/mounts"))
    if kind in NETWORK:
        return f"on {kind}, a network file system: give runs a local disk with --out"
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.write(b"x")
            file.flush()
            os.fdatasync(file.fileno())
    except OSError as e:
        return f"cannot be written, locked and synced ({e.strerror}): choose another with --out"
    return f"ok, locks and syncs ({kind or 'unknown file system'})"


def find_file_system(place: Path, mounts: str) -> str:
    """Type of the file system that a path lies on; empty if ``mounts`` doesn't list it.

    Args:
        place: absolute.
        mounts: in the form of ``/proc/mounts``; of two on one place the later one counts.
    """
    best, kind = 0, ""
    for line in mounts.splitlines():
        point, found = line.split()[1:3]
        point = point.replace("\\040", " ")
        if place.is_relative_to(point) and len(point) >= best:
            best, kind = len(point), found
    return kind


def _sandbox() -> str:
    """Which sandbox tier isolates code that a model wrote, found by trying to break out of each."""
    from deimos.sandbox import TIERS, Sandbox, SandboxError

    kernel = f"kernel {os.uname().release}"
    try:
        with Sandbox(allow_weak=True) as box:
            better = [f"not tier {tier}: {why}" for tier, why in box.refused.items()]
            tiers = "; ".join(
                [f"tier {box.tier} ({TIERS[box.tier]}), tested and working, {kernel}", *better]
            )
            weak = (
                "weak, code is graded only with --allow-weak-sandbox: " if box.tier < 2 else "ok, "
            )
            return weak + tiers
    except SandboxError as e:
        return f"none, code cannot be graded on {kernel}: {e}"


def _lab() -> str:
    from deimos.lab.weights import lab_path

    if (lab_path() / "config.json").is_file():
        return "ok"
    return "missing: train it with `deimos lab train`"
