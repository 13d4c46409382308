"""The local engine, counting every token it decodes in a file that outlives a kill.

Not a benchmark: `faults.py` names it as engine (`benchmarks/_counted.py:counted`) to learn what a
killed stage had done. Appends one little-endian uint32 a step, the rows decoded, to `<log>.<stage>`.
"""

from __future__ import annotations

import os
import struct
import sys
from typing import Any

from deimos.engines.local.engine import LocalEngine, local
from deimos.models.ref import ModelRef
from deimos.recipe.runtime import Runtime


def counted(ref: ModelRef, runtime: Runtime, *, log: str, **options: Any) -> LocalEngine:
    """The local engine with a counter; `log` is the counter file's path without the stage."""
    engine = local(ref, runtime, **options)
    stage = sys.argv[2] if len(sys.argv) > 3 else "none"
    fd = os.open(f"{log}.{stage}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    step = engine.step

    def counting(batch: Any, cache: Any, sampler: Any) -> Any:
        tokens = step(batch, cache, sampler)
        os.write(fd, struct.pack("<I", len(tokens)))
        return tokens

    engine.step = counting
    return engine
