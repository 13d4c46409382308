"""How a command ends: its exit code, and one sentence if something went wrong."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable

import typer

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What a full or broken disk, or ``/dev/full``, answers to a write."""


def run_guarded(command: Callable[[], None]) -> None:
    """Run a command; what the user can mend ends with one sentence and exit code 2.

    What is still to be written is written here: else a full disk behind standard output would be found
    when Python ends, and told in its words.
    """
    try:
        try:
            command()
        finally:
            _write_out()
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except OSError as e:
        if e.errno not in NO_ROOM:
            raise
        typer.echo(f"error: {e.filename or 'the output'} cannot be written: {e.strerror}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as e:
        sys.exit(_exit_code(e))


def _write_out() -> None:
    """Write what standard output still holds back, and don't let Python try once more when it ends."""
    if sys.stdout is None or sys.stdout.closed:
        return
    try:
        sys.stdout.flush()
    except OSError as e:
        if e.errno in NO_ROOM:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def _exit_code(error: Exception) -> int:
    from deimos.pipeline.process import exit_code_of
    from deimos.runs.launch import StageFailed

    code = error.code if isinstance(error, StageFailed) else exit_code_of(error)
    if code is None:
        raise error
    if str(error):
        typer.echo(f"error: {error}", err=True)
    return code
