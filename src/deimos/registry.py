"""Finding the things that users may bring: graders, engines, prompt sources.

A spec is a registered name, ``package.module:attribute``, ``./file.py:attribute``, or the name
of an installed entry point in group ``deimos.graders``, ``deimos.engines``, ``deimos.sources``.
A file given by path is data: its content hash enters fingerprints.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

Group = Literal["grader", "engine", "source"]
T = TypeVar("T", bound=Callable[..., Any])

BUILTIN: dict[Group, dict[str, str]] = {
    "grader": {
        "math": "deimos.graders.math:math",
        "choice": "deimos.graders.choice:choice",
        "instruction": "deimos.graders.instruction:instruction",
        "code": "deimos.graders.code:code",
    },
    "engine": {
        "local": "deimos.engines.local.engine:local",
        "openai": "deimos.engines.openai.engine:openai",
        "vllm": "deimos.engines.vllm.engine:vllm",
        "echo": "deimos.engines.echo:echo",
    },
    "source": {
        "lab": "deimos.lab.source:lab",
        "gsm8k": "deimos.prompts.sources.gsm8k:gsm8k",
        "math": "deimos.prompts.sources.math:math",
        "math500": "deimos.prompts.sources.math:math500",
        "aime": "deimos.prompts.sources.aime:aime",
        "arc": "deimos.prompts.sources.choice:arc",
        "mmlu_pro": "deimos.prompts.sources.choice:mmlu_pro",
        "ifeval": "deimos.prompts.sources.ifeval:ifeval",
        "ifeval_like": "deimos.prompts.sources.ifeval_like:ifeval_like",
        "humaneval": "deimos.prompts.sources.humaneval:humaneval",
        "humaneval_plus": "deimos.prompts.sources.humaneval:humaneval_plus",
        "mbpp": "deimos.prompts.sources.mbpp:mbpp",
        "mbpp_plus": "deimos.prompts.sources.mbpp:mbpp_plus",
        "hub": "deimos.prompts.sources.hub:hub",
        "jsonl": "deimos.prompts.sources.jsonl:jsonl",
    },
}
"""Named by string, so that listing them loads nothing."""

_registered: dict[Group, dict[str, Callable[..., Any]]] = {"grader": {}, "engine": {}, "source": {}}


class UnknownName(LookupError):
    """No such grader, engine or source; the message names the near ones."""


def _decorator(group: Group) -> Callable[[str], Callable[[T], T]]:
    def named(name: str) -> Callable[[T], T]:
        def register(thing: T) -> T:
            _registered[group][name] = thing
            return thing

        return register

    return named


grader = _decorator("grader")
"""``@grader("roman")`` on ``(answer: str, reference) -> Verdict`` names a judge of answers."""
engine = _decorator("engine")
"""``@engine("mine")`` on ``(model, runtime) -> Engine`` names a sampler (see engines/base.py)."""
source = _decorator("source")
"""``@source("mine")`` on ``(**options) -> Iterable[Prompt]`` names a source of prompts."""


def resolve(group: Group, spec: str) -> Callable[..., Any]:
    """The thing a spec names.

    Raises:
        UnknownName: nothing answers to the spec; one sentence with what does.
    """
    where, colon, attribute = spec.rpartition(":")
    if colon:
        module = _load_file(where) if where.endswith(".py") else _import(where, spec)
        if not hasattr(module, attribute):
            raise UnknownName(f"{group} {spec!r}: {where} has no attribute {attribute!r}")
        return getattr(module, attribute)
    if spec in _registered[group]:
        return _registered[group][spec]
    if spec in BUILTIN[group]:
        return resolve(group, BUILTIN[group][spec])
    from importlib.metadata import entry_points  # slow to load, and seldom needed

    installed = {e.name: e for e in entry_points(group=f"deimos.{group}s")}
    if spec in installed:
        return installed[spec].load()
    known = sorted({*_registered[group], *BUILTIN[group], *installed})
    near = difflib.get_close_matches(spec, known, n=1)
    hint = (
        f"did you mean {near[0]!r}?"
        if near
        else f"known: {', '.join(known)}, or ./file.py:attribute"
    )
    raise UnknownName(f"unknown {group} {spec!r}: {hint}")


def content_hash(spec: str) -> str | None:
    """sha256 of the file behind a by-path spec; None where the spec is no file."""
    where = spec.rpartition(":")[0]
    if not where.endswith(".py"):
        return None
    try:
        return hashlib.sha256(Path(where).read_bytes()).hexdigest()
    except OSError as e:
        raise UnknownName(_unreadable(where)) from e


def _import(name: str, spec: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as e:
        raise UnknownName(f"{spec!r}: no module named {e.name!r} is installed") from e


def _unreadable(where: str) -> str:
    fault = "cannot be read" if Path(where).is_file() else "does not exist"
    about = (
        "" if Path(where).is_absolute() else f", looked up from the current directory {Path.cwd()}"
    )
    return f"Python file {where!r} {fault}{about}"


def _load_file(where: str) -> Any:
    path = Path(where)
    name = f"deimos_by_path_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    located = importlib.util.spec_from_file_location(name, path)
    if not path.is_file() or located is None or located.loader is None:
        raise UnknownName(_unreadable(where))
    module = importlib.util.module_from_spec(located)
    sys.modules[name] = module
    try:
        located.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
