"""A stage as a process of its own: ``python -P -m deimos.pipeline.process RUN STAGE PLAN``.

``PLAN`` is the fingerprint of the plan that the launching process froze in the run folder; the stage
goes by that plan and computes nothing of it again. What goes wrong becomes one sentence and an exit
code; a traceback is a bug of ours.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from deimos.evaluate.merged import merge_model, model_path
from deimos.pipeline.stages import STAGES
from deimos.runs.folder import RunFolder, run_stage
from deimos.runs.plan import PlanError, Stage, find_stage, plan_fingerprint

FULL = 1 << 16
"""A disk with fewer bytes free counts as full."""


def main(argv: Sequence[str], stages: Sequence[Stage] = STAGES) -> int:
    """Run one stage of a run folder; returns the exit code.

    Args:
        argv: run folder, name of the stage, fingerprint of the frozen plan.
        stages: the graph that the plan was made from.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    run, name, expected = RunFolder(Path(argv[0])), argv[1], argv[2]
    try:
        recipe, _ = run.settings()
        plan = run.frozen_plan(stages)
        if plan_fingerprint(plan) != expected:
            raise PlanError(f"{name}: the run folder's plan is not the one to run: run again")
        loads = "model" in find_stage(plan, name).stage.keys
        if loads:
            merge_model(recipe)
        run_stage(run, plan, name, model_path(recipe) if loads else recipe.model.name)
    except KeyboardInterrupt:
        return 130
    except Exception as e:
        code = exit_code_of(e)
        if code is None and (reason := disk_fault(e, run.path)):
            print(f"error: {name} cannot write in {run.path}: {reason}", file=sys.stderr)
            return 1
        if code is None:
            raise
        print(f"error: {e}", file=sys.stderr)
        return code
    return 0


def exit_code_of(error: BaseException) -> int | None:
    """2: the user's to mend; 1: it went wrong in a known way; None: a bug, to be shown in full.

    Known errors are of classes that this package defines; their message says it all.
    """
    if not type(error).__module__.startswith("deimos."):
        return None
    return 2 if isinstance(error, ValueError | LookupError) else 1


def disk_fault(error: BaseException, folder: Path) -> str:
    """What the disk refused, where that is why a library failed; empty where it is not.

    Some libraries hide the reason (``torch.save`` speaks of file positions), so a disk that has
    no room left counts as one.
    """
    refusals = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, OSError) and cause.errno in refusals:
            return os.strerror(cause.errno)
        cause = cause.__cause__ or cause.__context__
    full = shutil.disk_usage(folder).free < FULL or "os error 28" in str(error)
    return os.strerror(errno.ENOSPC) if full else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
