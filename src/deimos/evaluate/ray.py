"""Evaluating on a Ray cluster: prompts spread over the actors, rows and judging as without one.

Samples are decoded by whichever actor has room; timing is done on one actor, which then holds all
models at once, as one process would. Rows, keys and seeds are those of an evaluation in one process.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping
from typing import Protocol

from deimos import engines
from deimos.engines.base import Engine
from deimos.engines.ray.cluster import ActorPool, connect
from deimos.engines.ray.engine import ActorEngines, ClusterEngine
from deimos.models.ref import ModelRef
from deimos.recipe.runtime import Runtime


class OpenEngine(Protocol):
    """Opens the engine of one of the models that a cluster was opened with."""

    def __call__(self, model: ModelRef, *, alone: bool = False) -> Engine:
        """``alone``: nothing decodes beside it."""
        ...


@contextlib.contextmanager
def open_on_cluster(
    models: Mapping[str, ModelRef], runtime: Runtime, together: bool
) -> Iterator[OpenEngine | None]:
    """What opens engines on the cluster that the runtime names; None if it names none.

    Args:
        models: those that may be opened, by what messages call them.
        runtime: names engine and cluster.
        together: an actor keeps several models loaded at a time.

    Raises:
        RecipeError: there is no Ray, or no such cluster.
    """
    cluster = runtime.cluster
    if cluster is None:
        yield None
        return
    names = {model: name for name, model in models.items()}
    opener = functools.partial(open_engines, models, runtime, together)
    with connect(cluster) as ray:
        pool = ActorPool(ray, cluster, opener, runtime.max_batch)
        try:
            yield lambda model, *, alone=False: ClusterEngine(pool, names[model], alone=alone)
        finally:
            pool.close()


def open_engines(models: Mapping[str, ModelRef], runtime: Runtime, together: bool) -> ActorEngines:
    """See ``Opener``; an engine is loaded when its first job comes."""
    factories = {
        name: functools.partial(engines.open, model, runtime) for name, model in models.items()
    }
    return ActorEngines(factories, together=together)
