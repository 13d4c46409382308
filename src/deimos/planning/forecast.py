"""What a recipe would take: prompts, tokens, memory, hours, disk; by looking, not by running.

Sources are really loaded and the chat template really rendered, so what would end a run at one of
its stages is said here already. Weights are not loaded unless a pilot is asked for.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from deimos.bench.tasks import asked_by, given_tasks, judged_kinds, load_tasks
from deimos.graders.code import require_sandbox
from deimos.models import memory
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef, check_folder
from deimos.pipeline.identity import model_path
from deimos.pipeline.wiring import testable
from deimos.planning.estimate import BYTES_PER_TOKEN, Pilot, Tokens, expected_tokens
from deimos.planning.pilot import rendered, run_pilot
from deimos.prompts.stage import gather
from deimos.recipe import Recipe, RecipeError
from deimos.recipe.runtime import Runtime
from deimos.types import Prompt


@dataclass(frozen=True)
class PromptCounts:
    """How many there are, by task."""

    train: dict[str, int]
    dev: dict[str, int]
    test: dict[str, int]
    note: str = ""
    """Why some could not be counted."""
    overlaps: int = 0
    """Prompts that overlap with a test problem: dropped, unless the recipe allows contamination."""


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
    """Why something could not be told."""


@dataclass(frozen=True)
class Forecast:
    """A plan in numbers; None: not known."""

    prompts: PromptCounts
    candidates: int | None
    """Of all train prompts; at most so many where ``adaptive``."""
    adaptive: bool
    """``sample.n`` is a rule."""
    token_bound: int | None
    """Tokens if every candidate of train and dev ran to ``max_tokens``."""
    tokens: Tokens | None
    """What the pilot lets expect."""
    pilot: Pilot | None
    memory: Memory
    tokens_per_second: float | None
    hours: float | None
    """Of sampling: of ``tokens`` raced, or else at most, of ``token_bound``."""
    bench_answers: int | None
    """To test problems, of both models at all configs."""
    bench_hours: float | None
    """Of the bench at the same speed: of ``tokens``, or else at most, of answers up to the budget."""
    bytes_per_token: float
    disk_needed: int | None
    """Bytes of the candidates' rows, of the same tokens as ``hours``."""
    disk_free: int


def forecast(
    recipe: Recipe,
    runtime: Runtime,
    place: Path,
    *,
    pilot: int | None = None,
    tokens_per_second: float | None = None,
) -> Forecast:
    """Look at everything that can be told without running.

    Args:
        recipe: checked already (``check.py``).
        runtime: the other half.
        place: the run folder, there or not.
        pilot: this many train prompts are sampled exhaustively; None: none.
        tokens_per_second: to reckon hours with, instead of the pilot's own.

    Raises:
        RecipeError: prompts, template or model that a run would refuse.
    """
    train, dev, prompts = _prompts(recipe, runtime)
    needs = _memory(recipe, runtime, [*train, *dev])
    n, most = recipe.sample.candidates, recipe.sample.sampling.max_tokens
    candidates = len(train) * n if train else None
    bound = None if candidates is None else (candidates + len(dev)) * most
    found: Pilot | None = None
    row_bytes, tokens = BYTES_PER_TOKEN, None
    answers = None if prompts.note else _answers(recipe, sum(prompts.test.values()))
    if pilot is not None and train:
        found, row_bytes = run_pilot(recipe, runtime, train, pilot)
        tokens = expected_tokens(
            found, len(train), len(dev), epochs=recipe.train.epochs, answers=answers or 0
        )
    speed = tokens_per_second or (found.tokens_per_second if found else None)
    reckoned = tokens.raced if tokens else bound
    benched = None if answers is None else tokens.bench if tokens else answers * recipe.bench.budget
    return Forecast(
        prompts=prompts, candidates=candidates,
        adaptive=not isinstance(recipe.sample.n, int), token_bound=bound, tokens=tokens, pilot=found,
        memory=needs, tokens_per_second=speed,
        hours=_hours(reckoned, speed), bench_answers=answers, bench_hours=_hours(benched, speed),
        bytes_per_token=row_bytes,
        disk_needed=None if reckoned is None else round(reckoned * row_bytes),
        disk_free=shutil.disk_usage(_existing(place)).free,
    )  # fmt: skip


def _hours(tokens: int | None, tokens_per_second: float | None) -> float | None:
    return tokens / tokens_per_second / 3600 if tokens is not None and tokens_per_second else None


def _answers(recipe: Recipe, problems: int) -> int:
    """How many answers the bench decodes: configs that are alike share them, greedy is not repeated."""
    bench = recipe.bench
    configs = {config: bench.repeats if config.temperature else 1
               for config in (bench.recommended.value(), bench.locked.value())}  # fmt: skip
    return 2 * problems * sum(configs.values())


def _prompts(recipe: Recipe, runtime: Runtime) -> tuple[list[Prompt], list[Prompt], PromptCounts]:
    tested, given, note = testable(recipe, runtime), [], ""
    try:
        given = given_tasks(tested)
    except RecipeError as e:
        note = _unreachable(e)
    try:
        train, dev, overlaps = gather(recipe, tests=asked_by(given))
    except RecipeError as e:
        return [], [], PromptCounts({}, {}, {}, _unreachable(e))
    known = PromptCounts(_by_task(train), _by_task(dev), {}, note, len(overlaps))
    if note:
        return train, dev, known
    tests = load_tasks(tested, [*train, *dev], given)
    kinds = judged_kinds([*train, *dev], tests)
    require_sandbox(kinds, recipe.select.graders, runtime.allow_weak_sandbox)
    return train, dev, replace(known, test={task.name: len(task.prompts) for task in tests})


def _unreachable(error: RecipeError) -> str:
    """The sentence of an error that a network, or another day, would mend; others are raised."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ConnectionError):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        raise error
    return str(error)


def _by_task(prompts: Sequence[Prompt]) -> dict[str, int]:
    return dict(sorted(Counter(prompt.task for prompt in prompts).items()))


def _memory(recipe: Recipe, runtime: Runtime, prompts: Sequence[Prompt]) -> Memory:
    """Render a prompt, refuse a model that cannot fit, and weigh what can be weighed."""
    name, total, free = _device(runtime)
    folder = _folder(recipe)
    longest, note = _longest_prompt(recipe, folder, prompts)
    rows = runtime.max_batch
    if prompts:
        rows = min(rows, len(prompts) * recipe.sample.candidates)
    tokens = longest + recipe.sample.sampling.max_tokens
    known = Memory(name, total, free, None, None, None, rows, tokens, note)
    if folder is None:
        return known
    dtype = recipe.model.dtype
    if runtime.engine == "local":
        where = "of memory" if name == "RAM" else "of GPU memory"
        memory.refuse_too_large(recipe.model.id, folder, dtype, free, where)
    weights, config = memory.weights_in(folder), memory.text_config(folder)
    return replace(
        known,
        parameters=weights.parameters if weights else None,
        weights=weights.size(dtype) if weights else None,
        kv_cache=memory.kv_cache_bytes(config, dtype, tokens, rows) if config else None,
    )


def _device(runtime: Runtime) -> tuple[str, int, int]:
    """Name, memory and free memory (bytes) of what the engine would run on."""
    found = memory.gpus() if runtime.device != "cpu" else []
    if found:
        return found[0].name, found[0].total, found[0].free
    return "RAM", memory.total_ram(), memory.available_ram()


def _folder(recipe: Recipe) -> Path | None:
    """Where the model's files are; None for a Hub model that is not on this machine yet."""
    path = model_path(recipe)
    check_folder(path, "model")
    folder = memory.model_folder(path, recipe.model.revision)
    if folder is None or Path(path).is_dir() or (folder / "tokenizer_config.json").is_file():
        return folder
    return None  # the cache holds only a part of it


def _longest_prompt(
    recipe: Recipe, folder: Path | None, prompts: Sequence[Prompt]
) -> tuple[int, str]:
    """Tokens of the longest prompt (by its characters) as rendered, and what could not be told."""
    if not prompts:
        return 0, "prompts are not known"
    if folder is None:
        return 0, f"model {recipe.model.id!r} is not on this machine yet"
    if find_spec("transformers") is None:
        return 0, "transformers is not installed here"
    path = model_path(recipe)
    here = path if Path(path).is_dir() else str(folder)  # of a Hub model the cache: no fetching
    tokenizer = load_tokenizer(ModelRef(here))
    longest = max(prompts, key=lambda p: sum(len(m["content"]) for m in p.messages))
    return len(rendered(recipe.model, tokenizer, longest).ids), ""


def _existing(place: Path) -> Path:
    """The nearest folder on the way to ``place`` that exists."""
    place = place.absolute()
    return next(p for p in (place, *place.parents) if p.is_dir())
