"""The benchmark on a Ray cluster: problems spread over the actors, rows and grading as ever.

Samples are decoded by whichever actor has room; timing is done on one actor, which then holds base
and tuned at once, as one process would. Rows, keys and seeds are those of a bench without a cluster.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping

from deimos import engines
from deimos.engines.ray.cluster import ActorPool, connect
from deimos.engines.ray.engine import ActorEngines, ClusterEngine
from deimos.evaluate.samples import EngineFor, refs_of
from deimos.models.ref import ModelRef
from deimos.recipe.runtime import Runtime
from deimos.runs.folder import StageJob


@contextlib.contextmanager
def remote_engines(job: StageJob) -> Iterator[EngineFor | None]:
    """Engines on the cluster that the runtime names; None where it names none.

    Raises:
        RecipeError: there is no Ray, or no such cluster.
    """
    cluster, runtime = job.runtime.cluster, job.runtime
    if cluster is None:
        yield None
        return
    together = job.recipe.bench.timing_problems > 0
    opener = functools.partial(open_engines, refs_of(job), runtime, together)
    with connect(cluster) as ray:
        pool = ActorPool(ray, cluster, opener, runtime.max_batch)
        try:
            yield functools.partial(ClusterEngine, pool)
        finally:
            pool.close()


def open_engines(refs: Mapping[str, ModelRef], runtime: Runtime, together: bool) -> ActorEngines:
    """See ``Opener``; an engine is loaded when its first job comes."""
    factories = {name: functools.partial(engines.open, ref, runtime) for name, ref in refs.items()}
    return ActorEngines(factories, together=together)
