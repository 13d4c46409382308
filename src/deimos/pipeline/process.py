"""A stage as a process of its own: ``python -m deimos.pipeline.process RUN STAGE``.

Turns what went wrong into one sentence and an exit code; a traceback is a bug of ours.
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

from deimos.pipeline.identity import model_path
from deimos.pipeline.stages import plan
from deimos.runs.folder import RunFolder, do_stage

FULL = 1 << 16
"""A disk with fewer bytes free counts as full."""


def main(argv: Sequence[str]) -> int:
    """Carry out one stage of a run folder; returns the exit code."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    run, name = RunFolder(Path(argv[0])), argv[1]
    try:
        recipe, _ = run.settings()
        do_stage(run, plan(recipe), name, model_path(recipe))
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
