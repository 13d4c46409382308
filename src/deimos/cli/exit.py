"""How a command ends: its exit code, and one sentence if something went wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable

import typer


def run_guarded(command: Callable[[], None]) -> None:
    """Run a command; what the user can mend ends with one sentence and exit code 2."""
    try:
        command()
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as e:
        sys.exit(_exit_code(e))


def _exit_code(error: Exception) -> int:
    from deimos.pipeline.process import exit_code_of
    from deimos.runs.launch import StageFailed

    code = error.code if isinstance(error, StageFailed) else exit_code_of(error)
    if code is None:
        raise error
    if str(error):
        typer.echo(f"error: {error}", err=True)
    return code
