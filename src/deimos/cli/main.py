"""The command line: thin verbs over the pipeline. Each verb imports what it needs, so that help is fast."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deimos.cli.exit import run_guarded
from deimos.cli.grade_command import KINDS, grade
from deimos.cli.options import (
    STAGE_COMMANDS,
    ContaminationOption,
    JsonOption,
    LimitOption,
    OutOption,
    RecipeArg,
    RoundsOption,
    RunArg,
    SetOption,
    WeakOption,
    set_contamination,
    set_limit,
)
from deimos.cli.printing import degrade_output
from deimos.cli.serving import serve

if TYPE_CHECKING:
    from deimos.runs.folder import RunFolder
    from deimos.runs.plan import Planned

app = typer.Typer(
    name="deimos",
    help="Make a reasoning model think tersely and answer just as well, with numbers to show it.",
    epilog="Begin with: deimos demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich takes a third of the time that help takes
)
app.command()(serve)
lab_app = typer.Typer(
    help="The lab model, a small one that is part of the package.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(lab_app, name="lab")


@app.command()
def run(
    recipe: RecipeArg,
    out: OutOption = None,
    sets: SetOption = None,
    until: Annotated[str | None, typer.Option(help="Last stage to run.")] = None,
    rounds: RoundsOption = None,
    limit: LimitOption = None,
    allow_contamination: ContaminationOption = False,
    allow_weak_sandbox: WeakOption = False,
) -> None:
    """Run a recipe all the way; running it again resumes."""
    sets = [*(sets or []), *set_limit(limit)]
    if rounds is not None:
        from deimos.cli.rounds import run_rounds

        sets += set_contamination(allow_contamination)
        return run_rounds(recipe, out, sets, rounds, lambda *one: run(*one), until)
    with _prepare(recipe, out, sets, until, allow_contamination) as (folder, plan):
        _run_stages(folder, plan)
    _end_of_run(folder, plan, recipe)


@app.command()
def demo(
    out: OutOption = None, sets: SetOption = None, allow_weak_sandbox: WeakOption = False
) -> None:
    """Run the whole way on the lab model: minutes on two cores."""
    run("lab", out, sets)


@app.command()
def plan(
    recipe: RecipeArg,
    out: OutOption = None,
    sets: SetOption = None,
    pilot: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Load the engine and measure on N train prompts."),
    ] = None,
    tokens_per_second: Annotated[
        float | None, typer.Option(metavar="X", min=1e-9, help="Estimate hours from this speed.")
    ] = None,
    limit: LimitOption = None,
    as_json: JsonOption = False,
    allow_contamination: ContaminationOption = False,
    allow_weak_sandbox: WeakOption = False,
) -> None:
    """Show what `run` would do and take, without doing it."""
    from deimos.cli.console import plan_json, status_lines
    from deimos.planning import arguments, text
    from deimos.planning.forecast import forecast
    from deimos.runs.folder import RunFolder

    sets = [*(sets or []), *set_limit(limit), *set_contamination(allow_contamination)]
    loaded, runtime = arguments.load_recipe(recipe, sets)
    folder = RunFolder(arguments.run_path(recipe, out, loaded))
    stages = arguments.plan_recipe(loaded, runtime)
    begun, states = arguments.is_run(folder.path), folder.status(stages)
    found = forecast(loaded, runtime, folder.path, pilot=pilot, tokens_per_second=tokens_per_second)
    command = f"deimos run {arguments.command_line(recipe, out, sets)}"
    if as_json:
        return typer.echo(plan_json(folder, states, text.forecast_values(found), command))
    sampled = any(state.stage == "sample" and state.state == "fresh" for state in states)
    for line in [
        *status_lines(states, differences=begun),
        *text.describe_forecast(found, sampled=sampled),
    ]:
        typer.echo(line)
    return _next(command)


@app.command()
def status(
    run: RunArg,
    as_json: JsonOption = False,
) -> None:
    """List which stages are fresh, missing or stale, and why."""
    from deimos.cli.console import status_json, status_lines
    from deimos.pipeline.stages import plan
    from deimos.runs.folder import RunFolder

    folder = RunFolder.open(run)
    recipe, _ = folder.settings()
    states = folder.status(plan(recipe))
    running = folder.is_running()
    if as_json:
        typer.echo(status_json(folder, states, running=running))
        return
    for line in status_lines(states, differences=True):
        typer.echo(line)
    if running:
        typer.echo("a deimos process is writing this run")
    elif reason := folder.unlike_this_version():
        typer.echo(reason)
    elif all(state.state == "fresh" for state in states):
        _next(f"open {run}/report.html")
    else:
        _next(f"deimos run {run}")


def _stage_command(name: str, summary: str) -> None:
    """Add the verb that runs one stage alone."""

    def command(
        recipe: RecipeArg,
        out: OutOption = None,
        sets: SetOption = None,
        allow_contamination: ContaminationOption = False,
        allow_weak_sandbox: WeakOption = False,
    ) -> None:
        with _prepare(recipe, out, sets, name, allow_contamination) as (folder, plan):
            _run_stages(folder, plan, alone=True)
        _end_of_run(folder, plan, recipe)

    command.__doc__ = summary
    app.command(name)(command)


for _name, _summary in STAGE_COMMANDS.items():
    _stage_command(_name, _summary)


@app.command()
def bench(
    recipe: RecipeArg,
    out: OutOption = None,
    sets: SetOption = None,
    limit: LimitOption = None,
    allow_contamination: ContaminationOption = False,
    allow_weak_sandbox: WeakOption = False,
) -> None:
    """Measure base against tuned (one stage)."""
    sets = [*(sets or []), *set_limit(limit)]
    with _prepare(recipe, out, sets, "bench", allow_contamination) as (folder, plan):
        _run_stages(folder, plan, alone=True)
    _end_of_run(folder, plan, recipe)


@app.command()
def select(
    recipe: RecipeArg,
    out: OutOption = None,
    sets: SetOption = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Show what several policies would keep.")
    ] = False,
    allow_contamination: ContaminationOption = False,
    allow_weak_sandbox: WeakOption = False,
) -> None:
    """Filter the candidates and choose the golds (one stage)."""
    sets = [*(sets or []), *set_contamination(allow_contamination)]
    if not preview:
        with _prepare(recipe, out, sets, "select") as (folder, plan):
            _run_stages(folder, plan, alone=True)
        return _end_of_run(folder, plan, recipe)
    from deimos.pipeline.wiring import preview_select
    from deimos.planning import arguments

    loaded, runtime = arguments.load_recipe(recipe, sets)
    folder = arguments.find_run(recipe, out, loaded)  # looked at, not written
    last = arguments.plan_recipe(loaded, runtime, "select")[-1]
    for line in preview_select(folder, last, loaded, runtime):
        typer.echo(line)
    return _next(f"deimos select {arguments.command_line(recipe, out, sets)} --set select.policy=…")


app.command()(grade)


@app.command()
def check(
    grader: Annotated[str, typer.Argument(help="Name, pkg:attr or ./file.py:attr.")],
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Whose prompts to check with; else its own examples, or the lab's prompts."
        ),
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="Kind of prompt it judges; its own name, or math.")
    ] = None,
    take: Annotated[int, typer.Option(help="How many prompts.", min=2)] = 50,
    source: Annotated[
        str | None, typer.Option(help="Source of prompts whose own right answers to check with.")
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="KEY=VALUE", help="Of that source: path=DATA, split=…"),
    ] = None,
    allow_weak_sandbox: WeakOption = False,
) -> None:
    """Check that a grader accepts right answers and rejects others."""
    from deimos.cli.grading import check_grader, check_source, has_examples
    from deimos.planning.arguments import load_recipe

    kind = kind or (grader if grader in KINDS else "math")
    if source or options:
        text, good = check_source(grader, source, options or [], take)
    else:
        recipe = recipe or (None if has_examples(grader) else "lab")
        text, good = check_grader(grader, kind, load_recipe(recipe)[0] if recipe else None, take)
    typer.echo(text)
    if not good:
        raise typer.Exit(1)
    _next(f"deimos run {recipe or 'RECIPE'} --set select.graders.{kind}={grader}")


@app.command()
def doctor() -> None:
    """List what is installed here and what is missing."""
    from deimos.cli.doctor import examine_machine

    for line in examine_machine():
        typer.echo(line)
    _next("deimos demo")


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="Packaged recipe to copy.")] = "lab",
    to: Annotated[Path | None, typer.Argument(help="File to write.")] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of recipes, for editors.")
    ] = False,
) -> None:
    """Copy a packaged recipe to begin your own from."""
    import json

    from deimos.planning.arguments import copy_recipe
    from deimos.recipe import schema as recipe_schema

    if schema:
        return typer.echo(json.dumps(recipe_schema(), indent=1))
    target = copy_recipe(name, to)
    typer.echo(f"wrote {target}")
    _next(f"deimos plan {target}")


@lab_app.command("train")
def lab_train(
    out: Annotated[Path, typer.Option("--out", help="Folder to write.")] = Path("lab-reasoner"),
) -> None:
    """Train the lab model again from scratch."""
    from deimos.lab.training import Config, train
    from deimos.runs.progress import ProgressBar

    with ProgressBar() as progress:
        train(out, Config(), lambda done, total, note: progress("lab train", done, total, note))
    typer.echo(f"wrote {out}")
    _next(f"deimos run lab --set model.id={out}")


@contextlib.contextmanager
def _prepare(
    recipe: str,
    out: Path | None,
    sets: Sequence[str] | None,
    until: str | None,
    allow_contamination: bool = False,
) -> Iterator[tuple[RunFolder, list[Planned]]]:
    from deimos.cli.console import changed_lines
    from deimos.planning.arguments import prepare

    given = [*(sets or []), *set_contamination(allow_contamination)]
    with prepare(recipe, out, given, until) as (folder, plan, changed):
        for line in changed_lines(folder.path, changed):
            typer.echo(line, err=True)
        yield folder, plan


def _run_stages(folder: RunFolder, plan: Sequence[Planned], *, alone: bool = False) -> None:
    from deimos.runs.launch import run_stages

    def say(line: str) -> None:
        typer.echo(line, err=True)

    run_stages(folder, plan, module="deimos.pipeline.process", say=say, alone=alone)


def _end_of_run(folder: RunFolder, plan: Sequence[Planned], recipe: str) -> None:
    """Name the file to open and the next command."""
    from deimos.cli.console import headline
    from deimos.pipeline.stages import names_of

    last = plan[-1]
    if not last.stage.summary:
        typer.echo(f"see {folder.folder(last)}")
        names = names_of(folder.settings()[0])
        return _next(f"deimos {names[names.index(last.stage.name) + 1]} {folder.path}")
    numbers = list(headline(folder.path))
    if not numbers:
        typer.echo("nothing is measured yet: the benchmark has not run")
        return _next(f"deimos run {folder.path}")
    for line in numbers:
        typer.echo(line)
    typer.echo(f"card: {folder.path}/MODEL_CARD.md")
    return _next(f"open {folder.path}/report.html")


def _next(command: str) -> None:
    typer.echo(f"next: {command}")


def main() -> None:
    """Entry point: what the user can mend ends with one sentence and exit code 2."""
    degrade_output()
    run_guarded(app)


if __name__ == "__main__":
    main()
