"""What a sweep can try: parameters, their values, and which of them make no difference. No I/O.

At temperature 0 the most likely token is taken, so top-p, top-k and min-p are inert there: configs
that differ in nothing else are one config.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from deimos.recipe import Bench, Recipe, RecipeError, Sweep, SweepParameters
from deimos.store.sweep_rows import DecodingConfig

Value = float | int | None
INERT_WHEN_GREEDY: Mapping[str, Value] = {"top_p": 1.0, "top_k": 0, "min_p": 0.0}
"""Parameters without effect at temperature 0, and the value that stands for all."""

MISSING = (
    "sweep.strategy = 'optuna' needs Optuna: pip install 'deimos-llm[sweep]', or take coordinate"
)


@dataclass(frozen=True)
class Space:
    """The parameters of a sweep."""

    start: DecodingConfig
    values: Mapping[str, Sequence[Value]]
    """Parameter to the values that it can take, the start's own first; only those with several."""

    @property
    def size(self) -> int:
        """How many configs there are that can differ."""
        greedy = 0 in self.values.get("temperature", (self.start.sampling.temperature,))
        warm = [t for t in self.values.get("temperature", (self.start.sampling.temperature,)) if t]
        others = {k: len(v) for k, v in self.values.items() if k != "temperature"}
        every = math.prod(others.values())
        acting = math.prod(n for k, n in others.items() if k not in INERT_WHEN_GREEDY)
        return acting * greedy + every * len(warm)


def space_of(parameters: SweepParameters, bench: Bench) -> Space:
    """What a recipe lets a sweep try.

    Args:
        parameters: the values that are named.
        bench: its ``locked`` config is what the sweep begins with, with ``budget`` as ``max_tokens``.
    """
    start = DecodingConfig(dataclasses.replace(bench.locked.value(), max_tokens=bench.budget))
    values = {}
    for name in type(parameters).model_fields:
        named = [start.values()[name], *getattr(parameters, name)]
        if len(set(named)) > 1:
            values[name] = tuple(dict.fromkeys(named))
    return Space(start, values)


def change(config: DecodingConfig, name: str, value: Value) -> DecodingConfig:
    """The config with one parameter changed."""
    if name == "think_budget":
        return dataclasses.replace(config, think_budget=value)
    return dataclasses.replace(
        config, sampling=dataclasses.replace(config.sampling, **{name: value})
    )


def reduce_to_effective(config: DecodingConfig) -> DecodingConfig:
    """What stands for all configs that decode as this one."""
    if config.sampling.temperature > 0:
        return config
    return dataclasses.replace(
        config, sampling=dataclasses.replace(config.sampling, **INERT_WHEN_GREEDY)
    )


def explain_inert(config: DecodingConfig, name: str) -> str:
    """Why a parameter makes no difference beside the others' values; empty: it does."""
    if name in INERT_WHEN_GREEDY and config.sampling.temperature == 0:
        return f"at temperature 0 the most likely token is taken, whatever {name} is"
    return ""


def list_idle(space: Space) -> Iterator[str]:
    """What of a sweep's values can make no difference at all, a sentence each; ``plan`` says them."""
    temperatures = space.values.get("temperature", (space.start.sampling.temperature,))
    if not any(temperatures):
        for name in INERT_WHEN_GREEDY:
            if name in space.values:
                yield f"sweep.parameters.{name}: not tried: {explain_inert(space.start, name)}"
    longest = max(space.values.get("max_tokens", (space.start.sampling.max_tokens,)))  # pyright: ignore[reportArgumentType]
    for budget in space.values.get("think_budget", ()):
        if budget is not None and longest is not None and budget >= longest:
            yield (
                f"sweep.parameters.think_budget: {budget:,} closes no thought, as answers end at "
                f"{longest:,} tokens"
            )


def list_configs(space: Space) -> Iterator[DecodingConfig]:
    """Every config of the full grid that can differ, the start first."""
    configs = [space.start]
    for name, values in space.values.items():
        configs = [change(config, name, value) for config in configs for value in values]
    yield from dict.fromkeys(map(reduce_to_effective, configs))


def count_answers(recipe: Recipe, dev: int) -> int:
    """How many answers a sweep decodes at most, of both models; ``plan`` asks here too.

    Args:
        recipe: the whole of it; 0 if it has no sweep section.
        dev: dev prompts.
    """
    if recipe.sweep is None:
        return 0
    space = space_of(recipe.sweep.parameters, recipe.bench)
    configs = count_configs(space, recipe.sweep)
    return 2 * min(dev, recipe.sweep.take or dev) * configs


def count_configs(space: Space, sweep: Sweep) -> int:
    """How many configs a strategy tries at most for a model."""
    if sweep.strategy == "optuna":
        return min(sweep.trials, space.size)
    # The screen and each pass change one parameter at a time.
    a_pass = sum(len(values) - 1 for values in space.values.values())
    return min(1 + (1 + sweep.rounds) * a_pass, space.size)


def require_optuna() -> None:
    """RecipeError, with how to install it, if Optuna is not here."""
    if find_spec("optuna") is None:
        raise RecipeError(MISSING)
