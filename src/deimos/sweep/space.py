"""What a sweep can try: parameters, their values, and which of them make no difference. No I/O.

At temperature 0 the most likely token is taken, so top-p, top-k and min-p are inert there: configs
that differ in nothing else are one config.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from deimos.recipe import Bench, SweepParameters
from deimos.store.sweep_rows import DecodingConfig

Value = float | int | None
INERT_WHEN_GREEDY: Mapping[str, Value] = {"top_p": 1.0, "top_k": 0, "min_p": 0.0}
"""Parameters without effect at temperature 0, and the value that stands for all."""


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


def effective(config: DecodingConfig) -> DecodingConfig:
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


def list_configs(space: Space) -> Iterator[DecodingConfig]:
    """Every config of the full grid that can differ, the start first."""
    configs = [space.start]
    for name, values in space.values.items():
        configs = [change(config, name, value) for config in configs for value in values]
    yield from dict.fromkeys(map(effective, configs))
