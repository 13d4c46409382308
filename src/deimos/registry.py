"""Finding what users may bring: graders, engines, sources of prompts.

A spec is a registered name, ``package.module:attribute``, ``./file.py:attribute``, or the name
of an installed entry point in group ``deimos.graders``, ``deimos.engines``, ``deimos.sources``.
A file given by path is data: its content hash enters fingerprints.

Graders and sources are records: a function, and beside it what Deimos may use if it is there. Engines
are plain functions that make an engine (``engines/base.py``).
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeVar, overload

from deimos.types import Kind, Prompt, Verdict

Group = Literal["grader", "engine", "source"]
EngineFactory = TypeVar("EngineFactory", bound=Callable[..., Any])

BUILTIN: dict[Group, dict[str, str]] = {
    "grader": {
        "math": "deimos.graders.math:math",
        "math_unevaluated": "deimos.graders.math:math_unevaluated",
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


class UnknownName(LookupError):
    """No such grader, engine or source; the message names the near ones."""


@dataclass(frozen=True)
class Grader:
    """What judges answers; called as its function."""

    name: str
    judge: Callable[[str, Any], Verdict]
    """Takes an answer (never the thought) and a reference. Runs in a worker process that can be
    killed."""
    fast: Callable[[str, Any], Verdict | None] | None = None
    """Judges simple answers in the caller's process; None leaves the answer to ``judge``."""
    prepare: Callable[[], object] | None = None
    """Called once in each worker process, before the first answer's deadline starts to count."""
    deadline: float | None = None
    """Seconds an answer may take if the recipe's ``grader_timeout`` is not to decide: for a grader
    that stops by itself."""
    check_reference: Callable[[Any], object] | None = None
    """Raises ValueError, one sentence, for a reference that no answer could meet; called where prompts
    and rows are read, so it must be quick and need no model."""
    examples: Sequence[tuple[str, Any]] | None = None
    """(answer, reference) pairs that ``deimos check`` judges: each answer is right for its own
    reference and wrong for the others. None: the list ``examples`` (or ``gold``) of the function's
    module."""

    def __call__(self, answer: str, reference: Any) -> Verdict:
        """Judge an answer here, with no deadline."""
        return self.judge(answer, reference)

    def known_examples(self) -> list[tuple[str, Any]]:
        """The pairs to check the grader with; empty if it has none."""
        if self.examples is not None:
            return list(self.examples)
        module = _module_of(self.judge)
        return list(module.get("examples", module.get("gold", ())))

    def portable_spec(self, spec: str) -> str:
        """A spec that means this grader in another process too: a file's grader by its path."""
        if ":" in spec or spec in BUILTIN["grader"]:
            return spec
        module, name = _module_of(self.judge), getattr(self.judge, "__name__", "")
        here = module.get("__file__") and module.get(name) in (self, self.judge)
        return f"{Path(module['__file__'])}:{name}" if here else spec


@dataclass(frozen=True)
class Source:
    """What gives prompts; called as its function."""

    name: str
    load: Callable[..., Iterable[Prompt]]
    """Takes ``take`` (None: all), ``seed`` and the source's options, all by keyword."""
    paths: tuple[str, ...] = ("path",)
    """Names of the options that are paths of files or folders: their content is hashed, so that the
    prompts are made again once it changes."""
    kind: Kind | None = None
    """Of all its prompts; None: it has several kinds, or its options decide."""
    sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    """How many prompts each split has, with all options left at their defaults."""
    part_sizes: Mapping[str, Mapping[Any, Mapping[str, int]]] = field(
        default_factory=dict[str, Mapping[Any, Mapping[str, int]]]
    )
    """Option that takes a part of a split to its values, each with the part's size by split."""
    same_size: tuple[str, ...] = ("instruction",)
    """Options that leave the number of prompts as it is."""
    asked: Callable[[Prompt], str] | None = None
    """The question alone, without the source's own wording, for decontamination. None: the user's
    messages, less the option ``instruction`` at the end."""
    place: Callable[..., str | None] | None = None
    """Takes a prompt and the source's options; gives the prompt's file and line, for messages. Called
    for prompts at fault only, so it may read everything once more."""
    solutions: Callable[..., Iterable[tuple[str, Prompt]]] | None = None
    """Takes the source's options; gives (right answer, prompt), for data whose right answers are not
    written from the reference, such as programs."""

    def __call__(self, *, take: int | None, seed: int, **options: Any) -> Iterable[Prompt]:
        """The prompts, in the seed's order."""
        return self.load(take=take, seed=seed, **options)

    def option_names(self) -> dict[str, inspect.Parameter]:
        """The options that a recipe may give, ``take`` and ``seed`` apart."""
        parameters = inspect.signature(self.load).parameters
        return {name: p for name, p in parameters.items() if name not in ("take", "seed")}

    def known_size(self, options: Mapping[str, Any]) -> int | None:
        """How many prompts there are with these options, if that is known without reading them."""
        parts = {key: self.part_sizes[key] for key in options if key in self.part_sizes}
        if set(options) - {"split"} - set(self.same_size) - set(parts) or len(parts) > 1:
            return None
        default = self.option_names().get("split")
        split = options.get("split", default.default if default else "")
        for key, sizes in parts.items():
            values = options[key] if isinstance(options[key], list) else [options[key]]
            if values:
                known = [sizes.get(value, {}).get(split) for value in dict.fromkeys(values)]
                return None if None in known else sum(size for size in known if size)
        return self.sizes.get(split)


_registered: dict[Group, dict[str, Any]] = {"grader": {}, "engine": {}, "source": {}}
_files: dict[str, ModuleType] = {}
"""Modules loaded by path."""


def grader(name: str, **fields: Any) -> Callable[[Callable[[str, Any], Verdict]], Grader]:
    """``@grader("roman")`` on ``(answer: str, reference) -> Verdict`` names a judge of answers.

    Args:
        name: in recipes.
        fields: other fields of ``Grader``: ``fast``, ``prepare``, ``deadline``, ``check_reference``,
            ``examples``.
    """

    def register(function: Callable[[str, Any], Verdict]) -> Grader:
        made = _registered["grader"][name] = Grader(name, function, **fields)
        return made

    return register


def source(name: str, **fields: Any) -> Callable[[Callable[..., Iterable[Prompt]]], Source]:
    """``@source("mine")`` on ``(*, take, seed, **options) -> Iterable[Prompt]`` names a source of prompts.

    Args:
        name: in recipes.
        fields: other fields of ``Source``: ``paths``, ``kind``, ``sizes``, ``asked``, ``place``, ``solutions``…
    """

    def register(function: Callable[..., Iterable[Prompt]]) -> Source:
        made = _registered["source"][name] = Source(name, function, **fields)
        return made

    return register


def engine(name: str) -> Callable[[EngineFactory], EngineFactory]:
    """``@engine("mine")`` on ``(model, runtime, **options) -> Engine`` names a sampler (engines/base.py)."""

    def register(factory: EngineFactory) -> EngineFactory:
        _registered["engine"][name] = factory
        return factory

    return register


@overload
def resolve(group: Literal["grader"], spec: str) -> Grader: ...
@overload
def resolve(group: Literal["source"], spec: str) -> Source: ...
@overload
def resolve(group: Literal["engine"], spec: str) -> Callable[..., Any]: ...
def resolve(group: Group, spec: str) -> Any:
    """The grader, source or engine factory that a spec names; a plain function becomes a record.

    Raises:
        UnknownName: the spec names nothing, or no function; one sentence with what there is.
    """
    found: Any = _found(group, spec)
    if not callable(found):
        raise UnknownName(f"{group} {spec!r} is a {type(found).__name__}, not a function")
    record: Any = {"grader": Grader, "source": Source}.get(group)
    return found if record is None or isinstance(found, record) else record(spec, found)


def _found(group: Group, spec: str) -> Any:
    where, colon, attribute = spec.rpartition(":")
    if colon:
        module = _load_file(where) if where.endswith(".py") else _import(where, spec)
        if not hasattr(module, attribute):
            raise UnknownName(f"{group} {spec!r}: {where} has no attribute {attribute!r}")
        return getattr(module, attribute)
    if spec in _registered[group]:
        return _registered[group][spec]
    if spec in BUILTIN[group]:
        return _found(group, BUILTIN[group][spec])
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
    """sha256 of the file behind a by-path spec; None for any other spec.

    Raises:
        UnknownName: there is no such file, or it cannot be read.
    """
    where = spec.rpartition(":")[0]
    if not where.endswith(".py"):
        return None
    try:
        return hashlib.sha256(Path(where).read_bytes()).hexdigest()
    except OSError as e:
        raise UnknownName(_unreadable(where)) from e


def _import(name: str, spec: str) -> ModuleType:
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


def _load_file(where: str) -> ModuleType:
    path = Path(where)
    name = f"deimos_by_path_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    if name in _files:
        return _files[name]
    located = importlib.util.spec_from_file_location(name, path)
    if not path.is_file() or located is None or located.loader is None:
        raise UnknownName(_unreadable(where))
    module = importlib.util.module_from_spec(located)
    sys.modules[name] = module  # dataclasses and pickle look their module up there
    try:
        located.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    _files[name] = module
    return module


def _module_of(function: Callable[..., Any]) -> Mapping[str, Any]:
    """The names of the module that a function was defined in."""
    plain = inspect.unwrap(function)
    return getattr(plain, "__globals__", None) or getattr(plain.__call__, "__globals__", {})
