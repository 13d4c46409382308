"""What samples: the protocol, the engines that keep it, and the one way to open any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deimos.registry import resolve

if TYPE_CHECKING:  # a caller that only names an engine loads neither pydantic nor a model
    from deimos.engines.base import Engine
    from deimos.models.ref import ModelRef
    from deimos.recipe.runtime import Runtime


def open(model: ModelRef, runtime: Runtime) -> Engine:
    """Load the engine that ``runtime.engine`` names, with ``runtime.engine_options``.

    Raises:
        UnknownName: there is no such engine.
        RecipeError: options, a model or a device that the engine does not take.
    """
    return resolve("engine", runtime.engine)(model, runtime, **runtime.engine_options)
