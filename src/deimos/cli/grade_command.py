"""``deimos grade``: the rows of a file come back with their verdicts, and a line of counts on standard error."""

from __future__ import annotations

import sys
from typing import Annotated, get_args

import typer

from deimos.cli.options import CloseTagOption, OpenTagOption, WeakOption
from deimos.types import Kind

KINDS: tuple[str, ...] = get_args(Kind)
GRADED = ", ".join(KINDS)


def grade(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="JSONL of {text, reference}; - is stdin.")
    ],
    kind: Annotated[str, typer.Option(help=f"{GRADED}.")],
    plain: Annotated[
        bool, typer.Option("--plain", help="The texts are answers alone, without a think part.")
    ] = False,
    open_tag: OpenTagOption = None,
    close_tag: CloseTagOption = None,
    grader: Annotated[
        str | None, typer.Option(help="Another grader: name, pkg:attr, ./file.py:attr.")
    ] = None,
    allow_weak_sandbox: WeakOption = False,
) -> None:
    """Judge answers: writes each row out again, with its `verdict`.

    The rows go to standard output, in order (> graded.jsonl keeps them); counts and errors to standard error.

    A verdict holds `ok` (true: right, false: wrong, null: it cannot be said, for instance because the
    reference cannot be read or the time ran out), `because` (why, in words), `stage` (what decided:
    structure is the text's think part) and, of math, `second` (what two other judges say). A null counts
    neither as right nor as wrong.
    """
    from deimos.cli.grading import (
        GradeCounts,
        LineError,
        grade_rows,
        name_of,
        open_rows,
        row_line,
        think_tags,
    )
    from deimos.recipe import RecipeError

    if grader is None and kind not in KINDS:
        raise RecipeError(
            f"--kind {kind!r} must be one of {GRADED}, or --grader must name what judges it"
        )
    tags = think_tags(open_tag, close_tag, plain=plain)
    counts = GradeCounts()
    try:
        with open_rows(file) as rows:
            for row in grade_rows(rows, kind=kind, tags=tags, grader=grader):
                sys.stdout.write(row_line(row, sys.stdout.encoding) + "\n")
                counts.add(row)
    except LineError as e:
        typer.echo(str(counts), err=True)
        raise RecipeError(f"{name_of(file)} {e}") from e
    typer.echo(str(counts), err=True)
    if tags is not None and counts.rows and counts.unclosed == counts.rows:
        typer.echo(
            f"no text has a closed thought ({tags.open} … {tags.close}): --plain grades texts that are "
            "answers alone, --open-tag and --close-tag name other tags",
            err=True,
        )
