"""What a recipe would take: prompts, tokens, memory, hours, disk; by looking, not by running.

Sources are loaded and the chat template rendered where they can be, so what would end a run at one of
its stages is refused here already. What cannot be had (no network, no model yet, no measured speed) is
assumed, and each assumption is a sentence of the forecast. Weights are loaded for a pilot only.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deimos.bench.decodings import Decodings, decodings_of
from deimos.bench.suites import MODELS, count_completions
from deimos.evaluate.stats import LEAST_FOR_T
from deimos.planning.counts import PromptCounts, count_prompts
from deimos.planning.estimate import (
    ASSUMED_TOKENS,
    BYTES_PER_TOKEN,
    Pilot,
    Tokens,
    assume_tokens,
    expect_tokens,
)
from deimos.planning.needs import Memory, assume_speed, weigh_model
from deimos.planning.pilot import run_pilot
from deimos.recipe import Recipe, RecipeError
from deimos.recipe.runtime import Runtime
from deimos.route import counts as routing
from deimos.store.sweep_rows import DecodingConfig
from deimos.sweep.space import count_answers as count_swept
from deimos.sweep.space import list_idle, space_of
from deimos.types import Prompt, Sampling


@dataclass(frozen=True)
class Forecast:
    """A plan in numbers; None: not known."""

    prompts: PromptCounts
    candidates: int | None
    """Of all train prompts; at most so many if ``adaptive``."""
    adaptive: bool
    """``sample.n`` is a rule."""
    token_bound: int | None
    """Tokens if every candidate of train and dev ran to ``max_tokens``."""
    tokens: Tokens | None
    """What the pilot lets expect."""
    tokens_assumed: Tokens | None
    """The same by assumption, without a pilot."""
    pilot: Pilot | None
    memory: Memory
    tokens_per_second: float | None
    """Given, else the pilot's, else assumed."""
    hours: float | None
    """Of sampling: of ``tokens`` raced, or else at most, of ``token_bound``."""
    hours_assumed: float | None
    """Of sampling ``tokens_assumed``."""
    bench_answers: int | None
    """To test problems, of both models in all configs; with a sweep at most."""
    bench_hours: float | None
    """Of the bench at the same speed: of ``tokens``, or else at most, of answers up to the budget."""
    sweep_answers: int
    """To dev prompts, at most: of both models, if no value is dropped; 0 without a sweep section."""
    sweep_idle: tuple[str, ...]
    """What of the sweep and of the think budgets tells nothing, a sentence each."""
    sweep_hours: float | None
    """The same for them as ``bench_hours``."""
    route_answers: int
    """To dev prompts, at most: both models with thinking on and off; 0 without a route section."""
    route_hours: float | None
    """The same for them as ``bench_hours``."""
    gain_answers: int
    """To dev prompts, at most: of both models; 0 without a gain section."""
    gain_hours: float | None
    """The same for them as ``bench_hours``."""
    teach_answers: int | None
    """Behind closed thoughts, at most: of every train prompt a gold; 0 without ``train.teach``."""
    teach_hours: float | None
    """At most, of answers up to ``train.teach.max_tokens``."""
    bytes_per_token: float
    disk_needed: int | None
    """Bytes of the candidates' rows, of the same tokens as ``hours``."""
    disk_free: int
    assumed: tuple[str, ...]
    """What the numbers rest on that was neither read nor measured, a sentence each."""


def forecast(
    recipe: Recipe,
    runtime: Runtime,
    place: Path,
    *,
    pilot: int | None = None,
    tokens_per_second: float | None = None,
) -> Forecast:
    """Look at everything that can be known without running.

    Args:
        recipe: checked already (``check.py``).
        runtime: the other half.
        place: the run folder, there or not.
        pilot: this many train prompts are sampled exhaustively; None: none.
        tokens_per_second: to estimate hours from, instead of the pilot's own.

    Raises:
        RecipeError: prompts, template or model that a run would refuse; a pilot without prompts.
    """
    train_prompts, dev_prompts, problems, prompts = count_prompts(recipe, runtime)
    train, dev = sum(prompts.train.values()), sum(prompts.dev.values())
    n, most = recipe.sample.candidates, recipe.sample.sampling.max_tokens
    sampled = [*train_prompts, *dev_prompts]
    needs = weigh_model(recipe, runtime, sampled, problems, (train + dev) * n)
    candidates = train * n if train else None
    bound = None if candidates is None else (candidates + dev) * most
    complete = not prompts.unknown and (bool(prompts.test) or not recipe.bench.has_tests)
    decodings = _most_decodings(recipe)
    tested = sum(prompts.test.values())
    answers = None
    if complete:
        answers = count_completions(recipe.bench, decodings, tested)
        answers += routing.count_routed(recipe, tested)
    found, row_bytes, tokens, guess = None, BYTES_PER_TOKEN, None, None
    if pilot is not None:
        found, row_bytes = _pilot(recipe, runtime, train_prompts, pilot, prompts)
        tokens = expect_tokens(found, train, dev, epochs=recipe.train.epochs, answers=answers or 0)
    elif candidates:
        guess = assume_tokens(recipe, train, dev, answers or 0)
    speed, basis = tokens_per_second or (found.tokens_per_second if found else None), ""
    if not speed:
        speed, basis = assume_speed(needs, runtime)
    decoded = tokens.raced if tokens else bound
    # Answers of the benchmark, the sweep, the routing and the gain: as long as a pilot's, else at most.
    each = found.exhaustive / (found.prompts * found.n) if found else decodings.budget
    return Forecast(
        prompts=prompts, candidates=candidates,
        adaptive=not isinstance(recipe.sample.n, int), token_bound=bound, tokens=tokens,
        tokens_assumed=guess, pilot=found, memory=needs, tokens_per_second=speed,
        hours=_hours(decoded, speed), hours_assumed=_hours(guess.raced if guess else None, speed),
        bench_answers=answers, bench_hours=_hours(None if answers is None else answers * each, speed),
        bytes_per_token=row_bytes, **_count_others(recipe, train, dev, each, speed),
        disk_needed=None if decoded is None else round(decoded * row_bytes),
        disk_free=shutil.disk_usage(_existing(place)).free,
        assumed=tuple(_assumptions(recipe, prompts, needs, guess, basis)),
    )  # fmt: skip


def _count_others(
    recipe: Recipe, train: int, dev: int, each: float, speed: float | None
) -> dict[str, Any]:
    """Answers and hours of the stages that a recipe may do without, by the forecast's fields.

    Args:
        recipe: the whole of it.
        train: prompts.
        dev: prompts.
        each: tokens of an answer to a dev prompt.
        speed: tokens per second.
    """
    asked = {
        "sweep": count_swept(recipe, dev),
        "route": routing.count_answers(recipe, dev),
        "gain": len(MODELS) * dev if recipe.gain else 0,
    }
    found: dict[str, Any] = {f"{stage}_answers": count for stage, count in asked.items()}
    found |= {f"{stage}_hours": _hours(count * each, speed) for stage, count in asked.items()}
    teach = recipe.train.teach
    behind = train * teach.answers if teach else 0
    found["teach_answers"] = behind if behind or not teach else None
    found["sweep_idle"] = tuple(_list_idle(recipe, dev))
    found["teach_hours"] = _hours(behind * teach.max_tokens if teach else 0, speed)
    return found


def _list_idle(recipe: Recipe, dev: int) -> Iterator[str]:
    """What a sweep or a think budget is asked for in vain, and a sweep on too few prompts."""
    bench, sweep = recipe.bench, recipe.sweep
    for budget in bench.think_budgets:
        if budget >= bench.budget:
            yield f"bench.think_budgets: {budget:,} closes no thought, as bench.budget is {bench.budget:,}"
    if sweep is None:
        return
    yield from list_idle(space_of(sweep.parameters, bench))
    items = min(dev, sweep.take or dev)
    if 0 < items < LEAST_FOR_T:
        yield f"sweep: so few dev prompts ({items}) can hardly tell one decoding from another"


def _pilot(
    recipe: Recipe, runtime: Runtime, train: Sequence[Prompt], count: int, prompts: PromptCounts
) -> tuple[Pilot, float]:
    if not train:
        raise RecipeError(f"--pilot {count}: the prompts cannot be loaded: {prompts.note}")
    return run_pilot(recipe, runtime, train, count)


def _assumptions(
    recipe: Recipe, prompts: PromptCounts, needs: Memory, guess: Tokens | None, basis: str
) -> Iterator[str]:
    if prompts.assumed:
        yield (
            f"{', '.join(prompts.assumed)}: the known sizes of the data sets, nothing dropped for "
            "overlapping with a test"
        )
    if needs.assumed and needs.parameters:
        yield (
            f"model {recipe.model.name!r}: parameters by its name, and keys and values as dense models "
            "of that size have"
        )
    if guess:
        yield ASSUMED_TOKENS
    if basis:
        yield f"speed: {basis}"


def _most_decodings(recipe: Recipe) -> Decodings:
    """The benchmark's decodings; with a sweep the most that it may lock: one for each model."""
    if recipe.sweep is None:
        return decodings_of(recipe.bench)
    most = max([recipe.bench.budget, *recipe.sweep.parameters.max_tokens])
    own = {"base": 0.5, "tuned": 1.0}  # any two that differ
    return decodings_of(
        recipe.bench,
        {model: DecodingConfig(Sampling(temperature=t, min_p=t / 2, max_tokens=most))
         for model, t in own.items()},
    )  # fmt: skip


def _hours(tokens: float | None, tokens_per_second: float | None) -> float | None:
    return tokens / tokens_per_second / 3600 if tokens is not None and tokens_per_second else None


def _existing(place: Path) -> Path:
    """The nearest folder on the way to ``place`` that exists."""
    place = place.absolute()
    return next(p for p in (place, *place.parents) if p.is_dir())
