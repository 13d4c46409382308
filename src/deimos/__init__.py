"""Deimos makes a reasoning model that thinks at length into one that thinks tersely and answers just as well.

The names here are what the author of a grader, an engine, a source or a script needs. What would
load more than the standard library is loaded when it is first asked for.
"""

from importlib import import_module
from typing import Any

from deimos.registry import engine, grader, source
from deimos.types import Completion, Prompt, Sampling, Verdict

__version__ = "0.1.0"
_LAZY = {
    "Capabilities": "deimos.engines.base",
    "Done": "deimos.engines.base",
    "Engine": "deimos.engines.base",
    "Job": "deimos.engines.base",
    "Progress": "deimos.engines.base",
    "Token": "deimos.engines.base",
    "check": "deimos.graders.check",
    "load_run": "deimos.runs.artifacts",
}
"""Name to the module that has it (their types: ``__init__.pyi``)."""
__all__ = ["Completion", "Prompt", "Sampling", "Verdict", "engine", "grader", "source", *_LAZY]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'deimos' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
